"""What agents behind the gate have in common: their operators, their record, and how they are killed."""

from pathlib import Path
from typing import Any

from tests.frameworks.harness import PATIENCE, PROGRAMS, Agent, written
from tests.live import LiveServer, Operator


def deny_and_allow(ada: Operator, denied: str, allowed: str) -> None:
    """Make a policy that denies one tool, and one that allows another."""
    for tool, terms in ((denied, {"deny": True, "note": "Never"}), (allowed, {"allow_auto": True})):
        said = ada.http.post(
            "/api/v1/policies",
            json={"name": tool, "pattern": tool, **terms},
            headers={"X-CSRFToken": ada.http.cookies["csrftoken"]},
        )
        assert said.status_code == 201, said.text


def decide_all_kinds(ann: Operator, session: str, together: bool = True) -> None:
    """Decide about the orders a to d as soon as they are asked about: all at once, or one after the other."""
    answers: dict[str, tuple[str, dict[str, Any]]] = {
        "a": ("approve", {}),
        "b": (
            "approve",
            {"modifications": {"order": "b", "amount": 2.5, "note": {"why": [1, 1.0, True, None]}}},
        ),
        "c": ("reject", {"reason": "Too much"}),
        "d": ("respond", {"response": {"say": "Ask again in May"}}),
    }
    while answers:
        for item in ann.wait_for(len(answers) if together else 1, session_id=session):
            verb, body = answers.pop(item["tool_args"]["order"])
            ann.decide(item["id"], verb, **body)


def items_of(ann: Operator, session: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ann.http.get("/api/v1/interrupts", params={"session_id": session}).json()[
        "results"
    ]
    return found


def outcomes_of(ann: Operator, session: str) -> dict[str, str | None]:
    """Return what came of each order; what was approved has been spent, and nothing else."""
    found = items_of(ann, session)
    for item in found:
        assert bool(item["consumed_at"]) == (item["decision"] in ("approve", "edit"))
    return {item["tool_args"]["order"]: item["outcome"] or None for item in found}


def offline(folder: Path, guide: str, model: tuple[str, str], setting_up: str) -> Path:
    """Write the first program of a guide into *folder*, with its model replaced by one without a network."""
    program = written(folder, guide)
    text = program.read_text()
    assert text.count(model[0]) == 1
    beginning = f"import sys\nsys.path.insert(0, {str(PROGRAMS)!r})\n{setting_up}\n"
    program.write_text(beginning + text.replace(*model))
    return program


def last_line_of(agent: Agent) -> str:
    said, complained = agent.process.communicate(timeout=PATIENCE)
    assert agent.process.returncode == 0, complained
    return str(said).strip().splitlines()[-1]


def killed_and_resumed(
    server: LiveServer, ann: Operator, session: str, program: Path, beside: str = "frameworks"
) -> list[str]:
    """Kill a program while it waits, decide, and run it three times more; return what it said at last."""
    agent = Agent(server, program, session, beside=beside)
    [asked] = ann.wait_for(1, session_id=session)
    agent.kill()
    ann.decide(asked["id"], modifications=asked["tool_args"] | {"amount": 20})
    said = [last_line_of(Agent(server, program, session, beside=beside)) for _ in range(3)]
    assert [(item["id"], item["outcome"]) for item in items_of(ann, session)] == [(asked["id"], "succeeded")]
    return said
