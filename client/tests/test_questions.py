"""The four kinds of question, and what each answer becomes."""

import pickle
from typing import Any

import pytest
from hitl_client import (
    Answered,
    ArgumentsChanged,
    Cancelled,
    Expired,
    InterruptSignal,
    NotApproved,
    ProblemError,
    Rejected,
)
from loopback import Loopback

DELETE = {"tool_name": "delete_file", "tool_args": {"path": "a.txt", "keep": 1.0}}


def test_an_answer_in_the_place_of_a_call_is_no_leave_to_make_it(agent: Any, server: Loopback) -> None:
    server.soon(response="Paid by bank.", decision="respond")
    with pytest.raises(Answered, match="answered by ann in the place of the call") as answered:
        agent.require_approval("Pay?", tool_name="pay", allowed_decisions=["approve", "respond"])
    assert answered.value.response == "Paid by bank."


def test_an_approval_gives_back_the_arguments_to_run_with(agent: Any, server: Loopback) -> None:
    server.soon()
    decision = agent.require_approval("Delete a.txt?", {"size": 3}, **DELETE)
    assert decision
    assert decision.arguments == {"path": "a.txt", "keep": 1.0}
    assert (decision.status, decision.resolved_by) == ("approved", "ann")
    assert decision.interrupt["data"] == {"size": 3}


def test_an_edit_replaces_the_arguments_whole(agent: Any, server: Loopback) -> None:
    server.soon(modifications={"path": "b.txt"})
    decision = agent.require_approval("Delete a.txt?", **DELETE)
    assert decision.arguments == {"path": "b.txt"}


@pytest.mark.parametrize(
    ("status", "error"), [("rejected", Rejected), ("expired", Expired), ("cancelled", Cancelled)]
)
def test_whatever_is_no_yes_is_raised(
    agent: Any, server: Loopback, status: str, error: type[NotApproved]
) -> None:
    server.soon(status, rejection_reason="Too late")
    with pytest.raises(error, match=f"int_0 was {status} by ann: Too late") as refusal:
        agent.require_approval("Deploy?")
    assert not refusal.value.decision
    assert refusal.value.reason == "Too late"


@pytest.mark.parametrize(("status", "answer"), [("approved", True), ("rejected", False)])
def test_a_confirmation_is_yes_or_no(agent: Any, server: Loopback, status: str, answer: bool) -> None:
    server.soon(status)
    assert agent.require_confirmation("Send 500 mails?", {"count": 500}) is answer
    assert server.interrupts["int_0"]["type"] == "confirmation"


def test_a_confirmation_nobody_gave_is_no_answer(agent: Any, server: Loopback) -> None:
    server.soon("expired")
    with pytest.raises(Expired):
        agent.require_confirmation("Send 500 mails?")


def test_an_input_is_what_was_entered(agent: Any, server: Loopback) -> None:
    server.soon(response="2026-12-01")
    assert agent.require_input("Which day?", {"type": "string", "format": "date"}) == "2026-12-01"
    assert server.interrupts["int_0"]["response_schema"]["format"] == "date"


def test_feedback_is_one_of_the_outcomes_and_a_comment(agent: Any, server: Loopback) -> None:
    server.soon(response={"outcome": "rewrite", "comment": "Too long"})
    feedback = agent.require_feedback("A draft", outcomes=["good", "rewrite"], data={"draft": "…"})
    assert (feedback.outcome, feedback.comment, feedback.status) == ("rewrite", "Too long", "approved")
    schema = server.interrupts["int_0"]["response_schema"]
    assert schema["properties"]["outcome"] == {"enum": ["good", "rewrite"]}


def test_feedback_may_be_plain_words(agent: Any, server: Loopback) -> None:
    server.soon(response="Too long")
    feedback = agent.require_feedback("A draft")
    assert (feedback.outcome, feedback.comment, feedback.response) == (None, "Too long", "Too long")
    assert "response_schema" not in server.bodies["int_0"]


def test_a_rejection_is_feedback_too(agent: Any, server: Loopback) -> None:
    server.soon("rejected", rejection_reason="Off topic")
    feedback = agent.require_feedback("A draft")
    assert (feedback.status, feedback.comment) == ("rejected", "Off topic")


def test_what_a_question_is_given_reaches_the_server(agent: Any, server: Loopback) -> None:
    options = {
        "session_id": "s", "run_id": "r", "call_id": "c", "step_name": "send", "agent_name": "mailer",
        "priority": "high", "expires_in": 60, "on_timeout": "reject", "metadata": {"team": 7},
        "batch_id": "b", "allowed_decisions": ["approve", "reject"],
    }  # fmt: skip
    with pytest.raises(InterruptSignal):
        agent.require_approval("Send?", key="k", mode="raise", args_schema={"type": "object"}, **options)
    sent = server.bodies["int_0"]
    assert sent == {"type": "approval", "reason": "Send?", "args_schema": {"type": "object"}, **options}
    assert server.interrupts["int_0"]["key"] == "k"


def test_the_signal_tells_what_a_web_answer_needs(agent: Any, server: Loopback) -> None:
    with pytest.raises(InterruptSignal) as signal:
        agent.require_approval("Delete user 123?", {"user_id": 123}, session_id="s", mode="raise")
    assert not isinstance(signal.value, Exception)
    assert signal.value.to_dict() == {
        "interrupted": True,
        "interrupt_id": "int_0",
        "reason": "Delete user 123?",
        "data": {"user_id": 123},
    }
    assert signal.value.interrupt == server.interrupts["int_0"]


def test_a_bad_question_is_refused_with_the_field(agent: Any) -> None:
    with pytest.raises(ProblemError, match=r"400 Bad Request: reason: .*\.") as refusal:
        agent.require_approval(" ")
    assert list(refusal.value.errors) == ["reason"]


@pytest.mark.parametrize("value", [float("nan"), "\ud800", object()])
def test_what_is_no_json_is_not_sent(agent: Any, server: Loopback, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        agent.require_approval("Deploy?", {"value": value})
    assert server.asked == []


def test_an_unknown_mode_is_refused(agent: Any, server: Loopback) -> None:
    with pytest.raises(ValueError, match="mode"):
        agent.require_approval("Deploy?", mode="poll")
    assert server.asked == []


def test_a_foreign_id_is_not_found(agent: Any) -> None:
    with pytest.raises(ProblemError) as refusal:
        agent.get("int_9/../../secret")
    assert (refusal.value.status, refusal.value.code) == (404, "not_found")


def test_all_pages_are_listed_and_no_foreign_link_followed(agent: Any, server: Loopback) -> None:
    for number in range(5):
        with pytest.raises(InterruptSignal):
            agent.require_approval(f"Number {number}?", session_id="s", mode="raise")
    listed = [interrupt["id"] for interrupt in agent.list(limit=2, pending_only=True)]
    assert listed == ["int_4", "int_3", "int_2", "int_1", "int_0"]


def test_what_is_raised_survives_a_process_boundary(agent: Any, server: Loopback) -> None:
    server.soon("rejected", rejection_reason="No")
    with pytest.raises(Rejected) as rejected:
        agent.require_approval("Deploy?")
    with pytest.raises(InterruptSignal) as signal:
        agent.require_approval("Deploy?", session_id="s", key="k", mode="raise")
    with pytest.raises(ArgumentsChanged) as changed:
        agent.require_approval("Delete?", session_id="s", key="k", mode="raise")
    with pytest.raises(ProblemError) as problem:
        agent.get("int_9")
    for error in (rejected.value, signal.value, changed.value, problem.value):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.__dict__) == (type(error), str(error), error.__dict__)
