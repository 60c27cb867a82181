"""The main road: an agent asks, a person decides, the agent reads the decision."""

from structlog.testing import capture_logs

from tests.conftest import Door
from tests.steps import MakePolicy


def test_an_approval_reaches_the_agent(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(tool_name="delete_file", tool_args={"path": "/srv/old.csv"})

    decided = as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"content_hash": asked["content_hash"]})

    assert decided.status_code == 200
    answer = agent.get_json(f"/interrupts/{asked['id']}/status").json()
    assert (answer["approved"], answer["status"], answer["resolved_by"]) == (True, "approved", "ann")


def test_an_edit_stands_beside_what_was_asked(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(tool_name="delete_file", tool_args={"path": "/srv/old.csv"})

    as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"modifications": {"path": "/srv/older.csv"}})

    item = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert item["modifications"] == {"path": "/srv/older.csv"}
    assert item["tool_args"] == {"path": "/srv/old.csv"}
    assert [event["type"] for event in item["history"]] == [
        "hitl.interrupt.requested",
        "hitl.interrupt.approved",
    ]


def test_deciding_twice_is_a_conflict_that_shows_the_first_decision(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    asked = agent.ask()
    as_ann.post_json(f"/interrupts/{asked['id']}/reject", {"reason": "Keep it."})

    second = as_bob.post_json(f"/interrupts/{asked['id']}/approve")

    assert second.status_code == 409
    problem = second.json()
    assert (problem["code"], problem["current"]["rejection_reason"]) == ("already_decided", "Keep it.")


def test_each_decision_is_a_line_of_the_log(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(name="delete", pattern="delete_*")
    arguments = {"path": "/a", "password": "canary"}
    asked = agent.ask(tool_name="delete_file", tool_args=arguments, session_id="s-1")
    needed = agent.need(workflow_id="w-7")

    with capture_logs() as lines:
        as_ann.post_json(f"/interrupts/{asked['id']}/approve")
        as_ann.post_json(f"/requests/{needed['id']}/reject", {"reason": "No."})

    found = [line for line in lines if line["event"] == "decision"]
    common = {"event": "decision", "log_level": "info", "approver": "ann"}
    assert found == [
        {
            **common,
            "interrupt_id": asked["id"],
            "session_id": "s-1",
            "tool": "delete_file",
            "arguments": {"path": "/a", "password": "[redacted]"},
            "decision": "APPROVED",
            "policy": "delete v1",
        },
        {
            **common,
            "request_id": needed["id"],
            "session_id": "",
            "workflow_id": "w-7",
            "decision": "REJECTED",
            "policy": "",
        },
    ]
