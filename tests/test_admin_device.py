"""The admin on a device, in a real browser: installed, offline, a sound, notifications, a push."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson
import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests import desk as at
from tests import live
from tests.desk import Log, connected, is_accessible_and_fits, log_in
from tests.live import LiveServer

server, key = live.server, live.key
password, log, desk = at.password, at.log, at.desk
LIST = "/admin/interrupts/interrupt/"
CONTROLLED = """async () => {
    const {serviceWorker} = navigator;
    const controls = new Promise(then => serviceWorker.addEventListener("controllerchange", then));
    await serviceWorker.ready;
    if (!serviceWorker.controller) await controls;
}"""
SHOWN = """async title => {
    const worker = await navigator.serviceWorker.ready, patience = performance.now() + (title ? 5000 : 0);
    for (;;) {
        const shown = await worker.getNotifications();
        if (shown.some(one => one.title === title) || performance.now() > patience)
            return shown.map(({title, body, data, tag}) => ({title, body, path: data.path, tag}));
        await new Promise(then => setTimeout(then, 50));
    }
}"""
COUNT_NOTES = """window.notes = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.notes += 1; start.apply(this, when); };"""


@pytest.fixture
def ask(server: LiveServer, key: str) -> Iterator[Callable[..., str]]:
    """Ask as the agent; what a test leaves open is taken back."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as agent:
        asked: list[str] = []

        def create(**fields: Any) -> str:
            answer = agent.post("/api/v1/interrupts", json={"reason": "Delete the old report?", **fields})
            asked.append(answer.raise_for_status().json()["id"])
            return asked[-1]

        yield create
        for item in asked:
            agent.post(f"/api/v1/interrupts/{item}/cancel", json={})


@pytest.fixture
def device(desk: Page, server: LiveServer) -> Page:
    """ada's device, where she allows notifications, with the service worker at work."""
    desk.context.grant_permissions(["notifications"], origin=server.url)
    desk.add_init_script(COUNT_NOTES)
    desk.goto(f"{server.url}{LIST}")
    desk.evaluate(CONTROLLED)
    connected(desk)
    return desk


def at_the_switches(page: Page) -> Page:
    """Show the part of the preferences that is about this device."""
    page.goto(urljoin(page.url, "/admin/preferences/"))
    expect(page.locator("#device-sound-state")).not_to_be_empty()
    return page


def worker_of(page: Page) -> tuple[CDPSession, str]:
    """Return the developer tools of *page*, and how they call its service worker."""
    tools = page.context.new_cdp_session(page)
    found: list[str] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.extend(one["registrationId"] for one in told["registrations"]),
    )
    tools.send("ServiceWorker.enable")
    while not found:
        page.wait_for_timeout(20)
    return tools, found[-1]


def push(page: Page, server: LiveServer, payload: str) -> None:
    tools, registration = worker_of(page)
    told = {"origin": server.url, "registrationId": registration, "data": payload}
    tools.send("ServiceWorker.deliverPushMessage", told)


# -- Installed ------------------------------------------------------------------------------------------


def test_the_admin_can_be_installed(device: Page) -> None:
    tools = device.context.new_cdp_session(device)

    assert tools.send("Page.getAppManifest")["errors"] == []
    found = tools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error["errorId"] for error in found if error["errorId"] != "in-incognito"] == []


def test_without_the_server_a_page_says_so_and_nothing_of_the_admin_is_kept(
    device: Page, server: LiveServer, ask: Callable[..., str], log: Log
) -> None:
    ask(reason="Is this kept anywhere?")
    device.goto(f"{server.url}{LIST}")
    kept = device.evaluate(
        "async () => (await Promise.all((await caches.keys()).map(async name =>"
        " (await (await caches.open(name)).keys()).map(request => new URL(request.url).pathname)))).flat()"
    )
    assert "/admin/offline/" in kept
    assert all(path == "/admin/offline/" or path.startswith("/static/") for path in kept)

    server.stop()
    device.goto(f"{server.url}{LIST}?q=x")
    expect(device.get_by_role("heading", name="The server cannot be reached")).to_be_visible()
    is_accessible_and_fits(device)
    assert not [line for line in log if "Content Security Policy" in line]
    server.start()

    expect(device.get_by_role("heading", name="Interrupts")).to_be_visible(timeout=10_000)
    assert device.url.endswith("?q=x")


# -- Rung -----------------------------------------------------------------------------------------------


def test_a_push_is_shown_and_says_where_it_leads(device: Page, server: LiveServer) -> None:
    told = {
        "title": "3 new questions wait",
        "body": "Priority: High",
        "open": "Open",
        "path": "/admin/inbox/",
    }

    push(device, server, orjson.dumps(told).decode())
    assert device.evaluate(SHOWN, told["title"]) == [
        {"title": told["title"], "body": told["body"], "path": told["path"], "tag": "hitl-waiting"}
    ]

    push(device, server, "not JSON")
    (shown,) = device.evaluate(SHOWN, "A question waits")
    assert shown["title"] == "A question waits"  # the newest takes the place of the one before


def test_something_new_sounds_once_in_one_of_two_tabs(
    device: Page, server: LiveServer, ask: Callable[..., str]
) -> None:
    at_the_switches(device).get_by_label("Play a sound when something new waits").check()
    device.goto(f"{server.url}{LIST}")
    other = device.context.new_page()
    other.add_init_script(COUNT_NOTES)
    other.goto(f"{server.url}{LIST}")
    for page in (device, other):
        connected(page)
        page.locator("h1").first.click()

    ask(reason="The first?")
    ask(reason="The second?")
    for page in (device, other):
        expect(page.get_by_role("button", name="2 new: show")).to_be_visible()
    device.wait_for_timeout(1_200)

    assert device.evaluate("notes") + other.evaluate("notes") == 2  # one ring has two notes


def test_a_notification_of_the_system_has_no_content(
    device: Page, server: LiveServer, ask: Callable[..., str]
) -> None:
    at_the_switches(device).get_by_label("Show notifications on this device").check()
    expect(device.locator("#device-notices-state")).to_have_text("On, for this device.")
    device.add_init_script("document.hasFocus = () => false")
    device.goto(f"{server.url}{LIST}")
    connected(device)

    ask(reason="Only on the page?")

    (shown,) = device.evaluate(SHOWN, "A question waits")
    assert (shown["title"], shown["body"], shown["path"]) == ("A question waits", "", "/admin/inbox/")


def test_what_nobody_switched_on_is_silent(device: Page, server: LiveServer, ask: Callable[..., str]) -> None:
    device.locator("h1").first.click()
    ask()
    expect(device.get_by_role("button", name="1 new: show")).to_be_visible()
    device.wait_for_timeout(1_200)

    assert device.evaluate("notes") == 0
    assert device.evaluate(SHOWN) == []


# -- The switches ---------------------------------------------------------------------------------------


def test_a_sound_is_tried_by_keyboard_and_the_choice_stays(device: Page, server: LiveServer) -> None:
    box = at_the_switches(device).get_by_label("Play a sound when something new waits")
    expect(device.get_by_role("button", name="Try the sound")).to_be_hidden()
    box.focus()
    device.keyboard.press("Space")
    device.get_by_role("button", name="Try the sound").focus()
    device.keyboard.press("Enter")

    expect(device.locator("#device-sound-state")).to_have_text("That is how it looks and sounds.")
    assert device.evaluate("notes") == 2
    device.goto(f"{server.url}{LIST}")
    expect(at_the_switches(device).get_by_label("Play a sound when something new waits")).to_be_checked()


def test_what_the_browser_forbids_is_explained(desk: Page, server: LiveServer) -> None:
    desk.add_init_script(
        "Object.defineProperty(Notification, 'permission', {get: () => 'denied'});"
        "Notification.requestPermission = async () => 'denied';"
    )
    desk.goto(f"{server.url}/admin/")
    for name in ("Show notifications on this device", "Push to this device even when it is closed"):
        box = at_the_switches(desk).get_by_label(name)
        box.click()
        expect(box).not_to_be_checked()
    expect(desk.get_by_text("Allow notifications in its settings for this site.")).to_have_count(2)


def test_what_the_browser_cannot_do_is_said(desk: Page, server: LiveServer) -> None:
    desk.add_init_script("delete window.PushManager; delete window.Notification; delete window.AudioContext")
    desk.goto(f"{server.url}/admin/")
    at_the_switches(desk)

    expect(desk.get_by_text("This browser cannot do this.")).to_have_count(2)
    expect(desk.get_by_text("This browser cannot be pushed to.")).to_be_visible()
    expect(desk.locator("#device input:enabled")).to_have_count(0)


def test_a_push_that_cannot_be_had_is_not_claimed(device: Page) -> None:
    at_the_switches(device)
    device.evaluate("() => { PushManager.prototype.subscribe = async () => { throw new Error('none'); }; }")
    box = device.get_by_label("Push to this device even when it is closed")

    box.click()

    expect(device.get_by_text("That did not work.")).to_be_visible()
    expect(box).not_to_be_checked()


def test_push_is_switched_on_and_off_on_the_server_too(device: Page, server: LiveServer) -> None:
    at_the_switches(device)
    device.evaluate(
        """() => {
            const made = {endpoint: "https://fcm.googleapis.com/fcm/send/x", unsubscribe: async () => true,
                keys: {auth: "BTBZMqHH6r4Tts7J_aSIgg",
                    p256dh: "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIg" +
                        "Dll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"}};
            PushManager.prototype.subscribe = async () => made;
            PushManager.prototype.getSubscription = async () => made;
        }"""
    )
    box = device.get_by_label("Push to this device even when it is closed")
    state = device.locator("#device-push-state")
    with device.expect_response("**/admin/push/subscriptions/") as kept:
        box.check()
    assert kept.value.status == 201
    expect(state).to_have_text("On, for this device.")
    with device.expect_response("**/admin/push/subscriptions/") as forgotten:
        box.uncheck()
    assert (forgotten.value.request.method, forgotten.value.status) == ("DELETE", 204)
    expect(state).to_have_text("Off, for this device.")

    box.check()
    expect(state).to_have_text("On, for this device.")
    device.locator("summary", has_text="ada").click()
    with device.expect_request(lambda request: request.method == "DELETE"):
        device.get_by_role("button", name="Log out").click()
    expect(device.get_by_role("heading", name="Logged out")).to_be_visible()


def test_the_switches_are_accessible_and_fit(browser: Browser, server: LiveServer, password: str) -> None:
    context = browser.new_context()
    context.grant_permissions(["notifications"], origin=server.url)
    page = context.new_page()
    log_in(page, server, password)
    at_the_switches(page).get_by_label("Play a sound when something new waits").check()
    page.get_by_label("Show notifications on this device").check()
    expect(page.get_by_role("button", name="Try the notification")).to_be_visible()

    is_accessible_and_fits(page)
    context.close()
