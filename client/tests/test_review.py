"""Several calls of one turn are reviewed at once, and carried out one by one."""

import functools
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hitl_client import (
    HITL,
    ApprovalSpent,
    Denied,
    InterruptSignal,
    Rejected,
    ToolCall,
    WaitTimeout,
    approved_call,
    session,
)
from loopback import Loopback

ALL = ["approve", "edit", "reject", "respond"]


def block_of_the_guide(beginning: str) -> str:
    guide = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    [code] = [code for code in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if beginning in code]
    return str(code)


def decide(server: Loopback, number: int, status: str = "approved", **answer: Any) -> None:
    server.interrupts[f"int_{number}"] |= {"status": status, "resolved_by": "ann", **answer}


def test_the_calls_of_a_turn_are_asked_about_at_once(agent: Any, server: Loopback) -> None:
    server.policies["wipe"] = {"decision": "deny", "policy": "No", "note": "Never"}
    calls = [ToolCall("pay", {"amount": amount}, id=f"call_{amount}") for amount in range(4)]
    calls += [ToolCall("wipe", {}, id="call_4")]

    with pytest.raises(InterruptSignal) as signal:
        agent.review(calls, session_id="s", mode="raise", allowed_decisions=ALL)
    assert [item["id"] for item in signal.value.interrupts] == ["int_0", "int_1", "int_2", "int_3"]
    with pytest.raises(WaitTimeout):
        agent.review(calls, session_id="s", wait_timeout=0.1)

    decide(server, 0)
    decide(server, 1, modifications={"amount": 7.5})
    decide(server, 2, "rejected", rejection_reason="Too much")
    decide(server, 3, response=["May"], decision="respond")
    rulings = agent.review(calls, session_id="s", mode="raise", allowed_decisions=ALL)
    assert [(ruling.decision, ruling.arguments) for ruling in rulings[:2]] == [
        ("approve", {"amount": 0}),
        ("edit", {"amount": 7.5}),
    ]
    assert [ruling.decision for ruling in rulings[2:]] == ["reject", "respond", "reject"]
    assert [ruling.message for ruling in rulings[2:]] == [
        "A person refused this call: Too much",
        '["May"]',
        "A policy does not allow this call: Never",
    ]
    assert isinstance(rulings[4].refusal, Denied)
    assert len(server.interrupts) == 4


def test_what_was_ruled_is_carried_out_once(hitl: HITL, server: Loopback) -> None:
    calls = [ToolCall("pay", {"amount": 1}, id="a"), ToolCall("pay", {"amount": 2}, id="b")]
    with pytest.raises(InterruptSignal):
        hitl.review(calls, session_id="s", mode="raise")
    decide(server, 0)
    decide(server, 1, "rejected")
    paid, refused = hitl.review(calls, session_id="s", mode="raise")
    assert hitl.carry_out(paid, lambda: 1) == 1
    with pytest.raises(ApprovalSpent):
        hitl.carry_out(paid, lambda: 1)
    with pytest.raises(Rejected):
        hitl.carry_out(refused, lambda: 1)


def test_the_loop_of_the_guide_tells_the_model_what_came_of_each_call(hitl: HITL, server: Loopback) -> None:
    server.policies["wipe"] = {"decision": "deny", "policy": "No", "note": "Never"}
    turn = [
        SimpleNamespace(name="pay", arguments={"amount": 5}, id="call_0"),
        SimpleNamespace(name="wipe", arguments={}, id="call_1"),
    ]
    told: dict[str, Any] = {}
    names: dict[str, Any] = {
        "ToolCall": ToolCall,
        "functools": functools,
        "hitl": hitl,
        "turn": SimpleNamespace(tool_calls=turn),
        "conversation": "s",
        "tools": {"pay": lambda amount: f"paid {amount}"},
        "tell": told.__setitem__,
    }
    server.soon(modifications={"amount": 4})
    exec(block_of_the_guide("hitl.review("), names)
    assert told == {"call_0": "paid 4", "call_1": "A policy does not allow this call: Never"}


def test_the_idempotent_tool_of_the_guide_names_its_call(hitl: HITL, server: Loopback) -> None:
    stripe = SimpleNamespace(refund=lambda order, amount, idempotency_key: idempotency_key)
    names: dict[str, Any] = {"hitl": hitl, "approved_call": approved_call, "stripe": stripe}
    exec(block_of_the_guide("stripe.refund("), names)
    with session("s"), pytest.raises(InterruptSignal):
        names["refund"]("7", 25.0)
    server.decide()
    with session("s"):
        assert names["refund"]("7", 25.0) == "int_0"
