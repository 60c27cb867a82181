"""What was approved is what runs, once; and the record says what came of it."""

import pytest

from tests.conftest import Door
from tests.steps import let_deadline_pass, problem


def approved(agent: Door, reviewer: Door, **body: object) -> str:
    asked = agent.ask(tool_name="pay", tool_args={"amount": 100})
    assert reviewer.post_json(f"/interrupts/{asked['id']}/approve", body).status_code == 200
    return str(asked["id"])


def test_an_approval_is_spent_once(agent: Door, as_ann: Door) -> None:
    pk = approved(agent, as_ann)

    first = agent.post_json(f"/interrupts/{pk}/consume", {"tool_args": {"amount": 100}})
    second = agent.post_json(f"/interrupts/{pk}/consume", {"tool_args": {"amount": 100}})

    assert first.status_code == 200
    assert first.json()["consumed_at"]
    assert problem(second, 409, "spent")["current"]["consumed_at"] == first.json()["consumed_at"]


def test_an_attempt_whose_answer_was_lost_is_sent_again_until_an_outcome_is_known(
    agent: Door, as_ann: Door
) -> None:
    path = f"/interrupts/{approved(agent, as_ann)}"
    mine, other = ({"tool_args": {"amount": 100}, "attempt": name} for name in ("mine", "another"))

    first, again = (agent.post_json(f"{path}/consume", mine) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert again.json() == first.json()
    problem(agent.post_json(f"{path}/consume", other), 409, "spent")
    problem(agent.post_json(f"{path}/consume", {"tool_args": {"amount": 100}}), 409, "spent")
    events = [event["type"] for event in agent.get_json("/events").json()["results"]]
    assert events.count("hitl.item.consumed") == 1

    agent.post_json(f"{path}/outcome", {"status": "succeeded"})
    problem(agent.post_json(f"{path}/consume", mine), 409, "spent")


def test_other_arguments_do_not_spend_it(agent: Door, as_ann: Door) -> None:
    pk = approved(agent, as_ann, modifications={"amount": 50})

    problem(
        agent.post_json(f"/interrupts/{pk}/consume", {"tool_args": {"amount": 100}}), 412, "arguments_differ"
    )
    assert agent.post_json(f"/interrupts/{pk}/consume", {"tool_args": {"amount": 50}}).status_code == 200


def test_an_approval_given_in_time_is_spent_after_the_deadline(agent: Door, as_ann: Door) -> None:
    pk = approved(agent, as_ann)
    let_deadline_pass(pk)
    assert agent.post_json(f"/interrupts/{pk}/consume", {"tool_args": {"amount": 100}}).status_code == 200


def test_what_is_not_approved_cannot_be_spent(agent: Door, as_ann: Door) -> None:
    waiting, refused = agent.ask(), agent.ask()
    as_ann.post_json(f"/interrupts/{refused['id']}/reject")

    problem(agent.post_json(f"/interrupts/{waiting['id']}/consume", {"tool_args": {}}), 409, "not_approved")
    problem(
        agent.post_json(f"/interrupts/{refused['id']}/consume", {"tool_args": {}}), 409, "already_decided"
    )


def test_an_answer_in_the_place_of_the_tool_is_no_approval_to_run_it(agent: Door, as_ann: Door) -> None:
    every = ["approve", "edit", "reject", "respond"]
    asked = agent.ask(tool_name="pay", tool_args={"amount": 100}, allowed_decisions=every)
    path = f"/interrupts/{asked['id']}"

    problem(as_ann.post_json(f"{path}/respond", {"response": None}), 400)
    answered = as_ann.post_json(f"{path}/respond", {"response": "Paid by bank transfer."}).json()

    assert (answered["status"], answered["decision"]) == ("approved", "respond")
    assert agent.get_json(f"{path}/status").json()["decision"] == "respond"
    problem(agent.post_json(f"{path}/consume", {"tool_args": {"amount": 100}}), 409, "answered")


@pytest.mark.parametrize(
    ("verb", "body", "decision"),
    [
        ("approve", {}, "approve"),
        ("approve", {"modifications": {}}, "edit"),
        ("reject", {"reason": "No."}, "reject"),
        ("cancel", {}, None),
    ],
)
def test_the_decision_is_told_in_the_words_of_what_was_allowed(
    agent: Door, as_ann: Door, verb: str, body: dict[str, object], decision: str | None
) -> None:
    asked = agent.ask(tool_name="pay")
    assert asked["decision"] is None
    assert as_ann.post_json(f"/interrupts/{asked['id']}/{verb}", body).json()["decision"] == decision
    assert agent.get_json(f"/interrupts/{asked['id']}/status").json()["decision"] == decision


def test_the_outcome_is_recorded_once(agent: Door, as_ann: Door) -> None:
    pk = approved(agent, as_ann)

    told = agent.post_json(
        f"/interrupts/{pk}/outcome", {"status": "failed", "result": {"error": "no funds"}}
    ).json()
    again = agent.post_json(f"/interrupts/{pk}/outcome", {"status": "succeeded"})

    assert (told["status"], told["outcome"], told["outcome_result"]) == (
        "approved",
        "failed",
        {"error": "no funds"},
    )
    problem(again, 409, "reported")
    history = agent.get_json(f"/interrupts/{pk}").json()["history"]
    assert history[-1]["type"] == "hitl.item.outcome"


def test_another_agent_spends_nothing(agent: Door, rogue: Door, as_ann: Door) -> None:
    pk = approved(agent, as_ann)
    problem(rogue.post_json(f"/interrupts/{pk}/consume", {"tool_args": {"amount": 100}}), 404)
    problem(rogue.post_json(f"/interrupts/{pk}/outcome", {"status": "succeeded"}), 404)
