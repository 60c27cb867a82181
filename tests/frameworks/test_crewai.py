"""CrewAI through the gate: each decision, policies, and a process that is killed while people think."""

from pathlib import Path

import pytest

from tests.frameworks.gated import (
    decide_all_kinds,
    deny_and_allow,
    killed_and_resumed,
    offline,
    outcomes_of,
)
from tests.frameworks.harness import PROGRAMS, Agent
from tests.live import LiveServer, Operator

pytestmark = pytest.mark.sqlite


def test_each_decision_is_carried_out(server: LiveServer, ann: Operator, ada: Operator, session: str) -> None:
    deny_and_allow(ada, "crew_wipe", "crew_look")
    agent = Agent(server, PROGRAMS / "crewai_decisions.py", session, beside="crewai")
    decide_all_kinds(ann, session, together=False)
    said = agent.finish()

    assert said["ran"] == [
        ["crew_refund", "a", 10, None],
        ["crew_refund", "b", 2.5, {"why": [1, 1.0, True, None]}],
        ["crew_look", "a"],
    ]
    for told in (
        "refunded 10 for a",
        "refunded 2.5 for b",
        "A person refused this call: Too much",
        "Ask again in May",
        "A policy does not allow this call: Never",
        "a is broken",
    ):
        assert told in said["told"]
    assert said["tool"] == ["crew_refund", "Pay money back to a customer.", ["amount", "note", "order"]]
    assert outcomes_of(ann, session) == {"a": "succeeded", "b": "succeeded", "c": None, "d": None}


def test_a_killed_crew_of_the_guide_goes_on_in_another_process(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path
) -> None:
    call = '("refund", {"order": "7", "amount": 25})'
    program = offline(
        tmp_path,
        "crewai.md",
        ('LLM(model="gpt-5")', f"Scripted({call}, native=True)"),
        "from crewai_model import Scripted",
    )
    first, second, third = killed_and_resumed(server, ann, session, program, beside="crewai")
    assert "refunded 20 for 7" in first == second == third
    assert (tmp_path / "payments.txt").read_text() == "7 20\n"
