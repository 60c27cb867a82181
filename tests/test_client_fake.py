"""The fake server of `hitl_client.testing` answers as the real one: each story is told to both."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hitl_client import ProblemError
from hitl_client.testing import FakeServer

from tests import live
from tests.live import LiveServer, Operator

pytestmark = pytest.mark.sqlite

server, ann, ada = live.server, live.ann, live.ada

Json = dict[str, Any]
DELETE: Json = {
    "reason": "Delete a.txt?",
    "tool_name": "delete_file",
    "tool_args": {"path": "a.txt", "size": 2.0},
}
STRIPE: Json = {
    "request_type": "api_key",
    "title": "A key for Stripe",
    "description": "To read invoices.",
    "required_fields": {
        "account": "Account",
        "api_key": {"label": "Key", "type": "secret", "pattern": "rk_.+"},
        "seats": {"label": "Seats", "type": "number", "required": False, "min": 1},
    },
}
POLICIES: Json = {
    "drop_*": {"name": "Tables stay", "deny": True, "note": "Ask the owner."},
    "pay": {"name": "Payments", "require_approval": True, "approval_message": "Money leaves."},
    "read": {"name": "Reading", "allow_auto": True},
}
MAKE_KEYS = (
    "import json\n"
    "from agents import keys\n"
    "names = [f'tale-{number:02}' for number in range(%d)]\n"
    "print(json.dumps([(name, keys.create_key(keys.create_agent(name))[1]) for name in names]))"
)


class Side:
    """One of the two servers, and everything it said."""

    def __init__(self, http: httpx.Client, decide: Callable[..., Any], agent: str) -> None:
        self.http, self._decide, self.agent = http, decide, agent
        self.said: list[Any] = []

    def get(self, path: str, **params: Any) -> Any:
        return self._keep(self.http.get(f"/api/v1/{path}", params=params))

    def post(self, path: str, body: Any = None, key: str = "", **more: Any) -> Any:
        headers = {"Content-Type": "application/json"} if "content" in more else {}
        headers |= {"Idempotency-Key": key} if key else {}
        sent = more or {"json": {} if body is None else body}
        return self._keep(self.http.post(f"/api/v1/{path}", headers=headers, **sent))

    def decide(self, item: Json, verb: str, **body: Any) -> Any:
        kind = "requests" if item["id"].startswith("har_") else "interrupts"
        status, said = self._decide(kind, item["id"], verb, body)
        self.said.append((status, said))
        return said

    def note(self, value: Any) -> None:
        self.said.append(value)

    def _keep(self, answer: httpx.Response) -> Any:
        is_json = "json" in answer.headers.get("content-type", "")
        said = answer.json() if is_json else answer.text
        kept = {name: answer.headers.get(name) for name in ("retry-after", "cache-control")}
        self.said.append((answer.status_code, said, kept))
        return said

    def told(self) -> Any:
        """Return what was said, without what is another in every run: ids, moments, receipts, sentences."""
        names: dict[str, str] = {}

        def alike(found: re.Match[str]) -> str:
            return names.setdefault(found[0], f"{found[1]}#{len(names)}")

        text = json.dumps(_without_sentences(self.said), sort_keys=True, indent=1, ensure_ascii=False)
        text = re.sub(r"\b(int|har|evt|att|bat|com|pol|key)_[0-9A-Za-z]+", alike, text)
        text = re.sub(r"ep_[0-9a-zA-Z]+:(\d+)", r"cursor \1", text)
        text = re.sub(r"hitl_\w+…", "a key", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "a moment", text)
        text = re.sub(r"https?://[^\"]*?cursor=[^\"]*", "a link", text)
        return text.replace(self.agent, "the agent").splitlines()


def _without_sentences(value: Any) -> Any:
    if isinstance(value, dict):
        found = {name: _without_sentences(inner) for name, inner in value.items() if name != "detail"}
        if isinstance(value.get("errors"), dict):
            found["errors"] = sorted(value["errors"])
        if "receipt" in value:
            found["receipt"] = value["receipt"] is not None
        if "depends_on_args" in value:
            del found["version"]
        return found
    return [_without_sentences(inner) for inner in value] if isinstance(value, list | tuple) else value


@pytest.fixture(scope="module")
def keys(server: LiveServer) -> list[tuple[str, str]]:
    made: list[tuple[str, str]] = json.loads(server.manage("shell", "-v", "0", "-c", MAKE_KEYS % len(TALES)))
    return made


@pytest.fixture
def real(server: LiveServer, ann: Operator, keys: list[tuple[str, str]]) -> Iterator[Side]:
    def decide(kind: str, item_id: str, verb: str, body: Json) -> tuple[int, Any]:
        told = {"X-CSRFToken": ann.http.cookies["csrftoken"]}
        answer = ann.http.post(f"/api/v1/{kind}/{item_id}/{verb}", json=body, headers=told)
        return answer.status_code, answer.json()

    agent, key = keys.pop()
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
        yield Side(http, decide, agent)


def fake_side(agent: str) -> Side:
    fake = FakeServer(agent=agent, by="ann")
    fake.leave()
    fake.deny("drop_*", name="Tables stay", note="Ask the owner.")
    fake.ask("pay", name="Payments", approval_message="Money leaves.")
    fake.allow("read", name="Reading")

    def decide(kind: str, item_id: str, verb: str, body: Json) -> tuple[int, Any]:
        try:
            return 200, fake.decide(item_id, verb, **body)
        except ProblemError as problem:
            return problem.status, problem.problem

    return Side(httpx.Client(base_url="http://fake.example", transport=fake), decide, agent)


@pytest.fixture(scope="module", autouse=True)
def policies(ada: Operator) -> None:
    for pattern, policy in POLICIES.items():
        told = {"X-CSRFToken": ada.http.cookies["csrftoken"]}
        answer = ada.http.post("/api/v1/policies", json={**policy, "pattern": pattern}, headers=told)
        assert answer.status_code == 201, answer.text


# -- The stories --------------------------------------------------------------------------------------


def approving(side: Side) -> None:
    asked = side.post("interrupts", {**DELETE, "session_id": "s", "metadata": {"n": 1}}, key="k")
    side.get(f"interrupts/{asked['id']}/status")
    side.get(f"interrupts/{asked['id']}/wait", timeout=1)
    side.decide(asked, "approve", modifications={"path": "b.txt"}, comment="That one.")
    for path in ("", "/status", "/wait?timeout=1"):
        side.get(f"interrupts/{asked['id']}{path}")
    side.decide(asked, "reject", reason="Too late")
    side.post(f"interrupts/{asked['id']}/cancel")
    side.post("interrupts", {**DELETE, "session_id": "s", "metadata": {"n": 1}}, key="k")
    side.post("interrupts", DELETE, key="k")
    side.get("events")


def every_type(side: Side) -> None:
    for kind in ("approval", "confirmation", "input", "feedback"):
        asked = side.post("interrupts", {"type": kind, "reason": f"A {kind}?", "data": {"x": [1, None]}})
        for verb, said in (
            ("respond", {"response": {"a": 1}}),
            ("approve", {}),
            ("reject", {"reason": "No."}),
        ):
            side.decide(asked, verb, **said)
        side.get(f"interrupts/{asked['id']}")
    side.get("events")


def schemas(side: Side) -> None:
    shape = {
        "type": "object",
        "properties": {"path": {}, "size": {"type": "integer"}},
        "required": ["path"],
        "additionalProperties": False,
    }
    side.post("interrupts", {"reason": "?", "tool_args": {"way": 1}, "args_schema": shape})
    asked = side.post("interrupts", {**DELETE, "args_schema": shape})
    side.decide(asked, "approve", modifications={"size": "big", "shell": True})
    side.decide(asked, "approve", modifications={"path": "c.txt"})
    answer = {"type": "string", "enum": ["yes", "no"], "maxLength": 3}
    asked = side.post("interrupts", {"type": "input", "reason": "Which?", "response_schema": answer})
    side.decide(asked, "respond", response="perhaps")
    side.decide(asked, "respond", response=3)
    side.decide(asked, "respond", response="yes")


def bad_bodies(side: Side) -> None:
    for body in (
        {},
        {"reason": " "},
        {"reason": "x" * 1001},
        {"reason": "?", "type": "permission"},
        {"reason": "?", "priority": "high!", "data": [], "colour": "red"},
        {"reason": "?", "expires_in": 0},
        {"reason": "?", "expires_in": 1.5, "tool_args": None},
        {"reason": "?", "allowed_decisions": []},
        {"reason": "?", "expires_at": "tomorrow"},
        {"reason": "?", "expires_at": "2020-01-01T00:00:00Z"},
        {"reason": "?", "session_id": "s" * 256, "tool_name": 3},
    ):
        side.post("interrupts", body)
    side.post("requests", {"request_type": "api_key"})
    side.post("requests", {**STRIPE, "request_type": "favour", "checklist": [""], "title": ""})
    side.post("requests", {"template": "none-such"})
    side.post("policies/evaluate", {"tool_args": {}})
    side.post("interrupts", content=b"{", key="k")
    side.post("interrupts", content=b"[]", key="k")
    asked = side.post("interrupts", {"reason": "?"})
    for verb in ("consume", "outcome", "revise", "comments"):
        side.post(f"interrupts/{asked['id']}/{verb}", {})
    for verb in ("approve", "reject", "request_changes", "claim"):
        side.post(f"interrupts/{asked['id']}/{verb}", {"comment": "?"})
    for path in ("interrupts/int_none", "requests/har_none", f"requests/{asked['id']}", "nothing"):
        side.get(path)
    side.get(f"interrupts/{asked['id']}/wait", timeout=0)
    side.get(f"interrupts/{asked['id']}/wait", timeouts=1)


def spending(side: Side) -> None:
    asked = side.post("interrupts", DELETE)
    side.post(f"interrupts/{asked['id']}/consume", {"tool_args": DELETE["tool_args"]})
    side.post(f"interrupts/{asked['id']}/outcome", {"status": "succeeded"})
    side.decide(asked, "approve")
    receipt = side.get(f"interrupts/{asked['id']}/status")["receipt"]
    consume = f"interrupts/{asked['id']}/consume"
    side.post(consume, {"tool_args": {"path": "b.txt"}})
    side.post(consume, {"tool_args": {"path": "a.txt", "size": True}})
    side.post(consume, {"tool_args": DELETE["tool_args"], "receipt": "another"})
    side.post(consume, {"tool_args": {"size": 2, "path": "a.txt"}, "receipt": receipt})
    side.post(consume, {"tool_args": DELETE["tool_args"]})
    side.post(f"interrupts/{asked['id']}/outcome", {"status": "failed", "result": [1]})
    side.post(f"interrupts/{asked['id']}/outcome", {"status": "succeeded"})
    answered = side.post("interrupts", {**DELETE, "allowed_decisions": ["approve", "respond"]})
    side.decide(answered, "respond", response="It is gone already.")
    side.get(f"interrupts/{answered['id']}/status")
    side.post(f"interrupts/{answered['id']}/consume", {"tool_args": DELETE["tool_args"]})
    retried = side.post("interrupts", DELETE)
    side.decide(retried, "approve")
    for attempt in ("one", "one", "two"):
        spend = {"tool_args": DELETE["tool_args"], "attempt": attempt}
        side.post(f"interrupts/{retried['id']}/consume", spend)
    side.post(f"interrupts/{retried['id']}/outcome", {"status": "succeeded"})
    side.post(f"interrupts/{retried['id']}/consume", {**spend, "attempt": "one"})
    refused = side.post("interrupts", DELETE)
    side.decide(refused, "reject", reason="No.")
    side.post(f"interrupts/{refused['id']}/consume", {"tool_args": DELETE["tool_args"]})
    side.get("events")


def revising(side: Side) -> None:
    asked = side.post("interrupts", DELETE)
    revise = f"interrupts/{asked['id']}/revise"
    side.post(revise, {"tool_args": {"path": "b.txt"}})
    side.decide(asked, "request_changes", comment="Only the old ones.")
    side.get(f"interrupts/{asked['id']}")
    side.post(revise, {"tool_args": {"path": "b.txt"}, "reason": "Delete  b.txt?"})
    side.post(revise, {"tool_args": {"path": "c.txt"}})
    side.decide(asked, "approve")
    side.post(revise, {"tool_args": {"path": "c.txt"}})
    side.get("events")


def withdrawing(side: Side) -> None:
    for kind, body in (("interrupts", DELETE), ("requests", STRIPE)):
        asked = side.post(kind, body)
        said = side.post(f"{kind}/{asked['id']}/comments", {"body": " It is urgent. "})
        side.post(
            f"{kind}/{asked['id']}/comments", {"body": "Not so.", "reply_to": said["comment"]["comment_id"]}
        )
        side.post(f"{kind}/{asked['id']}/comments", {"body": "Not so.", "reply_to": "com_none"})
        side.post(f"{kind}/{asked['id']}/cancel", {"reason": "Done otherwise"})
        side.post(f"{kind}/{asked['id']}/cancel")
        side.decide(asked, "reject", reason="No.")
        side.get(f"{kind}/{asked['id']}")
    side.get("events")


def silence(side: Side) -> None:
    rejects = side.post("interrupts", {**DELETE, "expires_in": 1, "on_timeout": "reject"})
    expires = side.post("interrupts", {**DELETE, "expires_in": 1})
    request = side.post("requests", {**STRIPE, "expires_in": 1})
    side.said.clear()
    for kind, item in (("interrupts", rejects), ("interrupts", expires), ("requests", request)):
        side.http.get(f"/api/v1/{kind}/{item['id']}/wait", params={"timeout": 5})
        found = side.http.get(f"/api/v1/{kind}/{item['id']}").json()
        side.note({name: found[name] for name in ("status", "rejection_reason", "is_expired", "is_resolved")})
        code = side.http.post(f"/api/v1/{kind}/{item['id']}/cancel", json={})
        side.note((code.status_code, code.json()["code"]))
    for status in ("expired", "rejected", "pending"):
        side.note(
            [
                item["reason"]
                for item in side.http.get(f"/api/v1/interrupts?status={status}").json()["results"]
            ]
        )


def errands(side: Side) -> None:
    asked = side.post("requests", {**STRIPE, "workflow_id": "w", "checklist": ["Ask", "Sign"]}, key="k")
    side.post("requests", {**STRIPE, "workflow_id": "w", "checklist": ["Ask", "Sign"]}, key="k")
    side.get(f"requests/{asked['id']}/wait", timeout=1)
    side.post(f"requests/{asked['id']}/reveal")
    side.decide(asked, "start_review")
    side.decide(asked, "fulfill", response_data={"account": " ", "api_key": "sk_1", "seats": 0, "more": 1})
    side.decide(asked, "fulfill", response_data={"account": "Main", "api_key": "rk_1"}, notes="Until March.")
    side.decide(asked, "reject", reason="Too late")
    side.post(f"requests/{asked['id']}/ack")
    for verb in ("reveal", "reveal", "ack", "ack", "reveal"):
        side.post(f"requests/{asked['id']}/{verb}")
    side.get(f"requests/{asked['id']}")
    plain = side.post(
        "requests", {**STRIPE, "required_fields": {}, "priority": "urgent", "agent_id": "billing"}
    )
    side.decide(plain, "fulfill")
    side.post(f"requests/{plain['id']}/reveal")
    turned_down = side.post("requests", STRIPE)
    side.decide(turned_down, "reject", reason="No contract", code="cannot_be_done")
    side.get(f"requests/{turned_down['id']}")
    side.get("events")


def files(side: Side) -> None:
    asked = side.post("requests", {**STRIPE, "required_fields": {"scan": {"label": "Scan", "type": "file"}}})
    upload: Json = {"files": {"file": ("notes.txt", b"Sign here.")}}
    added = side.post(f"requests/{asked['id']}/attachments", **upload)
    side.get(f"requests/{asked['id']}/attachments/{added['attachment']['id']}")
    side.get(f"requests/{asked['id']}/attachments/att_none")
    side.post(f"requests/{asked['id']}/attachments", files={"other": ("notes.txt", b"Sign here.")})
    for name in ("notes.txt", "att_none", 3):
        side.decide(asked, "fulfill", response_data={"scan": name})
    side.decide(asked, "fulfill", response_data={"scan": added["attachment"]["id"]})
    side.post(f"requests/{asked['id']}/attachments", **upload)
    side.get(f"requests/{asked['id']}")


def lists(side: Side) -> None:
    for number in range(5):
        body = {**DELETE, "reason": f"Number {number}?", "session_id": "s" if number % 2 else "t"}
        last = side.post("interrupts", {**body, "priority": "high" if number == 3 else "low"})
    side.decide(last, "approve")
    side.post("requests", {**STRIPE, "workflow_id": "w", "agent_id": "billing"})
    queries: list[Json] = [
        {}, {"session_id": "s"}, {"status": "approved"}, {"pending_only": "true", "session_id": "t"},
        {"q": "ber 3"}, {"priority": "high"}, {"tool_name": "delete_file", "limit": 1}, {"type": "input"},
        {"created_after": last["created_at"]}, {"agent_name": side.agent, "limit": 2}, {"key": "none"},
        {"colour": "red"}, {"status": "open"}, {"limit": 0}, {"limit": 201}, {"cursor": "x"},
        {"created_before": "x"}, {"session_id": ""},
    ]  # fmt: skip
    for query in queries:
        side.get("interrupts", **query)
    for query in (
        {},
        {"workflow_id": "w"},
        {"agent_id": "x"},
        {"request_type": "custom"},
        {"type": "approval"},
    ):
        side.get("requests", **query)
    page = side.get("interrupts", limit=2)
    page = side.get("interrupts", limit=2, cursor=httpx.URL(page["next"]).params["cursor"])
    side.get("interrupts", limit=2, cursor=httpx.URL(page["next"]).params["cursor"])
    side.get("interrupts", limit=2, cursor=httpx.URL(page["previous"]).params["cursor"])


def together(side: Side) -> None:
    items = [{**DELETE, "reason": f"Number {number}?"} for number in range(3)]
    side.post("interrupts/batch", {"items": items}, key="k")
    side.post("interrupts/batch", {"items": items}, key="k")
    side.post("interrupts/batch", {"items": items[:2]}, key="k")
    side.post("interrupts/batch", {"items": []})
    side.post("interrupts/batch", {"items": [items[0], {"reason": "", "colour": "red"}]})
    shape = {"required": ["path"]}
    side.post("interrupts/batch", {"items": [{"reason": "?", "args_schema": shape}, items[0]]})
    side.post("interrupts/batch", {"items": [{**items[0], "batch_id": "mine"}]})
    side.get("events")


def policies_speak(side: Side) -> None:
    for tool in ("drop_table", "Drop_View", "pay", "read", "other"):
        side.post("policies/evaluate", {"tool_name": tool, "tool_args": {"n": 1}, "session_id": "s"})
    for tool in ("drop_table", "pay", "read"):
        asked = side.post("interrupts", {**DELETE, "tool_name": tool})
        side.get(f"interrupts/{asked['id']}")
        side.get(f"interrupts/{asked['id']}/status")
    side.get("events")


def the_stream(side: Side) -> None:
    began = time.monotonic()
    side.get("events", wait=1)
    side.note(time.monotonic() - began >= 1)
    for number in range(3):
        asked = side.post("interrupts", {**DELETE, "session_id": f"s{number}"}, key=f"k{number}")
    side.decide(asked, "approve")
    first = side.get("events", limit=2)
    side.get("events", after=first["cursor"])
    side.get("events", types="hitl.interrupt.approved,hitl.interrupt.rejected")
    side.get("events", types="hitl.interrupt.cancelled", after=first["cursor"])
    for query in ({"after": "x"}, {"after": "ep_other:1"}, {"limit": 0}, {"wait": 61}, {"colour": "red"}):
        side.get("events", **query)


TALES = [
    *(approving, every_type, schemas, bad_bodies, spending, revising, withdrawing, silence, errands, files),
    *(lists, together, policies_speak, the_stream),
]


@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.__name__)
def test_the_fake_says_what_the_server_says(real: Side, tale: Callable[[Side], None]) -> None:
    fake = fake_side(real.agent)
    tale(real)
    tale(fake)
    assert fake.told() == real.told()
