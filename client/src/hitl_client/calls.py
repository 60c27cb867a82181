"""Everything an agent may ask of the server, as flows; the methods of `HITL` and `AsyncHITL`."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, overload
from urllib.parse import quote

import httpx

from hitl_client.errors import (
    ArgumentsChanged,
    Cancelled,
    Expired,
    InterruptSignal,
    ProblemError,
    Rejected,
    Unavailable,
    WaitTimeout,
)
from hitl_client.flows import Call, Flow, Listen, Pause, exchange, log, read_bytes
from hitl_client.models import Decision, Event, Feedback, Interrupt, Status
from hitl_client.questions import SUBJECTS, Json, Question, mode_of
from hitl_client.runs import Ordinals, Scope, canonical, current_run, replay_key

HOLD_SECONDS = 30
NOT_APPROVED = {"rejected": Rejected, "expired": Expired, "cancelled": Cancelled}
OPEN = {"pending", "in_review", "queued", "running", "awaiting_human", "paused"}
WaitBy: TypeAlias = Literal["poll", "socket"]
KINDS = {"har": "requests", "run": "runs"}


class Options(TypedDict, total=False):
    """What every question may be given besides its subject.

    `mode`: "wait" stays until it is decided, or raises `WaitTimeout` after `wait_timeout` seconds; "raise"
    raises `InterruptSignal` while it is undecided, after `wait_timeout` seconds if given, and finds the
    decision when the run is run again. `key` names the question instead of the derived key; `call_id` is
    the model's id of the tool call. `expires_in` is in seconds; what silence then means is `on_timeout`.
    """

    key: str | None
    session_id: str | None
    run_id: str | None
    call_id: str | None
    step_name: str | None
    agent_name: str | None
    batch_id: str | None
    priority: Literal["low", "medium", "high", "critical"] | None
    expires_in: int | None
    on_timeout: Literal["expire", "reject"] | None
    metadata: Json | None
    allowed_decisions: Sequence[Literal["approve", "edit", "reject", "respond"]] | None
    mode: Literal["wait", "raise"] | None
    wait_timeout: float | None


class Calls:
    """The calls of one agent. All raise `ProblemError` where the server refuses, `Unavailable` where it is
    away for longer than `retry_for` seconds.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        retry_for: float,
        *,
        timeout: float,
        wait_by: WaitBy,
        keyless: bool,
    ) -> None:
        self.base_url = (base_url or os.environ.get("HITL_URL") or "http://127.0.0.1:8000").rstrip("/")
        self.api_key = (api_key or os.environ.get("HITL_API_KEY") or "").strip()
        self.retry_for, self.timeout, self.wait_by = retry_for, timeout, wait_by
        if wait_by not in ("poll", "socket"):
            raise ValueError(f"wait_by is poll or socket; not {wait_by!r}")
        if not (self.api_key or keyless):
            raise ValueError("an API key is needed: pass api_key or set HITL_API_KEY")
        self._ordinals = Ordinals()
        self._own_scope: Scope = ("client", uuid.uuid4().hex)

    def require_approval(
        self,
        reason: str,
        data: Json | None = None,
        *,
        tool_name: str | None = None,
        tool_args: Json | None = None,
        args_schema: Json | None = None,
        **common: Unpack[Options],
    ) -> Flow[Decision]:
        """Ask for permission; the approved decision's `arguments` are the ones to run with.

        `args_schema` is the JSON Schema an edit of `tool_args` must keep to. Raises Rejected, Expired or
        Cancelled, ArgumentsChanged when `key` belongs to another question, and what `mode` says.
        """
        asked = {"tool_name": tool_name, "tool_args": tool_args, "args_schema": args_schema}
        decision = yield from self.ask("approval", reason, data, common, asked)
        return settled(decision)

    def require_confirmation(
        self, reason: str, data: Json | None = None, **common: Unpack[Options]
    ) -> Flow[bool]:
        """Ask yes or no: True if approved, False if rejected. Raises Expired or Cancelled."""
        decision = yield from self.ask("confirmation", reason, data, common)
        if decision.status == "rejected":
            return False
        return settled(decision).approved

    def require_input(
        self, reason: str, schema: Json | None = None, *, data: Json | None = None, **common: Unpack[Options]
    ) -> Flow[Any]:
        """Ask for a value and return it, any JSON that `schema` (JSON Schema) allows.

        Raises Rejected, Expired or Cancelled.
        """
        decision = yield from self.ask("input", reason, data, common, {"response_schema": schema})
        return settled(decision).response

    def require_feedback(
        self,
        subject: str,
        *,
        outcomes: Sequence[str] = (),
        data: Json | None = None,
        **common: Unpack[Options],
    ) -> Flow[Feedback]:
        """Ask what a person thinks: one of `outcomes` if given, and a comment.

        A rejection is feedback too, with the reason as its comment. Raises Expired or Cancelled.
        """
        schema = {
            "type": "object",
            "properties": {"outcome": {"enum": [*outcomes]}, "comment": {"type": "string"}},
            "required": ["outcome"],
            "additionalProperties": False,
        }
        asked = {"response_schema": schema if outcomes else None}
        decision = yield from self.ask("feedback", subject, data, common, asked)
        return Feedback.of(decision if decision.status == "rejected" else settled(decision))

    def get(self, item_id: str) -> Flow[Interrupt]:
        """Return the interrupt or request with its history, or the run; 404 if it is not this agent's."""
        return self.send(Call("GET", path_of(item_id)))

    def find(self, key: str) -> Flow[Interrupt | None]:
        """Return the interrupt that was created with this key, if any."""
        return self.keyed("interrupts", key)

    def status(self, interrupt_id: str) -> Flow[Status]:
        """Return how it stands now, without waiting."""
        return self.send(Call("GET", path_of(interrupt_id, "status")))

    def cancel(self, item_id: str, reason: str | None = None) -> Flow[Interrupt]:
        """Withdraw an interrupt or request; 409 if it has been decided."""
        return self.once(item_id, "cancel", {} if reason is None else {"reason": reason}, done="cancelled")

    def revise(
        self,
        interrupt_id: str,
        *,
        reason: str | None = None,
        tool_args: Json | None = None,
        data: Json | None = None,
    ) -> Flow[Interrupt]:
        """Ask anew, as another revision, after a person asked for changes (`changes_requested_at`).

        409 `unasked` if nobody did.
        """
        said = {"reason": reason, "tool_args": tool_args, "data": data}
        body = {name: value for name, value in said.items() if value is not None}
        return self.send(Call("POST", path_of(interrupt_id, "revise"), body=body, repeatable=False))

    def batch(self, items: Sequence[Json], key: str | None = None) -> Flow[list[Interrupt]]:
        """Ask up to a hundred things at once, all or none, without waiting; return the interrupts.

        Each of `items` is the body of an interrupt: reason, type, tool_name, tool_args, …; `wait` waits for
        one. A `key` finds the same batch again.
        """
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        call = Call("POST", "interrupts/batch", body={"items": list(items)}, headers=headers)
        said = yield from self.send(call)
        return list(said["results"])

    def comment(self, item_id: str, body: str, reply_to: str | None = None) -> Flow[Any]:
        """Add to the history of an interrupt or request, for the operators to read.

        `reply_to` is the `comment_id` of the one that is answered.
        """
        said = {"body": body} | ({} if reply_to is None else {"reply_to": reply_to})
        return self.send(Call("POST", path_of(item_id, "comments"), body=said, repeatable=False))

    def statistics(self) -> Flow[dict[str, Any]]:
        """Return the figures of what this agent asked."""
        return self.send(Call("GET", "statistics"))

    def attach(self, item_id: str, path: str | os.PathLike[str]) -> Flow[dict[str, Any]]:
        """Add a file to an open interrupt or request; return {id, name, content_type, size, sha256, …}."""
        file = Path(path)
        item = yield from self.send(attaching(item_id, (file.name, file.read_bytes())))
        return dict(item["attachment"])

    def download(self, item_id: str, attachment_id: str) -> Flow[bytes]:
        """Return the content of an attachment, as which the answer to a field of type file is given."""
        call = Call("GET", path_of(item_id, f"attachments/{quote(attachment_id, safe='')}"))
        return exchange(lambda: call, self.retry_for, reader=read_bytes)

    @overload
    def wait(self, interrupt_id: str, timeout: None = None) -> Flow[Decision]: ...
    @overload
    def wait(self, interrupt_id: str, timeout: float) -> Flow[Decision | None]: ...
    def wait(self, interrupt_id: str, timeout: float | None = None) -> Flow[Any]:
        """Wait until it is decided; None if it still is not after `timeout` seconds.

        An outage of the server is waited out as if nobody had decided yet.
        """
        found = yield from self.outcome(interrupt_id, timeout)
        return found and Decision.of(found)

    def outcome(self, item_id: str, timeout: float | None) -> Flow[Interrupt | None]:
        """Wait as `wait` does, and return the item."""
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        at_once = "status" if kind_of(item_id) == "interrupts" else ""
        heard = False

        def look() -> Call:
            held = 0 if heard else int(min(HOLD_SECONDS, max(0, deadline - time.monotonic())))
            verb, params = ("wait", {"timeout": held}) if held else (at_once, {})
            return Call("GET", path_of(item_id, verb), params=params, held=held)

        while True:
            began = time.monotonic()
            last = deadline - began < 1
            if last:
                yield Pause(max(0, deadline - began))
            elif self.wait_by == "socket":
                heard = yield Listen(item_id, min(HOLD_SECONDS, deadline - began))
            try:
                seen: Json = yield from exchange(look, max(0, deadline - began))
            except Unavailable:
                return None
            if seen["status"] not in OPEN:
                item = yield from self.get(item_id)
                return {**item, **seen}
            if last:
                return None
            if (
                not heard and time.monotonic() - began < 1
            ):  # something on the way does not let answers be held
                yield Pause(1)

    def page(self, kind: str, filters: Json) -> Flow[Any]:
        """Return one page of interrupts, requests or runs, {results, next, previous}."""
        return self.send(Call("GET", kind, params=filters))

    def keyed(self, kind: str, key: str) -> Flow[Interrupt | None]:
        """Return the interrupt, request or run that was created with this key, if any."""
        found = yield from self.page(kind, {"key": key, "limit": 1})
        return found["results"][0] if found["results"] else None

    def events(
        self, after: str | None, types: Sequence[str], hold: int, listen: bool = False
    ) -> Flow[tuple[list[Event], str]]:
        """Return the events after a cursor and the cursor after them; hold on for up to `hold` seconds.

        To `listen` is to wait for them by socket, if the client does that.
        """
        patience = float("inf") if hold else self.retry_for
        if listen and self.wait_by == "socket" and (yield Listen(None, hold)):
            hold = 0
        params = {"after": after, "types": ",".join(types) or None, "wait": hold or None}
        call = Call("GET", "events", params=params, held=hold)
        page = yield from exchange(lambda: call, patience)
        return [Event.of(row) for row in page["results"]], page["cursor"]

    def ask(
        self,
        kind: str,
        reason: str,
        data: Json | None,
        options: Options,
        asked: Json | None = None,
        hidden: Any = None,
    ) -> Flow[Decision]:
        """Create the question, or find the one an earlier run asked, and stay with it as `mode` says.

        `hidden` holds arguments that nobody is shown. They count in the key, but keyed by the API key, so
        that they cannot be guessed from it.
        """
        fields = {**(asked or {}), "type": kind, "reason": reason, "data": data}
        found = yield from self.put("interrupts", fields, options, hidden)
        return Decision.of(found)

    def put(self, kind: str, asked: Json, options: Json, hidden: Any = None) -> Flow[Interrupt]:
        """Create an item or find the one of an earlier run; return it settled, or open in mode "ask"."""
        question = self.compose(kind, asked, options, hidden)
        item = yield from self.pursue(question)
        return item

    def compose(self, kind: str, asked: Json, options: Json, hidden: Any = None) -> Question:
        """Make out what is to be sent, in the current run, and the key that finds it again."""
        run = current_run.get()
        fields = {
            **{name: value for name, value in options.items() if name not in ("key", "mode", "wait_timeout")},
            **asked,
            "session_id": options.get("session_id") or (run and run.session_id),
            "run_id": options.get("run_id") or (run and run.run_id),
        }
        body = {name: value for name, value in fields.items() if value is not None}
        return Question(kind, body, options, *self._key(kind, body, options, hidden))

    def pursue(self, question: Question) -> Flow[Interrupt]:
        """Create the item or find the one of an earlier run; return it as `put` does."""
        self.warn_where_lost(question)
        item = yield from self.create(question)
        settled_one = yield from self.stay(question, item)
        return settled_one

    def warn_where_lost(self, question: Question) -> None:
        """Say so in the log where no other process could find the answer."""
        if question.key and question.scope == self._own_scope and not question.options.get("key"):
            log.warning("Asked without session_id, run_id or key: another process will not find the answer")

    def stay(self, question: Question, item: Interrupt) -> Flow[Interrupt]:
        """Stay with an item that was created or found, as its mode says."""
        if item["status"] not in OPEN or question.mode == "ask":
            return item
        timeout = question.options.get("wait_timeout")
        if question.mode == "wait" or timeout:
            settled_one = yield from self.outcome(item["id"], timeout)
            if settled_one is not None:
                return settled_one
        if question.mode == "wait":
            raise WaitTimeout(item)
        self.end_run(question.scope)
        raise InterruptSignal(item)

    def _key(self, kind: str, body: Json, options: Json, hidden: Any) -> tuple[Scope, str | None]:
        """Return what the question belongs to, and the key that finds it again."""
        mode = mode_of(kind, options)
        ids = [name for name in ("run_id", "session_id", "workflow_id") if name in body]
        scope = (ids[0].removesuffix("_id"), body[ids[0]]) if ids else self._own_scope
        if options.get("key"):
            return scope, options["key"]
        call_id = body.get("call_id")
        if (mode == "wait" and call_id is None) or (mode != "raise" and not ids):
            return scope, None
        subject = SUBJECTS[kind](body)
        if hidden is not None:
            subject.append(hmac.new(self.api_key.encode(), canonical(hidden), hashlib.sha256).hexdigest())
        # Asking how something stands is not asking for another one, so equal calls are not counted then.
        call = call_id or (0 if mode == "ask" else self._counter().take(scope, subject))
        return scope, replay_key(scope, call, subject)

    def end_run(self, scope: Scope) -> None:
        """Let the next calls be a re-run's, where no block says when one begins.

        Inside a block other threads may still be calling: an equal call of theirs is not to be taken for one
        that was approved.
        """
        if current_run.get() is None:
            self._ordinals.restart(scope)

    def _counter(self) -> Ordinals:
        run = current_run.get()
        return run.ordinals if run else self._ordinals

    def create(self, question: Question) -> Flow[Interrupt]:
        """Create the item or find the one of an earlier run, and return it as it stands."""
        kind, body = question.kind, question.body
        key = question.key or uuid.uuid4().hex  # makes sending it again harmless, and no more
        call = Call("POST", kind, body=body, headers={"Idempotency-Key": key})
        try:
            item: Interrupt = yield from self.send(call)
        except ProblemError as refusal:
            listed = "requests" if kind == "requests" else "interrupts"
            earlier = (yield from self.keyed(listed, key)) if refusal.status == 422 else None
            if earlier is None:
                raise
            # A re-run may word its question otherwise; what counts is what the decision was about.
            subject = SUBJECTS[kind]
            if canonical(subject(earlier)) != canonical(subject(body)):
                raise ArgumentsChanged(key, earlier) from refusal
            return earlier
        return item

    def once(self, item_id: str, verb: str, body: Json, *, done: str) -> Flow[Interrupt]:
        """Do what may be done once; done already is no mistake: the first answer may have been lost."""
        item = yield from self.send_once(Call("POST", path_of(item_id, verb), body=body), done)
        return item

    def send_once(self, call: Call, done: str) -> Flow[Interrupt]:
        """Send what may be done once; `done` is the code of the refusal that says it was."""
        try:
            item: Interrupt = yield from self.send(call)
        except ProblemError as refusal:
            if refusal.code != done or refusal.current is None:
                raise
            return refusal.current
        return item

    def send(self, call: Call) -> Flow[Any]:
        """Send a call as it is."""
        return exchange(lambda: call, self.retry_for)

    @property
    def bearer(self) -> dict[str, str]:
        """The header that says who calls."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def socket_url(self) -> str:
        """Where the agent's stream is to be heard."""
        return f"{self.base_url.replace('http', 'ws', 1)}/ws/agents"

    def request(self, call: Call) -> dict[str, Any]:
        """Return a call as the arguments of httpx's `request`."""
        headers = {"Accept": "application/json", "User-Agent": "hitl-client", **call.headers, **self.bearer}
        seconds = self.timeout if call.seconds is None else min(self.timeout, call.seconds)
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        return {
            "method": call.method,
            "url": f"{self.base_url}/api/v1/{call.path}",
            "params": {name: value for name, value in call.params.items() if value is not None},
            "content": None if call.body is None else canonical(call.body),
            "files": call.file and {"file": call.file},
            "headers": headers,
            "timeout": httpx.Timeout(seconds + call.held, connect=min(5.0, seconds)),
        }


def settled(decision: Decision) -> Decision:
    """Return an approved decision; raise Rejected, Expired or Cancelled for any other."""
    if decision.approved:
        return decision
    raise NOT_APPROVED[decision.status](decision)


def next_cursor(page: Json) -> str | None:
    """Read where a list goes on, from a bare cursor or a link; a link's host is never followed."""
    following = page.get("next")
    return httpx.URL(following).params.get("cursor", following) if following else None


def kind_of(item_id: str) -> str:
    """Tell by its id what an item is: "interrupts", "requests" or "runs"."""
    return KINDS.get(item_id.partition("_")[0], "interrupts")


def attaching(item_id: str, file: tuple[str, bytes]) -> Call:
    """Return the call that adds a file; sent again, it would add it twice."""
    return Call("POST", path_of(item_id, "attachments"), file=file, repeatable=False)


def path_of(item_id: str, verb: str = "") -> str:
    """Return the path of an item, or of one of its verbs."""
    path = f"{kind_of(item_id)}/{quote(item_id, safe='')}"
    return f"{path}/{verb}" if verb else path
