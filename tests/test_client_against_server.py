"""The client and the server together: questions, re-runs, crashes, and the documentation's own example."""

import asyncio
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from hitl_client import (
    HITL,
    ArgumentsChanged,
    AsyncHITL,
    Cancelled,
    Completed,
    Decision,
    Expired,
    InterruptSignal,
    Pending,
    ProblemError,
    Rejected,
    StreamReset,
    WaitTimeout,
    durable,
)

from tests import agent_side, live
from tests.live import ROOT, LiveServer, Operator

pytestmark = pytest.mark.sqlite

server, key, ann = live.server, live.key, live.ann
hitl, session, soon = agent_side.hitl, agent_side.session, agent_side.soon

DELETE: dict[str, Any] = {
    "tool_name": "delete_file",
    "tool_args": {"path": "a.txt", "force": False, "ratio": 1.5},
}


def test_an_approval_gives_back_the_arguments(hitl: HITL, session: str, soon: Callable[..., None]) -> None:
    soon()
    decision = hitl.require_approval("Delete a.txt?", {"size": 3}, session_id=session, **DELETE)
    assert decision
    assert decision.arguments == DELETE["tool_args"]
    assert decision.resolved_by == "ann"


def test_an_edit_comes_back_with_its_types(hitl: HITL, session: str, soon: Callable[..., None]) -> None:
    edited = {"path": "b.txt", "force": True, "ratio": 2.0, "deep": {"list": [1, None, "ü"]}}
    soon(modifications=edited)
    decision = hitl.require_approval("Delete a.txt?", session_id=session, **DELETE)
    assert decision.arguments == edited
    assert type(decision.arguments["ratio"]) is float


def test_a_rejection_says_who_and_why(hitl: HITL, session: str, soon: Callable[..., None]) -> None:
    soon("reject", reason="Not authorized")
    with pytest.raises(Rejected, match="rejected by ann: Not authorized"):
        hitl.require_approval("Delete a.txt?", session_id=session)


def test_silence_never_approves(hitl: HITL, session: str) -> None:
    with pytest.raises(Expired):
        hitl.require_approval("Delete a.txt?", session_id=session, expires_in=1)
    with pytest.raises(Rejected, match="Nobody answered"):
        hitl.require_approval("Delete a.txt?", session_id=session, expires_in=1, on_timeout="reject")


def test_what_the_agent_withdraws_is_cancelled(hitl: HITL, session: str) -> None:
    with pytest.raises(InterruptSignal) as signal:
        hitl.require_approval("Delete a.txt?", session_id=session, mode="raise")
    assert hitl.cancel(signal.value.interrupt_id, "No longer needed")["status"] == "cancelled"
    assert hitl.cancel(signal.value.interrupt_id)["status"] == "cancelled"
    with pytest.raises(Cancelled):
        hitl.require_approval("Delete a.txt?", session_id=session, mode="raise")


@pytest.mark.parametrize(("verb", "answer"), [("approve", True), ("reject", False)])
def test_a_confirmation_is_yes_or_no(
    hitl: HITL, session: str, soon: Callable[..., None], verb: str, answer: bool
) -> None:
    soon(verb)
    assert hitl.require_confirmation("Send 500 mails?", {"count": 500}, session_id=session) is answer


def test_an_input_keeps_to_its_schema(
    hitl: HITL, ann: Operator, session: str, soon: Callable[..., None]
) -> None:
    soon("respond", response={"day": "2026-12-01", "count": 2})
    schema = {"type": "object", "required": ["day"], "properties": {"day": {"type": "string"}}}
    assert hitl.require_input("Which day?", schema, session_id=session) == {"day": "2026-12-01", "count": 2}


def test_feedback_names_an_outcome(hitl: HITL, session: str, soon: Callable[..., None]) -> None:
    soon("respond", response={"outcome": "rewrite", "comment": "Too long"})
    feedback = hitl.require_feedback("A draft", outcomes=["good", "rewrite"], session_id=session)
    assert (feedback.outcome, feedback.comment, feedback.status) == ("rewrite", "Too long", "approved")


def test_feedback_may_be_plain_words(hitl: HITL, session: str, soon: Callable[..., None]) -> None:
    soon("respond", response="Too long")
    assert hitl.require_feedback("A draft", session_id=session).comment == "Too long"


def test_a_run_is_found_again_by_another_process(
    server: LiveServer, key: str, ann: Operator, session: str
) -> None:
    def run(amount: int) -> Decision:
        with HITL(server.url, key) as hitl, hitl.session(session):
            return hitl.require_approval("Pay?", tool_name="pay", tool_args={"amount": amount}, mode="raise")

    with pytest.raises(InterruptSignal) as signal:
        run(5)
    assert signal.value.to_dict()["interrupted"] is True
    ann.decide(signal.value.interrupt_id, modifications={"amount": 4})
    assert run(5).arguments == {"amount": 4}
    with pytest.raises(InterruptSignal) as other:
        run(6)
    assert other.value.interrupt_id != signal.value.interrupt_id


def test_a_question_worded_otherwise_is_found_and_other_arguments_are_not(
    hitl: HITL, ann: Operator, session: str
) -> None:
    def ask(reason: str, **tool_args: Any) -> Decision:
        return hitl.require_approval(
            reason, tool_args=tool_args, key=session, session_id=session, mode="raise"
        )

    with pytest.raises(InterruptSignal) as signal:
        ask("Pay 5?", amount=5)
    ann.decide(signal.value.interrupt_id)
    assert ask("Pay five?", amount=5).id == signal.value.interrupt_id
    with pytest.raises(ArgumentsChanged):
        ask("Pay 5?", amount=500)


def test_deciding_beats_cancelling(hitl: HITL, ann: Operator, session: str) -> None:
    with pytest.raises(WaitTimeout) as waited:
        hitl.require_approval("Deploy?", session_id=session, wait_timeout=0.1)
    ann.decide(waited.value.interrupt_id)
    with pytest.raises(ProblemError) as refusal:
        hitl.cancel(waited.value.interrupt_id)
    assert (refusal.value.status, refusal.value.code) == (409, "already_decided")
    assert refusal.value.current is not None
    assert refusal.value.current["status"] == "approved"


def test_a_bad_question_names_its_field(hitl: HITL) -> None:
    with pytest.raises(ProblemError) as refusal:
        hitl.require_approval("x" * 1001)
    assert refusal.value.status == 400
    assert list(refusal.value.errors) == ["reason"]


def test_an_edit_the_function_could_not_take_is_refused_by_the_server(
    hitl: HITL, ann: Operator, session: str
) -> None:
    @hitl.gate(mode="raise", session_id=session, redact=["token"])
    def delete_file(path: str, token: str, force: bool = False) -> tuple[str, str, bool]:
        return path, token, force

    with pytest.raises(InterruptSignal) as signal:
        delete_file("a.txt", "t0p-secret")
    assert "t0p-secret" not in str(ann.http.get(f"/api/v1/interrupts/{signal.value.interrupt_id}").json())
    with pytest.raises(AssertionError, match="shell"):
        ann.decide(
            signal.value.interrupt_id, modifications={"path": "b", "token": "[redacted]", "shell": True}
        )
    ann.decide(signal.value.interrupt_id, modifications={"path": "b", "token": "[redacted]"})
    assert delete_file("a.txt", "t0p-secret") == ("b", "t0p-secret", False)


def test_a_loop_of_protected_tools_runs_what_was_approved(hitl: HITL, ann: Operator, session: str) -> None:
    ran: list[str] = []

    def protect(name: str) -> Callable[[int], None]:
        @hitl.gate(tool_name=name, mode="raise")
        def tool(number: int) -> None:
            ran.append(f"{name} {number}")

        return tool

    names = ["delete_file", "drop_table", "send_email", "make_payment", "update_production"]
    tools = [protect(name) for name in names]

    def agent() -> str:
        ran.clear()
        for number, tool in enumerate(tools):
            try:
                tool(number)
            except Rejected:
                ran.append("skipped")
        return "done"

    for number in range(len(names)):
        stopped = durable(agent, session_id=session)
        assert isinstance(stopped, Pending)
        ann.decide(stopped.interrupt_id, "reject" if number == 2 else "approve")
    assert durable(agent, session_id=session) == Completed("done")
    assert ran == ["delete_file 0", "drop_table 1", "skipped", "make_payment 3", "update_production 4"]


def test_comments_and_the_key_are_found(hitl: HITL, session: str) -> None:
    with pytest.raises(InterruptSignal) as signal:
        hitl.require_approval("Deploy?", session_id=session, key=f"key of {session}", mode="raise")
    hitl.comment(signal.value.interrupt_id, "It is urgent.")
    assert "It is urgent." in str(hitl.get(signal.value.interrupt_id)["history"])
    found = hitl.find(f"key of {session}")
    assert found is not None
    assert found["id"] == signal.value.interrupt_id
    assert hitl.find("another key") is None
    assert hitl.status(signal.value.interrupt_id)["status"] == "pending"


def test_all_pages_are_listed(hitl: HITL, session: str) -> None:
    for number in range(5):
        with pytest.raises(InterruptSignal):
            hitl.require_approval(f"Number {number}?", session_id=session, mode="raise")
    listed = [interrupt["reason"] for interrupt in hitl.list(session_id=session, pending_only=True, limit=2)]
    assert listed == [f"Number {number}?" for number in (4, 3, 2, 1, 0)]


async def test_many_waits_at_once_all_end(server: LiveServer, key: str, ann: Operator, session: str) -> None:
    async with AsyncHITL(server.url, key) as hitl:
        waits = [
            asyncio.create_task(hitl.require_approval(f"Number {number}?", session_id=session))
            for number in range(40)
        ]
        asked = await asyncio.to_thread(ann.wait_for, 40, session_id=session)
        for interrupt in asked:
            await asyncio.to_thread(ann.decide, interrupt["id"])
        decisions = await asyncio.gather(*waits)
    assert len({decision.id for decision in decisions}) == 40


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_wait_outlasts_the_server(
    server: LiveServer, hitl: HITL, ann: Operator, session: str, end: str
) -> None:
    decided: list[Decision] = []
    agent = threading.Thread(
        target=lambda: decided.append(hitl.require_approval("Deploy?", session_id=session))
    )
    agent.start()
    (asked,) = ann.wait_for(1, session_id=session)
    getattr(server, end)()
    server.start()
    assert [interrupt["id"] for interrupt in ann.waiting(session_id=session)] == [asked["id"]]
    ann.decide(asked["id"])
    agent.join(timeout=60)
    assert [decision.id for decision in decided] == [asked["id"]]


def test_a_question_asked_while_the_server_is_away_is_asked_once(
    server: LiveServer, hitl: HITL, ann: Operator, session: str, soon: Callable[..., None]
) -> None:
    server.kill()
    agent = threading.Thread(target=hitl.require_approval, args=["Deploy?"], kwargs={"session_id": session})
    agent.start()
    server.start()
    soon()
    agent.join(timeout=60)
    assert not agent.is_alive()
    assert len(list(hitl.list(session_id=session))) == 1


def test_events_go_on_after_their_cursor_over_a_crash(server: LiveServer, session: str) -> None:
    with HITL(server.url, server.new_key()) as hitl:
        for number in range(3):
            with pytest.raises(InterruptSignal):
                hitl.require_approval(f"Number {number}?", session_id=session, mode="raise")
        first = list(islice(hitl.events(), 1))
        server.kill()
        server.start()
        rest = list(hitl.events(after=first[-1].cursor, follow=False))
        assert [event.data["reason"] for event in first + rest] == [
            f"Number {number}?" for number in range(3)
        ]
        only = hitl.events(types=["hitl.interrupt.cancelled"])
        hitl.cancel(rest[-1].subject_id or "")
        assert next(only).subject_id == rest[-1].subject_id
        with pytest.raises(StreamReset) as reset:
            next(hitl.events(after="another-epoch:3"))
        assert reset.value.cursor == list(hitl.events(follow=False))[-1].cursor


def test_a_wrong_key_is_told_at_once(server: LiveServer) -> None:
    with HITL(server.url, "hitl_0_wrong") as hitl, pytest.raises(ProblemError, match="401"):
        hitl.require_approval("Deploy?")


def test_the_web_flow_of_the_documentation(hitl: HITL, ann: Operator, session: str) -> None:
    """S3-36 to S3-43: 202, refused resumes, a second gate, completion, the edit reaching the agent."""

    def process_refund(order_id: int, amount: int) -> str:
        approved = hitl.require_approval(
            "A large refund", {"order_id": order_id}, tool_args={"amount": amount}, mode="raise"
        )
        hitl.require_approval("Tell the customer?", {"order_id": order_id}, mode="raise")
        return f"refunded {approved.arguments['amount']}"

    chapter = (ROOT / "docs" / "client.md").read_text().partition("## In a web application")[2]
    code = re.search(r"```python\n(.*?)```", chapter, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"Completed": Completed, "Pending": Pending, "durable": durable}
    names |= {"hitl": hitl, "process_refund": process_refund}
    exec(code[1], names)
    start, resume = names["start"], names["resume"]
    order = {"order_id": 7, "amount": 250}

    status, body = start(session, order)
    assert status == 202
    first = body.pop("interrupt_id")
    assert body == {
        "status": "awaiting_approval",
        "session_id": session,
        "original_input": order,
        "reason": "A large refund",
        "data": {"order_id": 7},
    }
    assert resume(first, session, order) == (409, {"code": "pending", "reason": None})
    assert [interrupt["id"] for interrupt in hitl.list(session_id=session, pending_only=True)] == [first]
    ann.decide(first, modifications={"amount": 200})

    status, body = resume(first, session, order)
    assert (status, body["status"]) == (202, "awaiting_approval")
    second = body["interrupt_id"]
    assert second != first
    ann.decide(second)
    assert resume(second, session, order) == (200, {"status": "completed", "response": "refunded 200"})

    status, body = start(f"{session}-rejected", order)
    ann.decide(body["interrupt_id"], "reject", reason="Too much")
    assert resume(body["interrupt_id"], f"{session}-rejected", order) == (
        409,
        {"code": "rejected", "reason": "Too much"},
    )


def test_the_refund_example_asks_above_its_threshold(server: LiveServer, key: str, ann: Operator) -> None:
    order = secrets.token_hex(4)

    def refund(amount: float) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "examples/refund_threshold.py", order, str(amount)],
            cwd=ROOT,
            env={**server.env, "HITL_URL": server.url, "HITL_API_KEY": key},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout

    assert refund(100) == (0, f"Refunded 100.00 for order {order}.\n")
    code, output = refund(250)
    assert code == 3
    ann.decide(output.split()[0], modifications={"order": order, "amount": 120.5})
    assert refund(250) == (0, f"Refunded 120.50 for order {order}.\n")
    code, output = refund(300)
    assert code == 3
    ann.decide(output.split()[0], "reject", reason="Fraud")
    code, output = refund(300)
    assert code == 1
    assert "rejected by ann: Fraud" in output
