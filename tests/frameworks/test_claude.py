"""Claude Agent SDK and Claude Code: the real programs, with a model that says what it is told to."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks.claude_model import ScriptedModel, call
from tests.frameworks.harness import PATIENCE, PROGRAMS, Agent, in_force, written
from tests.frameworks.refunds import (
    ANSWER,
    EDITED,
    REFUNDS,
    REFUSAL,
    decide,
    in_order,
    policies_of,
    ran,
    record,
)
from tests.live import ROOT, LiveServer, Operator

PROGRAM = PROGRAMS / "claude_refunds.py"
REFUND, LOOK_UP, CLOSE_SHOP = "mcp__shop__refund", "mcp__shop__look_up", "mcp__shop__close_shop"
PYTHON = ROOT / ".venv/frameworks/bin/python"


@pytest.fixture(scope="module", autouse=True)
def policies(ada: Operator) -> Iterator[None]:
    with in_force(ada, *policies_of("claude", "mcp__shop__")):
        yield


def test_each_decision_is_carried_out_while_the_call_waits(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refunds = [call(order, REFUND, **arguments) for order, arguments in REFUNDS.items()]
    broken = call("broken", REFUND, order="broken", amount=1, express=False)
    script = [*refunds, broken, call("look", LOOK_UP, order="plain"), call("close", CLOSE_SHOP)]
    decided: dict[str, dict[str, Any]] = {}
    with ScriptedModel(*script) as model:
        model.configure(monkeypatch, tmp_path)
        agent = Agent(server, PROGRAM, "wait", str(tmp_path), session)
        while len(decided) < 5:  # Claude Code makes the calls of a turn one after the other
            [item] = ann.wait_for(1, session_id=session)
            decide(ann, item)
            decided[item["call_id"]] = item
        assert agent.finish()["result"] == "All is done."

    made = [REFUNDS["plain"], EDITED, {"order": "broken", "amount": 1, "express": False}]
    assert ran(tmp_path) == in_order(
        ["look_up", {"order": "plain"}], *(["refund", arguments] for arguments in made)
    )
    assert model.told["plain"] == model.told["dear"] == "refund done"
    assert REFUSAL in model.told["twice"]
    assert ANSWER in model.told["asked"]
    assert "A policy does not allow this call: Never" in model.told["close"]
    assert record(ann, decided["plain"]) == (True, "succeeded")
    assert record(ann, decided["dear"]) == (True, "succeeded")
    assert record(ann, decided["broken"]) == (True, "failed")
    assert record(ann, decided["asked"]) == (False, None)


def test_a_deferred_call_is_made_once_by_the_process_that_resumes(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModel(call("plain", REFUND, **REFUNDS["plain"])) as model:
        model.configure(monkeypatch, tmp_path)
        assert Agent(server, PROGRAM, "raise", str(tmp_path), session).finish()["deferred"] == "plain"
        [item] = ann.wait_for(1, session_id=session)
        assert Agent(server, PROGRAM, "raise", str(tmp_path), session).finish()["deferred"] == "plain"
        assert ran(tmp_path) == []
        ann.decide(item["id"], modifications=EDITED)

        assert Agent(server, PROGRAM, "raise", str(tmp_path), session).finish()["result"] == "All is done."
        assert ran(tmp_path) == [["refund", EDITED]]
        assert record(ann, item) == (True, "succeeded")
        Agent(server, PROGRAM, "raise", str(tmp_path), session).finish()
    assert ran(tmp_path) == [["refund", EDITED]]
    assert ann.waiting(session_id=session) == []


def test_the_callback_decides_about_what_claude_code_would_ask_its_user(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModel(
        *(call(order, REFUND, **REFUNDS[order]) for order in ("dear", "twice")), call("close", CLOSE_SHOP)
    ) as model:
        model.configure(monkeypatch, tmp_path)
        agent = Agent(server, PROGRAM, "callback", str(tmp_path), session)
        for _ in range(2):
            [item] = ann.wait_for(1, session_id=session)
            decide(ann, item)
        assert agent.finish()["result"] == "All is done."
    assert ran(tmp_path) == [["refund", EDITED]]
    assert REFUSAL in model.told["twice"]


def command(server: LiveServer, event: dict[str, Any] | str, **environment: str) -> subprocess.Popen[str]:
    """Start the hook as Claude Code does, with an event on its stdin."""
    hook = subprocess.Popen(
        [PYTHON, "-m", "hitl_client.adapters.claude", "--wait", "60"],
        env={**os.environ, "HITL_URL": server.url, "HITL_API_KEY": server.key, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert hook.stdin
    hook.stdin.write(event if isinstance(event, str) else json.dumps(event))
    hook.stdin.close()
    hook.stdin = None
    return hook


def answered(hook: subprocess.Popen[str], code: int = 0) -> dict[str, Any]:
    """Return the decision the hook wrote."""
    said, complained = hook.communicate(timeout=PATIENCE)
    assert hook.returncode == code, complained
    decision: dict[str, Any] = json.loads(said).get("hookSpecificOutput", {}) if said else {}
    return decision


def test_the_command_decides_and_reports(server: LiveServer, ann: Operator, session: str) -> None:
    about = {"session_id": session, "tool_name": "Bash", "tool_use_id": "toolu_1"}
    before = {
        **about,
        "hook_event_name": "PreToolUse",
        "tool_input": {"command": "rm -r build", "timeout": 5},
    }
    edited = {"command": "rm -r build/cache", "timeout": 5}
    hook = command(server, before)
    [item] = ann.wait_for(1, session_id=session)
    ann.decide(item["id"], modifications=edited)
    decision = answered(hook)
    assert (decision["permissionDecision"], decision["updatedInput"]) == ("allow", edited)
    assert record(ann, item) == (True, None)

    again, other = command(server, before), command(server, {**before, "tool_input": {"command": "rm -r /"}})
    after: dict[str, Any] = {
        **about,
        "hook_event_name": "PostToolUse",
        "tool_input": edited,
        "tool_response": "done",
    }
    report = command(server, after)
    assert answered(again)["permissionDecision"] == "deny"
    assert answered(other)["permissionDecision"] == "deny"
    assert answered(report) == {}
    assert record(ann, item) == (True, "succeeded")


@pytest.mark.parametrize(("event", "key"), [("no event", None), ({"hook_event_name": "PreToolUse"}, "")])
def test_the_command_blocks_where_it_cannot_decide(
    server: LiveServer, event: dict[str, Any] | str, key: str | None
) -> None:
    assert answered(command(server, event, **({} if key is None else {"HITL_API_KEY": key})), code=2) == {}


def test_the_guides_program_does_what_a_person_allows(
    server: LiveServer, ann: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModel(call("one", REFUND, order="7", amount=12.5)) as model:
        model.configure(monkeypatch, tmp_path)
        agent = Agent(server, written(tmp_path, "claude.md"))
        [item] = ann.wait_for(1, tool_name=REFUND)
        ann.decide(item["id"])
        said, complained = agent.process.communicate(timeout=PATIENCE)
    assert said == "All is done.\n", complained
    assert model.told["one"] == "Refunded 12.5"


def claude_code(server: LiveServer, folder: Path, environment: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """Start Claude Code itself, with the settings of the guide; the id of its hook's process is in `hook`."""
    [settings] = re.findall(r"^```json\n(.*?)^```", (ROOT / "docs/agents/claude.md").read_text(), re.M | re.S)
    command = f"echo $$ > hook; exec {PYTHON} -m"
    (folder / "settings.json").write_text(settings.replace("python -m", command))
    environment.setenv("HITL_URL", server.url)
    environment.setenv("HITL_API_KEY", server.key)
    claude = next(PYTHON.parent.parent.glob("lib/*/site-packages/claude_agent_sdk/_bundled/claude"))
    return subprocess.Popen(
        [claude, "-p", "Make it.", "--settings", "settings.json", "--allowedTools=Bash"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


MAKE = call("one", "Bash", command="touch made", description="Make it")


def test_the_guides_settings_are_those_of_claude_code(
    server: LiveServer, ann: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModel(MAKE) as model:
        model.configure(monkeypatch, tmp_path)
        running = claude_code(server, tmp_path, monkeypatch)
        [item] = ann.wait_for(1, tool_name="Bash")
        ann.decide(item["id"], modifications={"command": "touch made_otherwise"})
        said, _ = running.communicate(timeout=PATIENCE)
    assert said == "All is done.\n"
    assert (tmp_path / "made_otherwise").exists()
    assert not (tmp_path / "made").exists()
    assert record(ann, item) == (True, "succeeded")


def test_a_hook_that_is_killed_blocks_the_call(
    server: LiveServer, ann: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedModel(MAKE) as model:
        model.configure(monkeypatch, tmp_path)
        running = claude_code(server, tmp_path, monkeypatch)
        [item] = ann.wait_for(1, tool_name="Bash")
        os.kill(int((tmp_path / "hook").read_text()), signal.SIGKILL)
        running.communicate(timeout=PATIENCE)
    assert "block" in model.told["one"], model.told
    assert not (tmp_path / "made").exists()
    ann.decide(item["id"], "reject")
