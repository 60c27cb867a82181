"""A run's question in a real browser: the policy, the look, the keyboard, files; and the registry."""

import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import desk as at
from tests import live
from tests.admin import page_of
from tests.desk import Log, connected, is_accessible_and_fits, log_in
from tests.live import LiveServer, Operator
from tests.providers import HTTPService

key, ann = live.key, live.ann
password, log, desk = at.password, at.log, at.desk
MODELS = "/admin/runs/registeredmodel/"
AUTO = {"policy": "auto"}
NUMBERS = count()
LOADED = """sound => new Promise(done => {
    sound.preload = "metadata";
    sound.onloadedmetadata = sound.onerror = event => done(event.type);
    sound.load();
})"""

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live.running(HITL_RUN_HOSTS="127.0.0.1") as found:
        yield found


@pytest.fixture(scope="module")
def service() -> Iterator[HTTPService]:
    with HTTPService() as found:
        yield found


@pytest.fixture
def agent(server: LiveServer, key: str) -> Iterator[httpx.Client]:
    bearer = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=bearer) as client:
        yield client


@pytest.fixture
def ask(agent: httpx.Client, ann: Operator) -> Iterator[Ask]:
    """Have a run ask something; what a test leaves open is cancelled."""
    runs = []

    def start(config: Any = AUTO, **run_input: Any) -> dict[str, Any]:
        body = {"run_input": run_input, "hitl_config": config, "session_id": f"s{next(NUMBERS)}"}
        answer = agent.post("/run", json=body)
        assert answer.status_code == 202, answer.text
        runs.append(answer.json()["run_id"])
        return ann.wait_for(1, run_id=runs[-1])[0]

    yield start
    for run_id in runs:
        agent.post(f"/runs/{run_id}/cancel", json={})


def a_picture(width: int = 640, height: int = 400) -> bytes:
    """Draw a PNG: dark above, light below."""
    rows = b"".join(b"\0" + (b"\x2a\x4a\x7a" if y < 90 else b"\xe8\xec\xf4") * width for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def a_sound() -> bytes:
    """Return a second of silence."""
    form = struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    samples = struct.pack("<I", 8000) + b"\x80" * 8000
    return b"RIFF" + struct.pack("<I", 8036) + b"WAVEfmt " + form + b"data" + samples


def browse(agent: httpx.Client) -> dict[str, Any]:
    """Ask to do something in a browser, with a picture of it and a sound."""
    context = {"url": "https://pay.example.com/checkout?order=7", "selector": "#pay"}
    body = {"run_id": "shop", "action_description": "Click “Pay 100 €”", "browser_context": context}
    made = agent.post("/browser_approvals", json=body)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    for name, content in (("screen.png", a_picture()), ("voice.wav", a_sound()), ("page.txt", b"Pay")):
        put = agent.post(f"/interrupts/{found['id']}/attachments", files={"file": (name, content)})
        assert put.status_code == 201, put.text
    return found


@pytest.fixture
def pages(ask: Ask, agent: httpx.Client, service: HTTPService) -> dict[str, str]:
    """Ask everything that a run may ask; return the path of each page."""
    sdxl = {"prompt": "A cat", "width": "640", "height": 512, "quality": "TODO"}
    reviewed = {"policy": "require_human", "allowed_steps": ["payload_review"]}
    answered = {"policy": "require_human", "allowed_steps": ["response_review"]}
    call = {"url": f"{service.url}/resize", "width": 640}
    return {
        "missing": page_of(ask(tool="replicate", model="ann/background-replace", inputs={"seed": 4})),
        "file": page_of(ask(tool="replicate", model="ann/remove-bg", inputs={"background_color": "blue"})),
        "payload": page_of(ask(reviewed, tool="replicate", model="ann/sdxl", inputs=sdxl)),
        "response": page_of(ask(answered, tool="http", inputs=call)),
        "browser": page_of(browse(agent)),
        "models": f"{MODELS}?tool=replicate",
        "model": "",
        "new-model": f"{MODELS}add/",
    }


def find_model(page: Page, server: LiveServer) -> str:
    page.goto(f"{server.url}{MODELS}?q=remove-bg")
    return str(page.locator("#result_list th.field-title a").first.get_attribute("href"))


def offer_a_default(server: LiveServer) -> None:
    server.manage(
        "shell",
        "-c",
        "from runs.models import Correction, ModelInput\n"
        "row = ModelInput.objects.get(name='background_color')\n"
        "Correction.objects.update_or_create(input=row, digest='d', "
        "defaults={'value': '#ffffff', 'count': 14, 'dismissed_at': None})",
    )


def test_no_page_breaks_the_policy(desk: Page, server: LiveServer, pages: dict[str, str], log: Log) -> None:
    offer_a_default(server)
    pages["model"] = find_model(desk, server)
    for path in pages.values():
        desk.goto(f"{server.url}{path}")
        unfold(desk)
    assert log == []


def test_every_page_is_accessible_and_fits(
    browser: Browser, server: LiveServer, password: str, pages: dict[str, str]
) -> None:
    offer_a_default(server)
    context = browser.new_context()
    page = context.new_page()
    log_in(page, server, password)
    pages["model"] = find_model(page, server)
    for path in pages.values():
        page.goto(f"{server.url}{path}")
        unfold(page)
        is_accessible_and_fits(page)
    context.close()


def unfold(page: Page) -> None:
    for folded in page.locator("main details:not([open]) > summary").all():
        if folded.is_visible():
            folded.click()


def test_what_is_missing_is_filled_in_by_keyboard_alone(
    desk: Page, server: LiveServer, ask: Ask, agent: httpx.Client, service: HTTPService, log: Log
) -> None:
    asked = ask(tool="http", inputs={"width": 640})
    desk.goto(f"{server.url}{page_of(asked)}")
    connected(desk)
    field, approve = (
        desk.get_by_label("url", exact=True),
        desk.get_by_role("button", name="Approve with edits"),
    )
    expect(approve).to_be_visible()

    desk.get_by_role("link", name="Fill in what is missing").focus()
    desk.keyboard.press("Enter")
    tab_to(desk, field)
    desk.keyboard.type(f"{service.url}/by-keyboard")
    expect(desk.locator("#diff-lines")).to_contain_text("/by-keyboard")
    tab_to(desk, approve)
    with desk.expect_navigation():
        desk.keyboard.press("Enter")

    until_completed(agent, asked["run_id"])
    assert service.to("/by-keyboard")[-1].json == {"width": 640}
    assert log == []


def test_a_picture_is_attached_seen_and_approved(
    desk: Page, server: LiveServer, ask: Ask, agent: httpx.Client, log: Log
) -> None:
    asked = ask(tool="replicate", model="ann/remove-bg")
    desk.goto(f"{server.url}{page_of(asked)}")
    connected(desk)

    chosen = {"name": "cat.png", "mimeType": "image/png", "buffer": a_picture()}
    desk.locator("#upload").set_input_files(chosen)  # type: ignore[arg-type]
    desk.get_by_role("button", name="Attach", exact=True).click()
    picture = desk.get_by_role("img", name="Picture: cat.png")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 640)
    with desk.expect_navigation():
        desk.get_by_role("button", name="Approve", exact=True).click()

    found = agent.get(f"/runs/{asked['run_id']}").json()
    assert found["status"] != "awaiting_human", found
    assert log == []


def test_pictures_are_loaded_and_sound_can_be_played(
    desk: Page, server: LiveServer, agent: httpx.Client, log: Log
) -> None:
    asked = browse(agent)
    desk.goto(f"{server.url}{page_of(asked)}")
    connected(desk)

    expect(desk.get_by_role("img", name="Picture: screen.png")).to_have_js_property("naturalWidth", 640)
    assert (
        desk.evaluate("document.querySelector('audio').load() || document.querySelector('audio').error")
        is None
    )
    expect(desk.locator(".address b")).to_have_text("pay.example.com")
    assert log == []
    agent.post(f"/interrupts/{asked['id']}/cancel", json={})


def test_what_people_set_becomes_the_default_by_a_click(desk: Page, server: LiveServer, log: Log) -> None:
    offer_a_default(server)
    desk.goto(f"{server.url}{find_model(desk, server)}")
    expect(desk.get_by_text("14 times")).to_be_visible()

    desk.get_by_role("button", name="Make it the default of background_color").click()

    expect(desk.get_by_text("is the default of background_color now.")).to_be_visible()
    expect(desk.get_by_text("14 times")).to_have_count(0)
    assert log == []


def test_an_input_is_added_to_a_model(desk: Page, server: LiveServer, log: Log) -> None:
    desk.goto(f"{server.url}{MODELS}add/")
    for name, text in (("tool", "http"), ("pattern", "*new*"), ("title", "New model")):
        desk.locator(f"#id_{name}").fill(text)
    desk.get_by_text("Add another input").click()
    desk.locator("#id_inputs-0-name").fill("image")
    desk.get_by_role("button", name="Save", exact=True).click()

    expect(desk.locator("#result_list")).to_contain_text("New model")
    assert log == []


def tab_to(page: Page, place: Any) -> None:
    """Press Tab until *place* has the focus."""
    for _ in range(60):
        if place.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab does not lead there")


def until_completed(agent: httpx.Client, run_id: str) -> None:
    for _ in range(20):
        if agent.get(f"/runs/{run_id}/wait", params={"timeout": 2}).json()["status"] == "completed":
            return
    raise AssertionError(agent.get(f"/runs/{run_id}").json())
