"""The server in memory: its routes as an httpx transport, and the script by which people decide."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Unpack

import httpx

from hitl_client.awaitable import AsyncHITL
from hitl_client.blocking import HITL
from hitl_client.errors import ProblemError
from hitl_client.testing import lists
from hitl_client.testing.documents import Item, invalid, refused, status
from hitl_client.testing.records import EPOCH, Policy
from hitl_client.testing.schema import Json
from hitl_client.testing.script import Match, Rule, Unscripted, Verb
from hitl_client.testing.verbs import Verbs

URL = "http://fake.example"
GLANCE_SECONDS = 0.01
AGENTS = {"cancel", "comments", "revise", "consume", "outcome", "reveal", "ack"}
PEOPLES = {"approve", "reject", "respond", "fulfill", "claim", "release", "request_changes", "start_review"}
ELSEWHERE = {"run", "runs", "teams", "sessions", "browser_approvals", "statistics"}
"""What only a real server answers."""


class FakeServer(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The server's API for one agent, in memory. Safe to share between threads.

    People decide by rules: the first that fits an open item decides it, right after it was asked, or at
    once where it is open when the rule is added. A wait for what no rule decides raises Unscripted.
    """

    def __init__(self, *, agent: str = "agent", by: str = "operator") -> None:
        self.by = by
        self.rules: list[Rule] = []
        self._records = Verbs(agent)
        self._lock = threading.RLock()

    def client(self, **options: Any) -> HITL:
        """Return a client of this server; `options` are those of HITL."""
        return HITL(URL, "hitl_fake", http=httpx.Client(transport=self), **options)

    def async_client(self, **options: Any) -> AsyncHITL:
        """Return an asynchronous client of this server."""
        return AsyncHITL(URL, "hitl_fake", http=httpx.AsyncClient(transport=self), **options)

    # -- What was asked -------------------------------------------------------------------------------

    @property
    def asked(self) -> list[Json]:
        """What was asked, oldest first, each as it now stands."""
        with self._lock:
            return [self._now(item) for item in self._records.items.values()]

    @property
    def items(self) -> dict[str, Item]:
        """What was asked, by id, as it is kept."""
        return self._records.items

    @property
    def events(self) -> list[Json]:
        """What happened, oldest first."""
        return list(self._records.events)

    @property
    def templates(self) -> dict[str, Json]:
        """The templates of requests, by name: a request's fields that need not be sent."""
        return self._records.templates

    # -- What people decide ---------------------------------------------------------------------------

    def approve(
        self, *, modifications: Json | None = None, comment: str = "", **match: Unpack[Match]
    ) -> Rule:
        """Have what takes it approved, with other arguments where `modifications` are given."""
        return self._script("approve", {"modifications": modifications, "comment": comment}, match)

    def reject(self, *, reason: str = "", code: str | None = None, **match: Unpack[Match]) -> Rule:
        """Have it rejected; a request with a `code` as well."""
        return self._script("reject", {"reason": reason, **({"code": code} if code else {})}, match)

    def respond(self, response: Any, **match: Unpack[Match]) -> Rule:
        """Have what takes it answered: an input, feedback, or an approval that allows it."""
        return self._script("respond", {"response": response}, match)

    def fulfill(self, response_data: Json | None = None, *, notes: str = "", **match: Unpack[Match]) -> Rule:
        """Have requests fulfilled; bytes are attached as the file of their field."""
        return self._script("fulfill", {"response_data": response_data or {}, "notes": notes}, match)

    def expire(self, **match: Unpack[Match]) -> Rule:
        """Have nobody answer until the deadline, which passes at once."""
        return self._script("expire", {}, match)

    def leave(self, **match: Unpack[Match]) -> Rule:
        """Leave it open: waits for it are held, as a real server holds them, until `decide` is called."""
        return self._script("leave", {}, match)

    def decide(self, item_id: str, verb: str, *, by: str | None = None, **said: Any) -> Json:
        """Decide an item now: approve, reject, respond, fulfill, request_changes or start_review.

        Returns the item. Raises ProblemError for what a person could not do.
        """
        with self._lock:
            item = self._found(item_id)
            self._records.decide(item, verb, by or self.by, said)
            return self._now(item)

    def advance(self, seconds: float) -> None:
        """Put the clock forward: deadlines and leases pass."""
        self._records.ahead += dt.timedelta(seconds=seconds)

    # -- What policies say ----------------------------------------------------------------------------

    def allow(
        self, tool_name: str = "*", *, when: Callable[[Json], object] | None = None, **told: str
    ) -> None:
        """Have a policy allow a tool (a glob) for arguments that `when` accepts; the first policy counts.

        `told` may be name, note and approval_message.
        """
        self._rule_out("allow", tool_name, when, told)

    def ask(self, tool_name: str = "*", *, when: Callable[[Json], object] | None = None, **told: str) -> None:
        """Have a policy put a tool before a person; as `allow`."""
        self._rule_out("ask", tool_name, when, told)

    def deny(
        self, tool_name: str = "*", *, when: Callable[[Json], object] | None = None, **told: str
    ) -> None:
        """Have a policy deny a tool; as `allow`."""
        self._rule_out("deny", tool_name, when, told)

    def _rule_out(
        self,
        decision: Literal["allow", "ask", "deny"],
        pattern: str,
        when: Callable[[Json], object] | None,
        told: Mapping[str, str],
    ) -> None:
        name = told.get("name", f"{decision} {pattern}")
        policy = Policy(decision, pattern, when, name, told.get("note", ""), told.get("approval_message", ""))
        self._records.policies.append(policy)

    # -- The script -----------------------------------------------------------------------------------

    def _script(self, verb: Verb, said: Json, match: Match) -> Rule:
        rule = Rule(verb, said, match)
        with self._lock:
            self.rules.append(rule)
            for item in self._records.items.values():
                if self._rule_of(item) is rule:
                    self._apply(item)
        return rule

    def _rule_of(self, item: Item) -> Rule | None:
        """Return the first rule that fits an item that is open."""
        self._records.time_out(item)
        return next((rule for rule in self.rules if rule.fits(item)), None) if item.is_open else None

    def _apply(self, item: Item) -> None:
        """Have its rule decide an item."""
        rule = self._rule_of(item)
        if rule is None or rule.verb == "leave":
            return
        rule.used += 1
        try:
            if rule.verb == "expire":
                self._records.expire(item)
            else:
                self._records.decide(item, rule.verb, rule.match.get("by", self.by), rule.said)
        except ProblemError as problem:
            fields = (f"{name}: {' '.join(said)}" for name, said in problem.errors.items())
            why = "; ".join(fields) or problem.detail
            raise Unscripted(f"{rule} is impossible for {item.label}: {why}") from problem

    # -- The transport --------------------------------------------------------------------------------

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, holding it as long as a real server would."""
        until = self._held_until(request)
        while time.monotonic() < until and self._is_held(request):
            time.sleep(GLANCE_SECONDS)
        return self._response(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, as `handle_request` does."""
        until = self._held_until(request)
        while time.monotonic() < until and self._is_held(request):
            await asyncio.sleep(GLANCE_SECONDS)
        return self._response(request, await request.aread())

    def _held_until(self, request: httpx.Request) -> float:
        name = "timeout" if request.url.path.endswith("/wait") else "wait"
        seconds = request.url.params.get(name, "30" if name == "timeout" else "0")
        if name == "timeout" and set(request.url.params) - {name}:
            seconds = "0"  # it is refused
        return time.monotonic() + (float(seconds) if seconds.isdecimal() else 0)

    def _is_held(self, request: httpx.Request) -> bool:
        """Say whether there is nothing to answer yet. Raises Unscripted where there never will be."""
        with self._lock:
            match _parts(request):
                case "GET", ["interrupts" | "requests", item_id, "wait"] if item_id in self._records.items:
                    item = self._records.items[item_id]
                    self._records.time_out(item)
                    if not item.is_open:
                        return False
                    left = dt.datetime.fromisoformat(item.doc["expires_at"]) - self._records.now
                    rule = self._rule_of(item)
                    if (rule and rule.verb == "leave") or left.total_seconds() < float(
                        request.url.params.get("timeout", 30)
                    ):
                        return True
                    raise Unscripted(self._nobody(item))
                case "GET", ["events"]:
                    after = request.url.params.get("after", "")
                    return after == self._head or not (after or self._records.events)
        return False

    def _nobody(self, item: Item) -> str:
        rules = "; ".join(map(str, self.rules)) or "none"
        verbs = {"approve": "approve()", "respond": "respond(…)", "reject": "reject()"}
        taken = [verbs[verb] for verb in item.doc.get("allowed_decisions", []) if verb in verbs] or [
            "fulfill({…})"
        ]
        return (
            f"Nobody decides {item.label}, so waiting for it would never end. Script it, as in "
            f"fake.{taken[0]}, or have it wait with fake.leave(). Rules so far: {rules}."
        )

    @property
    def _head(self) -> str:
        return f"{EPOCH}:{len(self._records.events)}"

    def _response(self, request: httpx.Request, content: bytes) -> httpx.Response:
        try:
            with self._lock:
                return self._answer(request, content)
        except ProblemError as problem:
            headers = {"Content-Type": "application/problem+json"}
            headers |= {"Retry-After": "120"} if problem.code == "leased" else {}
            return httpx.Response(problem.status, headers=headers, json=problem.problem)

    def _answer(self, request: httpx.Request, content: bytes) -> httpx.Response:
        params, records = request.url.params, self._records
        match _parts(request):
            case "POST", ["interrupts" | "requests" as kind]:
                item, new = records.ask(kind, _json(content), request.headers.get("idempotency-key", ""))
                answer = httpx.Response(201 if new else 200, json=self._now(item))
                self._apply(item)
                return answer
            case "POST", ["interrupts", "batch"]:
                items, new = records.ask_all(_json(content), request.headers.get("idempotency-key", ""))
                shown = [self._now(item) for item in items]
                told = {"batch_id": shown[0]["batch_id"], "results": shown}
                answer = httpx.Response(201 if new else 200, json=told)
                for item in items:
                    self._apply(item)
                return answer
            case "GET", ["interrupts" | "requests" as kind]:
                found = [
                    item for item in records.items.values() if item.is_interrupt == (kind == "interrupts")
                ]
                return httpx.Response(
                    200, json=lists.page(kind, [self._now(item) for item in found], request.url)
                )
            case "GET", ["request_templates"]:
                named = [{"name": name, **told} for name, told in records.templates.items()]
                return httpx.Response(200, json={"results": named})
            case "POST", ["policies", "evaluate"]:
                told, headers = records.evaluate(_json(content)), {"Cache-Control": "private, max-age=30"}
                headers["ETag"] = f'"{told["version"]}"'
                if request.headers.get("if-none-match") == headers["ETag"]:
                    return httpx.Response(304, headers=headers)
                return httpx.Response(200, headers=headers, json=told)
            case "GET", ["events"]:
                told = lists.events(records.events, EPOCH, params)
                return httpx.Response(200, headers={"Cache-Control": "no-store"}, json=told)
            case method, ["interrupts" | "requests" as kind, item_id, *verb]:
                item = records.find(kind, item_id)
                return self._answer_about(item, method, verb, request, content)
            case _, [first, *_] if first in ELSEWHERE:
                why = "the fake server has questions, requests, policies, events; try it on a real one"
                raise Unscripted(f"{request.method} {request.url.path}: {why}")
        raise refused(404, "not_found", "There is no such path. The paths are listed at /docs.")

    def _answer_about(
        self, item: Item, method: str, verb: list[str], request: httpx.Request, content: bytes
    ) -> httpx.Response:
        match method, verb:
            case "GET", []:
                files = [file for file, _ in item.files.values()]
                return httpx.Response(
                    200, json={**self._now(item), "attachments": files, "history": item.history}
                )
            case "GET", ["status"] if item.is_interrupt:
                tag = {"ETag": f'"{item.doc["id"]}.{item.doc["version"]}.{item.doc["status"]}"'}
                if request.headers.get("if-none-match") == tag["ETag"]:
                    return httpx.Response(304, headers=tag)
                headers = {**tag, "Cache-Control": "no-cache"}
                return httpx.Response(200, headers=headers, json=self._status(item))
            case "GET", ["wait"]:
                lists.wait_seconds(request.url.params)
                told = self._status(item) if item.is_interrupt else self._now(item)
                return httpx.Response(200, headers={"Cache-Control": "no-store"}, json=told)
            case "GET", ["attachments", file_id] if file_id in item.files:
                file, stored = item.files[file_id]
                headers = {"Content-Type": file["content_type"], "Cache-Control": "no-store, private"}
                return httpx.Response(200, headers=headers, content=stored)
            case "POST", ["attachments"]:
                file = self._records.attach(item, self._records.actor, *_uploaded(request, content))
                files = [shown for shown, _ in item.files.values()]
                told = {**self._now(item), "attachments": files, "history": item.history, "attachment": file}
                return httpx.Response(201, json=told)
            case "POST", [name] if name in AGENTS:
                more = self._records.carry_out(item, name, _json(content))
                if name == "reveal":
                    return httpx.Response(200, headers={"Cache-Control": "no-store"}, json=more)
                answer = httpx.Response(201 if more else 200, json={**self._now(item), **(more or {})})
                self._apply(item)
                return answer
            case "POST", [name] if name in PEOPLES:
                raise refused(403, "forbidden", "An agent may not do this; an operator may.")
        raise refused(404, "not_found", "There is nothing here that you may see.")

    def _found(self, item_id: str) -> Item:
        kind = "requests" if item_id.startswith("har_") else "interrupts"
        return self._records.find(kind, item_id)

    def _now(self, item: Item) -> Json:
        self._records.time_out(item)
        return dict(item.refresh())

    def _status(self, item: Item) -> Json:
        return {**status(item), "receipt": item.receipt}


def _parts(request: httpx.Request) -> tuple[str, list[str]]:
    raw = request.url.raw_path.decode().partition("?")[0].partition("/api/v1/")[2]
    return request.method, [httpx.URL(f"/{part}").path[1:] for part in raw.split("/")]


def _json(content: bytes) -> Json:
    try:
        said = json.loads(content or b"{}")
    except ValueError as error:
        raise invalid({"": [f"The body is not valid JSON: {error}"]}) from None
    if not isinstance(said, dict):
        raise invalid({"": ["The body must be a JSON object."]})
    return said


def _uploaded(request: httpx.Request, content: bytes) -> tuple[str, bytes]:
    """Return the name and the content of the one file of a multipart body."""
    boundary = request.headers.get("content-type", "").partition("boundary=")[2].encode()
    head, _, rest = content.partition(b"\r\n\r\n")
    name = re.search(rb'name="file"; filename="([^"]*)"', head)
    if name is None:
        raise invalid(
            {"file": ["Send exactly one part, called file, with a filename and a boundary after it."]}
        )
    return name[1].decode(), rest.partition(b"\r\n--" + boundary)[0]
