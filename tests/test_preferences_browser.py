"""Preferences in a real browser: moments in the zone that was chosen, and long words on a small screen."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import desk as at
from tests import live
from tests.desk import Log, is_accessible_and_fits
from tests.live import LiveServer

server, key = live.server, live.key
password, log, desk = at.password, at.log, at.desk
PAGE = "/admin/preferences/"
LIST = "/admin/interrupts/interrupt/"
WRITTEN = (
    "([moment, locale, timeZone]) => new Date(moment).toLocaleString("
    "locale, {dateStyle: 'medium', timeStyle: 'short', timeZone})"
)


@pytest.fixture(scope="module")
def asked(server: LiveServer, key: str) -> dict[str, Any]:
    body = {"reason": "Refund it?", "tool_name": "refund", "tool_args": {"amount": 3}, "priority": "critical"}
    answer = httpx.post(
        f"{server.url}/api/v1/interrupts", json=body, headers={"Authorization": f"Bearer {key}"}
    )
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


@pytest.fixture
def chosen(desk: Page, server: LiveServer) -> Iterator[Page]:
    """ada, who chose German and Tokyo in the menu with her name, and takes it back at the end."""
    desk.get_by_text("ada").first.click()
    desk.get_by_role("link", name="Preferences").click()
    desk.get_by_label("Language").select_option("de")
    desk.get_by_label("Time zone").fill("Asia/Tokyo")
    desk.get_by_role("button", name="Save").click()
    expect(desk.get_by_text("Ihre Einstellungen sind gespeichert.").first).to_be_visible()
    yield desk
    desk.goto(f"{server.url}{PAGE}")
    desk.locator("#id_language").select_option("")
    desk.locator("#id_time_zone").fill("")
    desk.locator("main [type=submit].primary").click()
    expect(desk.get_by_role("heading", name="Preferences")).to_be_visible()


def test_moments_are_those_of_the_zone_and_language_that_were_chosen(
    chosen: Page, server: LiveServer, asked: dict[str, Any], log: Log
) -> None:
    chosen.goto(f"{server.url}{LIST}{asked['id']}/change/")
    moment = chosen.locator("time[data-style=moment]").first
    when = moment.get_attribute("datetime")
    expect(moment).to_have_text(chosen.evaluate(WRITTEN, [when, "de", "Asia/Tokyo"]))
    assert chosen.locator("time[data-style=ago]").first.get_attribute("title", timeout=5_000)
    chosen.goto(f"{server.url}/admin/reviews/delegation/add/")
    expect(chosen.locator("b[data-time-zone]")).to_have_text("Asia/Tokyo")
    expect(chosen.locator("input[data-time-zone]")).to_have_value("Asia/Tokyo")
    assert log == []


def test_long_words_fit_every_screen(
    chosen: Page, server: LiveServer, asked: dict[str, Any], log: Log
) -> None:
    for path in ("/admin/", LIST, f"{LIST}{asked['id']}/change/", "/admin/reviews/policy/", PAGE):
        chosen.goto(f"{server.url}{path}")
        is_accessible_and_fits(chosen)
        assert chosen.evaluate(CUT) == [], path
    assert log == []


CUT = """() => [...document.querySelectorAll("main button, main .button-link, #sections a")]
  .filter((button) => button.checkVisibility() && button.scrollWidth > button.clientWidth + 1)
  .map((button) => button.textContent.trim())"""


def test_a_browser_that_chose_nothing_is_answered_as_it_is_set(
    browser: Browser, server: LiveServer, password: str, asked: dict[str, Any]
) -> None:
    context = browser.new_context(locale="de-AT", timezone_id="America/New_York")
    page = context.new_page()
    page.goto(f"{server.url}/admin/login/")
    expect(page.get_by_role("button", name="Anmelden")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "de"
    page.locator("#id_username").fill("ada")
    page.locator("#id_password").fill(password)
    page.get_by_role("button", name="Anmelden").click()
    expect(page.get_by_role("heading", name="Übersicht")).to_be_visible()
    page.goto(f"{server.url}{LIST}{asked['id']}/change/")
    moment = page.locator("time[data-style=moment]").first
    when = moment.get_attribute("datetime")
    expect(moment).to_have_text(page.evaluate(WRITTEN, [when, "de-AT", "America/New_York"]))
    context.close()
