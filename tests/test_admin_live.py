"""A page that stays right, in a real browser: server, network or session away, and back again."""

import logging
import re
import time
from typing import Any

from playwright.sync_api import Page, Request, expect

from tests import desk as at
from tests import live
from tests.desk import Ask, Log, connected, is_accessible_and_fits, press, row_of
from tests.live import LiveServer

server, key = live.server, live.key
password, log, desk, ask = at.password, at.log, at.desk, at.ask
LIST = "/admin/interrupts/interrupt/"
BANNER = "#connection"
END_SESSION = (
    "from django.contrib.sessions.models import Session\nSession.objects.filter(session_key={!r}).delete()"
)

measured = logging.getLogger(__name__)  # --log-cli-level=INFO shows it


def open_list(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}{LIST}")
    connected(page)


def looks(page: Page) -> list[Request]:
    """Return the list that grows by every time the page fetches itself."""
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if "x-fragment" in request.headers else None)
    return found


def hide(page: Page, hidden: bool) -> None:
    """Have the page believe that its tab is in the background, which a browser without windows never says."""
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


# -- Away and back --------------------------------------------------------------------------------------


def test_a_server_that_dies_is_said_soon_and_what_was_missed_comes_once(
    desk: Page, server: LiveServer, ask: Ask, log: Log
) -> None:
    kept = ask(reason="Already there?")
    open_list(desk, server)
    desk.evaluate("window.sameDocument = true")
    row_of(desk, kept).get_by_role("link").focus()

    server.kill()
    died = time.monotonic()
    expect(desk.locator(BANNER)).to_contain_text("Not connected.", timeout=3_500)
    said = time.monotonic() - died
    server.start()
    back = time.monotonic()
    asked = ask(reason="Asked meanwhile?")
    expect(desk.locator(BANNER)).to_be_hidden(timeout=30_000)
    caught_up = time.monotonic() - back

    expect(desk.get_by_role("button", name="1 new: show")).to_be_visible()
    expect(desk.locator("#toasts")).to_contain_text("Connected again")
    expect(desk.locator(".toast", has_text="Connected again")).to_have_count(1)
    expect(desk.locator(".toast", has_text="Asked meanwhile?")).to_have_count(1)
    expect(row_of(desk, kept).get_by_role("link")).to_be_focused()
    assert desk.evaluate("window.sameDocument")
    press(desk, "1 new: show")
    expect(row_of(desk, asked)).to_have_count(1)
    measured.info("killed: said after %.1f s; back: caught up after %.1f s", said, caught_up)
    assert said < 3
    assert not [line for line in log if "Content Security Policy" in line or "rror:" in line]


def test_a_device_without_a_network_says_so_at_once(desk: Page, server: LiveServer) -> None:
    open_list(desk, server)

    desk.context.set_offline(True)
    expect(desk.locator(BANNER)).to_contain_text("This device is offline.", timeout=1_000)
    is_accessible_and_fits(desk)
    desk.context.set_offline(False)

    expect(desk.locator(BANNER)).to_be_hidden()
    expect(desk.locator("#toasts")).to_contain_text("Connected again")


def test_a_page_that_cannot_be_fetched_is_tried_again_before_anybody_is_bothered(
    desk: Page, server: LiveServer, ask: Ask
) -> None:
    open_list(desk, server)
    failing = [500, 500]

    def fail(route: Any) -> None:
        if "x-fragment" in route.request.headers and failing:
            route.fulfill(status=failing.pop())
        else:
            route.continue_()

    desk.route("**/*", fail)
    ask(reason="Asked while it fails?")

    expect(desk.locator(BANNER)).to_contain_text("does not answer as it should", timeout=8_000)
    assert failing == []
    expect(desk.get_by_role("button", name="1 new: show")).to_be_visible(timeout=10_000)
    expect(desk.locator(BANNER)).to_be_hidden()


def test_a_session_that_ends_keeps_what_is_typed_until_somebody_logs_in_again(
    desk: Page, server: LiveServer, ask: Ask, password: str
) -> None:
    asked = ask()
    desk.goto(f"{server.url}{LIST}{asked['id']}/change/")
    connected(desk)
    desk.get_by_label("Note").fill("Typed before the end")
    session = next(cookie for cookie in desk.context.cookies() if cookie.get("name") == "sessionid")
    server.manage("shell", "-c", END_SESSION.format(session.get("value")))

    expect(desk.locator(BANNER)).to_contain_text("You are logged out.", timeout=10_000)
    is_accessible_and_fits(desk)
    with desk.context.expect_page() as opened:
        desk.locator(BANNER).get_by_role("link", name="Log in").click()
    other = opened.value
    other.get_by_label("Username").fill("ada")
    other.get_by_label("Password").fill(password)
    press(other, "Log in")
    expect(other.get_by_label("Note")).to_be_visible()
    other.close()
    desk.bring_to_front()
    desk.evaluate("dispatchEvent(new Event('focus'))")

    expect(desk.locator(BANNER)).to_be_hidden(timeout=5_000)
    expect(desk.get_by_label("Note")).to_have_value("Typed before the end")
    press(desk, "Approve")
    expect(desk.get_by_text("Approved: Delete the old report?").first).to_be_attached()


# -- No more than it takes ------------------------------------------------------------------------------


def test_a_burst_of_signals_makes_few_looks_and_the_count_is_right(
    desk: Page, server: LiveServer, ask: Ask
) -> None:
    open_list(desk, server)
    fetched = looks(desk)

    for number in range(60):
        ask(reason=f"Question {number}?")

    expect(desk).to_have_title(re.compile(r"^\(60\) "), timeout=5_000)
    measured.info("60 questions: %d looks", len(fetched))
    assert len(fetched) <= 8


def test_a_page_in_the_background_catches_up_when_it_is_shown(
    desk: Page, server: LiveServer, ask: Ask
) -> None:
    connected(desk)
    with desk.expect_websocket() as opened:
        open_list(desk, server)
    ask(reason="The first?")
    expect(desk.get_by_role("button", name="1 new: show")).to_be_visible()
    hide(desk, True)
    fetched = looks(desk)

    with opened.value.expect_event("framereceived", lambda text: "The third?" in text):
        ask(reason="The second?")
        ask(reason="The third?")
    desk.wait_for_timeout(1_500)  # longer than a page that is shown would wait
    assert fetched == []
    hide(desk, False)

    expect(desk.get_by_role("button", name="3 new: show")).to_be_visible(timeout=2_000)
    assert len(fetched) == 1
