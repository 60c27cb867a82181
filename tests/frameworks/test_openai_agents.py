"""OpenAI Agents: what a person decides is what a reviewed function tool does, over killed processes too."""

import json
import time
from pathlib import Path

import pytest

from tests.frameworks.clerk import EDITED, SPENT, ledger, outcome, policies_of, printed, waiting
from tests.frameworks.harness import PATIENCE, PROGRAMS, Agent, in_force, written
from tests.live import LiveServer, Operator

pytestmark = pytest.mark.sqlite

CLERK = PROGRAMS / "openai_clerk.py"


def test_every_decision_is_what_becomes_of_the_call(
    server: LiveServer, ann: Operator, ada: Operator, session: str, tmp_path: Path
) -> None:
    with in_force(ada, *policies_of(session)):
        agent = Agent(server, CLERK, "wait", session, str(tmp_path))
        asked = waiting(ann, session, 5)
        assert not [made for made in ledger(tmp_path) if made[0] != "look_up"]
        ann.decide(asked["approved"])
        ann.decide(asked["failed"])
        ann.decide(asked["edited"], modifications=EDITED)
        ann.decide(asked["refused"], "reject", reason="Not them")
        ann.decide(asked["answered"], "respond", response={"paid": "by hand"})
        said = agent.finish()

        assert said["output"] == "done"
        assert ledger(tmp_path) == [
            ["explode", asked["failed"]],
            ["look_up", "a", None],
            ["pay", "ann's choice", 12.5, True, [], asked["edited"]],
            ["pay", "approved", 10.0, False, ["1", "x"], asked["approved"]],
        ]
        told = said["told"]
        assert "An error occurred while running the tool" in told.pop("failed")
        assert "no JSON" in told.pop("malformed")
        result, changed = told.pop("edited").split("\n\n")
        assert result == "paid ann's choice"
        assert json.loads(changed.removeprefix("A person changed the arguments of this call to ")) == EDITED
        assert told == {
            "approved": "paid approved",
            "refused": "A person refused this call: Not them",
            "answered": '{"paid": "by hand"}',
            "allowed": "a is open",
            "denied": "A policy does not allow this call: Never.",
        }
        assert outcome(ann, asked["approved"]) == outcome(ann, asked["edited"]) == (True, "succeeded")
        assert outcome(ann, asked["failed"]) == (True, "failed")
        assert outcome(ann, asked["refused"]) == outcome(ann, asked["answered"]) == (False, None)


def test_a_killed_run_goes_on_in_other_processes_and_pays_once(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    agent = Agent(server, CLERK, "raise", session, str(tmp_path), "stay")
    asked = waiting(ann, session, 7)
    deadline = time.monotonic() + PATIENCE
    while not state.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    agent.kill()
    first = state.read_text()
    assert ledger(tmp_path) == []

    ann.decide(asked["approved"])
    for other in ("refused", "allowed", "denied", "failed"):
        ann.decide(asked[other], "reject", reason="Not now")
    said = Agent(server, CLERK, "raise", session, str(tmp_path)).finish()
    assert said["waiting"] == ["edited", "answered"]
    paid = ["pay", "approved", 10.0, False, ["1", "x"], asked["approved"]]
    assert ledger(tmp_path) == [paid]

    ann.decide(asked["edited"], modifications=EDITED)
    ann.decide(asked["answered"], "respond", response="Paid by hand.")
    said = Agent(server, CLERK, "raise", session, str(tmp_path)).finish()
    both = [["pay", "ann's choice", 12.5, True, [], asked["edited"]], paid]
    assert ledger(tmp_path) == both
    assert said["output"] == "done"
    assert said["told"]["edited"].startswith("paid ann's choice\n\nA person changed")
    assert said["told"]["answered"] == "Paid by hand."
    assert said["told"]["refused"] == "A person refused this call: Not now"
    assert "no JSON" in said["told"]["malformed"]

    state.write_text(first)  # as if the processes since had died before they wrote anything
    said = Agent(server, CLERK, "raise", session, str(tmp_path)).finish()
    assert ledger(tmp_path) == both
    assert said["told"]["approved"].startswith(SPENT)
    assert said["told"]["edited"].startswith(SPENT)
    assert said["told"]["answered"] == "Paid by hand."


@pytest.mark.parametrize(("number", "session"), [(0, "clean-up-7"), (1, "clean-up-8")])
def test_the_programs_of_the_guide_delete_what_ann_allows(
    server: LiveServer, ann: Operator, tmp_path: Path, number: int, session: str
) -> None:
    (tmp_path / "offline.py").write_text(
        "from agents import set_tracing_disabled\n"
        "from agents.testing import ScriptedModel, assistant_message, function_call\n"
        "import pathlib\n"
        "set_tracing_disabled(True)\n"
        "call = function_call('delete_file', {'path': 'a.txt'}, call_id='call-1')\n"
        "said = [[assistant_message('It is gone.')]]\n"
        "model = ScriptedModel(said if pathlib.Path('run.json').exists() else [[call], *said])\n"
    )
    program = written(tmp_path, "openai-agents.md", number)
    shown = program.read_text()
    assert 'model="gpt-5.1"' in shown
    program.write_text("import offline\n" + shown.replace('model="gpt-5.1"', "model=offline.model"))

    agent = Agent(server, program)
    [item] = ann.wait_for(1, session_id=session)
    if number:
        assert printed(agent) == "waiting"
    ann.decide(item["id"])
    if number:
        agent = Agent(server, program)
    assert printed(agent) == "It is gone."
    assert outcome(ann, item["id"]) == (True, "succeeded")
