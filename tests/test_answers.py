"""What a person may answer, and what can no longer be answered."""

from typing import Any

import pytest

from tests.conftest import Door
from tests.steps import event_types, let_deadline_pass, problem, rows, status_of

VERBS: dict[str, dict[str, Any]] = {
    "approve": {},
    "edit": {"modifications": {"amount": 1}},
    "reject": {"reason": "No."},
    "respond": {"response": "Tuesday"},
}
TAKES = {
    "approval": {"approve", "edit", "reject"},
    "confirmation": {"approve", "reject"},
    "input": {"respond", "reject"},
    "feedback": {"respond", "approve", "reject"},
}
ENDS = {"approve": "approved", "edit": "approved", "reject": "rejected", "respond": "approved"}
EVENTS = {"approve": "approved", "edit": "approved", "reject": "rejected", "respond": "responded"}


def answer(door: Door, interrupt_id: str, decision: str, **more: Any) -> Any:
    verb = "approve" if decision == "edit" else decision
    return door.post_json(f"/interrupts/{interrupt_id}/{verb}", {**VERBS[decision], **more})


@pytest.mark.parametrize("decision", VERBS)
@pytest.mark.parametrize("kind", TAKES)
def test_each_type_takes_its_own_answers(agent: Door, as_ann: Door, kind: str, decision: str) -> None:
    asked = agent.ask(type=kind)

    answered = answer(as_ann, asked["id"], decision)

    if decision in TAKES[kind]:
        assert answered.status_code == 200
        assert answered.json()["status"] == ENDS[decision]
        assert event_types(asked["id"])[1:] == [f"hitl.interrupt.{EVENTS[decision]}"]
    else:
        problem(answered, 400, "decision_not_allowed")
        assert status_of(agent, asked["id"])["status"] == "pending"
        assert event_types(asked["id"]) == ["hitl.interrupt.requested"]


@pytest.mark.parametrize("allowed", ["approve", "edit", "reject", "respond"])
def test_the_agent_may_narrow_what_can_be_answered(agent: Door, as_ann: Door, allowed: str) -> None:
    asked = agent.ask(type="feedback", allowed_decisions=[allowed])

    refused = [decision for decision in VERBS if decision != allowed]
    for decision in refused:
        problem(answer(as_ann, asked["id"], decision), 400, "decision_not_allowed")

    assert answer(as_ann, asked["id"], allowed).status_code == 200


@pytest.mark.parametrize(
    "response",
    ["Tuesday", "", 0, 3.5, False, None, [], ["a", {"b": None}], {"deep": {"er": [1]}}, "ünïcödé 💡"],
)
def test_a_response_may_be_any_json(agent: Door, as_ann: Door, response: Any) -> None:
    asked = agent.ask(type="input")

    answered = as_ann.post_json(f"/interrupts/{asked['id']}/respond", {"response": response})

    assert answered.status_code == 200
    told = status_of(agent, asked["id"])
    assert (told["response"], told["approved"], told["status"]) == (response, True, "approved")


def test_a_rejection_tells_why_and_by_whom(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    answer(as_ann, asked["id"], "reject", reason="It is still needed.")

    told = status_of(agent, asked["id"])
    assert (told["approved"], told["status"]) == (False, "rejected")
    assert (told["rejection_reason"], told["resolved_by"]) == ("It is still needed.", "ann")
    assert told["resolved_at"].endswith("Z")


def test_a_rejection_needs_no_reason(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    answered = as_ann.post_json(f"/interrupts/{asked['id']}/reject")

    assert (answered.status_code, answered.json()["rejection_reason"]) == (200, None)


def test_empty_modifications_are_an_edit_and_null_is_none(agent: Door, as_ann: Door) -> None:
    emptied, untouched = agent.ask(tool_args={"a": 1}), agent.ask(tool_args={"a": 1})

    first = as_ann.post_json(f"/interrupts/{emptied['id']}/approve", {"modifications": {}})
    second = as_ann.post_json(f"/interrupts/{untouched['id']}/approve", {"modifications": None})

    assert (first.json()["modifications"], second.json()["modifications"]) == ({}, None)


def test_a_decision_may_carry_a_comment(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    answer(as_ann, asked["id"], "approve", comment="Only this once.")

    decision = agent.get_json(f"/interrupts/{asked['id']}").json()["history"][-1]
    assert (decision["data"]["comment"], decision["actor"]) == ("Only this once.", "user:ann")


def test_the_actor_is_who_is_logged_in_whatever_the_body_says(agent: Door, as_ann: Door) -> None:
    for decision in ("approve", "reject"):
        asked = agent.ask()
        assert answer(as_ann, asked["id"], decision, user_id="the-boss").json()["resolved_by"] == "ann"
        assert agent.get_json(f"/interrupts/{asked['id']}").json()["history"][-1]["actor"] == "user:ann"


def test_the_agent_takes_its_question_back(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    taken = agent.post_json(f"/interrupts/{asked['id']}/cancel", {"reason": "Found it myself."})

    assert (taken.status_code, taken.json()["status"]) == (200, "cancelled")
    assert event_types(asked["id"])[1:] == ["hitl.interrupt.cancelled"]
    refused = problem(answer(as_ann, asked["id"], "approve"), 409, "cancelled")
    assert refused["current"]["id"] == asked["id"]


def test_an_operator_cancels_too(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    as_ann.post_json(f"/interrupts/{asked['id']}/cancel")

    told = status_of(agent, asked["id"])
    assert (told["status"], told["resolved_by"], told["approved"]) == ("cancelled", "ann", False)


@pytest.mark.parametrize("second", ["approve", "edit", "reject", "respond", "cancel", "claim", "release"])
@pytest.mark.parametrize("first", ["approve", "reject", "respond", "cancel", "expire", "reject overdue"])
def test_an_end_is_an_end(agent: Door, as_ann: Door, as_bob: Door, first: str, second: str) -> None:
    on_timeout = "reject" if first == "reject overdue" else "expire"
    allowed = ["approve", "edit", "reject", "respond"]
    asked = agent.ask(type="feedback", allowed_decisions=allowed, on_timeout=on_timeout)
    if first in ("expire", "reject overdue"):
        let_deadline_pass(asked["id"])
    else:
        as_ann.post_json(f"/interrupts/{asked['id']}/{first}", VERBS.get(first, {}))
    ended, before = agent.get_json(f"/interrupts/{asked['id']}").json(), rows()

    if second in VERBS:
        late = answer(as_bob, asked["id"], second)
    else:
        late = as_bob.post_json(f"/interrupts/{asked['id']}/{second}")

    code = {"cancel": "cancelled", "expire": "expired", "reject overdue": "expired"}
    refused = problem(late, 409, code.get(first, "already_decided"))
    del ended["history"], ended["attachments"]
    assert refused["current"] == ended
    assert rows() == before


def test_comments_are_part_of_the_history(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    written = as_ann.post_json(f"/interrupts/{asked['id']}/comments", {"body": "Who owns this file?"})
    replied = agent.post_json(f"/interrupts/{asked['id']}/comments", {"body": "Finance."})

    assert (written.status_code, replied.status_code) == (201, 201)
    history = agent.get_json(f"/interrupts/{asked['id']}").json()["history"][1:]
    assert [(one["type"], one["actor"], one["data"]["body"]) for one in history] == [
        ("hitl.item.commented", "user:ann", "Who owns this file?"),
        ("hitl.item.commented", "agent:janitor", "Finance."),
    ]


def test_comments_answer_comments_of_the_same_item(agent: Door, as_ann: Door) -> None:
    asked, other = agent.ask()["id"], agent.ask()["id"]
    first = as_ann.post_json(f"/interrupts/{asked}/comments", {"body": "Who owns this?"}).json()["comment"]
    reply = {"body": "The archive.", "reply_to": first["comment_id"]}

    answered = agent.post_json(f"/interrupts/{asked}/comments", reply)

    assert answered.json()["comment"]["reply_to"] == first["comment_id"]
    assert answered.json()["history"][-1]["data"]["reply_to"] == first["comment_id"]
    problem(agent.post_json(f"/interrupts/{other}/comments", reply), 400, "invalid")


def test_a_comment_may_come_after_the_decision(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    answer(as_ann, asked["id"], "approve")

    assert as_ann.post_json(f"/interrupts/{asked['id']}/comments", {"body": "Done."}).status_code == 201


@pytest.mark.parametrize("body", ["", " \n\t", "x" * 10_001])
def test_a_comment_says_something_and_not_too_much(agent: Door, as_ann: Door, body: str) -> None:
    asked, before = agent.ask(), rows()

    refused = problem(as_ann.post_json(f"/interrupts/{asked['id']}/comments", {"body": body}), 400, "invalid")

    assert "body" in refused["errors"]
    assert rows()[2] == before[2]


@pytest.mark.parametrize(("approved", "status"), [(True, "approved"), (False, "rejected")])
def test_approvals_decide_by_thread(agent: Door, as_ann: Door, approved: bool, status: str) -> None:
    asked = agent.ask(session_id="thread-1", tool_name="drop_table")

    decided = as_ann.post_json(
        "/approvals", {"thread_id": "thread-1", "interrupt_id": asked["id"], "approved": approved}
    )

    assert decided.status_code == 200
    assert (decided.json()["id"], decided.json()["status"]) == (asked["id"], status)


def test_an_approval_for_another_thread_is_refused(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(session_id="thread-1")

    body = {"thread_id": "thread-2", "interrupt_id": asked["id"], "approved": True}
    refused = problem(as_ann.post_json("/approvals", body), 400, "invalid")

    assert "thread_id" in refused["errors"]
    assert status_of(agent, asked["id"])["status"] == "pending"


def test_an_approval_by_thread_is_given_once(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(session_id="t")
    body = {"thread_id": "t", "interrupt_id": asked["id"], "approved": True}
    as_ann.post_json("/approvals", body)

    problem(as_ann.post_json("/approvals", {**body, "approved": False}), 409, "already_decided")
