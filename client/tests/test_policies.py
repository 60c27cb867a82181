"""The policies are asked before a person is; what they said is used again while it holds."""

import pickle
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hitl_client import (
    HITL,
    Denied,
    InterruptSignal,
    PolicyAnswer,
    ProblemError,
    Rejected,
    UnexpectedAnswer,
    durable,
    policies,
    session,
)
from loopback import Cut, Fault, Hangs, Loopback, Says

ALLOW = {"decision": "allow", "policy": "reads"}
ASK = {"decision": "ask", "policy": "payments"}
DENY = {"decision": "deny", "policy": "no drops", "note": "Tables are never dropped."}
PAY = {"amount": 5}


def pay(amount: int) -> int:
    """Pay."""
    return amount


# -- Asking the policies ------------------------------------------------------------------------------


def test_policies_can_be_asked_without_making_the_call(agent: Any, server: Loopback) -> None:
    server.policies["pay"] = {**ASK, "note": "Over the limit", "approval_message": "Pay?", "grant": "gra_1"}
    answer = agent.evaluate("pay", PAY, session_id="s")
    assert answer == PolicyAnswer("ask", "payments", "Over the limit", "Pay?", "1", False, "gra_1")
    assert server.evaluated == [{"tool_name": "pay", "tool_args": PAY, "session_id": "s"}]
    assert agent.evaluate("read") == PolicyAnswer("allow", version="1", depends_on_args=False)


def test_the_session_is_the_current_runs(hitl: HITL, server: Loopback) -> None:
    with session("s"):
        hitl.evaluate("pay", PAY)
    assert server.evaluated[0]["session_id"] == "s"


def test_an_answer_is_used_again_while_it_is_fresh(agent: Any, server: Loopback) -> None:
    server.policies["pay"] = ALLOW | {"depends_on_args": True}
    for amount in (5, 5, 6, 6):
        agent.evaluate("pay", {"amount": amount})
        agent.evaluate("read", {"amount": amount})
    assert [(body["tool_name"], body["tool_args"]["amount"]) for body in server.evaluated] == [
        ("pay", 5),
        ("read", 5),
        ("pay", 6),
    ]
    agent.evaluate("read", {"amount": 5}, session_id="s")
    assert len(server.evaluated) == 4


def test_after_its_time_it_is_asked_whether_it_still_holds(agent: Any, server: Loopback) -> None:
    server.max_age = 1
    server.policies["pay"] = DENY
    first = agent.evaluate("pay", PAY)
    server.policies["pay"] = ALLOW  # by the same version: a 304 is answered, and what was said is kept
    time.sleep(1.1)
    assert agent.evaluate("pay", PAY) == first
    assert server.asked == [("POST", "policies/evaluate")] * 2
    agent.evaluate("pay", PAY)
    assert len(server.asked) == 2
    server.version = "2"
    time.sleep(1.1)
    assert agent.evaluate("pay", PAY).decision == "allow"


def test_an_answer_by_other_rules_makes_all_earlier_ones_void(agent: Any, server: Loopback) -> None:
    agent.evaluate("pay", PAY)
    server.version, server.policies["pay"] = "2", DENY
    assert agent.evaluate("pay", PAY).decision == "allow"
    agent.evaluate("read")
    assert agent.evaluate("pay", PAY).decision == "deny"


def test_a_renewal_that_names_no_time_gives_as_much_as_before(hitl: HITL, server: Loopback) -> None:
    server.max_age = 1
    hitl.evaluate("pay", PAY)
    time.sleep(1.1)
    server.faults.append(Says(304))
    hitl.evaluate("pay", PAY)
    hitl.evaluate("pay", PAY)
    assert len(server.asked) == 2


def test_what_comes_to_depend_on_the_arguments_no_longer_holds_for_all(hitl: HITL, server: Loopback) -> None:
    server.max_age = 0
    hitl.evaluate("pay", PAY)
    answer = '{"decision": "deny", "policy": "limits", "version": "1", "depends_on_args": true}'
    server.faults.append(Says(200, answer, Cache_Control="max-age=30"))
    assert [hitl.evaluate("pay", PAY).decision for _ in range(2)] == ["deny", "deny"]
    assert hitl.evaluate("pay", {"amount": 6}).decision == "allow"
    assert len(server.asked) == 3


def test_only_so_many_answers_are_kept(hitl: HITL, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "MOST_KEPT", 2)
    for tool in ("a", "b", "c", "c", "b", "a"):
        hitl.evaluate(tool)
    assert [body["tool_name"] for body in server.evaluated] == ["a", "b", "c", "a"]


def test_an_answer_of_no_policy_is_named(agent: Any, server: Loopback) -> None:
    server.faults.append(Says(200, '{"decision": "perhaps"}'))
    with pytest.raises(UnexpectedAnswer, match="perhaps"):
        agent.evaluate("pay", PAY)


# -- Gates --------------------------------------------------------------------------------------------


def test_what_a_policy_denies_does_not_run(agent: Any, gated: Any, server: Loopback) -> None:
    server.policies["pay"] = DENY
    for unlisted in ("ask", "allow"):
        with pytest.raises(Denied, match=r"policy no drops denies pay: Tables are never dropped\.") as denied:
            gated(unlisted=unlisted)(5)
        assert (denied.value.policy, denied.value.note) == ("no drops", "Tables are never dropped.")
    assert isinstance(denied.value, Rejected)
    assert denied.value.reason == "Tables are never dropped."
    assert str(pickle.loads(pickle.dumps(denied.value))) == str(denied.value)
    assert server.interrupts == {}


@pytest.mark.parametrize("ruling", [ALLOW, {"decision": "allow", "grant": "gra_1"}], ids=["policy", "grant"])
def test_what_a_policy_allows_runs_without_asking(gated: Any, server: Loopback, ruling: Any) -> None:
    server.policies["pay"] = ruling
    for mode in ("wait", "raise"):
        assert gated(mode=mode, session_id="s")(5) == 5
    assert server.interrupts == {}
    assert len(server.evaluated) == 1


def test_a_tool_no_policy_speaks_of_is_asked_about_unless_the_gate_leaves_it_to_them(
    gated: Any, server: Loopback
) -> None:
    with pytest.raises(InterruptSignal):
        gated(mode="raise", session_id="s")(5)
    assert gated(mode="raise", session_id="t", unlisted="allow")(5) == 5
    assert len(server.interrupts) == 1
    with pytest.raises(ValueError, match="'deny'"):
        gated(unlisted="deny")


def test_a_policy_words_the_question(gated: Any, server: Loopback) -> None:
    for ruling, own, said in (
        (ASK | {"approval_message": "Really?"}, "Pay it?", "Really?"),
        (ASK, "Pay it?", "Pay it?"),
        (ASK, None, "Tool 'pay' requires approval"),
    ):
        server.policies["pay"], server.max_age = ruling, 0
        server.version = said
        with pytest.raises(InterruptSignal) as signal:
            gated(mode="raise", session_id=said, reason=own, unlisted="allow")(5)
        assert signal.value.reason == said
        assert signal.value.data == {"tool": "pay", "arguments": PAY}


@pytest.mark.parametrize(
    "fault",
    [
        Says(404),
        Says(500),
        Says(200, "<html>"),
        Says(200, "[]"),
        Says(200, '{"decision": ["allow"]}'),
        Says(304),
    ],
    ids=lambda fault: f"{fault.status} {fault.body}",
)
def test_no_answer_means_a_person_is_asked(gated: Any, server: Loopback, fault: Fault) -> None:
    server.policies["pay"] = ALLOW
    server.faults.append(fault)
    with pytest.raises(InterruptSignal):
        gated(mode="raise", session_id="s", unlisted="allow")(5)


@pytest.mark.parametrize(
    "faults",
    [[Fault(), Fault()], [Cut(), Cut()], [Hangs()], [Says(503), Says(502)]],
    ids=["reset", "cut", "hanging", "busy"],
)
def test_an_outage_of_the_policies_is_not_ridden_out_for_long(
    gated: Any, server: Loopback, faults: list[Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "PATIENCE_SECONDS", 0.3 if len(faults) == 1 else 0.05)
    server.policies["pay"] = ALLOW
    server.faults.extend(faults)
    with pytest.raises(InterruptSignal):
        gated(mode="raise", session_id="s", unlisted="allow")(5)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_ask_is_told(gated: Any, server: Loopback, status: int) -> None:
    server.faults.append(Says(status))
    with pytest.raises(ProblemError, match=str(status)):
        gated(unlisted="allow")(5)


def test_too_many_calls_are_slowed_down_as_ever(
    gated: Any, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "PATIENCE_SECONDS", 0.5)
    server.policies["pay"] = ALLOW
    server.faults.extend([Says(429, Retry_After="1")] * 2)
    assert gated()(5) == 5
    server.faults.extend([Says(429, Retry_After="60")] * 2)
    with session("another"), pytest.raises(ProblemError, match="429"):
        gated()(5)


def test_redacted_arguments_are_hidden_from_the_policies_too(hitl: HITL, server: Loopback) -> None:
    server.policies["login"] = ALLOW | {"depends_on_args": True}

    @hitl.gate(redact=["password"])
    def login(user: str, password: str) -> str:
        return password

    assert [login("ann", "hunter2"), login("ann", "hunter3")] == ["hunter2", "hunter3"]
    shown = {"user": "ann", "password": "[redacted]"}
    assert server.evaluated == [{"tool_name": "login", "tool_args": shown}]


def test_a_person_may_leave_a_grant_so_the_policies_are_asked_again(gated: Any, server: Loopback) -> None:
    server.policies["pay"] = ASK
    fn = gated()
    server.soon()
    assert fn(5) == 5
    server.policies["pay"] = {"decision": "allow", "grant": "gra_1"}
    assert fn(5) == 5
    assert len(server.interrupts) == 1


def test_what_the_server_itself_refuses_by_a_policy_does_not_run(gated: Any, server: Loopback) -> None:
    server.faults.append(Says(500))
    server.soon("rejected", resolved_by="policy no drops", rejection_reason="Never.")
    with pytest.raises(Rejected, match="rejected by policy no drops: Never"):
        gated()(5)


# -- Runs that are run again --------------------------------------------------------------------------


def test_a_decision_found_again_holds_whatever_the_policies_say_but_deny(
    gated: Any, server: Loopback
) -> None:
    fn = gated(mode="raise")

    def run() -> Any:
        return durable(lambda: fn(5), session_id="s")

    def rules(ruling: Any) -> None:
        server.policies["pay"] = ruling
        server.version += "+"

    server.max_age = 0
    server.policies["pay"] = ASK
    run()
    server.decide(modifications={"amount": 4})
    for ruling in (ASK, ALLOW, {"decision": "allow", "grant": "gra_1"}, {}):
        rules(ruling)
        assert run().result == 4
    rules(DENY)
    with pytest.raises(Denied):
        run()
    assert len(server.interrupts) == 1


def test_what_a_person_refused_is_not_allowed_by_a_later_policy(gated: Any, server: Loopback) -> None:
    fn = gated(mode="raise", session_id="s", call_id="call_1")
    with pytest.raises(InterruptSignal):
        fn(5)
    server.policies["pay"], server.version = ALLOW, "2"
    server.max_age = 0
    with pytest.raises(InterruptSignal):
        fn(5)
    server.decide("rejected")
    with pytest.raises(Rejected):
        fn(5)


def test_allowed_calls_are_counted_among_equal_ones(hitl: HITL, server: Loopback) -> None:
    fn = hitl.gate(mode="raise")(pay)
    server.max_age = 0

    def run() -> Any:
        return durable(lambda: [fn(5), fn(5)], session_id="s")

    run()
    server.decide(modifications={"amount": 4})
    server.policies["pay"], server.version = ALLOW, "2"
    assert run().result == [4, 5]


def test_a_question_without_arguments_is_found_however_it_is_worded(hitl: HITL, server: Loopback) -> None:
    server.max_age = 0

    @hitl.gate(mode="raise", session_id="s")
    def deploy() -> str:
        return "deployed"

    with pytest.raises(InterruptSignal) as signal:
        deploy()
    assert signal.value.data == {"tool": "deploy", "arguments": {}}
    server.decide()
    server.policies["deploy"] = ASK | {"approval_message": "Deploy on a Friday?"}
    server.version = "2"
    assert deploy() == "deployed"


# -- Many tools at once -------------------------------------------------------------------------------


def test_tools_are_gated_in_one_call(hitl: HITL, server: Loopback) -> None:
    def read(path: str) -> str:
        """Read a file."""
        return path

    def drop(name: str, password: str = "hunter2") -> str:
        return name

    server.policies |= {"drop": DENY, "pay": ALLOW}
    tools = hitl.gated([read, drop, pay], redact=["password"])
    assert tools[0]("a.txt") == "a.txt"
    assert tools[0].__doc__ == "Read a file."
    assert tools[2](5) == 5
    with pytest.raises(Denied):
        tools[1]("users")
    assert "hunter2" not in str(server.evaluated)
    named = hitl.gated({"drop": pay, "read": read}, mode="raise", unlisted="ask", session_id="s")
    assert list(named) == ["drop", "read"]
    with pytest.raises(Denied):
        named["drop"](5)
    with pytest.raises(InterruptSignal) as signal:
        named["read"]("a.txt")
    assert signal.value.data["tool"] == "read"


def test_the_tools_of_the_guide_are_protected_as_it_says(hitl: HITL, server: Loopback) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    code = re.search(r"```python\n(tools = .*?)```", guide, re.DOTALL)
    assert code is not None

    def tool(name: str) -> str:
        return name

    names = ["delete_file", "drop_table", "send_email", "make_payment", "update_production"]
    known: dict[str, Any] = {"hitl": hitl, "Denied": Denied, **dict.fromkeys(names, tool)}
    server.policies |= {"drop_table": DENY, "make_payment": ASK}
    server.soon()
    exec(code[1], known)
    assert list(known["tools"]) == names
    assert known["call"]("send_email", {"name": "ann"}) == "ann"
    assert known["call"]("drop_table", {"name": "users"}) == "refused: Tables are never dropped."
    assert known["call"]("make_payment", {"name": "bob"}) == "bob"
    assert [body["tool_name"] for body in server.bodies.values()] == ["make_payment"]
