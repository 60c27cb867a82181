"""The pages of runs in a real browser: the policy, the look, what happens elsewhere, the keyboard."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import desk as at
from tests import live, run_pages
from tests.desk import Log, connected, is_accessible_and_fits, log_in, press
from tests.live import LiveServer, Operator
from tests.providers import HTTPService
from tests.run_pages import CHAT, HOSTILE, RUNS, Begin

key, ann = live.key, live.ann
password, log, desk = at.password, at.log, at.desk
PATIENCE = 30


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live.running(HITL_RUN_HOSTS="127.0.0.1") as found, working(found):
        yield found


@contextmanager
def working(server: LiveServer) -> Iterator[None]:
    """Have a worker take runs on where the server does not do that itself."""
    if "DATABASE_URL" not in server.env:
        yield
        return
    command = [sys.executable, "-m", "celery", "-A", "hitl_project", "worker", "--pool", "solo"]
    worker = server.spawn([*command, "--loglevel", "warning"])
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(PATIENCE)


@pytest.fixture(scope="module")
def service() -> Iterator[HTTPService]:
    with HTTPService() as found:
        yield found


@pytest.fixture
def agent(server: LiveServer, key: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=30) as found:
        yield found


@pytest.fixture
def begin(agent: httpx.Client, service: HTTPService) -> Iterator[Begin]:
    """Start a run and return it once it stands as it should; what a test leaves under way is cancelled."""
    begun = []

    def started(until: str = "awaiting_human", policy: str = "require_human", **body: Any) -> str:
        inputs = {"url": f"{service.url}/resize", "width": 640, "caption": HOSTILE, "text": "A line\n" * 60}
        sent = {"tool": "http", "inputs": inputs}
        answer = agent.post("/run", json={"run_input": sent, "hitl_config": {"policy": policy}, **body})
        assert answer.status_code == 202, answer.text
        begun.append(str(answer.json()["run_id"]))
        stands(agent, begun[-1], until)
        return begun[-1]

    yield started
    for run_id in begun:
        agent.delete(f"/runs/{run_id}")


def stands(agent: httpx.Client, run_id: str, status: str, step: str = "") -> dict[str, Any]:
    """Return how the run stands as soon as it is *status*, at *step*."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found: dict[str, Any] = agent.get(f"/runs/{run_id}/status").raise_for_status().json()
        if found["status"] == status and step in ("", found["step"]):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def page_of(server: LiveServer, run_id: str) -> str:
    return f"{server.url}{run_pages.page_of(run_id)}"


def open_run(page: Page, server: LiveServer, run_id: str) -> None:
    page.goto(page_of(server, run_id))
    connected(page)


def row_of(page: Page, run_id: str) -> Any:
    return page.locator(f'tr[data-id="{run_id}"]')


def test_no_page_of_runs_breaks_the_policy_and_the_socket_opens(
    desk: Page, server: LiveServer, begin: Begin, log: Log
) -> None:
    waits, done = begin(session_id="album-7"), begin("completed", "auto")
    failed = begin("failed", "auto", run_input=CHAT)
    pages = [page_of(server, run_id) for run_id in (waits, done, failed)]
    for address in (*pages, f"{server.url}{RUNS}", f"{server.url}{RUNS}?state=all", f"{server.url}/admin/"):
        desk.goto(address)
        desk.wait_for_load_state("networkidle")
        connected(desk)

    assert log == []


def test_runs_are_accessible_and_fit(
    browser: Browser,
    server: LiveServer,
    agent: httpx.Client,
    password: str,
    begin: Begin,
    ann: Operator,
) -> None:
    waits = begin(session_id="a-rather-long-session-" * 6, user_id=HOSTILE)
    asked = stands(agent, waits, "awaiting_human")["approval_id"]
    ann.decide(asked, modifications={"url": "http://127.0.0.1/", "width": 800, "caption": "No " * 60})
    stands(agent, waits, "awaiting_human", "payload_review")
    body = {"run_id": waits, "action_description": "Click Publish " * 8, "browser_context": {"url": "x"}}
    assert agent.post("/browser_approvals", json=body).status_code == 201
    done, failed = begin("completed", "auto"), begin("failed", "auto", run_input=CHAT)
    missing, paused = begin(run_input={**CHAT, "prompt": ""}), begin()
    agent.post(f"/runs/{paused}/pause", json={"reason": "Lunch"})
    context = browser.new_context()
    page = context.new_page()
    log_in(page, server, password)
    lists = [f"{server.url}{RUNS}{query}" for query in ("", "?state=all", "?q=nothing")]
    pages = [page_of(server, run_id) for run_id in (done, failed, missing, paused, waits)]
    for address in (f"{server.url}/admin/", *lists, *pages):
        page.goto(address)
        for fold in page.locator("#run details").all():
            fold.locator("summary").first.click()
        is_accessible_and_fits(page)
    press(page, "Cancel the run")
    expect(page.get_by_text("Say why: the agent is told this reason.")).to_be_visible()
    is_accessible_and_fits(page)
    context.close()


def test_the_timeline_goes_on_by_itself_and_keeps_what_was_typed_and_opened(
    desk: Page, server: LiveServer, agent: httpx.Client, begin: Begin, ann: Operator
) -> None:
    run_id = begin()
    open_run(desk, server, run_id)
    desk.get_by_text("What the agent sent").click()
    desk.get_by_label("Reason").fill("Not before noon")
    where = desk.evaluate("document.querySelector('#panel').getBoundingClientRect().top")

    ann.decide(stands(agent, run_id, "awaiting_human")["approval_id"])

    stay = desk.locator("#stay-2")
    expect(stay).to_contain_text("ann approved", timeout=5_000)
    expect(desk.locator(".stepper [aria-current]")).to_have_text("Payload review")
    expect(desk.locator("#stay-3")).to_contain_text("waits for an answer")
    expect(desk.get_by_label("Reason")).to_have_value("Not before noon")
    expect(desk.get_by_label("Reason")).to_be_focused()
    expect(desk.locator("#context details[open]")).to_have_count(1)
    assert abs(desk.evaluate("document.querySelector('#panel').getBoundingClientRect().top") - where) < 60


def test_the_place_on_the_page_is_kept_when_something_grows_above_it(
    desk: Page, server: LiveServer, agent: httpx.Client, begin: Begin, ann: Operator
) -> None:
    run_id = begin()
    open_run(desk, server, run_id)
    desk.set_viewport_size({"width": 1440, "height": 400})
    desk.evaluate("document.querySelector('#context').scrollIntoView({behavior: 'instant'})")
    top = "document.querySelector('#context').getBoundingClientRect().top"
    before = desk.evaluate(top)

    ann.decide(stands(agent, run_id, "awaiting_human")["approval_id"])

    expect(desk.locator("#stay-3")).to_contain_text("waits for an answer", timeout=5_000)
    assert abs(desk.evaluate(top) - before) < 3


def test_the_end_of_a_run_is_said_once_and_takes_the_verbs_away(
    desk: Page, server: LiveServer, agent: httpx.Client, begin: Begin
) -> None:
    run_id = begin()
    open_run(desk, server, run_id)

    agent.delete(f"/runs/{run_id}")

    expect(desk.locator("#run .item-status")).to_have_text("Cancelled", timeout=5_000)
    expect(desk.locator("#toasts")).to_contain_text("Cancelled: http")
    expect(desk.get_by_role("button", name="Pause")).to_have_count(0)


def test_the_list_strikes_what_ends_and_offers_what_begins(
    desk: Page, server: LiveServer, agent: httpx.Client, begin: Begin
) -> None:
    run_id = begin()
    desk.goto(f"{server.url}{RUNS}")
    connected(desk)
    waiting = desk.locator("#tabs a").nth(1)
    expect(waiting).to_have_text("Waiting for people 1")

    agent.post(f"/runs/{run_id}/pause", json={})
    expect(row_of(desk, run_id)).to_contain_text("Paused", timeout=5_000)
    expect(waiting).to_have_text("Waiting for people")
    agent.delete(f"/runs/{run_id}")
    expect(desk.locator(f'tr.is-gone[data-id="{run_id}"]')).to_contain_text("Cancelled", timeout=5_000)
    second = begin()

    expect(desk.get_by_role("button", name="1 new: show")).to_be_visible(timeout=5_000)
    press(desk, "1 new: show")
    expect(row_of(desk, second)).to_be_visible()


def test_a_run_is_paused_resumed_and_cancelled_by_keyboard(
    desk: Page, server: LiveServer, agent: httpx.Client, begin: Begin
) -> None:
    run_id = begin()
    open_run(desk, server, run_id)

    tab_to(desk, "pause")
    desk.keyboard.press("Enter")
    expect(desk.locator("#toasts")).to_contain_text("Paused.")
    assert stands(agent, run_id, "paused")
    tab_to(desk, "resume")
    desk.keyboard.press("Enter")
    expect(desk.locator("#toasts")).to_contain_text("It goes on.")
    assert stands(agent, run_id, "awaiting_human")
    tab_to(desk, "cancel")
    desk.keyboard.press("Enter")
    expect(desk.get_by_label("Reason")).to_be_focused()
    desk.keyboard.type("No longer needed")
    tab_to(desk, "cancel")
    desk.keyboard.press("Enter")
    expect(desk.locator("#error")).to_contain_text("No longer needed")
    assert stands(agent, run_id, "cancelled")


def tab_to(page: Page, verb: str) -> None:
    """Go on by the Tab key until the button of *verb* has the focus."""
    for _ in range(60):
        if page.evaluate("document.activeElement.value") == verb:
            return
        page.keyboard.press("Tab")
    raise AssertionError(verb)


def test_the_question_is_one_key_away_from_the_page_of_its_run(
    desk: Page, server: LiveServer, agent: httpx.Client, begin: Begin
) -> None:
    run_id = begin()
    open_run(desk, server, run_id)

    desk.get_by_role("link", name="Review", exact=True).press("Enter")

    asked = stands(agent, run_id, "awaiting_human")["approval_id"]
    expect(desk).to_have_url(f"{server.url}/admin/interrupts/interrupt/{asked}/change/")
