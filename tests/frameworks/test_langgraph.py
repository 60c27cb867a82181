"""Graphs that stop at interrupts which know nothing of us, answered over the bridge."""

from pathlib import Path

from tests.frameworks.harness import PROGRAMS, Agent, written
from tests.frameworks.test_langchain import policies, printed, ran
from tests.live import LiveServer, Operator

__all__ = ["policies"]


def test_interrupts_of_others_are_answered_by_people(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path
) -> None:
    program = PROGRAMS / "langgraph_bridge.py"
    agent = Agent(server, program, session, str(tmp_path))
    calls = [*ann.wait_for(5, session_id=f"{session}-batched")]
    calls += ann.wait_for(5, session_id=f"{session}-per_call")
    nodes = {item["reason"]: item for item in ann.wait_for(5, session_id=f"{session}-nodes")}
    forged = ann.waiting(session_id=f"{session}-forged")
    [name] = ann.waiting(session_id=f"{session}-refused")
    agent.kill()
    assert ran(tmp_path) == [["look_around", {"place": "attic"}]]  # which "per_call" does not hold up

    for item in calls:
        match item["tool_args"]:
            case {"to": "bob"}:
                ann.decide(item["id"], modifications={"to": "bob", "amount": 70})
            case {"to": "vic"}:
                ann.decide(item["id"], "reject", reason="Vic is not known here")
            case {"to": "ada"}:
                ann.decide(item["id"], "respond", response="Ada was paid yesterday")
            case {"text": "urgent"}:
                assert item["allowed_decisions"] == ["approve", "respond"]
                ann.decide(item["id"], "respond", response="no label")
            case _:
                ann.decide(item["id"])
    assert {reason: item["type"] for reason, item in nodes.items()} == {
        "How many?": "input",
        "What do you think?": "feedback",
        "Deploy?": "approval",
        "Publish?": "confirmation",
        "A graph has a question": "input",
    }
    assert nodes["A graph has a question"]["data"] == {"value": [1, {"a": None}]}
    ann.decide(nodes["How many?"]["id"], "respond", response=5)
    ann.decide(nodes["What do you think?"]["id"], "reject", reason="Not much")
    ann.decide(nodes["Deploy?"]["id"])
    ann.decide(nodes["Publish?"]["id"], "reject", reason="Too early")
    ann.decide(nodes["A graph has a question"]["id"], "respond", response={"b": [2]})
    ann.decide(name["id"], "reject", reason="None of your business")

    assert [item["type"] for item in forged] == ["confirmation"] * 3
    for item in forged:
        ann.decide(item["id"], "reject")

    said = Agent(server, program, session, str(tmp_path)).finish()
    assert said["nodes"] == [5, False, "Not much", True, {"b": [2]}]
    assert said["forged"] == [False] * 3
    assert said["refused"] == "None of your business"
    for mode in ("batched", "per_call"):
        words = dict(said[mode])
        status, edited = words.pop("edited")
        assert status == "success"
        assert edited.endswith("paid 70 to bob")
        rejected = "User rejected the tool call for `{}` with reason: {}".format
        assert words == {
            "approved": ["success", "paid 7 to ann"],
            "rejected": ["error", rejected("pay", "Vic is not known here")],
            "answered": ["success", "Ada was paid yesterday"],
            "denied": [
                "error",
                rejected("wipe_disk", "A policy does not allow this call: Never wipe a disk"),
            ],
            "asked": ["success", "no label"],
            "allowed": ["success", "nothing there"],
        }
    once = [
        ["look_around", {"place": "attic"}],
        ["pay", {"amount": 7, "to": "ann"}],
        ["pay", {"amount": 70, "to": "bob"}],
    ]
    answers = [["answer", {"value": value}] for value in said["nodes"] + said["forged"]]
    assert ran(tmp_path) == sorted(once * 2 + answers, key=str)
    spent = [ann.http.get(f"/api/v1/interrupts/{item['id']}").json()["consumed_at"] for item in calls]
    assert len([moment for moment in spent if moment]) == 4

    assert Agent(server, program, session, str(tmp_path)).finish() == said
    assert ran(tmp_path) == sorted(once * 2 + answers, key=str)


def test_the_guide_orders_what_a_person_says(server: LiveServer, ann: Operator, tmp_path: Path) -> None:
    agent = Agent(server, written(tmp_path, "langgraph.md"))
    [asked] = ann.wait_for(1, session_id="order-7")
    assert asked["reason"] == "How many of paper?"
    ann.decide(asked["id"], "respond", response=3)
    [asked] = ann.wait_for(1, session_id="order-7", type="approval")
    assert asked["reason"] == "Order 3?"
    ann.decide(asked["id"])
    assert printed(agent) == "{'item': 'paper', 'number': 3, 'placed': True}"
