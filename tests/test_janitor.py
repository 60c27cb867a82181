"""The example that a newcomer runs first: files go only when somebody said so."""

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import live
from tests.live import ROOT, LiveServer, Operator

pytestmark = pytest.mark.sqlite

server, key, ann = live.server, live.key, live.ann

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def session() -> str:
    return f"janitor-{secrets.token_hex(4)}"


@pytest.fixture
def start(server: LiveServer, key: str, session: str) -> Iterator[Start]:
    """Return a function that starts a janitor; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(folder: Path, *options: str, key: str = key) -> "subprocess.Popen[str]":
        command = [sys.executable, "examples/file_janitor.py", str(folder), "--session", session, *options]
        janitor = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**server.env, "HITL_URL": server.url, "HITL_API_KEY": key},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(janitor)
        return janitor

    yield run
    for janitor in started:
        janitor.kill()
        janitor.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two duplicates of `a.txt` and a stale file."""
    folder = tmp_path / "downloads"
    (folder / "sub").mkdir(parents=True)
    for name, content, days in (
        ("a.txt", "same", 3),
        ("b.txt", "same", 2),
        ("sub/c.txt", "same", 1),
        ("stale.txt", "old", 100),
        ("fresh.txt", "new", 0),
    ):
        write(folder / name, content, days)
    return folder


def write(path: Path, content: str, days: float = 0) -> None:
    path.write_text(content)
    moment = path.stat().st_mtime - days * 86_400
    os.utime(path, (moment, moment))


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def by_name(interrupts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {Path(interrupt["tool_args"]["path"]).name: interrupt for interrupt in interrupts}


def finish(janitor: "subprocess.Popen[str]", code: int = 0) -> str:
    output, _ = janitor.communicate(timeout=60)
    assert janitor.returncode == code, output
    return output


def test_each_file_goes_as_was_decided(folder: Path, start: Start, ann: Operator, session: str) -> None:
    janitor = start(folder)
    asked = by_name(ann.wait_for(3, session_id=session))
    assert asked["b.txt"]["data"]["duplicate_of"] == str(folder / "a.txt")
    assert asked["stale.txt"]["data"]["reason"] == "unchanged for 100 days"
    assert asked["stale.txt"]["tool_name"] == "delete_file"

    ann.decide(asked["b.txt"]["id"])
    ann.decide(asked["c.txt"]["id"], modifications={"path": "fresh.txt"})
    ann.decide(asked["stale.txt"]["id"], "reject", reason="The tax office wants it")

    output = finish(janitor)
    assert names(folder) == {"a.txt", "sub/c.txt", "stale.txt"}
    assert "The tax office wants it" in output
    assert "Done: 2 deleted, 7 B freed; 1 rejected." in output
    history = ann.http.get(f"/api/v1/interrupts/{asked['b.txt']['id']}").json()["history"]
    assert "deleted b.txt, approved by ann" in str(history)


def test_what_nobody_decides_stays(folder: Path, start: Start) -> None:
    output = finish(start(folder, "--expires-in", "2"))
    assert len(names(folder)) == 5
    assert "Done: 0 deleted, 0 B freed; 3 expired." in output


def test_an_edit_does_not_lead_out_of_the_folder(
    folder: Path, start: Start, ann: Operator, session: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_text("mine")
    (folder / "link").symlink_to(outside / "precious.txt")
    (folder / "door").symlink_to(outside)
    edits = {
        "../outside/precious.txt": "lies outside",
        str(outside / "precious.txt"): "lies outside",
        "door/precious.txt": "lies outside",
        "link": "is a symbolic link",
        "sub": "is a folder",
        ".": "lies outside",
        "nothing.txt": "is not there",
    }
    for number in range(len(edits)):
        write(folder / f"stale-{number}.txt", str(number), 100)
    janitor = start(folder)
    asked = by_name(ann.wait_for(3 + len(edits), session_id=session))
    before = names(folder)
    for number, edit in enumerate(edits):
        ann.decide(asked[f"stale-{number}.txt"]["id"], modifications={"path": edit})
    for name in ("b.txt", "c.txt", "stale.txt"):
        ann.decide(asked[name]["id"], "reject", reason="Keep")

    output = finish(janitor)
    assert names(folder) == before
    assert (outside / "precious.txt").read_text() == "mine"
    assert f"{len(edits)} refused" in output
    for number, said in enumerate(edits.values()):
        assert re.search(rf"refused +stale-{number}\.txt: not deleted: .* {said}", output), output
    history = ann.http.get(f"/api/v1/interrupts/{asked['stale-0.txt']['id']}").json()["history"]
    assert "lies outside" in str(history)


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-C"])
def test_a_janitor_that_was_stopped_carries_on(
    folder: Path, start: Start, ann: Operator, session: str, with_signal: signal.Signals
) -> None:
    janitor = start(folder)
    asked = by_name(ann.wait_for(3, session_id=session))
    janitor.send_signal(with_signal)
    janitor.communicate(timeout=30)
    ann.decide(asked["b.txt"]["id"])
    ann.decide(asked["stale.txt"]["id"], "reject", reason="Keep")
    assert len(names(folder)) == 5

    janitor = start(folder)
    ann.decide(ann.wait_for(1, session_id=session)[0]["id"])
    finish(janitor)
    assert names(folder) == {"a.txt", "stale.txt", "fresh.txt"}

    output = finish(start(folder))
    assert "1 rejected" in output
    everything = ann.http.get("/api/v1/interrupts", params={"session_id": session}).json()["results"]
    assert {interrupt["id"] for interrupt in everything} == {interrupt["id"] for interrupt in asked.values()}


def test_a_file_that_was_put_back_is_asked_about_again(
    folder: Path, start: Start, ann: Operator, session: str
) -> None:
    for name in ("b.txt", "sub/c.txt"):
        (folder / name).unlink()
    stale = folder / "stale.txt"
    moment = stale.stat().st_mtime_ns
    janitor = start(folder)
    ann.decide(ann.wait_for(1, session_id=session)[0]["id"])
    finish(janitor)
    stale.write_text("old")
    os.utime(stale, ns=(moment, moment))

    janitor = start(folder)
    ann.decide(ann.wait_for(1, session_id=session)[0]["id"], "reject", reason="I put it back")
    finish(janitor)
    assert stale.exists()


def test_a_file_that_changed_since_it_was_asked_about_stays(
    folder: Path, start: Start, ann: Operator, session: str
) -> None:
    janitor = start(folder)
    asked = by_name(ann.wait_for(3, session_id=session))
    (folder / "stale.txt").write_text("new thoughts")
    (folder / "a.txt").unlink()
    for interrupt in asked.values():
        ann.decide(interrupt["id"])
    output = finish(janitor)
    assert names(folder) == {"b.txt", "sub/c.txt", "stale.txt", "fresh.txt"}
    assert "it has changed since it was asked about" in output
    assert "a.txt, which it duplicates, is gone or has changed" in output


def test_an_expired_question_is_asked_again_by_the_next_run(
    folder: Path, start: Start, ann: Operator, session: str
) -> None:
    finish(start(folder, "--expires-in", "1"))
    janitor = start(folder, "--one-by-one")
    for _ in range(3):
        ann.decide(ann.wait_for(1, session_id=session)[0]["id"])
    finish(janitor)
    assert names(folder) == {"a.txt", "fresh.txt"}


def test_names_may_hold_anything(folder: Path, start: Start, ann: Operator, session: str) -> None:
    odd = ["new\nline.txt", "Bild ä \u202fPM.txt", "\u202etxt.exe", "-rf *"]
    for number, name in enumerate(odd):
        write(folder / name, f"odd {number}", 100)
    Path(os.fsdecode(os.fsencode(folder) + b"/raw-\xff.txt")).write_text("raw")
    os.utime(os.fsencode(folder) + b"/raw-\xff.txt", (0, 0))
    janitor = start(folder)
    asked = by_name(ann.wait_for(3 + len(odd), session_id=session))
    for name, interrupt in asked.items():
        ann.decide(interrupt["id"], "approve" if name in odd else "reject")
    output = finish(janitor)
    assert not any((folder / name).exists() for name in odd)
    assert "\\udcff.txt cannot be read, or has a name that is no text" in output
    assert "new\\nline.txt" in output
    assert "\u202e" not in output


def test_a_sample_is_made_where_nothing_is(tmp_path: Path, start: Start, ann: Operator, session: str) -> None:
    folder = tmp_path / "sample"
    janitor = start(folder, "--make-sample")
    for interrupt in ann.wait_for(3, session_id=session):
        ann.decide(interrupt["id"])
    finish(janitor)
    assert names(folder) == {"report.txt", "photos/beach.txt", "notes.txt"}
    output = finish(start(folder, "--make-sample"))
    assert "is not empty: no sample is made" in output
    assert "Done: 0 deleted" in output


def test_what_is_wrong_is_said_in_a_sentence(folder: Path, start: Start) -> None:
    assert "is not a folder" in finish(start(folder / "a.txt"), code=2)
    assert "set HITL_API_KEY" in finish(start(folder, key=""), code=1)
    assert "Error: 401" in finish(start(folder, key="hitl_0_wrong"), code=1)
