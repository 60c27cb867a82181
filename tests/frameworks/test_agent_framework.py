"""Microsoft Agent Framework: every kind of decision, and a process that dies while people think."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

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
from tests.live import LiveServer, Operator

PROGRAM = PROGRAMS / "agent_framework_refunds.py"
BROKEN = {"order": "broken", "amount": 1, "express": False}


@pytest.fixture(scope="module", autouse=True)
def policies(ada: Operator) -> None:
    make_policies(ada, "agent_framework")


def calls(folder: Path, *made: tuple[str, dict[str, Any]]) -> None:
    """Have the model make these calls in one turn."""
    (folder / "calls").write_text(json.dumps(made))


def test_each_decision_is_carried_out_while_the_call_waits(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path
) -> None:
    refunds = [("refund", arguments) for arguments in (*REFUNDS.values(), BROKEN)]
    calls(tmp_path, *refunds, ("look_up", {"order": "plain"}), ("close_shop", {}))
    agent = Agent(server, PROGRAM, "wait", str(tmp_path), session)
    items = {item["tool_args"]["order"]: item for item in ann.wait_for(5, session_id=session)}
    for item in items.values():
        decide(ann, item)
    told = agent.finish()

    made = [REFUNDS["plain"], EDITED, BROKEN]
    assert ran(tmp_path) == sorted(
        [["look_up", {"order": "plain"}], *(["refund", arguments] for arguments in made)], key=json.dumps
    )
    refund = [answer for name, answer in told if name == "refund"]
    assert refund[0] == "refund done"
    assert refund[1] == f"refund done\nA person changed the arguments of this call to {json.dumps(EDITED)}."
    assert refund[2:4] == [REFUSAL, ANSWER]
    assert refund[4].startswith("Error")
    assert ["close_shop", "A policy does not allow this call: Never"] in told
    assert record(ann, items["plain"]) == (True, "succeeded")
    assert record(ann, items["dear"]) == (True, "succeeded")
    assert record(ann, items["broken"]) == (True, "failed")
    assert record(ann, items["asked"]) == (False, None)


def test_calls_asked_about_at_once_are_made_once_by_the_process_that_resumes(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path
) -> None:
    calls(tmp_path, *(("refund", REFUNDS[order]) for order in ("plain", "dear", "twice")))
    arguments = ("raise", str(tmp_path), session)
    Agent(server, PROGRAM, *arguments).finish()
    items = {item["tool_args"]["order"]: item for item in ann.wait_for(3, session_id=session)}
    decide(ann, items["dear"])
    Agent(server, PROGRAM, *arguments).finish()  # too early: it stops again
    decide(ann, items["plain"])
    decide(ann, items["twice"])

    told = Agent(server, PROGRAM, *arguments).finish()
    assert ran(tmp_path) == sorted([["refund", EDITED], ["refund", REFUNDS["plain"]]], key=json.dumps)
    assert REFUSAL in json.dumps(told)
    assert record(ann, items["plain"]) == record(ann, items["dear"]) == (True, "succeeded")
    assert Agent(server, PROGRAM, *arguments).finish() == "nothing to do"
    assert len(ran(tmp_path)) == 2
    assert ann.waiting(session_id=session) == []
