"""Passkeys in a real browser, with a device of its own that answers at once."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests import desk as at
from tests import live
from tests.desk import Log, look, press
from tests.live import LiveServer

pytestmark = pytest.mark.browser
server, key = live.server, live.key
password, log = at.password, at.log
ONE = """
from events.models import Event
found = Event.objects.filter(subject_id="ada").order_by("position")
print([event.type.removeprefix("hitl.user.") for event in found])
"""


@pytest.fixture
def device(page: Page) -> Iterator[Any]:
    """A fingerprint reader in the browser of *page*."""
    found = page.context.new_cdp_session(page)
    found.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = found.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield lambda seen: found.send(
        "WebAuthn.setUserVerified",
        {"authenticatorId": made["authenticatorId"], "isUserVerified": seen},
    )
    found.detach()


def give_password(page: Page, base: str, password: str) -> None:
    page.goto(f"{base}/admin/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(password)
    press(page, "Log in")


def test_a_passkey_is_set_up_asked_for_confirms_and_is_removed(
    page: Page, server: LiveServer, password: str, device: Any, log: Log
) -> None:
    base = server.url.replace("127.0.0.1", "localhost")  # what browsers take for secure
    give_password(page, base, password)
    page.goto(f"{base}/admin/security/passkey/")
    page.get_by_label("Name").fill("Laptop & <b>phone</b>")
    press(page, "Set it up")
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    expect(page.locator(".codes li")).to_have_count(10)
    assert look(page) == []
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("Laptop & <b>phone</b>")).to_be_visible()
    assert look(page) == []

    page.context.clear_cookies()
    give_password(page, base, password)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    assert look(page) == []
    press(page, "Use a passkey")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    page.goto(f"{base}/admin/security/confirm/?next=/admin/inbox/")
    assert look(page) == []
    press(page, "Use a passkey")
    expect(page).to_have_url(f"{base}/admin/inbox/")

    page.goto(f"{base}/admin/security/")
    page.get_by_role("link", name="Remove Laptop").click()
    expect(page.get_by_text("It is your only one")).to_be_visible()
    assert look(page) == []
    press(page, "Remove")
    expect(page.get_by_text("It is removed.")).to_be_visible()
    told = server.manage("shell", "-v", "0", "-c", ONE)
    for event in ("factor_added", "recovery_codes_drawn", "factor_removed"):
        assert event in told
    assert log == []


def test_a_device_that_does_not_answer_is_said(
    page: Page, server: LiveServer, password: str, log: Log
) -> None:
    base = server.url.replace("127.0.0.1", "localhost")
    give_password(page, base, password)
    page.goto(f"{base}/admin/security/passkey/")
    page.evaluate("() => { navigator.credentials.create = () => Promise.reject(new Error('away')); }")
    press(page, "Set it up")

    expect(page.get_by_role("alert").filter(has_text="gave no answer")).to_be_visible()
    assert look(page) == []
    assert log == []
