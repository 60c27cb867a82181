"""The inbox at work, in a real browser: what arrives and goes, many at once, twenty by keyboard."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests import desk as at
from tests import live
from tests.admin import page_of
from tests.browser import Measure
from tests.desk import Log, connected, press, row_of
from tests.live import LiveServer, Operator

server, key, ann = live.server, live.key, live.ann
password, log, desk = at.password, at.log, at.desk
INBOX = "/admin/inbox/"
TOP = "place => place.getBoundingClientRect().top"
FOCUSED = "document.activeElement.tagName === 'BUTTON' && document.activeElement.textContent.trim()"
ITEM = re.compile("/admin/(interrupts/interrupt|requests_app/actionrequest)/")

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def agents(server: LiveServer, key: str) -> Iterator[list[httpx.Client]]:
    """Three agents."""
    keys = [key, server.new_key(), server.new_key()]
    found = [
        httpx.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {each}"})
        for each in keys
    ]
    yield found
    for agent in found:
        agent.close()


@pytest.fixture
def ask(agents: list[httpx.Client]) -> Iterator[Ask]:
    """Ask as one of the agents; what a test leaves open is taken back."""
    asked = []

    def create(by: int = 0, path: str = "interrupts", **fields: Any) -> dict[str, Any]:
        answer = agents[by].post(f"/{path}", json=fields)
        assert answer.status_code == 201, answer.text
        asked.append((by, path, answer.json()))
        return dict(asked[-1][2])

    yield create
    for by, path, item in asked:
        agents[by].post(f"/{path}/{item['id']}/cancel", json={})


def open_inbox(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}{INBOX}")
    connected(page)


def tick_of(page: Page, asked: dict[str, Any]) -> Any:
    return row_of(page, asked).locator("input.pick")


def test_what_arrives_and_what_goes_leaves_ticks_focus_and_place_alone(
    desk: Page, server: LiveServer, ask: Ask, ann: Operator, log: Log, measure: Measure
) -> None:
    first, *others = [ask(reason=f"Move file {number}?", tool_name="move") for number in range(40)]
    gone, last = others[5], others[-1]
    open_inbox(desk, server)
    desk.evaluate("window.sameDocument = true")
    for asked in (first, others[7], last):
        tick_of(desk, asked).check()
    link = row_of(desk, last).get_by_role("link")
    link.focus()
    place = link.evaluate(TOP)
    assert desk.evaluate("scrollY") > 0

    started = time.monotonic()
    arrived = ask(reason="Just arrived?", priority="critical")
    expect(desk.get_by_role("button", name="1 new: show")).to_be_attached(timeout=2_000)
    shown = time.monotonic() - started
    desk.wait_for_timeout(1_000)  # the page looks once a second at most
    started = time.monotonic()
    ann.decide(gone["id"], "reject", reason="No.")
    expect(row_of(desk, gone)).to_have_class(re.compile("is-gone"), timeout=2_000)
    struck = time.monotonic() - started

    expect(row_of(desk, gone)).to_contain_text("ann")
    expect(link).to_be_focused()
    assert abs(link.evaluate(TOP) - place) < 3
    desk.keyboard.press(".")
    expect(row_of(desk, arrived)).to_be_visible()
    for asked in (first, others[7], last):
        expect(tick_of(desk, asked)).to_be_checked()
    assert desk.evaluate("window.sameDocument")
    assert log == []
    measure("new item → shown", f"{shown:.2f} s")
    measure("another's decision → struck", f"{struck:.2f} s")
    assert max(shown, struck) < 2


def test_a_server_that_is_killed_is_said_and_each_change_comes_once(
    desk: Page, server: LiveServer, ask: Ask, ann: Operator, measure: Measure
) -> None:
    ticked, decided = ask(reason="Ticked?", tool_name="move"), ask(reason="Decided meanwhile?")
    open_inbox(desk, server)
    desk.evaluate("window.sameDocument = true")
    tick_of(desk, ticked).check()

    server.kill()
    died = time.monotonic()
    expect(desk.locator("#connection")).to_contain_text("Not connected.", timeout=3_500)
    said = time.monotonic() - died
    server.start()
    back = time.monotonic()
    ann.decide(decided["id"])
    arrived = ask(reason="Asked meanwhile?")
    expect(desk.locator("#connection")).to_be_hidden(timeout=30_000)
    caught_up = time.monotonic() - back

    expect(row_of(desk, decided)).to_have_class(re.compile("is-gone"))
    expect(desk.locator(".toast", has_text="Asked meanwhile?")).to_have_count(1)
    expect(desk.locator(".toast", has_text="Decided meanwhile?")).to_have_count(1)
    press(desk, "1 new: show")
    expect(row_of(desk, arrived)).to_have_count(1)
    expect(tick_of(desk, ticked)).to_be_checked()
    assert desk.evaluate("window.sameDocument")
    measure("server killed → banner", f"{said:.2f} s")
    measure("server back → caught up", f"{caught_up:.2f} s")
    assert said < 3


def test_several_are_ticked_and_decided_together_by_keyboard(
    desk: Page, server: LiveServer, ask: Ask, ann: Operator, log: Log
) -> None:
    for number in range(3):
        ask(reason=f"Mail {number}?", tool_name="mail")
    other = ask(reason="Another tool?", tool_name="wipe_disk")
    open_inbox(desk, server)
    for _ in range(4):
        desk.keyboard.press("j")
        desk.keyboard.press("x")
    expect(desk.locator(".ticked-count")).to_contain_text("4")
    tab_to(desk, "Decide together")
    desk.keyboard.press("Enter")

    expect(desk.get_by_role("alert")).to_contain_text("different tools")
    expect(desk.get_by_role("button", name="Approve 4")).to_have_count(0)
    assert len(ann.waiting()) == 4
    open_inbox(desk, server)
    for _ in range(4):
        desk.keyboard.press("j")
        if desk.locator("#rows [aria-current=true]").get_attribute("data-id") != other["id"]:
            desk.keyboard.press("x")
    tab_to(desk, "Decide together")
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", name="Decide 3 together")).to_be_visible()
    tab_to(desk, "Reject 3")
    desk.keyboard.press("Enter")
    expect(desk.get_by_text("Say why")).to_be_visible()
    assert len(ann.waiting()) == 4
    tab_to(desk, "Approve 3")
    desk.keyboard.press("Enter")

    expect(desk.locator("#toasts")).to_contain_text("3 approved.")
    assert [item["id"] for item in ann.waiting()] == [other["id"]]
    assert [line for line in log if "400" not in line] == []  # a refused page is a failed load to Chromium


def tab_to(page: Page, name: str) -> None:
    """Go on by the Tab key until the button *name* has the focus."""
    for _ in range(150):
        if (
            page.evaluate("document.activeElement.firstChild && document.activeElement.textContent.trim()")
            == name
        ):
            return
        page.keyboard.press("Tab")
    raise AssertionError(name)


def test_twenty_items_of_three_agents_are_reviewed_by_keyboard_alone(
    desk: Page, server: LiveServer, ask: Ask, ann: Operator, log: Log, measure: Measure
) -> None:
    asked = [
        *(ask(n % 3, reason=f"Refund {n}?", tool_name="refund", tool_args={"n": n}) for n in range(14)),
        *(ask(n % 3, reason=f"Restart {n}?", type="confirmation", priority="low") for n in range(4)),
        *(
            ask(n, "requests", request_type="custom", title=f"Number {n}", description="Look it up.",
                required_fields={"number": "Number"}, priority="low")
            for n in range(2)
        ),
    ]  # fmt: skip
    open_inbox(desk, server)
    desk.keyboard.press("j")
    desk.keyboard.press("Enter")
    expect(desk).to_have_url(ITEM)
    taken = []
    for number in range(len(asked)):
        connected(desk)
        here = desk.url
        if "actionrequest" in here:
            desk.keyboard.press("e")
            desk.keyboard.type("4711")
            leave_the_field(desk)
        elif number % 3 == 2:
            desk.keyboard.press("r")
            desk.keyboard.type("Not this one.")
            desk.keyboard.press("Control+Enter")
        else:
            desk.keyboard.press("a")
            desk.keyboard.press("Enter")
        started = time.monotonic()
        expect(desk).not_to_have_url(here, timeout=5_000)
        desk.wait_for_load_state("domcontentloaded")
        taken.append(time.monotonic() - started)

    assert ann.waiting() == ann.waiting("requests") == []
    found = [ann.http.get(f"/api/v1/{path_of(item)}").json()["status"] for item in asked]
    assert set(found) == {"approved", "rejected", "fulfilled"}
    assert found.count("fulfilled") == 2
    assert log == []
    taken.sort()
    measure("next item after a decision", f"median {taken[10]:.2f} s, longest {taken[-1]:.2f} s")
    assert taken[10] < 2


def leave_the_field(page: Page) -> None:
    """Leave what is typed into, go to the allowing verb by its key, and press it."""
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.press("Enter")


def path_of(asked: dict[str, Any]) -> str:
    return f"{'interrupts' if asked['id'].startswith('int_') else 'requests'}/{asked['id']}"


def test_fifty_rows_are_light(
    ask: Ask, agents: list[httpx.Client], server: LiveServer, ann: Operator, measure: Measure
) -> None:
    items = [
        {"reason": f"Refund order {n}?", "tool_name": "refund", "tool_args": {"n": n}} for n in range(60)
    ]
    made = agents[0].post("/interrupts/batch", json={"items": items}).json()["results"]

    started = time.monotonic()
    answer = ann.http.get(INBOX)
    taken = time.monotonic() - started

    for asked in made:
        agents[0].post(f"/interrupts/{asked['id']}/cancel", json={})
    assert answer.text.count('class="item priority-row') == 50
    measure("inbox of 50 rows", f"{len(answer.content) / 1024:.0f} KB, {taken * 1000:.0f} ms")
    assert len(answer.content) <= 120 * 1024


def test_something_critical_needs_its_word_on_the_page_and_in_a_post_of_its_own(
    desk: Page, server: LiveServer, ask: Ask, ann: Operator
) -> None:
    asked = ask(reason="Drop it?", tool_name="drop_table", priority="critical")
    desk.goto(f"{server.url}{page_of(asked)}")
    connected(desk)
    desk.keyboard.press("a")
    expect(desk.get_by_label("Critical: type drop_table to allow it")).to_be_focused()
    sent = desk.evaluate(
        """async () => {
            const sent = new FormData(document.getElementById("decide"));
            sent.set("verb", "approve");
            return (await fetch(location.pathname, {method: "POST", body: new URLSearchParams(sent)})).status;
        }"""
    )

    assert sent == 400
    assert ann.http.get(f"/api/v1/{path_of(asked)}").json()["status"] == "pending"
    desk.keyboard.type("drop_table")
    desk.keyboard.press("Control+Enter")
    expect(desk.get_by_text("Approved: Drop it?")).to_be_visible()
