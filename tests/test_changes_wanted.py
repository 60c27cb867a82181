"""Between yes and no: a reviewer asks for changes, the agent asks again."""

from tests.conftest import Door
from tests.steps import let_deadline_pass, problem


def asked_to_change(agent: Door, reviewer: Door) -> dict[str, object]:
    asked = agent.ask(
        tool_name="pay",
        tool_args={"amount": 100},
        args_schema={"properties": {"amount": {"type": "integer"}}},
    )
    answer = reviewer.post_json(f"/interrupts/{asked['id']}/request_changes", {"comment": "Half of it."})
    assert answer.status_code == 200
    return asked


def test_a_revision_is_another_question_under_the_same_id(agent: Door, as_ann: Door) -> None:
    asked = asked_to_change(agent, as_ann)

    revised = agent.post_json(f"/interrupts/{asked['id']}/revise", {"tool_args": {"amount": 50}}).json()

    assert (revised["status"], revised["revision"], revised["tool_args"]) == ("pending", 2, {"amount": 50})
    assert revised["content_hash"] != asked["content_hash"]
    assert revised["changes_requested_at"] is None
    history = agent.get_json(f"/interrupts/{asked['id']}").json()["history"]
    assert [event["type"].rpartition(".")[2] for event in history] == [
        "requested",
        "changes_requested",
        "revised",
    ]
    assert history[1]["data"]["comment"] == "Half of it."


def test_what_was_shown_before_can_no_longer_be_approved(agent: Door, as_ann: Door) -> None:
    asked = asked_to_change(agent, as_ann)
    agent.post_json(f"/interrupts/{asked['id']}/revise", {"tool_args": {"amount": 50}})

    late = as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"content_hash": asked["content_hash"]})

    assert problem(late, 412, "stale")["current"]["tool_args"] == {"amount": 50}


def test_nobody_swaps_a_question_unasked(agent: Door) -> None:
    asked = agent.ask(tool_args={"amount": 1})
    problem(
        agent.post_json(f"/interrupts/{asked['id']}/revise", {"tool_args": {"amount": 9}}), 409, "unasked"
    )


def test_a_revision_keeps_the_schema_of_the_arguments(agent: Door, as_ann: Door) -> None:
    asked = asked_to_change(agent, as_ann)
    refused = problem(
        agent.post_json(f"/interrupts/{asked['id']}/revise", {"tool_args": {"amount": "50"}}), 400
    )
    assert list(refused["errors"]) == ["tool_args.amount"]
    problem(agent.post_json(f"/interrupts/{asked['id']}/revise", {}), 400)


def test_changes_are_not_asked_of_what_is_over(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    let_deadline_pass(asked["id"])
    answer = as_ann.post_json(f"/interrupts/{asked['id']}/request_changes", {"comment": "Smaller."})
    problem(answer, 409, "expired")


def test_an_agent_does_not_review_itself(agent: Door) -> None:
    asked = agent.ask()
    problem(agent.post_json(f"/interrupts/{asked['id']}/request_changes", {"comment": "Hm."}), 403)
