"""Claude Agent SDK and Claude Code: the real programs, with a model that says what it is told to."""

import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest

from tests.frameworks.claude_model import ScriptedModel, call
from tests.frameworks.harness import PROGRAMS, Agent, written
from tests.frameworks.refunds import (
    ANSWER,
    EDITED,
    REFUNDS,
    REFUSAL,
    decide,
    make_policies,
    ran,
    record,
)
from tests.live import ROOT, LiveServer, Operator

PROGRAM = PROGRAMS / "claude_refunds.py"
REFUND, LOOK_UP, CLOSE_SHOP = "mcp__shop__refund", "mcp__shop__look_up", "mcp__shop__close_shop"
PYTHON = ROOT / ".venv/frameworks/bin/python"


@pytest.fixture(scope="module", autouse=True)
def policies(ada: Operator) -> None:
    make_policies(ada, "claude", "mcp__shop__")


def test_each_decision_is_carried_out_while_the_call_waits(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refunds = [call(order, REFUND, **arguments) for order, arguments in REFUNDS.items()]
    broken = call("broken", REFUND, order="broken", amount=1, express=False)
    script = [*refunds, broken, call("look", LOOK_UP, order="plain"), call("close", CLOSE_SHOP)]
    decided = {}
    with ScriptedModel(*script) as model:
        model.configure(monkeypatch, tmp_path)
        agent = Agent(server, PROGRAM, "wait", str(tmp_path), session)
        while len(decided) < 5:  # Claude Code makes the calls of a turn one after the other
            [item] = ann.wait_for(1, session_id=session)
            decide(ann, item)
            decided[item["call_id"]] = item
        assert agent.finish()["result"] == "All is done."

    made = [REFUNDS["plain"], EDITED, {"order": "broken", "amount": 1, "express": False}]
    assert ran(tmp_path) == sorted(
        [["look_up", {"order": "plain"}], *(["refund", arguments] for arguments in made)], key=json.dumps
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
