"""The main road: an agent asks, a person decides, the agent reads the decision."""

from tests.conftest import Door


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
