"""The command `hitl` against the real server: scripts ask, people decide in a terminal."""

import json
import os
import pty
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hitl_client.cli import main

from tests import live
from tests.live import PATIENCE, ROOT, LiveServer, Operator

pytestmark = pytest.mark.sqlite

server, key, ann = live.server, live.key, live.ann
COMMAND = [sys.executable, "-m", "hitl_client"]
HOSTILE = "Pay\x1b]0;gone\x07 \u202eevil\u200b\nstatus: approved"


@dataclass
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="module")
def person(ann: Operator) -> str:
    """ann's own token."""
    return ann.personal_key()


@pytest.fixture
def hitl(
    server: LiveServer, key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Done]:
    """Run the command as the agent, or `by` somebody."""
    monkeypatch.setenv("HITL_URL", server.url)

    def run(*arguments: str, by: str = key) -> Done:
        monkeypatch.setenv("HITL_API_KEY", by)
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return Done(int(code), said.out, said.err)

    return run


@pytest.fixture
def start(env: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts the command in an agent's shell."""
    started: list[subprocess.Popen[str]] = []
    # A child ignores Ctrl+C where its parent does, as in the background of a shell.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(*arguments: str) -> subprocess.Popen[str]:
        started.append(subprocess.Popen([*COMMAND, *arguments], env=env, text=True, stdout=-1, stderr=-1))
        return started[-1]

    yield run
    signal.signal(signal.SIGINT, before)
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def env(server: LiveServer, key: str) -> dict[str, str]:
    """The environment of an agent's shell."""
    return {**shell_env(), "HITL_URL": server.url, "HITL_API_KEY": key}


@pytest.fixture
def soon(ann: Operator) -> Iterator[Callable[..., None]]:
    """Return a function that has ann decide what is asked next with a session."""
    threads = []

    def decide(session: str, verb: str = "approve", **body: Any) -> None:
        def look_and_decide() -> None:
            [asked] = ann.wait_for(1, session_id=session)
            ann.decide(asked["id"], verb, **body)

        threads.append(threading.Thread(target=look_and_decide))
        threads[-1].start()

    yield decide
    for thread in threads:
        thread.join()


def shell_env() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "client/src"), "TERM": "xterm"}


def asked_by(hitl: Callable[..., Done], *options: str) -> str:
    """Ask without waiting; return the id."""
    done = hitl("ask", *options)
    assert done.code == 6, done
    return done.out.strip()


# -- Asking ---------------------------------------------------------------------------------------------


def test_an_approval_is_exit_code_0_and_the_arguments(hitl: Callable[..., Done], soon: Any) -> None:
    session = secrets.token_hex(8)
    soon(session, modifications={"env": "staging", "n": 2.0})
    asked = ("ask", "Deploy?", "--wait", "--tool", "deploy", "--session", session)
    done = hitl(*asked, "--arg", "env=prod", "--arg", "n:=1.0")
    assert (done.code, done.json) == (0, {"env": "staging", "n": 2.0})
    assert "2.0" in done.out
    assert "waits for a person: http" in done.err
    assert "approved by ann" in done.err


@pytest.mark.parametrize(
    ("verb", "body", "code", "out"),
    [
        ("reject", {"reason": "Not on Fridays"}, 3, "Not on Fridays\n"),
        ("cancel", {"reason": "Never mind"}, 5, "Never mind\n"),
        ("approve", {}, 0, ""),
    ],
)
def test_every_end_has_a_code_of_its_own(
    hitl: Callable[..., Done], ann: Operator, verb: str, body: dict[str, str], code: int, out: str
) -> None:
    asked = asked_by(hitl, "Deploy?")
    ann.decide(asked, verb, **body)
    for command in ("wait", "status"):
        done = hitl(command, asked)
        assert (done.code, done.out) == (code, out)
    told = hitl("wait", asked, "--json").json
    assert (told["id"], told["approved"]) == (asked, code == 0)


def test_what_is_undecided_and_what_expired_are_no_approvals(hitl: Callable[..., Done]) -> None:
    done = hitl("ask", "Deploy?", "--wait", "--timeout", "1", "--expires-in", "2")
    assert (done.code, done.out) == (6, "")
    [asked] = set(re.findall(r"int_\w+", done.err))
    assert f"hitl wait {asked}" in done.err
    assert hitl("wait", asked, "--timeout", "10").code == 4


def test_input_comes_back_as_text_or_json(hitl: Callable[..., Done], soon: Any, tmp_path: Path) -> None:
    session = secrets.token_hex(8)
    soon(session, "respond", response="staging")
    done = hitl("ask", "Where?", "--type", "input", "--wait", "--session", session)
    assert (done.code, done.out) == (0, "staging\n")

    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "integer"}')
    session = secrets.token_hex(8)
    soon(session, "respond", response=8080)
    asked = ("ask", "Port?", "--type", "input", "--wait", "--session", session)
    assert hitl(*asked, "--schema", str(schema), "--json").json["response"] == 8080


def test_a_run_that_is_run_again_finds_its_answer_and_spends_it_once(
    hitl: Callable[..., Done], ann: Operator
) -> None:
    again = ("Deploy?", "--key", secrets.token_hex(8), "--tool", "deploy", "--args", '{"env": "prod"}')
    asked = asked_by(hitl, *again)
    assert asked_by(hitl, *again) == asked
    ann.decide(asked)
    assert hitl("ask", *again, "--wait", "--once").code == 0
    spent = hitl("ask", *again, "--wait", "--once")
    assert (spent.code, spent.out) == (8, "")
    assert "holds once" in spent.err
    other = hitl("ask", *again[:-1], '{"env": "test"}')
    assert (other.code, "something else" in other.err) == (8, True)


def test_an_answer_in_the_place_of_the_tool_lets_nothing_run(
    hitl: Callable[..., Done], server: LiveServer, key: str, ann: Operator
) -> None:
    body = {"reason": "Run it?", "allowed_decisions": ["approve", "respond"]}
    mine = {"Authorization": f"Bearer {key}"}
    asked = httpx.post(f"{server.url}/api/v1/interrupts", json=body, headers=mine).json()["id"]
    ann.decide(asked, "respond", response="I did it by hand")
    done = hitl("wait", asked)
    assert (done.code, done.out) == (9, "I did it by hand\n")
    assert hitl("status", asked, "--json").json["approved"] is False


def test_a_question_can_be_withdrawn(hitl: Callable[..., Done]) -> None:
    asked = asked_by(hitl, "Deploy?")
    assert hitl("cancel", asked, "--reason", "No longer").code == 0
    assert hitl("status", asked).code == 5


def test_no_server_and_no_key_have_codes_of_their_own(
    hitl: Callable[..., Done], tmp_path: Path, key: str
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        assert hitl("ask", "Deploy?", "--url", away, "--retry-for", "0").code == 7
    assert hitl("ask", "Deploy?", by="hitl_wrong").code == 8
    assert hitl("ask", "Deploy?", by="").code == 2
    assert hitl("ask", "Deploy?", "--api-key-file", str(tmp_path / "none")).code == 2
    (tmp_path / "key").write_text(f"{key}\n")
    assert hitl("ask", "Deploy?", "--api-key-file", str(tmp_path / "key"), by="").code == 6
    assert hitl("wait", "int_00000000000000000000000000").code == 8


@pytest.mark.parametrize(
    "wrong",
    [
        ("ask",),
        ("ask", "Deploy?", "--timeout", "5"),
        ("ask", "Deploy?", "--wait", "--timeout", "-1"),
        ("ask", "Deploy?", "--wait", "--timeout", "nan"),
        ("ask", "Deploy?", "--args", "[1]"),
        ("ask", "Deploy?", "--args", '{"n": NaN}'),
        ("ask", "Deploy?", "--arg", "env"),
        ("ask", "Deploy?", "--arg", "n:=one"),
        ("ask", "Deploy?", "--schema", "/nowhere"),
        ("ask", "Deploy?", "--wai"),
        ("deploy",),
    ],
)
def test_a_command_line_that_cannot_be_meant_asks_nobody(hitl: Callable[..., Done], wrong: Any) -> None:
    done = hitl(*wrong)
    assert (done.code, done.out) == (2, "")
    assert done.err


def test_ctrl_c_leaves_the_question_open_and_says_how_to_find_it(
    start: Callable[..., subprocess.Popen[str]], hitl: Callable[..., Done]
) -> None:
    process = start("ask", "Deploy?", "--wait")
    assert process.stderr
    [asked] = set(re.findall(r"int_\w+", process.stderr.readline()))
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert f"hitl wait {asked}" in err
    assert "Traceback" not in err
    assert hitl("status", asked).code == 6


# -- Deciding -------------------------------------------------------------------------------------------


def test_the_inbox_lists_the_most_urgent_first_and_shows_what_would_hide(
    hitl: Callable[..., Done], person: str
) -> None:
    asked_by(hitl, "A question of low priority", "--priority", "low")
    urgent = asked_by(hitl, HOSTILE, "--priority", "critical", "--expires-in", "7200")
    done = hitl("inbox", by=person)
    head, first, *rest = done.out.splitlines()
    assert head.split() == ["ID", "KIND", "TITLE", "AGENT", "PRIORITY", "DUE"]
    assert first.startswith(urgent)
    assert "in 2 h" in first
    assert "⟦U+001B⟧" in first
    assert any("low priority" in line for line in rest)
    assert not any(character in done.out for character in "\x1b\x07\u202e\u200b")
    assert hitl("inbox", "--json", "--limit", "1", by=person).json[0]["id"] == urgent

    shown = hitl("show", urgent, by=person).out
    assert "│ status: approved" in shown
    assert not any(character in shown for character in "\x1b\x07\u202e\u200b")
    assert [line for line in shown.splitlines() if line.startswith("status:")] == [
        "status:           pending"
    ]


def test_an_edit_is_approved_as_it_was_shown(hitl: Callable[..., Done], person: str) -> None:
    asked = asked_by(hitl, "Pay?", "--tool", "pay", "--args", '{"amount": 250.0, "to": "17", "note": null}')
    for wrong, why in (("amount=1", "amount:="), ("ammount:=1", "no argument"), ("note=x", "note:=")):
        done = hitl("approve", asked, "--yes", "--set", wrong, by=person)
        assert (done.code, why in done.err) == (2, True)
    done = hitl("approve", asked, "--yes", "--set", "amount:=100.0", "--set", "to=18", by=person)
    assert done.code == 0, done
    assert hitl("status", asked).json == {"amount": 100.0, "to": "18", "note": None}
    late = hitl("reject", asked, "--yes", "--reason", "Too much", by=person)
    assert (late.code, "already approved" in late.err) == (8, True)


def test_a_decision_on_something_else_than_was_shown_is_refused(
    hitl: Callable[..., Done], ann: Operator, server: LiveServer, key: str, person: str
) -> None:
    asked = asked_by(hitl, "Pay 10?", "--tool", "pay", "--args", '{"amount": 10}')
    shown = hitl("show", asked, "--json", by=person).json["content_hash"]
    ann.decide(asked, "request_changes", comment="Less")
    revised = {"tool_args": {"amount": 9999}}
    mine = {"Authorization": f"Bearer {key}"}
    url = f"{server.url}/api/v1/interrupts/{asked}/revise"
    assert httpx.post(url, json=revised, headers=mine).is_success
    done = hitl("approve", asked, "--yes", "--hash", shown, by=person)
    assert (done.code, "not what is stored" in done.err) == (8, True)
    assert hitl("status", asked).code == 6


def test_rejecting_and_responding(hitl: Callable[..., Done], person: str, tmp_path: Path) -> None:
    asked = asked_by(hitl, "Deploy?")
    assert hitl("reject", asked, "--yes", "--reason", "Not now", by=person).code == 0
    assert hitl("status", asked).out == "Not now\n"

    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "integer"}')
    asked = asked_by(hitl, "Port?", "--type", "input", "--schema", str(schema))
    assert hitl("respond", asked, "many", "--yes", by=person).code == 2
    assert hitl("respond", asked, "8080", "--yes", "--comment", "The usual", by=person).code == 0
    assert hitl("status", asked).out == "8080\n"
    asked = asked_by(hitl, "Name?", "--type", "input")
    assert hitl("respond", asked, "8080", "--yes", by=person).code == 0
    assert hitl("status", asked, "--json").json["response"] == "8080"


def test_an_agent_is_refused_and_told_why(hitl: Callable[..., Done]) -> None:
    asked = asked_by(hitl, "Deploy?")
    done = hitl("approve", asked, "--yes")
    assert (done.code, "agents never decide" in done.err) == (8, True)
    assert hitl("status", asked).code == 6


def test_without_a_terminal_nothing_is_decided_by_accident(
    env: dict[str, str], hitl: Callable[..., Done], person: str
) -> None:
    asked = asked_by(hitl, "Deploy?")
    command = [*COMMAND, "approve", asked]
    done = subprocess.run(
        command, env={**env, "HITL_API_KEY": person}, input="yes\n", text=True, capture_output=True
    )
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
    assert hitl("status", asked).code == 6


@pytest.mark.parametrize(
    ("priority", "typed", "code"),
    [("low", "yes", 0), ("low", "", 6), ("critical", "yes", 6), ("critical", "drop_table", 0)],
)
def test_a_terminal_asks_before_it_decides(
    env: dict[str, str], hitl: Callable[..., Done], person: str, priority: str, typed: str, code: int
) -> None:
    asked = asked_by(hitl, "Drop it?", "--tool", "drop_table", "--arg", "table=a", "--priority", priority)
    done = in_a_terminal([*COMMAND, "approve", asked], {**env, "HITL_API_KEY": person}, typed)
    assert done.code == code, done
    assert "drop_table" in done.out
    assert "\x1b[1mtool_name:" in done.out
    assert hitl("status", asked).code == code


def test_colours_are_for_terminals_that_want_them(env: dict[str, str], person: str) -> None:
    mine = {**env, "HITL_API_KEY": person}
    assert "\x1b[1mID" in in_a_terminal([*COMMAND, "inbox"], mine).out
    assert "\x1b" not in in_a_terminal([*COMMAND, "inbox"], {**mine, "NO_COLOR": "1"}).out


def in_a_terminal(command: list[str], env: dict[str, str], typed: str | None = None) -> Done:
    """Run a command in a terminal of its own and type a line as soon as it asks for one."""
    ours, its = pty.openpty()
    with subprocess.Popen(command, env=env, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        seen = b""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                some = os.read(ours, 65536)
            except OSError:  # so says Linux where the other end is closed
                break
            if not some:
                break
            seen += some
            if typed is not None and b"Type '" in seen:
                os.write(ours, f"{typed}\n".encode())
                typed = None
        code = process.wait(PATIENCE)
    os.close(ours)
    return Done(code, seen.decode(), "")


# -- Following ------------------------------------------------------------------------------------------


def test_events_are_json_lines_and_resume(hitl: Callable[..., Done], ann: Operator) -> None:
    asked = asked_by(hitl, "Deploy?")
    ann.decide(asked)
    rows = [json.loads(line) for line in hitl("tail", "--no-follow").out.splitlines()]
    mine = [row for row in rows if row["subject_id"] == asked]
    assert [row["type"] for row in mine] == ["hitl.interrupt.requested", "hitl.interrupt.approved"]
    after = hitl("tail", "--no-follow", "--after", mine[0]["cursor"]).out.splitlines()
    assert json.loads(after[0])["cursor"] == mine[1]["cursor"]
    only = hitl("tail", "--no-follow", "--types", "hitl.interrupt.approved").out.splitlines()
    assert {json.loads(line)["type"] for line in only} == {"hitl.interrupt.approved"}
    reset = hitl("tail", "--no-follow", "--after", "ep_other:1")
    assert (reset.code, reset.out) == (8, "")


def test_tail_is_live_and_ends_cleanly(
    start: Callable[..., subprocess.Popen[str]], hitl: Callable[..., Done]
) -> None:
    cursor = json.loads(hitl("tail", "--no-follow").out.splitlines()[-1])["cursor"]
    process = start("tail", "--after", cursor)
    asked = asked_by(hitl, "Deploy?")
    assert process.stdout
    row = json.loads(process.stdout.readline())
    assert row["subject_id"] == asked
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    # Stopped before it could note the last event, it would rather repeat than miss it.
    assert err in {f"Go on with: hitl tail --after {seen}\n" for seen in (cursor, row["cursor"])}


def test_a_reader_that_goes_away_ends_it_without_a_word(env: dict[str, str]) -> None:
    pipe = f"{sys.executable} -m hitl_client tail --no-follow | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", pipe], env=env, text=True, capture_output=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr) == ("141\n", "")
