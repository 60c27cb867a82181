"""A review by keys alone and by thumb alone, in a real browser against a real server."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import desk as at
from tests import live
from tests.desk import Log, connected, is_accessible_and_fits, log_in
from tests.live import LiveServer, Operator

server, key = live.server, live.key
password, log, desk = at.password, at.log, at.desk
LIST = "/admin/interrupts/interrupt/"
CALL: dict[str, Any] = {"tool_name": "delete_file", "tool_args": {"path": "/srv/old.csv", "days": 90}}
LETTER = "Dear customer,\n\n" + "we thank you for your patience. " * 12

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def bob(server: LiveServer) -> Iterator[Operator]:
    with Operator(server, "bob") as operator:
        yield operator


@pytest.fixture
def agent(server: LiveServer, key: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=headers) as client:
        yield client


@pytest.fixture
def ask(agent: httpx.Client) -> Iterator[Ask]:
    """Ask as the agent; what a test leaves open is taken back."""
    asked = []

    def create(**fields: Any) -> dict[str, Any]:
        answer = agent.post("/interrupts", json={"reason": "Delete the old report?", **fields})
        assert answer.status_code == 201, answer.text
        asked.append(answer.json())
        return dict(asked[-1])

    yield create
    for item in asked:
        agent.post(f"/interrupts/{item['id']}/cancel", json={})


def open_item(page: Page, server: LiveServer, asked: dict[str, Any]) -> None:
    page.goto(f"{server.url}{LIST}{asked['id']}/change/")
    connected(page)


def status(agent: httpx.Client, asked: dict[str, Any]) -> str:
    return str(agent.get(f"/interrupts/{asked['id']}/status").json()["status"])


def focused(page: Page) -> Any:
    return page.locator(":focus")


def press_and_land(page: Page, key: str, path: str) -> None:
    page.keyboard.press(key)
    expect(page).to_have_url(re.compile(f"{path}$"))
    page.wait_for_load_state()


# -- By keys ----------------------------------------------------------------------------------------------


def test_what_stands_in_the_place_of_a_call_is_not_asked_of_who_approves(
    desk: Page, server: LiveServer, ask: Ask, agent: httpx.Client, log: Log
) -> None:
    every = ["approve", "edit", "reject", "respond"]
    approved, answered = (ask(reason=f"{number}?", **CALL, allowed_decisions=every) for number in (1, 2))

    open_item(desk, server, approved)
    desk.keyboard.press("a")
    expect(focused(desk)).to_have_attribute("value", "approve")
    desk.keyboard.press("Enter")
    expect(desk).to_have_url(re.compile(answered["id"]))
    assert status(agent, approved) == "approved"

    desk.wait_for_load_state()
    expect(desk.get_by_role("button", name="Send answer")).to_be_hidden()
    desk.get_by_text("Answer instead").click()
    expect(desk.get_by_text("The tool is not called.")).to_be_visible()
    is_accessible_and_fits(desk)
    desk.get_by_label("Your answer").fill("I deleted it by hand.")
    desk.get_by_role("button", name="Send answer").click()
    expect(desk.get_by_text("Answered:")).to_be_visible()
    told = agent.get(f"/interrupts/{answered['id']}/status").json()
    assert (told["decision"], told["response"]) == ("respond", "I deleted it by hand.")
    assert log == []


def test_three_items_are_decided_by_keys_alone(
    desk: Page, server: LiveServer, ask: Ask, agent: httpx.Client, log: Log
) -> None:
    first = ask(reason="First?", priority="critical", **CALL)
    second = ask(reason="Second?", priority="high", **CALL)
    third = ask(reason="Third?", type="input", response_schema={"type": "string", "enum": ["Yes", "No"]})
    desk.goto(f"{server.url}{LIST}")
    connected(desk)
    press = desk.keyboard.press

    press("j")
    expect(focused(desk)).to_have_text("First?")
    press("j")
    press("k")
    expect(desk.locator("#rows > tr[aria-current=true]")).to_contain_text("First?")
    press("Enter")
    expect(desk.get_by_role("heading", name="Wants to call delete_file")).to_be_visible()
    desk.wait_for_load_state()
    # It is critical: A leads to the word, and only with it to the button.
    press("a")
    desk.keyboard.type("delete_file")
    press("Escape")
    press("a")
    expect(focused(desk)).to_have_attribute("value", "approve")
    assert status(agent, first) == "pending"
    started = time.monotonic()
    press("Enter")

    expect(desk).to_have_url(re.compile(second["id"]))
    print(f"next item after {time.monotonic() - started:.2f} s")  # noqa: T201 - what the operator waits for
    assert status(agent, first) == "approved"
    desk.wait_for_load_state()
    press("r")
    expect(focused(desk)).to_have_attribute("name", "note")
    press("Tab")
    expect(focused(desk)).to_have_attribute("value", "reject")
    press("Enter")
    expect(desk.get_by_text("Say why: the agent is told this reason.")).to_be_visible()
    expect(focused(desk)).to_have_attribute("name", "note")
    desk.wait_for_load_state()
    desk.keyboard.type("Keep it until March.")
    press("Escape")
    press("r")
    press("Control+Enter")

    expect(desk).to_have_url(re.compile(third["id"]))
    assert status(agent, second) == "rejected"
    desk.wait_for_load_state()
    press("2")
    press("a")
    press("Enter")
    expect(desk.get_by_text("Answered: Third?")).to_be_visible()
    assert agent.get(f"/interrupts/{third['id']}").json()["response"] == "No"
    assert [line for line in log if "400" not in line] == []  # the refusal without a reason


def test_no_single_key_decides_and_nothing_that_was_not_chosen_is_sent(
    desk: Page, server: LiveServer, ask: Ask, agent: httpx.Client
) -> None:
    asked = ask(**CALL)
    open_item(desk, server, asked)

    for pressed in ("a", "r", "Escape", "e", "Escape", "x", "5", "Shift+E"):
        desk.keyboard.press(pressed)
    expect(focused(desk)).to_have_attribute("value", "escalate")
    desk.reload()
    connected(desk)
    desk.keyboard.press("Control+Enter")
    desk.keyboard.press("Control+a")
    desk.keyboard.press("Control+Enter")
    # Chosen to be approved as it is, then edited: that is another verb.
    desk.keyboard.press("a")
    desk.keyboard.press("e")
    desk.keyboard.press("a")
    desk.locator("#edit input").last.fill("30")
    desk.keyboard.press("Escape")
    desk.keyboard.press("a")
    expect(focused(desk)).to_have_attribute("value", "edit")
    assert status(agent, asked) == "pending"

    desk.keyboard.press("Control+Enter")
    expect(desk.get_by_text("Approved with edits")).to_be_visible()
    assert agent.get(f"/interrupts/{asked['id']}").json()["modifications"]["days"] == 30


def test_keys_are_dead_while_typing_and_listed_behind_a_question_mark(
    desk: Page, server: LiveServer, ask: Ask, log: Log
) -> None:
    asked = ask(**CALL)
    open_item(desk, server, asked)
    desk.get_by_label("Note").focus()
    desk.keyboard.type("are gu?")
    expect(desk.get_by_label("Note")).to_have_value("are gu?")
    expect(desk.get_by_role("dialog")).to_have_count(0)
    desk.keyboard.press("Escape")

    desk.keyboard.press("?")
    dialog = desk.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("Go to the reason of a rejection")
    desk.keyboard.press("u")  # dead in the dialog
    is_accessible_and_fits(desk)
    desk.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    press_and_land(desk, "u", "/admin/inbox/")
    desk.keyboard.press("/")
    expect(focused(desk)).to_have_attribute("id", "searchbar")
    desk.keyboard.press("Escape")
    for second, path in (("r", "/admin/runs/run/"), ("h", "/admin/human-actions/"), ("d", "/admin/")):
        desk.keyboard.press("g")
        press_and_land(desk, second, path)
    assert log == []


def test_the_row_one_is_at_stays_marked_whatever_arrives(
    desk: Page, server: LiveServer, ask: Ask, bob: Operator
) -> None:
    first, second = ask(reason="First?", priority="high"), ask(reason="Second?")
    desk.goto(f"{server.url}{LIST}")
    connected(desk)
    desk.keyboard.press("j")
    desk.keyboard.press("j")
    current = desk.locator("#rows > tr[aria-current=true]")
    expect(current).to_have_attribute("data-id", second["id"])

    ask(reason="Just arrived?", priority="critical")
    bob.decide(first["id"], "reject", reason="No.")
    expect(desk.get_by_role("button", name="1 new: show")).to_be_visible()
    expect(current).to_have_attribute("data-id", second["id"])
    desk.keyboard.press(".")

    expect(desk.locator(":focus")).to_have_text("Just arrived?")
    expect(current).to_contain_text("Just arrived?")


# -- Two at once ------------------------------------------------------------------------------------------


def test_of_two_operators_one_wins_and_the_other_keeps_the_note(
    desk: Page, server: LiveServer, ask: Ask, bob: Operator
) -> None:
    asked = ask(**CALL)
    desk.route("**/ws/operators", lambda route: route.abort())
    desk.goto(f"{server.url}{LIST}{asked['id']}/change/")
    desk.get_by_label("Note").fill("I was about to")
    bob.decide(asked["id"], "reject", reason="Legal hold.")

    desk.keyboard.press("Escape")
    desk.keyboard.press("a")
    desk.keyboard.press("Enter")

    expect(desk.locator(".decided")).to_contain_text("Legal hold.")
    expect(desk.locator("textarea[name=body]")).to_have_value("I was about to")


def test_activity_renews_a_claim_and_a_lost_one_is_said(
    desk: Page, server: LiveServer, ask: Ask, bob: Operator
) -> None:
    asked = ask(**CALL)
    open_item(desk, server, asked)
    desk.keyboard.press("m")
    expect(desk.locator("#standing")).to_have_attribute("data-mine", "yes")
    desk.wait_for_load_state()

    with desk.expect_response(lambda answer: answer.request.method == "POST") as renewed:
        desk.keyboard.press("Shift")
    assert renewed.value.status == 204
    server.manage(
        "shell", "-c",
        "from django.db.models.functions import Now; from reviews.models import ReviewItem\n"
        f"ReviewItem.objects.filter(pk={asked['id']!r}).update(claimed_until=Now())",
    )  # fmt: skip
    desk.clock.install()
    desk.clock.fast_forward(130_000)
    desk.get_by_label("Note").press_sequentially("x")

    expect(desk.get_by_text("Your claim has ended.")).to_be_visible()


# -- Long texts, and the phone ----------------------------------------------------------------------------


def test_an_edited_letter_shows_which_words_differ(
    desk: Page, server: LiveServer, ask: Ask, agent: httpx.Client, log: Log
) -> None:
    call = {"letter": LETTER, "box": {"weight": 1.0, "at": {"city": "Oslo"}}}
    asked = ask(tool_name="send", tool_args=call)
    open_item(desk, server, asked)
    desk.keyboard.press("e")
    expect(focused(desk)).to_have_value(LETTER)

    desk.get_by_label("letter").fill(LETTER.replace("customer", "Mrs Okafor"))
    desk.get_by_label("box.at.city").fill("Rome")

    expect(desk.locator(".text-diff del")).to_have_text("customer")
    expect(desk.locator(".text-diff ins")).to_have_text("Mrs Okafor")
    expect(desk.locator("#diff-lines")).to_contain_text("box.at.city: Oslo → Rome")
    is_accessible_and_fits(desk)
    desk.keyboard.press("Control+Enter")
    expect(desk.get_by_text("Approved with edits")).to_be_visible()
    found = agent.get(f"/interrupts/{asked['id']}").json()["modifications"]
    assert found["box"] == {"weight": 1.0, "at": {"city": "Rome"}}
    assert type(found["box"]["weight"]) is float
    assert log == []


def test_a_review_by_thumb(
    browser: Browser, server: LiveServer, password: str, ask: Ask, agent: httpx.Client
) -> None:
    first, second = ask(reason="First?", priority="high", **CALL), ask(reason="Second?", **CALL)
    context = browser.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    log_in(page, server, password)
    page.goto(f"{server.url}{LIST}")
    page.get_by_text("First?").tap()
    connected(page)
    approve = page.get_by_role("button", name="Approve", exact=True)
    expect(approve).to_be_in_viewport(ratio=1)
    expect(page.get_by_label("Note")).to_be_hidden()
    expect(page.locator(".key-hint").first).to_be_hidden()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(approve).to_be_in_viewport(ratio=1)
    # The end of the page is not under the bar.
    comment = page.get_by_role("button", name="Comment", exact=True).bounding_box()
    bar = page.locator("#panel").bounding_box()
    assert comment
    assert bar
    assert comment["y"] + comment["height"] <= bar["y"]

    approve.tap()
    expect(page).to_have_url(re.compile(second["id"]))
    page.get_by_role("button", name="Reject").tap()
    expect(page.get_by_label("Note")).to_be_focused()
    page.get_by_label("Note").fill("Keep it.")
    is_accessible_and_fits(page)
    page.get_by_role("button", name="Reject").tap()

    expect(page.get_by_text("Rejected: Second?")).to_be_visible()
    assert [status(agent, each) for each in (first, second)] == ["approved", "rejected"]
    context.close()
