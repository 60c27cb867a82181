"""The client and the server together: questions, re-runs, crashes, and the documentation's own example."""

import asyncio
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hitl_client import (
    HITL,
    ActionRequest,
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
    SecretsGone,
    SecretsLeased,
    StreamReset,
    WaitTimeout,
    durable,
)

from tests import live
from tests.live import ROOT, LiveServer, Operator

server, key, ann = live.server, live.key, live.ann

DELETE: dict[str, Any] = {
    "tool_name": "delete_file",
    "tool_args": {"path": "a.txt", "force": False, "ratio": 1.5},
}


@pytest.fixture
def hitl(server: LiveServer, key: str) -> Iterator[HITL]:
    with HITL(server.url, key) as client:
        yield client


@pytest.fixture
def session() -> str:
    return f"session-{secrets.token_hex(4)}"


@pytest.fixture
def soon(ann: Operator, session: str) -> Iterator[Callable[..., None]]:
    """Return a function that lets ann decide the session's next question as soon as it is there."""
    deciding: list[threading.Thread] = []

    def decide(verb: str = "approve", kind: str = "interrupts", **body: Any) -> None:
        def operator() -> None:
            (asked,) = ann.wait_for(1, kind, session_id=session)
            ann.decide(asked["id"], verb, **body)

        deciding.append(threading.Thread(target=operator))
        deciding[-1].start()

    yield decide
    for operator in deciding:
        operator.join()


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


KEY: dict[str, Any] = {
    "request_type": "api_key",
    "title": "A key for Stripe",
    "description": "To read invoices.",
    "required_fields": {"account": "Account", "api_key": {"label": "Key", "type": "secret"}},
}


def test_a_request_brings_back_what_a_person_supplied(
    hitl: HITL, session: str, soon: Callable[..., None]
) -> None:
    answers = {"account": "acct_1", "api_key": "rk_canary"}
    soon("fulfill", "requests", response_data=answers, notes="Until March.")
    request = hitl.request_action(**KEY, session_id=session, priority="high", expires_in=600)
    assert (request.data, request.secret_fields) == ({"account": "acct_1"}, ("api_key",))
    assert (request.fulfilled_by, request.notes) == ("ann", "Until March.")

    with pytest.raises(ZeroDivisionError), hitl.secrets(request) as values:
        _ = values["api_key"] and 1 / 0
    with pytest.raises(SecretsLeased, match="410") as leased:
        hitl.reveal(request.id)
    assert leased.value.until == values.lease_expires_at
    assert hitl.ack(request.id)["secrets"]["state"] == "acknowledged"
    assert hitl.ack(request.id)["secrets"]["state"] == "acknowledged"
    with pytest.raises(SecretsGone) as gone, hitl.secrets(request):
        pass
    assert gone.value.code == "acknowledged"


def test_a_block_that_ends_well_has_its_secrets_destroyed(
    hitl: HITL, session: str, soon: Callable[..., None]
) -> None:
    soon("fulfill", "requests", response_data={"account": "acct_1", "api_key": "rk_canary"})
    with hitl.secrets(hitl.request_action(**KEY, session_id=session)) as values:
        assert dict(values) == {"api_key": "rk_canary"}
    [request] = hitl.requests(session_id=session)
    assert request.item["secrets"]["state"] == "acknowledged"


def test_a_request_that_is_turned_down_says_why(hitl: HITL, session: str, soon: Callable[..., None]) -> None:
    soon("reject", "requests", reason="No contract", code="cannot_be_done")
    with pytest.raises(Rejected, match="rejected by ann: No contract") as refusal:
        hitl.request_action(**KEY, session_id=session)
    assert refusal.value.code == "cannot_be_done"
    with pytest.raises(Expired):
        hitl.request_action(**KEY, session_id=session, expires_in=1)


def test_a_workflow_finds_its_request_again_in_another_process(
    server: LiveServer, key: str, ann: Operator, session: str
) -> None:
    def ask(**changes: Any) -> ActionRequest:
        with HITL(server.url, key) as hitl:
            return hitl.request_action(**{**KEY, **changes}, workflow_id=session, mode="ask")

    first = ask()
    assert first.is_open
    assert ask(description="Worded otherwise.").id == first.id
    assert ask(context={"env": "test"}).id != first.id
    ann.decide(first.id, "start_review")
    assert ask().status == "in_review"
    ann.decide(first.id, "fulfill", response_data={"account": "acct_1", "api_key": "rk_canary"})
    assert ask().data == {"account": "acct_1"}


async def test_a_request_can_be_awaited_and_taken_back(
    server: LiveServer, key: str, ann: Operator, session: str
) -> None:
    async with AsyncHITL(server.url, key) as hitl:
        request = await hitl.request_action(**KEY, session_id=session, mode="ask")
        assert await hitl.wait_request(request.id, timeout=0.1) is None
        assert [found.id async for found in hitl.requests(session_id=session)] == [request.id]
        await hitl.comment(request.id, "It is urgent.")
        assert "It is urgent." in str((await hitl.get_request(request.id)).item["history"])
        assert (await hitl.cancel(request.id))["status"] == "cancelled"
        with pytest.raises(Cancelled):
            await hitl.wait_request(request.id)


def test_a_template_is_named_and_its_fields_are_filled_in(
    hitl: HITL, session: str, soon: Callable[..., None]
) -> None:
    answers = {"api_key": "rk_test_canary", "environment": "test", "permissions": "Read invoices"}
    soon("fulfill", "requests", response_data=answers)
    request = hitl.request_action(
        template="service-api-key", context={"service": "stripe"}, session_id=session, key=session
    )
    assert request.item["request_type"] == "api_key"
    assert request.data == {"environment": "test", "permissions": "Read invoices"}
    again = hitl.request_action(
        template="service-api-key",
        title="Worded otherwise",
        context={"service": "stripe"},
        session_id=session,
        key=session,
    )
    assert again.id == request.id


def test_files_go_both_ways(hitl: HITL, ann: Operator, session: str, tmp_path: Path) -> None:
    draft, signed = b"Draft of the contract", b"%PDF-1.7\nsigned\n%%EOF\n"
    (tmp_path / "draft.txt").write_bytes(draft)
    request = hitl.request_action(
        "legal_document",
        "The contract, signed",
        "Please print, sign and scan it.",
        required_fields={"contract": {"label": "The scan", "type": "file"}},
        session_id=session,
        mode="ask",
    )
    attached = hitl.attach(request.id, tmp_path / "draft.txt")
    assert (attached["name"], attached["size"]) == ("draft.txt", len(draft))
    added = ann.http.post(
        f"/api/v1/requests/{request.id}/attachments",
        files={"file": ("signed.pdf", signed)},
        headers={"X-CSRFToken": ann.http.cookies["csrftoken"]},
    ).json()["attachment"]
    ann.decide(request.id, "fulfill", response_data={"contract": added["id"]})

    done = hitl.wait_request(request.id)
    assert done is not None
    assert hitl.download(done.id, done.data["contract"]) == signed
    assert hitl.download(done.id, attached["id"]) == draft
    with pytest.raises(ProblemError, match="404"):
        hitl.download(done.id, "att_nowhere")
    with pytest.raises(ProblemError, match="409"):
        hitl.attach(done.id, tmp_path / "draft.txt")
