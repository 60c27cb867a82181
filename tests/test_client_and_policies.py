"""The client's gate and the server's policies together: five protected tools in one loop."""

import threading
from typing import Any

import httpx
import jwt
import pytest
from hitl_client import HITL, ApprovalSpent, ArgumentsChanged, Denied, Rejected

from tests import agent_side, live
from tests.live import LiveServer, Operator

pytestmark = pytest.mark.sqlite

server, key, ann, ada = live.server, live.key, live.ann, live.ada
hitl = agent_side.hitl
POLICIES: list[dict[str, Any]] = [
    {"name": "Deleting", "pattern": "delete_*", "require_approval": True, "note": "It cannot be undone."},
    {"name": "Tables stay", "pattern": "drop_*", "deny": True, "note": "Ask the database's owner."},
    {"name": "Mail within", "pattern": "send_email", "when": "args.to.endsWith('@example.com')",
     "allow_auto": True, "priority": 10},
    {"name": "Mail", "pattern": "send_email", "require_approval": True, "approval_message": "Mail goes out."},
    {"name": "Payments", "pattern": "make_payment", "require_approval": True, "required_approvals": 2},
]  # fmt: skip


@pytest.fixture(scope="module")
def policies(ada: Operator) -> None:
    for policy in POLICIES:
        told = {"X-CSRFToken": ada.http.cookies["csrftoken"]}
        answer = ada.http.post("/api/v1/policies", json=policy, headers=told)
        assert answer.status_code == 201, answer.text


class Tools:
    """Note what truly ran, and with what."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, dict[str, Any]]] = []

    def named(self, name: str) -> Any:
        def tool(**arguments: Any) -> str:
            self.ran.append((name, arguments))
            return f"{name} done"

        def delete_file(path: str) -> str:
            return tool(path=path)

        def send_email(to: str) -> str:
            return tool(to=to)

        def make_payment(amount: int) -> str:
            return tool(amount=amount)

        def drop_table(name: str) -> str:
            return tool(name=name)

        def update_production(version: str) -> str:
            return tool(version=version)

        return locals()[name]


NAMES = ("delete_file", "drop_table", "send_email", "make_payment", "update_production")


def decide(operators: list[Operator], session: str, **filters: str) -> threading.Thread:
    """Let each of *operators* approve the next question of a session."""

    def approve() -> None:
        (asked,) = operators[0].wait_for(1, session_id=session, **filters)
        for operator in operators:
            operator.decide(asked["id"])

    thread = threading.Thread(target=approve)
    thread.start()
    return thread


def test_each_call_of_a_loop_goes_the_way_its_policy_says(
    hitl: HITL, ann: Operator, ada: Operator, policies: None
) -> None:
    tools = Tools()
    gated = hitl.gated({name: tools.named(name) for name in NAMES}, session_id="loop")
    calls: list[tuple[str, dict[str, Any], list[Operator]]] = [
        ("update_production", {"version": "2"}, []),  # unlisted: runs
        ("send_email", {"to": "ann@example.com"}, []),  # allowed by its condition
        ("send_email", {"to": "press@elsewhere.com"}, [ann]),
        ("delete_file", {"path": "a.txt"}, [ann]),
        ("make_payment", {"amount": 5}, [ann, ada]),  # two people
        ("drop_table", {"name": "users"}, []),  # nobody may
    ]
    said = []
    for name, arguments, operators in calls:
        waiting = decide(operators, "loop", tool_name=name) if operators else None
        try:
            said.append(gated[name](**arguments))
        except Denied as denied:
            said.append(f"refused: {denied.note}")
        if waiting:
            waiting.join()

    assert said == [
        "update_production done", "send_email done", "send_email done", "delete_file done",
        "make_payment done", "refused: Ask the database's owner.",
    ]  # fmt: skip
    assert tools.ran == [(name, arguments) for name, arguments, _ in calls[:-1]]


def test_a_refusal_skips_the_tool_and_the_agent_goes_on(hitl: HITL, ann: Operator, policies: None) -> None:
    tools = Tools()
    delete_file: Any = hitl.gate(tools.named("delete_file"), session_id="refused")

    def refuse() -> None:
        (asked,) = ann.wait_for(1, session_id="refused")
        assert asked["policy_note"] == "It cannot be undone."
        ann.decide(asked["id"], "reject", reason="Keep it.")

    operator = threading.Thread(target=refuse)
    operator.start()
    with pytest.raises(Rejected) as refused:
        delete_file("b.txt")
    operator.join()

    assert (refused.value.reason, tools.ran) == ("Keep it.", [])


def test_the_question_is_in_the_policys_words(hitl: HITL, ann: Operator, policies: None) -> None:
    tools = Tools()
    send_email: Any = hitl.gate(tools.named("send_email"), session_id="words", mode="wait")
    operator = decide([ann], "words")
    send_email("press@elsewhere.com")
    operator.join()

    (asked,) = hitl.list(session_id="words")
    assert asked["reason"] == "Mail goes out."
    assert asked["policy"]["name"] == "Mail"


def test_what_is_reported_runs_once_and_says_what_came_of_it(
    hitl: HITL, ann: Operator, policies: None
) -> None:
    tools = Tools()
    delete_file: Any = hitl.gate(tools.named("delete_file"), session_id="report", report=True)
    operator = decide([ann], "report")
    delete_file("c.txt")
    operator.join()

    (asked,) = hitl.list(session_id="report")
    assert (asked["outcome"], bool(asked["consumed_at"])) == ("succeeded", True)
    receipt = hitl.status(asked["id"])["receipt"]
    assert receipt
    assert jwt.decode(receipt, options={"verify_signature": False})["approvers"] == ["ann"]
    with pytest.raises(ApprovalSpent):
        hitl.consume(asked["id"], {"path": "c.txt"}, receipt=receipt)
    with pytest.raises(ArgumentsChanged):
        hitl.consume(asked["id"], {"path": "d.txt"})


def test_both_doors_say_the_same_of_a_call(
    server: LiveServer, key: str, ada: Operator, policies: None
) -> None:
    path = f"{server.url}/api/v1/policies/evaluate"
    call = {"tool_name": "delete_file", "tool_args": {"path": "a.txt"}}
    bearer = {"Authorization": f"Bearer {key}"}
    told = {"X-CSRFToken": ada.http.cookies["csrftoken"]}

    before_django = httpx.post(path, json=call, headers=bearer)
    by_django = ada.http.post(path, json=call, headers=told)
    again = httpx.post(path, json=call, headers={**bearer, "If-None-Match": before_django.headers["ETag"]})
    refused = httpx.post(path, json={"tool_args": []}, headers=bearer)

    assert before_django.json() == by_django.json()
    assert (before_django.json()["decision"], before_django.json()["policy"]) == ("ask", "Deleting")
    assert "vary" in by_django.headers
    assert "vary" not in before_django.headers  # it never came to Django's middleware
    assert (again.status_code, again.content) == (304, b"")
    assert refused.status_code == 400
    assert set(refused.json()["errors"]) == {"tool_name", "tool_args"}
