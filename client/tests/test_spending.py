"""An approval is spent before the call, and what came of the call is reported."""

from typing import Any

import pytest
from hitl_client import HITL, ApprovalSpent, ArgumentsChanged, AsyncHITL, InterruptSignal, approved_call
from loopback import Fault, Loopback, Says

PAY = {"amount": 5}


def pay(amount: int) -> int:
    """Pay."""
    return amount


def failing(amount: int) -> int:
    """Pay, or try to."""
    raise ZeroDivisionError("the account number is 12345")


async def test_an_approved_call_is_spent_before_and_reported_after(hitl: HITL, server: Loopback) -> None:
    async def apay(amount: int) -> int:
        assert server.interrupts[f"int_{len(server.interrupts) - 1}"]["consumed_at"]
        return amount

    async def afailing(amount: int) -> int:
        return failing(amount)

    async with AsyncHITL(server.url, "hitl_key") as ahitl:
        for client in (hitl, ahitl):
            server.soon(modifications={"amount": 4}, receipt="e30.e30.sig")
            assert await client.gate(report=True)(apay)(5) == 4
            server.soon()
            with pytest.raises(ZeroDivisionError):
                await client.gate(report=True)(afailing)(5)
    server.soon()
    assert hitl.gate(report=True)(pay)(5) == 5
    server.soon()
    with pytest.raises(ZeroDivisionError):
        hitl.gate(report=True)(failing)(5)
    told = [(item["outcome"], item["outcome_result"]) for item in server.interrupts.values()]
    assert told == [("succeeded", None), ("failed", {"error": "ZeroDivisionError"})] * 3
    assert server.interrupts["int_0"]["spent_with"] == "e30.e30.sig"


def test_an_approval_that_is_spent_does_not_run_again(gated: Any, server: Loopback) -> None:
    fn = gated(report=True, mode="raise", session_id="s", call_id="call_1")
    with pytest.raises(InterruptSignal):
        fn(5)
    server.decide()
    assert fn(5) == 5
    with pytest.raises(ApprovalSpent) as spent:
        fn(5)
    assert spent.value.code == "spent"


def once(hitl: HITL, server: Loopback, result: Any) -> Any:
    """Return a tool that has run once under an approval, and run it again."""
    ran = []

    @hitl.gate(report="result", mode="raise", session_id="s", call_id="c")
    def look() -> Any:
        ran.append(approved_call())
        return result

    with pytest.raises(InterruptSignal):
        look()
    server.decide()
    assert look() is result
    try:
        return look()
    finally:
        [ruling] = ran
        assert ruling is not None
        assert ruling.interrupt_id == "int_0"


@pytest.mark.parametrize("result", [None, 7, "text", {"rows": [1, 2.5, None]}], ids=str)
def test_a_result_is_kept_and_returned_in_place_of_a_second_call(
    hitl: HITL, server: Loopback, result: Any
) -> None:
    assert once(hitl, server, result) == result


@pytest.mark.parametrize(
    "result", [object(), float("nan"), {1: 1, "a": 2}, b"bytes"], ids=["object", "nan", "keys", "bytes"]
)
def test_a_result_that_is_no_json_is_not_kept_and_the_call_still_runs_once(
    hitl: HITL, server: Loopback, result: Any
) -> None:
    with pytest.raises(ApprovalSpent):
        once(hitl, server, result)
    assert (server.interrupts["int_0"]["outcome"], server.interrupts["int_0"]["outcome_result"]) == (
        "succeeded",
        {"kept": False},
    )


def test_a_result_that_the_server_does_not_take_is_not_kept(hitl: HITL, server: Loopback) -> None:
    @hitl.gate(report="result")
    def look() -> str:
        server.faults.append(Says(413))
        return "very long"

    server.soon()
    assert look() == "very long"
    assert server.interrupts["int_0"]["outcome_result"] == {"kept": False}


def test_an_idempotent_call_runs_again_until_its_outcome_is_known(hitl: HITL, server: Loopback) -> None:
    ran = []

    @hitl.gate(report="result", idempotent=True, mode="raise", session_id="s", call_id="c")
    def look() -> int:
        ran.append(approved_call())
        if len(ran) == 1:
            raise KeyboardInterrupt
        return len(ran)

    with pytest.raises(InterruptSignal):
        look()
    server.decide()
    with pytest.raises(KeyboardInterrupt):
        look()
    assert look() == look() == 2
    assert [ruling and ruling.interrupt_id for ruling in ran] == ["int_0"] * 2
    assert approved_call() is None


def test_a_receipt_that_is_too_old_spends_nothing(agent: Any, server: Loopback) -> None:
    server.soon(receipt="e30.e30.sig")
    decision = agent.require_approval("Pay?", tool_name="pay", tool_args=PAY)
    assert decision.receipt == "e30.e30.sig"
    with pytest.raises(ArgumentsChanged, match="what int_0 approved are other arguments"):
        agent.consume(decision.id, {"amount": 6}, decision.receipt)
    server.faults.append(Says(409, '{"code": "receipt_expired", "title": "Conflict"}'))
    with pytest.raises(ApprovalSpent):
        agent.consume(decision.id, PAY, decision.receipt)
    assert agent.consume(decision.id, PAY)["consumed_at"]


def test_an_outcome_whose_answer_was_lost_is_no_error(agent: Any, server: Loopback) -> None:
    server.soon()
    decision = agent.require_approval("Pay?", tool_name="pay", tool_args=PAY)
    server.faults.append(Fault(handled=True))
    assert agent.report(decision.id, "succeeded", {"paid": 5})["outcome_result"] == {"paid": 5}


def test_what_cannot_be_reported_has_still_been_done(
    hitl: HITL, server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    @hitl.gate(report=True)
    def pay(amount: int) -> int:
        server.faults.append(Says(403))
        return amount

    server.soon()
    assert pay(5) == 5
    assert "int_0 could not be reported as succeeded" in caplog.text
    assert server.interrupts["int_0"]["outcome"] is None
