"""LangChain's agents, reviewed by our middleware or by LangChain's own with the bridge."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks.harness import PATIENCE, PROGRAMS, Agent, in_force, written
from tests.live import LiveServer, Operator

NOTE = "A person changed this call before it was made. It was made with these arguments: "


@pytest.fixture(scope="module", autouse=True)
def policies(ada: Operator, request: pytest.FixtureRequest) -> Iterator[None]:
    """Nobody may wipe a disk, everybody may look around."""
    deny: dict[str, Any] = {"deny": True, "note": "Never wipe a disk"}
    allow: dict[str, Any] = {"allow_auto": True}
    named = [("wipe_disk", deny), ("look_around", allow)]
    module = request.module.__name__
    with in_force(ada, *({"name": f"{name} of {module}", "pattern": name, **said} for name, said in named)):
        yield


def ran(folder: Path) -> list[Any]:
    """What ran, in no order."""
    file = folder / "ran.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return sorted((json.loads(line) for line in lines), key=str)


def by_call(ann: Operator, session: str, count: int) -> dict[str, dict[str, Any]]:
    return {item["call_id"]: item for item in ann.wait_for(count, session_id=session)}


def decide_all_kinds(ann: Operator, session: str) -> dict[str, str]:
    """Decide a turn of `langchain_decisions.py`; return the ids of its items by call."""
    asked = by_call(ann, session, 6)
    ann.decide(asked["approved"]["id"])
    refused = ann.http.post(
        f"/api/v1/interrupts/{asked['edited']['id']}/approve",
        json={"modifications": {"to": "bob", "amount": "70"}},
        headers={"X-CSRFToken": ann.http.cookies["csrftoken"]},
    )
    assert refused.status_code == 400  # the tool takes a whole number
    ann.decide(asked["edited"]["id"], modifications={"to": "bob", "amount": 70})
    ann.decide(asked["rejected"]["id"], "reject", reason="Vic is not known here")
    ann.decide(asked["answered"]["id"], "respond", response="Ada was paid yesterday")
    ann.decide(asked["wrong"]["id"])
    ann.decide(asked["named"]["id"], modifications={"text": "calm"})
    return {call: item["id"] for call, item in asked.items()}


def test_each_decision_is_carried_out_in_both_modes(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path
) -> None:
    agent = Agent(server, PROGRAMS / "langchain_decisions.py", session, str(tmp_path))
    for mode in ("batched", "per_call"):
        items = decide_all_kinds(ann, f"{session}-{mode}")
    told = agent.finish()
    for mode in ("batched", "per_call"):
        words = told[mode]
        assert words.pop("wrong")[0] == "error"
        assert words == {
            "approved": ["success", "paid 7 to ann"],
            "edited": ["success", NOTE + '{"to": "bob", "amount": 70}\npaid 70 to bob'],
            "rejected": ["error", "A person refused this call: Vic is not known here"],
            "answered": ["success", "Ada was paid yesterday"],
            "named": ["success", NOTE + '{"text": "calm"}\nlabelled'],
            "denied": ["error", "A policy does not allow this call: Never wipe a disk"],
            "allowed": ["success", "nothing there"],
        }
    once = [
        ["label", {"text": "calm"}],
        ["look_around", {"place": "attic"}],
        ["pay", {"amount": 7, "to": "ann"}],
        ["pay", {"amount": 70, "to": "bob"}],
    ]
    assert ran(tmp_path) == sorted(once * 2, key=str)
    shown = {call: ann.http.get(f"/api/v1/interrupts/{item}").json() for call, item in items.items()}
    assert {call: item["outcome"] for call, item in shown.items() if item["consumed_at"]} == {
        "approved": "succeeded",
        "edited": "succeeded",
        "named": "succeeded",
        "wrong": "failed",
    }
    assert shown["edited"]["outcome_result"] == "paid 70 to bob"


def test_threads_go_on_in_another_process_and_every_call_runs_once(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path
) -> None:
    program = PROGRAMS / "langchain_pause.py"
    agent = Agent(server, program, session, str(tmp_path))
    waiting = {name: by_call(ann, f"{session}-{name}", 3) for name in ("batched", "per_call")}
    waiting["held"] = by_call(ann, f"{session}-held", 2)
    agent.kill()
    assert not ran(tmp_path)
    for asked in waiting.values():
        for call, item in asked.items():
            if call == "second":
                ann.decide(item["id"], "reject", reason="Bob was paid")
            else:
                ann.decide(item["id"])

    agent = Agent(server, program, session, str(tmp_path))
    [whom] = ann.wait_for(1, session_id=f"{session}-per_call")
    assert (whom["type"], whom["reason"]) == ("input", "goodbye whom?")
    ann.decide(whom["id"], "respond", response="vic")
    [death] = ann.wait_for(1, session_id=f"{session}-dying")
    ann.decide(death["id"])
    said = agent.finish(code=-9)
    assert said["batched stopped"] == ["human_review"]
    assert said["tool stopped"] == ["hello whom?"]
    assert said["per_call stopped"] == ["human_review"] * 3
    paid = {
        "first": ["success", "paid 1 to ann"],
        "second": ["error", "A person refused this call: Bob was paid"],
    }
    done = {
        "batched": paid | {"third": ["success", "hello ada"]},
        "per_call": paid | {"third": ["success", "goodbye vic"]},
        "held": paid,
    }
    assert {name: said[name] for name in done} == done
    once = sorted(
        [["pay", {"amount": 1, "to": "ann"}]] * 3
        + [["greet", {"name": "ada"}], ["greet", {"name": "vic"}], ["die", {"how": "at once"}]],
        key=str,
    )
    assert ran(tmp_path) == once

    said = Agent(server, program, session, str(tmp_path)).finish()
    begun = "This call was approved and begun before, so it was not made again. Its outcome is unknown."
    assert said == done | {"dying": {"death": ["error", begun]}}
    assert ran(tmp_path) == once
    assert not ann.waiting(q=session)


def offline(program: Path, *calls: dict[str, Any]) -> Path:
    """Give a guide's program a model that makes *calls* in the place of its own."""
    model = 'model = "openai:gpt-5"  # or any chat model\n'
    text = program.read_text()
    assert model in text
    scripted = f"""import sys
sys.path.insert(0, {str(PROGRAMS)!r})
sys.argv[1:] = ["", ""]
from langchain_agent import Scripted
model = Scripted(calls={list(calls)!r})
"""
    program.write_text(text.replace(model, scripted))
    return program


def printed(agent: Agent) -> str:
    said, complained = agent.process.communicate(timeout=PATIENCE)
    assert agent.process.returncode == 0, complained
    return said.strip()


def test_the_guide_deletes_what_a_person_allows(server: LiveServer, ann: Operator, tmp_path: Path) -> None:
    began = datetime.now(UTC).isoformat()
    files = [tmp_path / name for name in ("old.txt", "new.txt", "stopped.txt")]
    for file in files:
        file.touch()
    calls = [{"name": "delete_file", "args": {"path": file.name}, "id": file.name} for file in files]
    waiting = written(tmp_path, "langchain.md")
    stopping = written(tmp_path, "langchain.md", 1)
    stopping.write_text(waiting.read_text().partition("agent = ")[0] + stopping.read_text())
    agent = Agent(server, offline(waiting, *calls[:2]))
    assert "waits for a person" in printed(Agent(server, offline(stopping, calls[2])))
    asked = {
        item["call_id"]: item["id"] for item in ann.wait_for(3, tool_name="delete_file", created_after=began)
    }
    ann.decide(asked["old.txt"])
    ann.decide(asked["new.txt"], "reject")
    ann.decide(asked["stopped.txt"])
    assert printed(Agent(server, stopping)) == "done"
    assert printed(agent) == "done"
    assert [file.exists() for file in files] == [False, True, False]
