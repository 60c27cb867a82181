"""The pages of human actions in a real browser: the policy, the look, the keyboard, the live list."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import desk as at
from tests import live
from tests.admin import HUMAN_ACTIONS, page_of
from tests.desk import Log, connected, is_accessible_and_fits, log_in, open_sheet, press, row_of
from tests.live import LiveServer, Operator

server, key = live.server, live.key
password, log, desk = at.password, at.log, at.desk
FIELDS: dict[str, Any] = {
    "key": {"label": "Restricted key", "type": "secret", "pattern": "rk_.+", "help": "It begins with rk_."},
    "live": {"label": "Live?", "type": "boolean"},
    "more": {"label": "More", "type": "textarea", "required": False},
    "limit": {"label": "Calls a minute", "type": "number"},
    "until": {"label": "Valid until", "type": "date", "required": False},
    "papers": {"label": "Papers", "type": "file", "required": False},
    "region": {"label": "Region", "type": "choice", "choices": list("ABCDEF"), "required": False},
    "account": "Account",
}
SECRET = "sk_0815_4711"

Need = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def bob(server: LiveServer) -> Iterator[Operator]:
    with Operator(server, "bob") as operator:
        yield operator


@pytest.fixture
def need(server: LiveServer, key: str) -> Iterator[Need]:
    """Ask as the agent; what a test leaves open is taken back."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as agent:
        asked = []

        def create(**fields: Any) -> dict[str, Any]:
            body = {
                "request_type": "api_key",
                "title": "A key for Stripe",
                "description": "To read invoices.",
            }
            answer = agent.post("/api/v1/requests", json={**body, **fields})
            assert answer.status_code == 201, answer.text
            asked.append(answer.json())
            return dict(asked[-1])

        yield create
        for item in asked:
            agent.post(f"/api/v1/requests/{item['id']}/cancel", json={})


@pytest.fixture
def seen(server: LiveServer, key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def read(asked: dict[str, Any]) -> dict[str, Any]:
        path = f"{server.url}/api/v1/requests/{asked['id']}"
        found: dict[str, Any] = httpx.get(path, headers={"Authorization": f"Bearer {key}"}).json()
        return found

    return read


def open_request(page: Page, server: LiveServer, asked: dict[str, Any]) -> None:
    page.goto(f"{server.url}{page_of(asked)}")
    connected(page)


def test_no_page_breaks_the_policy_and_the_socket_opens(
    desk: Page, server: LiveServer, need: Need, log: Log
) -> None:
    asked = need(required_fields=FIELDS, checklist=["Call"])
    for path in (HUMAN_ACTIONS, f"{HUMAN_ACTIONS}?state=all&type=api_key", page_of(asked), "/admin/"):
        desk.goto(f"{server.url}{path}")
        desk.wait_for_load_state("networkidle")
        connected(desk)

    assert log == []


def test_list_page_and_refused_form_are_accessible_and_fit(
    browser: Browser, server: LiveServer, password: str, need: Need, bob: Operator
) -> None:
    need(title="A rather long title " * 8, request_type="strategic_decision", priority="high")
    asked = need(
        required_fields=FIELDS, checklist=["Call", "Sign"], context={"deep": {"a": [1]}}, priority="critical"
    )
    done = need(required_fields={"key": FIELDS["key"], "account": "Account"})
    bob.decide(done["id"], "fulfill", response_data={"key": "rk_1", "account": "A-1"}, notes="Fine.")
    context = browser.new_context()
    page = context.new_page()
    log_in(page, server, password)
    for path in (HUMAN_ACTIONS, f"{HUMAN_ACTIONS}?state=rejected", page_of(done), page_of(asked), "/admin/"):
        page.goto(f"{server.url}{path}")
        is_accessible_and_fits(page)
    open_request(page, server, asked)
    open_sheet(page)
    page.get_by_text("It cannot be done?").click()
    press(page, "Fulfill")
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    is_accessible_and_fits(page)
    context.close()


def test_a_whole_fulfilment_by_keyboard(desk: Page, server: LiveServer, need: Need, seen: Any) -> None:
    asked, after = need(required_fields=FIELDS, priority="high"), need(title="The next one")
    desk.goto(f"{server.url}{HUMAN_ACTIONS}")
    row_of(desk, asked).get_by_role("link").focus()
    desk.keyboard.press("Enter")
    connected(desk)

    desk.get_by_label("Restricted key").focus()
    typed = {"key": "rk_1", "live": " ", "more": "Two\nlines", "limit": "60", "until": "01312030",
             "region": "C", "account": "A-1"}  # fmt: skip
    for name, text in typed.items():
        tab_to(desk, f"answer-{list(FIELDS).index(name)}")
        desk.keyboard.type(text)
    tab_to(desk, "note")
    desk.keyboard.type("Opened today.")
    desk.keyboard.press("Tab")
    desk.keyboard.press("Enter")

    expect(desk.locator("#toasts")).to_contain_text("Fulfilled: A key for Stripe")
    expect(desk).to_have_url(f"{server.url}{page_of(after)}")
    found = seen(asked)
    assert found["response_data"] == {
        "account": "A-1", "limit": 60, "live": True, "until": "2030-01-31", "region": "C",
        "more": "Two\nlines",
    }  # fmt: skip
    assert (found["notes"], found["secrets"]["fields"]) == ("Opened today.", ["key"])


def tab_to(page: Page, name: str) -> None:
    """Go on by the Tab key until the field called *name* has the focus."""
    for _ in range(12):
        if page.evaluate("document.activeElement.name") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(name)


def test_enter_in_a_field_decides_nothing(desk: Page, server: LiveServer, need: Need, seen: Any) -> None:
    asked = need(required_fields={"account": "Account"}, checklist=["Call"])
    open_request(desk, server, asked)

    desk.get_by_label("Account").fill("A-1")
    desk.keyboard.press("Enter")
    desk.wait_for_timeout(300)

    assert seen(asked)["status"] == "pending"


def test_a_secret_that_was_refused_is_nowhere_in_the_page(
    desk: Page, server: LiveServer, need: Need, log: Log
) -> None:
    open_request(desk, server, need(required_fields=FIELDS))
    desk.get_by_label("Restricted key").fill(SECRET)
    desk.get_by_label("Account").fill("A-1")

    press(desk, "Fulfill")

    expect(desk.get_by_text("Type it again")).to_be_visible()
    expect(desk.get_by_label("Restricted key")).to_be_focused()
    expect(desk.get_by_label("Restricted key")).to_have_value("")
    expect(desk.get_by_label("Account")).to_have_value("A-1")
    expect(desk.locator("#toasts")).to_contain_text("Not done yet")
    assert SECRET not in desk.content()
    assert all(SECRET not in line for line in log)


def test_a_new_request_shows_and_is_said_within_two_seconds(
    desk: Page, server: LiveServer, need: Need
) -> None:
    need(title="Already there")
    desk.goto(f"{server.url}{HUMAN_ACTIONS}")
    connected(desk)
    figure = desk.locator("#figures .number").first
    waiting = int(figure.inner_text())

    started = time.monotonic()
    second = need(title="Just arrived", priority="critical")

    expect(desk.get_by_role("button", name="1 new: show")).to_be_visible(timeout=2_000)
    expect(desk.locator("#toasts")).to_contain_text("Just arrived")
    expect(figure).to_have_text(str(waiting + 1))
    assert time.monotonic() - started < 2
    press(desk, "1 new: show")
    expect(row_of(desk, second)).to_be_visible()


def test_what_somebody_else_does_closes_the_form_and_keeps_what_was_typed(
    desk: Page, server: LiveServer, need: Need, bob: Operator
) -> None:
    asked = need(required_fields={"account": "Account"})
    open_request(desk, server, asked)
    desk.get_by_label("Account").fill("A-1")

    bob.decide(asked["id"], "reject", reason="We have one.")

    expect(desk.locator(".decided")).to_contain_text("We have one.", timeout=2_000)
    expect(desk.get_by_role("button", name="Fulfill")).to_be_disabled()
    expect(desk.get_by_label("Account")).to_have_value("A-1")


def test_another_list_shows_its_shape_while_it_is_on_its_way(
    desk: Page, server: LiveServer, need: Need
) -> None:
    need()
    desk.goto(f"{server.url}{HUMAN_ACTIONS}")
    connected(desk)
    desk.evaluate("addEventListener('click', (event) => event.preventDefault())")  # it never arrives

    desk.get_by_role("link", name="Fulfilled").click()

    expect(desk.locator("#results")).to_have_attribute("aria-busy", "true")
