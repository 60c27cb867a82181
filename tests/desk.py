"""An operator at a desk: a real browser, logged in through the front door, that writes down complaints.

A test module takes the fixtures it needs, beside those of :mod:`tests.live`.
"""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.live import LiveServer

Log = list[str]
Ask = Callable[..., dict[str, Any]]

HEIGHT = 844
OVERFLOW = """() => {
    const {scrollWidth, clientWidth} = document.documentElement;
    return scrollWidth - clientWidth;
}"""
# Colours fade from one theme to the other, a child after its parent: be at the end of it.
SETTLE = """async () => {
    for (let still = 0, frame = 0; still < 3 && frame < 60; frame++) {
        await new Promise(then => requestAnimationFrame(then));
        const moving = document.getAnimations();
        moving.forEach(one => one.cancel());
        still = moving.length ? 0 : still + 1;
    }
}"""
AXE = Axe()
ALL = {"resultTypes": ["violations"], "preload": False}
# What may differ where it is dark and narrow; all other rules are the same there.
SOME = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]
NARROW = {**ALL, "runOnly": {"type": "rule", "values": SOME}}


@pytest.fixture(scope="module")
def password(server: LiveServer) -> str:
    made = secrets.token_urlsafe(12)
    server.manage(
        "shell",
        "-c",
        "from django.contrib.auth.models import Group, User\n"
        f"user = User.objects.create_user('ada', password={made!r}, is_staff=True)\n"
        "user.groups.set(Group.objects.filter(name='administrator'))",
    )
    return made


@pytest.fixture
def log(page: Page) -> Log:
    """What the browser complains about: the policy's violations, failing scripts, missing files."""
    said: Log = []
    page.on("console", lambda line: said.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.fixture
def desk(page: Page, server: LiveServer, password: str, log: Log) -> Page:
    """ada at her desk, logged in through the front door."""
    log_in(page, server, password)
    return page


@pytest.fixture
def ask(server: LiveServer, key: str) -> Iterator[Ask]:
    """Ask as the agent; what a test leaves open is taken back."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as agent:
        asked = []

        def create(**fields: Any) -> dict[str, Any]:
            answer = agent.post("/api/v1/interrupts", json={"reason": "Delete the old report?", **fields})
            assert answer.status_code == 201, answer.text
            asked.append(answer.json())
            return dict(asked[-1])

        yield create
        for item in asked:
            agent.post(f"/api/v1/interrupts/{item['id']}/cancel", json={})


def log_in(page: Page, server: LiveServer, password: str) -> None:
    page.goto(f"{server.url}/admin/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def connected(page: Page) -> None:
    expect(page.locator("html[data-connection=on]")).to_be_attached()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def open_sheet(page: Page) -> None:
    """Open what a phone keeps behind the verbs; a wide page shows it anyway, and is open when it narrows."""
    handle, sheet = page.locator(".sheet-handle"), page.locator("#sheet")
    if handle.is_visible() and not sheet.is_checked():
        handle.click()
    elif sheet.count():
        sheet.evaluate("box => { box.checked = true; }")


def row_of(page: Page, asked: dict[str, Any]) -> Any:
    return page.locator(f'tr[data-id="{asked["id"]}"]')


def is_accessible_and_fits(page: Page) -> None:
    """Let :func:`look` find nothing wrong with the page."""
    wrong = look(page)
    assert not wrong, "\n".join(wrong)


def look(page: Page) -> list[str]:
    """Return what is wrong with the page as it stands: light and wide, dark and narrow, and very narrow."""
    wrong = []
    for width, scheme, rules in ((390, "dark", NARROW), (1440, "light", ALL)):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.evaluate(SETTLE)
        results = AXE.run(page, options=rules)
        if results.violations_count:
            wrong.append(f"{page.url} {scheme} {width}: {results.generate_report()}")
    return wrong + too_wide(page)


def too_wide(page: Page) -> list[str]:
    """Tell by how much the page is wider than the narrowest phone."""
    page.set_viewport_size({"width": 320, "height": HEIGHT})
    page.evaluate(SETTLE)
    over = page.evaluate(OVERFLOW)
    page.set_viewport_size({"width": 1440, "height": HEIGHT})
    return [f"{page.url} is {over} px wider than 320"] if over else []
