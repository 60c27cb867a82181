"""Questions, as flows: put once, found again by a re-run, and stayed with until they are decided."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from typing import Any, Literal, TypedDict, Unpack

from hitl_client.calls import OPEN, Calls
from hitl_client.errors import (
    Answered,
    ArgumentsChanged,
    Cancelled,
    Expired,
    InterruptSignal,
    ProblemError,
    Rejected,
    WaitTimeout,
)
from hitl_client.flows import Call, Flow, log
from hitl_client.models import Decision, Feedback, Interrupt
from hitl_client.questions import SUBJECTS, Json, Question, mode_of
from hitl_client.runs import Ordinals, Scope, canonical, current_run, replay_key

NOT_APPROVED = {"rejected": Rejected, "expired": Expired, "cancelled": Cancelled}


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


class QuestionCalls(Calls):
    """The calls of one agent, its questions among them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
        Cancelled, Answered where "respond" was allowed and used, ArgumentsChanged when `key` belongs to
        another question, and what `mode` says.
        """
        asked = {"tool_name": tool_name, "tool_args": tool_args, "args_schema": args_schema}
        decision = settled((yield from self.ask("approval", reason, data, common, asked)))
        if decision.interrupt.get("decision") == "respond":
            raise Answered(decision)
        return decision

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


def settled(decision: Decision) -> Decision:
    """Return an approved decision; raise Rejected, Expired or Cancelled for any other."""
    if decision.approved:
        return decision
    raise NOT_APPROVED[decision.status](decision)
