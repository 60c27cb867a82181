"""Every page of the admin, light and dark, wide and narrow, in German too: strict, legible, fitting."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import desk as at
from tests import every_page, live
from tests.browser import Measure
from tests.desk import HEIGHT, OVERFLOW, Log, connected, log_in, look, press
from tests.live import LiveServer, Operator
from tests.providers import HTTPService

key, ann = live.key, live.ann
password = at.password
INBOX = "/admin/inbox/"
# Kept by the browser for when there is no server, and so written in the language the browser asks for.
OFFLINE = "/admin/offline/"
# What was sent for the page, and how long the server thought.
COSTS = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const files = performance.getEntriesByType("resource");
    return {
        html: page.encodedBodySize,
        all: files.reduce((sum, file) => sum + file.encodedBodySize, page.encodedBodySize),
        ms: page.responseStart - page.requestStart,
    };
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live.running(HITL_RUN_HOSTS="127.0.0.1") as found:
        yield found


@pytest.fixture(scope="module")
def service() -> Iterator[HTTPService]:
    with HTTPService() as found:
        yield found


@pytest.fixture(scope="module")
def states(
    server: LiveServer, key: str, ann: Operator, service: HTTPService, password: str
) -> dict[str, str]:
    """The pages of items in all their states, by name."""
    return every_page.seed(server, key, ann, f"{service.url}/resize")


@pytest.fixture(scope="module")
def said() -> Log:
    """What the browser complains about, on whichever page."""
    return []


@pytest.fixture(scope="module")
def tab(browser: Browser, server: LiveServer, password: str, said: Log) -> Iterator[Page]:
    """One tab for all pages, with nothing in motion."""
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 1440, "height": HEIGHT})
    page = context.new_page()
    page.on("console", lambda line: said.append(f"{page.url}: {line.text}") if line.type == "error" else None)
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    log_in(page, server, password)
    yield page
    context.close()


@pytest.fixture(scope="module")
def paths(server: LiveServer, states: dict[str, str], tab: Page) -> list[str]:
    """Every page there is: what answers 200 with HTML, of all the addresses of the site."""
    tried = {path: tab.request.get(f"{server.url}{path}") for path in every_page.addresses(server)}
    assert {path: answer.status for path, answer in tried.items() if answer.status >= 500} == {}
    found = [
        path for path, answer in tried.items() if answer.ok and is_page(answer) and at_home(answer, path)
    ]
    assert len(found) > 50
    return [*found, *states.values()]


def is_page(answer: Any) -> bool:
    return bool(answer.headers["content-type"].startswith("text/html"))


def at_home(answer: Any, path: str) -> bool:
    """Tell a page from an address that leads to another page."""
    return bool(answer.url.endswith(path))


def unfold(page: Page) -> None:
    """Open what is folded, but for menus, which lie over the rest."""
    page.evaluate(
        "document.querySelectorAll('main details:not(.menu, .filter-menu)').forEach(fold => fold.open = true)"
    )


@pytest.mark.timeout(900)
def test_every_page_is_strict_accessible_and_fits(
    tab: Page, server: LiveServer, paths: list[str], said: Log, measure: Measure
) -> None:
    wrong = []
    for path in paths:
        tab.goto(f"{server.url}{path}")
        if tab.locator("[data-live]").count():
            connected(tab)
        cost = tab.evaluate(COSTS)
        name = path.split("?")[0].removeprefix("/admin")
        told = f"{cost['html'] / 1024:.1f} KB HTML, {cost['all'] / 1024:.0f} KB in all, {cost['ms']:.0f} ms"
        measure(name, told)
        unfold(tab)
        wrong += look(tab)
        if tab.title() == "owned" or tab.locator("img[src=x]").count():
            wrong.append(f"{path} lets an agent's text act")

    assert not wrong, "\n".join(wrong)
    assert said == []


def test_every_page_fits_in_german(tab: Page, server: LiveServer, paths: list[str], said: Log) -> None:
    tab.set_extra_http_headers({"Accept-Language": "de"})
    tab.set_viewport_size({"width": 320, "height": HEIGHT})
    wrong = []
    for path in paths:
        tab.goto(f"{server.url}{path}")
        unfold(tab)
        wrong += [path] if tab.evaluate(OVERFLOW) else []
        if path != OFFLINE and tab.locator("html").get_attribute("lang") != "de":
            wrong.append(f"{path} is not in German")
    tab.set_extra_http_headers({})
    tab.set_viewport_size({"width": 1440, "height": HEIGHT})

    assert not wrong, "\n".join(wrong)
    assert said == []


def test_dialogs_menus_and_what_went_wrong_are_accessible_and_fit(
    tab: Page, server: LiveServer, states: dict[str, str]
) -> None:
    def open_page(path: str) -> None:
        tab.goto(f"{server.url}{path}")

    wrong = []
    open_page(INBOX)
    connected(tab)
    tab.keyboard.press("?")
    expect(tab.locator("dialog[open]")).to_be_visible()
    wrong += look(tab)
    tab.keyboard.press("Escape")
    for menu in tab.locator("details.menu > summary, details.filter-menu > summary").all():
        if not menu.is_visible():
            continue
        menu.click()
        wrong += look(tab)
        menu.press("Escape")
    tab.locator("#rows .pick").first.check()
    wrong += look(tab)
    for query in (
        "?q=nothing-of-the-kind",
        "?state=mine",
        "?state=decided",
        "?priority=critical&type=api_key",
    ):
        open_page(f"{INBOX}{query}")
        wrong += look(tab)
    open_page(states["hostile"])
    press(tab, "Reject")
    expect(tab.get_by_text("Say why: the agent is told this reason.")).to_be_visible()
    wrong += look(tab)
    open_page(states["request"])
    press(tab, "Fulfill")
    expect(tab.get_by_text("This field is required.").first).to_be_visible()
    wrong += look(tab)
    open_page("/admin/interrupts/interrupt/int_nothing/change/")
    wrong += look(tab)
    open_page(INBOX)
    connected(tab)
    tab.context.set_offline(True)
    expect(tab.locator("#connection")).to_be_visible()
    wrong += look(tab)
    tab.context.set_offline(False)

    assert not wrong, "\n".join(wrong)


def test_the_login_is_strict_accessible_and_fits(browser: Browser, server: LiveServer) -> None:
    page = browser.new_page()
    said: Log = []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.goto(f"{server.url}/admin/login/")
    wrong = look(page)
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    press(page, "Log in")
    expect(page.locator(".errornote, [role=alert]").first).to_be_visible()
    wrong += look(page)
    page.close()

    assert not wrong, "\n".join(wrong)
    assert [line for line in said if "401" not in line and "400" not in line] == []
