"""Pydantic AI: what a person decides is what becomes of a tool call, over killed processes too."""

import json
import time
from pathlib import Path

import pytest

from tests.frameworks.clerk import EDITED, SPENT, ledger, outcome, policies_of, printed, waiting
from tests.frameworks.harness import PATIENCE, PROGRAMS, Agent, in_force, written
from tests.live import LiveServer, Operator

pytestmark = pytest.mark.sqlite

CLERK = PROGRAMS / "pydantic_clerk.py"


def test_every_decision_is_what_becomes_of_the_call(
    server: LiveServer, ann: Operator, ada: Operator, session: str, tmp_path: Path
) -> None:
    with in_force(ada, *policies_of(session)):
        agent = Agent(server, CLERK, "wait", session, str(tmp_path))
        asked = waiting(ann, session, 6)
        assert [made[0] for made in ledger(tmp_path)] in ([], ["look_up"])
        ann.decide(asked["approved"])
        ann.decide(asked["closed"])
        ann.decide(asked["edited"], modifications=EDITED)
        ann.decide(asked["refused"], "reject", reason="Not them")
        ann.decide(asked["answered"], "respond", response={"paid": "by hand"})
        ann.decide(asked["asked"], "respond", response="Go.")
        said = agent.finish()

        assert said["output"] == "done"
        assert ledger(tmp_path) == [
            ["close_books", asked["closed"]],
            ["look_up", "a", None],
            ["pay", "ann's choice", 12.5, True, [], asked["edited"]],
            ["pay", "approved", 10.0, False, ["1", "x"], asked["approved"]],
        ]
        told = said["told"]
        assert told.pop("malformed")[0] == "retried"
        assert told == {
            "approved": ["success", "paid approved"],
            "edited": ["success", "paid ann's choice"],
            "refused": ["denied", "A person refused this call: Not them"],
            "answered": ["success", {"paid": "by hand"}],
            "allowed": ["success", "a is open"],
            "denied": ["denied", "A policy does not allow this call: Never."],
            "closed": ["success", "closed"],
            "asked": ["success", "Go."],
        }
        _, changed = said["beside"]
        assert json.loads(changed.removeprefix("A person changed the arguments of pay to ")) == EDITED
        assert outcome(ann, asked["approved"]) == outcome(ann, asked["edited"]) == (True, "succeeded")
        assert outcome(ann, asked["closed"]) == (True, "succeeded")
        assert outcome(ann, asked["refused"]) == outcome(ann, asked["answered"]) == (False, None)


def test_a_killed_run_goes_on_in_other_processes_and_pays_once(
    server: LiveServer, ann: Operator, tmp_path: Path
) -> None:
    kept = tmp_path / "run.json"
    agent = Agent(server, CLERK, "raise", "-", str(tmp_path), "stay")
    deadline = time.monotonic() + PATIENCE
    while not (kept.exists() and kept.read_bytes()):
        assert time.monotonic() < deadline
        assert agent.process.poll() is None, agent.finish()
        time.sleep(0.05)
    agent.kill()
    first = kept.read_bytes()
    messages, _ = json.loads(first)
    asked = waiting(ann, messages[0]["conversation_id"], 6)
    free = [["drop_table", "users", None], ["look_up", "a", None]]
    assert ledger(tmp_path) == free

    ann.decide(asked["approved"])
    ann.decide(asked["closed"])
    ann.decide(asked["refused"], "reject", reason="Not now")
    ann.decide(asked["asked"], "reject", reason="Ask tomorrow")
    assert Agent(server, CLERK, "raise", "-", str(tmp_path)).finish() == "undecided"
    assert ledger(tmp_path) == free

    ann.decide(asked["edited"], modifications=EDITED)
    ann.decide(asked["answered"], "respond", response="Paid by hand.")
    said = Agent(server, CLERK, "raise", "-", str(tmp_path)).finish()
    done = [
        ["close_books", asked["closed"]],
        free[0],
        free[1],
        ["pay", "ann's choice", 12.5, True, [], asked["edited"]],
        ["pay", "approved", 10.0, False, ["1", "x"], asked["approved"]],
    ]
    assert ledger(tmp_path) == done
    assert said["output"] == "done"
    assert said["told"]["edited"] == ["success", "paid ann's choice"]
    assert said["told"]["answered"] == ["success", "Paid by hand."]
    assert said["told"]["refused"] == ["denied", "A person refused this call: Not now"]
    assert said["told"]["asked"] == ["failed", "A person refused this call: Ask tomorrow"]

    assert kept.read_bytes() == first  # so this one does as if those since had died before their end
    said = Agent(server, CLERK, "raise", "-", str(tmp_path)).finish()
    assert ledger(tmp_path) == done
    for call in ("approved", "edited", "closed"):
        result, why = said["told"][call]
        assert result == "failed"
        assert why.startswith(SPENT)
    assert said["told"]["answered"] == ["success", "Paid by hand."]


@pytest.mark.parametrize("number", [0, 1])
def test_the_programs_of_the_guide_delete_what_ann_allows(
    server: LiveServer, ann: Operator, tmp_path: Path, number: int
) -> None:
    (tmp_path / "offline.py").write_text(
        "from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart\n"
        "from pydantic_ai.models.function import FunctionModel\n"
        "call = ToolCallPart('delete_file', {'path': 'a.txt'})\n"
        "said = lambda messages, info: [call] if len(messages) == 1 else [TextPart('It is gone.')]\n"
        "model = FunctionModel(lambda messages, info: ModelResponse(said(messages, info)))\n"
    )
    program = written(tmp_path, "pydantic-ai.md", number)
    shown = program.read_text()
    assert '"openai:gpt-5.1"' in shown
    program.write_text("import offline\n" + shown.replace('"openai:gpt-5.1"', "offline.model"))

    agent = Agent(server, program)
    [item] = ann.wait_for(1, tool_name="delete_file")
    if number:
        assert printed(agent) == "waiting"
    ann.decide(item["id"])
    if number:
        agent = Agent(server, program)
    assert printed(agent) == "It is gone."
    assert outcome(ann, item["id"]) == (True, "succeeded")
