"""Two operators at once in a real browser: votes that arrive, changes asked for, what was allowed."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import desk as at
from tests import live
from tests.desk import Log, connected, is_accessible_and_fits, log_in, open_sheet, press
from tests.live import LiveServer, Operator

server, key = live.server, live.key
password, log, desk = at.password, at.log, at.desk
LIST = "/admin/interrupts/interrupt/"
ARGUMENTS = {"amount": 1250, "to": "ACME"}

Agent = httpx.Client
MakePolicy = Callable[..., str]


@pytest.fixture(scope="module")
def bob(server: LiveServer) -> Iterator[Operator]:
    with Operator(server, "bob") as operator:
        yield operator


@pytest.fixture
def agent(server: LiveServer, key: str) -> Iterator[Agent]:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=headers) as client:
        yield client


@pytest.fixture
def make_policy(server: LiveServer) -> Callable[[Page], MakePolicy]:
    """Return a function by which who sits at a page makes a policy for a tool; it returns the tool's name."""

    def at_page(page: Page) -> MakePolicy:
        def make(**fields: Any) -> str:
            tool = f"pay_{secrets.token_hex(4)}"
            token = next(one["value"] for one in page.context.cookies() if one["name"] == "csrftoken")
            answer = page.request.post(
                f"{server.url}/api/v1/policies",
                data={
                    "name": tool,
                    "pattern": tool,
                    **(fields if "deny" in fields else {"require_approval": True, **fields}),
                },
                headers={"X-CSRFToken": token, "Referer": server.url},
            )
            assert answer.ok, answer.text()
            return tool

        return make

    return at_page


def ask(agent: Agent, tool: str, **fields: Any) -> dict[str, Any]:
    body = {"reason": "Pay?", "tool_name": tool, "tool_args": ARGUMENTS, "session_id": "s-7", **fields}
    answer = agent.post("/interrupts", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def open_item(page: Page, server: LiveServer, asked: dict[str, Any]) -> None:
    page.goto(f"{server.url}{LIST}{asked['id']}/change/")


def status_of(agent: Agent, asked: dict[str, Any]) -> str:
    return str(agent.get(f"/interrupts/{asked['id']}/status").json()["status"])


def test_the_first_vote_arrives_while_the_second_is_thought_over(
    desk: Page, server: LiveServer, agent: Agent, bob: Operator, make_policy: Any, log: Log
) -> None:
    asked = ask(agent, make_policy(desk)(required_approvals=2))
    open_item(desk, server, asked)
    connected(desk)
    expect(desk.locator(".stage-count")).to_have_text("0 of 2")
    desk.get_by_label("Note").fill("Looks right.")

    bob.decide(asked["id"])

    expect(desk.locator(".stage-count")).to_have_text("1 of 2", timeout=2_000)
    expect(desk.locator(".voter").first).to_have_text("bob")
    expect(desk.get_by_text("This has moved on since you opened it")).to_be_visible()
    press(desk, "Approve (1 of 2)")
    expect(desk.get_by_text("This page was out of date. Nothing was decided.")).to_be_visible()
    expect(desk.get_by_role("alert")).to_contain_text("bob approved (1 of 2)")
    expect(desk.get_by_label("Note")).to_have_value("Looks right.")
    assert status_of(agent, asked) == "pending"
    press(desk, "Approve: last of 2")
    expect(desk.get_by_text("Approved: Pay?")).to_be_visible()
    assert status_of(agent, asked) == "approved"
    assert [line for line in log if "412" not in line] == []  # a refused page is a failed load to Chromium


def test_changes_are_asked_for_and_the_revision_shows_what_they_led_to(
    desk: Page, server: LiveServer, agent: Agent, bob: Operator, make_policy: Any, log: Log
) -> None:
    asked = ask(agent, make_policy(desk)(required_approvals=2))
    bob.decide(asked["id"])
    open_item(desk, server, asked)
    press(desk, "Ask for changes")
    expect(desk.get_by_text("Say what should change: the agent is told.")).to_be_visible()
    desk.get_by_label("Note").fill("Half of it.")
    press(desk, "Ask for changes")
    expect(desk.get_by_text("Changes asked for: Pay?")).to_be_visible()
    open_item(desk, server, asked)
    expect(desk.get_by_text("this waits for the agent’s revision")).to_be_visible()  # noqa: RUF001 - as the page writes it

    told = {"tool_args": {**ARGUMENTS, "amount": 625}}
    assert agent.post(f"/interrupts/{asked['id']}/revise", json=told).is_success
    open_item(desk, server, asked)

    revised = desk.locator(".revised")
    expect(revised.locator("del")).to_have_text("1250")
    expect(revised.locator("ins")).to_have_text("625")
    expect(revised).to_contain_text("those votes have lapsed")
    expect(desk.locator(".stage-count")).to_have_text("0 of 2")
    assert [line for line in log if "400" not in line] == []


def test_what_is_allowed_for_a_session_passes_at_once(
    desk: Page, server: LiveServer, agent: Agent, make_policy: Any, log: Log
) -> None:
    tool = make_policy(desk)()
    open_item(desk, server, ask(agent, tool))

    desk.get_by_text("Allow in advance").click()
    desk.get_by_label("For this session (8 h)").check()
    press(desk, "Approve")

    expect(desk.get_by_text("It is allowed in this session for 8 h.")).to_be_visible()
    expect(desk.get_by_role("link", name="See what is allowed in advance")).to_be_visible()
    passed = ask(agent, tool, tool_args={"amount": 3, "to": "ACME"})
    assert passed["status"] == "approved"
    open_item(desk, server, passed)
    expect(desk.get_by_text("has allowed this in advance.", exact=False).first).to_be_visible()
    assert log == []


def test_every_state_is_accessible_and_fits(
    browser: Browser, server: LiveServer, password: str, agent: Agent, bob: Operator, make_policy: Any,
) -> None:  # fmt: skip
    context = browser.new_context()
    page = context.new_page()
    log_in(page, server, password)
    make = make_policy(page)
    stages = [{"name": "First", "reviewers": []}, {"name": "Then", "reviewers": [], "required_approvals": 2}]
    voted = ask(agent, make(stages=stages, note="Twice.", approval_message="Look.", high_risk=True))
    bob.decide(voted["id"])
    revised = ask(agent, make(when="args.nothing > 1", sla={"medium": 600}, business_hours=True))
    bob.decide(revised["id"], "request_changes", comment="Half.")
    wanted = ask(agent, make())
    bob.decide(wanted["id"], "request_changes", comment="Half.")
    agent.post(f"/interrupts/{revised['id']}/revise", json={"reason": "Half?", "tool_args": {"amount": 9}})
    used, denied = ask(agent, make()), ask(agent, make(deny=True))
    bob.decide(used["id"])
    agent.post(f"/interrupts/{used['id']}/consume", json={"tool_args": ARGUMENTS})
    agent.post(f"/interrupts/{used['id']}/outcome", json={"status": "failed", "result": {"code": 1}})
    others = ask(agent, make(reviewers=["reviewer"]))

    for asked in (voted, revised, wanted, used, denied, others):
        open_item(page, server, asked)
        open_sheet(page)
        for fold in page.locator("details.ahead, details.hand-over, details.receipt").all():
            fold.locator("summary").click()
        is_accessible_and_fits(page)
    page.goto(f"{server.url}{LIST}")
    is_accessible_and_fits(page)
    context.close()
