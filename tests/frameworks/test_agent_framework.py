"""Microsoft Agent Framework: every kind of decision, and a process that dies while people think."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
from tests.live import LiveServer, Operator

PROGRAM = PROGRAMS / "agent_framework_refunds.py"
BROKEN: dict[str, Any] = {"order": "broken", "amount": 1, "express": False}


@pytest.fixture(scope="module", autouse=True)
def policies(ada: Operator) -> Iterator[None]:
    with in_force(ada, *policies_of("agent_framework")):
        yield


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
    assert ran(tmp_path) == in_order(
        ["look_up", {"order": "plain"}], *(["refund", arguments] for arguments in made)
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
    waiting = Agent(server, PROGRAM, "wait", *arguments[1:])
    items = {item["tool_args"]["order"]: item for item in ann.wait_for(3, session_id=session)}
    waiting.kill()
    decide(ann, items["dear"])
    assert Agent(server, PROGRAM, *arguments).finish() == {"waits": 2}
    decide(ann, items["plain"])
    decide(ann, items["twice"])

    told = Agent(server, PROGRAM, *arguments).finish()
    assert ran(tmp_path) == in_order(["refund", EDITED], ["refund", REFUNDS["plain"]])
    assert REFUSAL in json.dumps(told)
    assert record(ann, items["plain"]) == record(ann, items["dear"]) == (True, "succeeded")
    assert Agent(server, PROGRAM, *arguments).finish() == "nothing to do"
    assert len(ran(tmp_path)) == 2
    assert ann.waiting(session_id=session) == []


def test_a_call_that_a_policy_asks_about_pauses_the_run_like_the_frameworks_own(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path
) -> None:
    calls(tmp_path, ("refund", REFUNDS["plain"]), ("write_off", {"order": "plain"}))
    arguments = ("raise", str(tmp_path), session)
    assert Agent(server, PROGRAM, *arguments).finish() == {"waits": 1}
    [refund] = ann.wait_for(1, session_id=session)
    ann.decide(refund["id"])
    assert Agent(server, PROGRAM, *arguments).finish() == {"waits": 1}
    [write_off] = ann.wait_for(1, session_id=session)
    assert ran(tmp_path) == [["refund", REFUNDS["plain"]]]
    ann.decide(write_off["id"], modifications={"order": "dear"})
    Agent(server, PROGRAM, *arguments).finish()
    assert ran(tmp_path) == [["refund", REFUNDS["plain"]], ["write_off", {"order": "dear"}]]


def test_the_guides_program_does_what_a_person_allows(
    server: LiveServer, ann: Operator, tmp_path: Path
) -> None:
    program = written(tmp_path, "agent-framework.md")
    offline = f"""import sys
sys.path.insert(0, {str(PROGRAMS)!r})
from agent_framework_model import ScriptedModel
"""
    text = program.read_text()
    for shown, instead in {
        "from agent_framework.openai import OpenAIChatClient\n": offline,
        "OpenAIChatClient()": 'ScriptedModel([("refund_order", {"order": "7", "amount": 12.5})])',
    }.items():
        assert shown in text
        text = text.replace(shown, instead)
    program.write_text(text)
    agent = Agent(server, program)
    [item] = ann.wait_for(1, tool_name="refund_order")
    ann.decide(item["id"])
    said, complained = agent.process.communicate(timeout=PATIENCE)
    assert said == '[["refund_order", "refunded 12.5"]]\n', complained
