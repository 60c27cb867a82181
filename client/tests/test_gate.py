"""A gate asks before the call, and the call that runs is the one that was approved."""

from typing import Any

import pytest
from hitl_client import HITL, AsyncHITL, InterruptSignal, Rejected, session
from loopback import Loopback


def test_a_gated_function_runs_when_it_was_approved(hitl: HITL, server: Loopback) -> None:
    ran = []

    @hitl.gate
    def delete_file(path: str, force: bool = False) -> str:
        """Delete a file."""
        ran.append(path)
        return path

    server.soon()
    assert delete_file("a.txt") == "a.txt"
    assert ran == ["a.txt"]
    assert delete_file.__doc__ == "Delete a file."
    asked = server.bodies["int_0"]
    assert asked["reason"] == "Tool 'delete_file' requires approval"
    assert (asked["tool_name"], asked["tool_args"]) == ("delete_file", {"path": "a.txt", "force": False})
    assert asked["args_schema"]["required"] == ["path"]


def test_what_was_rejected_does_not_run(hitl: HITL, server: Loopback) -> None:
    ran = []

    @hitl.gate(tool_name="drop", reason="This is final", priority="critical")
    def drop_table(name: str) -> None:
        ran.append(name)

    server.soon("rejected")
    with pytest.raises(Rejected):
        drop_table("users")
    assert ran == []
    asked = server.bodies["int_0"]
    assert (asked["tool_name"], asked["reason"], asked["priority"]) == ("drop", "This is final", "critical")


def test_only_calls_that_need_it_are_asked_about(hitl: HITL, server: Loopback) -> None:
    @hitl.gate(when=lambda order, amount: amount > 100)
    def refund(order: int, amount: float) -> float:
        return amount

    assert refund(7, amount=100) == 100
    assert server.asked == []
    server.soon()
    assert refund(7, amount=100.01) == 100.01
    assert len(server.interrupts) == 1


def test_an_edit_reaches_the_function_with_its_types(hitl: HITL, server: Loopback) -> None:
    @hitl.gate
    def call(first: int, /, *rest: int, flag: bool = False, **more: Any) -> tuple[Any, ...]:
        return first, rest, flag, more

    server.soon()
    assert call(1, 2, 3, x=None) == (1, (2, 3), False, {"x": None})
    edited = {"first": 1.5, "rest": [4], "more": {"y": {"z": [True]}}}
    server.soon(modifications=edited)
    assert call(1, 2, 3, flag=True, x=None) == (1.5, (4,), False, {"y": {"z": [True]}})


def test_what_was_revised_before_it_was_approved_is_what_runs(hitl: HITL, server: Loopback) -> None:
    @hitl.gate
    def delete_file(path: str) -> str:
        return path

    server.soon(tool_args={"path": "b"})
    assert delete_file("a") == "b"


def test_an_edit_the_function_cannot_take_does_not_run(hitl: HITL, server: Loopback) -> None:
    @hitl.gate
    def delete_file(path: str) -> str:
        return path

    for edit in ({"path": "b", "force": True}, {}):
        server.soon(modifications=edit)
        with pytest.raises(TypeError, match=r"force|path"):
            delete_file("a")


def test_a_method_keeps_its_object_and_does_not_show_it(hitl: HITL, server: Loopback) -> None:
    class Shop:
        name = "corner"

        @hitl.gate
        def refund(self, amount: int) -> tuple[str, int]:
            return self.name, amount

    server.soon(modifications={"amount": 3})
    assert Shop().refund(5) == ("corner", 3)
    assert server.bodies["int_0"]["tool_args"] == {"amount": 5}


def test_a_function_that_is_no_method_shows_its_self(hitl: HITL, server: Loopback) -> None:
    @hitl.gate
    def mail(cls: str, to: str) -> tuple[str, str]:
        return cls, to

    server.soon(modifications={"cls": "urgent", "to": "bob"})
    assert mail("news", "everybody") == ("urgent", "bob")
    assert server.bodies["int_0"]["tool_args"] == {"cls": "news", "to": "everybody"}


@pytest.mark.parametrize("decided", [True, False], ids=["a person", "the policies"])
def test_nobody_changes_the_arguments_between_the_approval_and_the_call(
    hitl: HITL, server: Loopback, monkeypatch: pytest.MonkeyPatch, decided: bool
) -> None:
    mail: dict[str, Any] = {"to": ["ann"]}

    @hitl.gate(unlisted="ask" if decided else "allow")
    def send(mail: dict[str, Any]) -> Any:
        return mail

    server.soon()
    rule = hitl._calls.rule

    def late(*asked: Any) -> Any:
        answer = yield from rule(*asked)
        mail["to"].append("eve")
        return answer

    monkeypatch.setattr(hitl._calls, "rule", late)
    assert send(mail) == {"to": ["ann"]}
    assert mail == {"to": ["ann", "eve"]}
    assert [body["tool_args"]["mail"] for body in server.bodies.values()] == [{"to": ["ann"]}] * decided


def test_a_refusal_may_be_what_the_model_reads(hitl: HITL, server: Loopback) -> None:
    ran = []

    def pay(amount: int) -> int:
        ran.append(amount)
        return amount

    gated: Any = hitl.gate(on_refusal="return", mode="raise", report=True, call_id="c", session_id="s")(pay)
    with pytest.raises(InterruptSignal):
        gated(5)
    server.decide("rejected", rejection_reason="Too much")
    assert gated(5) == "A person refused this call: Too much"
    with pytest.raises(InterruptSignal):
        gated(6)
    server.decide()
    assert gated(6) == 6
    assert "begun before" in str(gated(6))
    assert ran == [6]
    server.policies["pay"] = {"decision": "deny", "policy": "No", "note": "Never."}
    server.version = "2"
    hitl._calls.answers.clear()
    assert gated(7) == "A policy does not allow this call: Never."


async def test_a_refusal_is_returned_to_an_awaiting_model_too(server: Loopback) -> None:
    async with AsyncHITL(server.url, "hitl_key") as hitl:

        @hitl.gate(on_refusal="return")
        async def pay(amount: int) -> Any:
            return amount

        server.soon("expired")
        assert await pay(5) == "Nobody decided about this call in time, so it was not made."


def test_an_answer_in_the_tools_place_is_its_result(hitl: HITL, server: Loopback) -> None:
    @hitl.gate(allowed_decisions=["respond", "reject"], report=True)
    def look_up(name: str) -> Any:
        raise AssertionError

    server.soon(response={"phone": 7}, decision="respond")
    assert look_up("ann") == {"phone": 7}
    assert not server.interrupts["int_0"].get("consumed_at")


@pytest.mark.parametrize(
    "options",
    [{"report": "results"}, {"on_refusal": "tell"}, {"unlisted": "deny"}, {"idempotent": True}],
    ids=str,
)
def test_a_gate_that_is_misspelt_is_a_mistake(hitl: HITL, options: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        hitl.gate(**options)(lambda: None)


def test_a_redacted_argument_is_not_shown_and_still_counts(hitl: HITL, server: Loopback) -> None:
    @hitl.gate(redact=["password"], mode="raise")
    def login(user: str, password: str) -> tuple[str, str]:
        return user, password

    def run(password: str) -> Any:
        with session("s"):
            return login("ann", password)

    with pytest.raises(InterruptSignal):
        run("hunter2")
    assert server.bodies["int_0"]["tool_args"] == {"user": "ann", "password": "[redacted]"}
    server.decide(modifications={"user": "bob", "password": "[redacted]"})
    assert run("hunter2") == ("bob", "hunter2")
    with pytest.raises(InterruptSignal):
        run("hunter3")
    assert "hunter" not in str(server.interrupts)


def test_redacting_what_is_not_there_is_a_mistake(hitl: HITL) -> None:
    with pytest.raises(TypeError, match="no argument pasword"):

        @hitl.gate(redact=["pasword"])
        def login(password: str) -> None: ...


async def test_an_async_function_is_gated_by_either_client(hitl: HITL, server: Loopback) -> None:
    async with AsyncHITL(server.url, "hitl_key") as ahitl:
        for number, client in enumerate((hitl, ahitl)):

            @client.gate
            async def double(value: int) -> int:
                return 2 * value

            server.soon(modifications={"value": 4})
            with session(f"run {number}"):
                assert await double(1) == 8
            assert server.bodies[f"int_{number}"]["session_id"] == f"run {number}"


async def test_the_async_client_does_not_gate_what_would_block(server: Loopback) -> None:
    async with AsyncHITL(server.url, "hitl_key") as hitl:
        with pytest.raises(TypeError, match="gate it with HITL"):

            @hitl.gate
            def blocking() -> None: ...


async def test_a_signal_passes_through_a_thread(hitl: HITL, server: Loopback) -> None:
    @hitl.gate(mode="raise", session_id="s")
    async def pay(amount: int) -> int:
        return amount

    with pytest.raises(InterruptSignal):
        await pay(5)
    server.decide()
    assert await pay(5) == 5
