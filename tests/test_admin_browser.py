"""The admin in a real browser against a real server: what scripts, styles and sockets really do."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests import desk as at
from tests import live
from tests.desk import Ask, Log, connected, is_accessible_and_fits, press, row_of
from tests.live import LiveServer, Operator

server, key = live.server, live.key
password, log, desk, ask = at.password, at.log, at.desk, at.ask
LIST = "/admin/interrupts/interrupt/"
POLICIES = "/admin/reviews/policy/"
CALL: dict[str, Any] = {"tool_name": "delete_file", "tool_args": {"path": "/srv/old.csv", "days": 90}}
HOSTILE = "Harmless \u202egpj.exe\u202c <script>document.title = 'owned'</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def bob(server: LiveServer) -> Iterator[Operator]:
    with Operator(server, "bob") as operator:
        yield operator


@pytest.fixture
def status(server: LiveServer, key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def read(asked: dict[str, Any]) -> dict[str, Any]:
        path = f"{server.url}/api/v1/interrupts/{asked['id']}"
        found: dict[str, Any] = httpx.get(path, headers={"Authorization": f"Bearer {key}"}).json()
        return found

    return read


def open_item(page: Page, server: LiveServer, asked: dict[str, Any]) -> None:
    page.goto(f"{server.url}{LIST}{asked['id']}/change/")


# -- The policy and the look ----------------------------------------------------------------------------


def test_the_socket_opens_on_every_live_page_under_the_policy(
    desk: Page, server: LiveServer, ask: Ask, log: Log
) -> None:
    asked = ask(**CALL)
    for path in ("/admin/", LIST, f"{LIST}?state=decided", f"{LIST}{asked['id']}/change/"):
        desk.goto(f"{server.url}{path}")
        connected(desk)
    desk.get_by_text("ada").first.click()
    press(desk, "Log out")

    assert log == []


# -- Deciding -------------------------------------------------------------------------------------------


def test_approve_goes_on_to_the_next(desk: Page, server: LiveServer, ask: Ask, status: Any) -> None:
    first, second = ask(reason="First?", priority="high"), ask(reason="Second?")
    open_item(desk, server, first)

    desk.get_by_label("Note").fill("Fine.")
    press(desk, "Approve")

    expect(desk.get_by_text("Approved: First?")).to_be_visible()
    expect(desk).to_have_url(f"{server.url}{LIST}{second['id']}/change/")
    assert status(first)["status"] == "approved"


def test_enter_in_a_field_decides_nothing_and_a_rejection_needs_a_reason(
    desk: Page, server: LiveServer, ask: Ask, status: Any
) -> None:
    asked = ask(**CALL, priority="critical")
    open_item(desk, server, asked)
    desk.get_by_label("Critical: type delete_file to allow it").fill("delete_file")
    desk.keyboard.press("Enter")
    desk.wait_for_timeout(300)
    assert status(asked)["status"] == "pending"

    press(desk, "Reject")
    expect(desk.get_by_text("Say why: the agent is told this reason.")).to_be_visible()
    desk.get_by_label("Note").fill("Keep it.")
    press(desk, "Reject")

    expect(desk.get_by_text("Rejected: Delete the old report?")).to_be_visible()
    assert status(asked)["rejection_reason"] == "Keep it."


def test_an_edit_shows_its_diff_and_keeps_its_types(
    desk: Page, server: LiveServer, ask: Ask, status: Any
) -> None:
    asked = ask(**CALL)
    open_item(desk, server, asked)
    expect(desk.get_by_role("button", name="Approve with edits")).to_be_hidden()

    desk.get_by_text("Edit the arguments").click()
    desk.get_by_label("days").fill("30")

    expect(desk.locator("#diff-lines")).to_have_text("days: 90 → 30")
    expect(desk.get_by_role("button", name="Approve", exact=True)).to_be_hidden()
    press(desk, "Approve with edits")
    expect(desk.get_by_text("Approved with edits: Delete the old report?")).to_be_visible()
    assert status(asked)["modifications"] == {"path": "/srv/old.csv", "days": 30}


def test_an_answer_is_given_by_the_form_of_its_schema(
    desk: Page, server: LiveServer, ask: Ask, status: Any
) -> None:
    schema = {
        "type": "object",
        "properties": {"slot": {"enum": ["morning", "evening"]}, "parcels": {"type": "integer"}},
        "required": ["slot", "parcels"],
    }
    asked = ask(type="input", response_schema=schema)
    open_item(desk, server, asked)

    desk.get_by_label("slot").select_option("evening")
    desk.get_by_label("parcels").fill("2")
    press(desk, "Send answer")

    expect(desk.get_by_text("Answered: Delete the old report?")).to_be_visible()
    assert status(asked)["response"] == {"slot": "evening", "parcels": 2}


def test_long_text_is_opened_before_it_is_approved(
    desk: Page, server: LiveServer, ask: Ask, status: Any
) -> None:
    asked = ask(tool_name="run", tool_args={"script": "echo\n" * 60})
    open_item(desk, server, asked)
    expect(desk.get_by_role("button", name="Approve", exact=True)).to_be_disabled()

    desk.get_by_text("Show all of it").click()
    press(desk, "Approve")

    expect(desk.get_by_text("Approved: Delete the old report?")).to_be_visible()
    assert status(asked)["status"] == "approved"


def test_hostile_text_is_inert_and_seen(desk: Page, server: LiveServer, ask: Ask, log: Log) -> None:
    asked = ask(reason=HOSTILE, tool_name="t", tool_args={HOSTILE: HOSTILE}, data={"d": HOSTILE})
    for path in (LIST, f"{LIST}{asked['id']}/change/"):
        desk.goto(f"{server.url}{path}")
        connected(desk)
        expect(desk.get_by_text("⟦U+202E⟧").first).to_be_visible()
        assert desk.title() != "owned"
        assert desk.locator("img[src=x]").count() == 0
    assert log == []


# -- Live -------------------------------------------------------------------------------------------------


def test_a_new_item_waits_behind_a_button_within_two_seconds(
    desk: Page, server: LiveServer, ask: Ask
) -> None:
    first = ask(reason="Already there?")
    desk.goto(f"{server.url}{LIST}")
    connected(desk)
    row_of(desk, first).get_by_role("link").focus()

    started = time.monotonic()
    second = ask(reason="Just arrived?", priority="critical")

    expect(desk.get_by_role("button", name="1 new: show")).to_be_visible(timeout=2_000)
    assert time.monotonic() - started < 2
    expect(row_of(desk, second)).to_have_count(0)
    expect(desk.locator("#toasts")).to_contain_text("Just arrived?")
    expect(row_of(desk, first).get_by_role("link")).to_be_focused()
    press(desk, "1 new: show")
    expect(row_of(desk, second)).to_be_visible()


def test_what_somebody_else_decides_is_struck_in_place(
    desk: Page, server: LiveServer, ask: Ask, bob: Operator
) -> None:
    asked, other = ask(reason="Decided by bob?"), ask(reason="Still there?")
    desk.goto(f"{server.url}{LIST}")
    connected(desk)

    bob.decide(asked["id"], "reject", reason="No.")

    expect(row_of(desk, asked)).to_have_class("item priority-row-2 is-changed is-gone", timeout=2_000)
    expect(row_of(desk, asked)).to_contain_text("bob")
    expect(row_of(desk, other)).not_to_have_class("is-gone")


def test_a_decision_elsewhere_closes_the_panel_and_keeps_the_note(
    desk: Page, server: LiveServer, ask: Ask, bob: Operator
) -> None:
    asked = ask(**CALL)
    open_item(desk, server, asked)
    connected(desk)
    desk.get_by_label("Note").fill("I was about to")

    bob.decide(asked["id"], "reject", reason="Legal hold.")

    expect(desk.locator(".decided")).to_contain_text("Legal hold.", timeout=2_000)
    expect(desk.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    expect(desk.get_by_label("Note")).to_have_value("I was about to")


def test_a_server_that_goes_away_is_said_and_what_was_missed_arrives(
    desk: Page, server: LiveServer, ask: Ask
) -> None:
    desk.goto(f"{server.url}{LIST}")
    connected(desk)

    server.stop()
    expect(desk.get_by_text("Not connected.")).to_be_visible(timeout=10_000)
    server.start()
    asked = ask(reason="Asked meanwhile?")

    expect(desk.get_by_text("Not connected.")).to_be_hidden(timeout=30_000)
    expect(desk.get_by_role("button", name="1 new: show")).to_be_visible(timeout=5_000)
    press(desk, "1 new: show")
    expect(row_of(desk, asked)).to_be_visible()


# -- Policies -------------------------------------------------------------------------------------------


def test_a_rule_is_made_from_an_item_tested_and_saved(desk: Page, server: LiveServer, ask: Ask) -> None:
    asked = ask(reason="Wipe the disk?", tool_name="wipe_disk", tool_args={"disk": "sda", "passes": 3})
    desk.goto(f"{server.url}{POLICIES}add/?item={asked['id']}")
    expect(desk.get_by_label("Condition")).to_have_value('args.disk == "sda" &&\nargs.passes == 3')
    desk.get_by_label("Deny: nobody may allow it, and it is rejected at once").check()
    desk.get_by_label("Deadline").fill("4 h")

    press(desk, "Test against the last 30 days")

    expect(desk.get_by_role("heading", name="Tested against the last 30 days")).to_be_in_viewport()
    expect(desk.locator(".outcomes")).to_contain_text("Wipe the disk?")
    expect(desk.get_by_label("Deadline")).to_have_value("4 h")
    is_accessible_and_fits(desk)
    press(desk, "Save")
    expect(desk.get_by_text("The policy “Like: wipe_disk” is made.").first).to_be_attached()
    expect(desk.locator(".rules").first).to_contain_text("Like: wipe_disk")
    assert ask(tool_name="wipe_disk", tool_args={"disk": "sda", "passes": 3})["status"] == "rejected"
