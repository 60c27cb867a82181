"""Raise-and-re-run: the same call finds its decision, any other call asks."""

import asyncio
import contextvars
from typing import Any

import pytest
from hitl_client import (
    HITL,
    ArgumentsChanged,
    AsyncHITL,
    Completed,
    InterruptSignal,
    Pending,
    durable,
    session,
)
from hitl_client.runs import canonical, replay_key
from loopback import Loopback


def pay(hitl: Any, amount: Any = 5, **options: Any) -> Any:
    return hitl.require_approval(
        "Pay?", tool_name="pay", tool_args={"amount": amount}, mode="raise", **options
    )


def test_the_same_call_finds_its_decision(agent: Any, server: Loopback) -> None:
    with pytest.raises(InterruptSignal):
        pay(agent, session_id="s")
    with pytest.raises(InterruptSignal):
        pay(agent, session_id="s")
    server.decide(modifications={"amount": 4})
    assert pay(agent, session_id="s").arguments == {"amount": 4}
    assert len(server.interrupts) == 1


def test_another_process_finds_it_too(hitl: HITL, server: Loopback) -> None:
    with pytest.raises(InterruptSignal):
        pay(hitl, session_id="s")
    server.decide()
    with HITL(server.url, "hitl_key") as later:
        assert pay(later, session_id="s")


@pytest.mark.parametrize(
    "other",
    [
        {"amount": 6, "session_id": "s"},
        {"amount": 5.0, "session_id": "s"},
        {"amount": "5", "session_id": "s"},
        {"session_id": "t"},
        {"run_id": "s"},
        {"session_id": "s", "run_id": "r"},
        {"session_id": "s", "call_id": "c"},
    ],
    ids=str,
)
def test_another_call_asks_again(hitl: HITL, server: Loopback, other: dict[str, Any]) -> None:
    with pytest.raises(InterruptSignal):
        pay(hitl, session_id="s")
    server.decide()
    with pytest.raises(InterruptSignal):
        pay(hitl, **other)
    assert len(server.interrupts) == 2


def test_two_equal_calls_of_one_run_are_two_questions(agent: Any, server: Loopback) -> None:
    def run() -> None:
        pay(agent, session_id="s")
        pay(agent, session_id="s")

    for asked in (1, 2):
        with pytest.raises(InterruptSignal):
            run()
        assert len(server.interrupts) == asked
        server.decide()
    with HITL(server.url, "hitl_key") as later:
        assert pay(later, session_id="s")
        assert pay(later, session_id="s")
    assert len(server.interrupts) == 2


def test_a_block_is_a_run_of_its_own(hitl: HITL, server: Loopback) -> None:
    def run() -> list[bool]:
        with hitl.session("s") as opened:
            assert opened.session_id == "s"
            return [bool(pay(hitl)), bool(pay(hitl))]

    for asked in (1, 2):
        with pytest.raises(InterruptSignal):
            run()
        assert len(server.interrupts) == asked
        server.decide()
    assert run() == run() == [True, True]
    assert {body["session_id"] for body in server.bodies.values()} == {"s"}


def test_equal_calls_keep_their_numbers_when_others_come_and_go(hitl: HITL, server: Loopback) -> None:
    with session(run_id="r"), pytest.raises(InterruptSignal):
        pay(hitl, 5)
    server.decide()
    with session(run_id="r"), pytest.raises(InterruptSignal):
        pay(hitl, 7)
    server.decide()
    with session(run_id="r"):
        assert pay(hitl, 7)
        assert pay(hitl, 5)


def test_a_block_reaches_threads_and_tasks_that_carry_its_context(hitl: HITL, server: Loopback) -> None:
    with session("s"):
        context = contextvars.copy_context()
    with pytest.raises(InterruptSignal):
        context.run(pay, hitl)
    assert server.bodies["int_0"]["session_id"] == "s"


def test_an_equal_call_after_a_signal_of_the_same_block_is_another_question(
    hitl: HITL, server: Loopback
) -> None:
    """As when a framework makes the calls of one turn in threads, and one of them has to wait."""
    with session("s"), pytest.raises(InterruptSignal):
        pay(hitl, 5)
    server.decide()
    with session("s"):
        assert pay(hitl, 5)
        with pytest.raises(InterruptSignal):
            pay(hitl, 6)
        with pytest.raises(InterruptSignal):
            pay(hitl, 5)
    assert len(server.interrupts) == 3


def test_durable_may_be_called_again_in_one_block(hitl: HITL, server: Loopback) -> None:
    with session("s"):
        assert isinstance(durable(lambda: pay(hitl)), Pending)
        server.decide()
        assert isinstance(durable(lambda: pay(hitl)), Completed)
    assert len(server.interrupts) == 1


def test_a_block_needs_an_id() -> None:
    with pytest.raises(ValueError, match="session_id or a run_id"), session():
        pass


def test_a_call_with_an_id_of_its_own_is_found_in_either_mode(agent: Any, server: Loopback) -> None:
    server.soon()
    asked = agent.require_approval("Pay?", tool_args={"amount": 5}, session_id="s", call_id="call_1")
    again = agent.require_approval(
        "Pay?", tool_args={"amount": 5}, session_id="s", call_id="call_1", mode="raise"
    )
    assert asked.id == again.id


def test_waiting_calls_are_never_mistaken_for_each_other(agent: Any, server: Loopback) -> None:
    for asked in (1, 2):
        server.soon()
        agent.require_approval("Pay?", tool_args={"amount": 5}, session_id="s")
        assert len(server.interrupts) == asked


def test_without_an_id_only_the_same_client_finds_the_answer(
    hitl: HITL, server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InterruptSignal):
        pay(hitl)
    assert "another process will not find the answer" in caplog.text
    server.decide()
    assert pay(hitl)
    with HITL(server.url, "hitl_key") as stranger, pytest.raises(InterruptSignal):
        pay(stranger)


def test_a_wait_before_the_signal_may_spare_it(agent: Any, server: Loopback) -> None:
    server.soon()
    assert pay(agent, session_id="s", wait_timeout=5)


def test_a_question_worded_otherwise_is_still_the_same(agent: Any, server: Loopback) -> None:
    with pytest.raises(InterruptSignal):
        pay(agent, session_id="s", expires_in=60)
    server.decide()
    assert pay(agent, session_id="s", expires_in=50)
    assert len(server.interrupts) == 1


def test_a_key_does_not_carry_a_decision_over_to_other_arguments(agent: Any, server: Loopback) -> None:
    with pytest.raises(InterruptSignal):
        pay(agent, 5, key="order-7")
    server.decide()
    with pytest.raises(ArgumentsChanged, match="order-7") as changed:
        pay(agent, 500, key="order-7")
    assert changed.value.interrupt["tool_args"] == {"amount": 5}
    assert pay(agent, 5, key="order-7")


def test_without_arguments_the_words_are_what_was_approved(agent: Any, server: Loopback) -> None:
    with pytest.raises(InterruptSignal):
        agent.require_approval("Deploy 1.0?", {"version": "1.0"}, session_id="s", mode="raise")
    server.decide()
    with pytest.raises(InterruptSignal):
        agent.require_approval("Deploy 2.0?", {"version": "2.0"}, session_id="s", mode="raise")


def test_durable_ends_a_run_at_its_first_open_question(hitl: HITL, server: Loopback) -> None:
    def refund() -> str:
        first, second = pay(hitl, 5), pay(hitl, 6)
        return f"{first.id}, {second.id}"

    for number in (0, 1):
        stopped = durable(refund, session_id="s")
        assert isinstance(stopped, Pending)
        assert (stopped.interrupt_id, stopped.reason) == (f"int_{number}", "Pay?")
        assert stopped.data == {"tool": "pay", "arguments": {"amount": 5 + number}}
        server.decide()
    assert durable(refund, session_id="s") == Completed("int_0, int_1")
    with session("s"):
        assert durable(refund) == Completed("int_0, int_1")


async def test_durable_is_awaitable_for_what_is(server: Loopback) -> None:
    async with AsyncHITL(server.url, "hitl_key") as hitl:

        async def refund() -> str:
            return str((await pay(hitl)).id)

        assert isinstance(await durable(refund, run_id="r"), Pending)
        server.decide()
        assert await durable(refund, run_id="r") == Completed("int_0")
        assert server.bodies["int_0"]["run_id"] == "r"


async def test_runs_side_by_side_do_not_mix(server: Loopback) -> None:
    async with AsyncHITL(server.url, "hitl_key") as hitl:

        async def refund(number: int) -> None:
            with session(f"s{number}"), pytest.raises(InterruptSignal):
                await pay(hitl)

        await asyncio.gather(*(refund(number) for number in range(8)))
    assert {body["session_id"] for body in server.bodies.values()} == {f"s{number}" for number in range(8)}


def test_canonical_json_is_one_text_for_one_value() -> None:
    assert canonical({"b": [1, 1.0, True, None], "a": "ü"}) == '{"a":"ü","b":[1,1.0,true,null]}'.encode()


def test_a_key_is_the_same_on_every_machine() -> None:
    key = replay_key(("session", "s"), 0, ["approval", "pay", {"amount": 5}])
    assert key == "2e6b1afa2a17cce07573e8e8490027bcf1e347c270823d7615c9eee5b748c458"
