"""The example of a run: a picture gets another background, once people have said which, and looked at it."""

import io
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageDraw

from tests import live
from tests.live import ROOT, LiveServer, Operator
from tests.servers import free_port

pytestmark = pytest.mark.sqlite

key, ann = live.key, live.ann
TEAL, RED, SAND = (0, 128, 128), (200, 30, 30), (240, 230, 200)
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(port: int) -> Iterator[LiveServer]:
    with live.running(HITL_RUN_HOSTS=f"127.0.0.1:{port}") as server:
        yield server


@pytest.fixture
def start(server: LiveServer, key: str, port: int) -> Iterator[Start]:
    """Return a function that starts the example; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(picture: Path, *options: str, **env: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "examples/image_job.py", str(picture), "--port", str(port), *options]
        env = {**server.env, "HITL_URL": server.url, "HITL_API_KEY": key, **env}
        job = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(job)
        return job

    yield run
    for job in started:
        job.kill()
        job.communicate()


def apple(folder: Path, size: int = 200) -> Path:
    """Draw something red, with a sandy core, on sand."""
    picture = Image.new("RGB", (size, size), SAND)
    drawing = ImageDraw.Draw(picture)
    drawing.ellipse((size // 4, size // 4, 3 * size // 4, 3 * size // 4), fill=RED)
    drawing.ellipse((size // 2 - 9, size // 2 - 9, size // 2 + 9, size // 2 + 9), fill=SAND)
    path = folder / "apple.png"
    picture.save(path)
    return path


def finish(job: "subprocess.Popen[str]", code: int = 0) -> str:
    output, _ = job.communicate(timeout=60)
    assert job.returncode == code, output
    return output


def test_a_picture_gets_its_background_unattended(start: Start, ann: Operator, tmp_path: Path) -> None:
    picture = apple(tmp_path)
    output = finish(start(picture, "--answer", "teal", OPERATOR_KEY=ann.personal_key()))

    assert re.findall(r"Answered from here: (\w+)", output) == ["edit", "approve"]
    assert "Background colour" in output or "background_color" in output
    assert output.endswith(f"Done: {tmp_path}/apple-background.png\n")
    with Image.open(tmp_path / "apple-background.png") as result:
        assert result.size == (200, 200)
        assert (result.getpixel((0, 0)), result.getpixel((199, 199))) == (TEAL, TEAL)
        assert (result.getpixel((70, 100)), result.getpixel((100, 100))) == (RED, SAND)


def test_a_job_that_is_stopped_finds_its_run_again(start: Start, ann: Operator, tmp_path: Path) -> None:
    picture = apple(tmp_path, 201)
    first = start(picture)
    [asked] = ann.wait_for(1)
    assert first.stdout
    assert any(asked["url"] in line for line in first.stdout)  # where to click
    first.send_signal(signal.SIGKILL)
    first.wait()
    ann.decide(asked["id"], modifications={**asked["tool_args"], "background_color": "teal", "width": 100})

    second = start(picture)
    [shown] = ann.wait_for(1)
    whole = ann.http.get(f"/api/v1/interrupts/{shown['id']}").json()
    assert [file["content_type"] for file in whole["attachments"]] == ["image/png"]  # a picture to look at
    ann.decide(shown["id"])
    output = finish(second)
    assert output.startswith(f"{asked['run_id']} of an earlier start goes on.")
    with Image.open(tmp_path / "apple-background.png") as result:
        assert (result.size, result.getpixel((0, 0))) == ((100, 100), TEAL)


def test_a_result_that_nobody_wants_is_not_kept(start: Start, ann: Operator, tmp_path: Path) -> None:
    job = start(apple(tmp_path, 202), "--color", "teal")
    for verb in ("approve", "reject"):
        [asked] = ann.wait_for(1)
        ann.decide(asked["id"], verb, **({"reason": "Too green"} if verb == "reject" else {}))
    assert "was cancelled: Too green" in finish(job, 1)
    assert not (tmp_path / "apple-background.png").exists()


def test_the_service_does_its_work_once_a_key_and_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    service = __import__("image_service").Service(0)
    service.start()
    picture = {"image": ("apple.png", apple(tmp_path).read_bytes(), "image/png")}

    def call(key: str, files: object = picture, **fields: str) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return httpx.post(f"{service.url}/background", files=files, data=fields, headers=headers, timeout=30)  # type: ignore[arg-type]

    with service:
        first, again = call("k", background_color="#008080"), call("k", background_color="#008080")
        assert first.content == again.content
        assert service.done == 1
        assert Image.open(io.BytesIO(first.content)).getpixel((0, 0)) == TEAL
        text = {"image": ("a.png", b"a text", "image/png")}
        for refused, why in (
            (call("1"), "background_color must be given."),
            (call("2", background_color="sky-ish"), "'sky-ish' is no colour"),
            (call("3", background_color="teal", width="9999"), "width is a whole number up to 4000."),
            (call("4", text, background_color="teal"), "This is no picture."),
        ):
            assert refused.status_code == 422
            assert refused.json()["detail"].startswith(why)
        assert httpx.get(f"{service.url}/openapi.json").json()["paths"]
        service.shutdown()
