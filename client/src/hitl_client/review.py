"""A model's tool calls, put before the server's policies and before people: what may run, and with what.

All gates and adapters stand on this. A decision of an earlier run holds, unless a policy denies the call now.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal, Unpack

from hitl_client.asking import NOT_APPROVED, Options
from hitl_client.calls import OPEN
from hitl_client.errors import (
    ApprovalSpent,
    Cancelled,
    Denied,
    Expired,
    HITLError,
    InterruptSignal,
    NotApproved,
    ProblemError,
    WaitTimeout,
)
from hitl_client.flows import Flow, log
from hitl_client.models import Decision, Interrupt, PolicyAnswer
from hitl_client.policies import PolicyCalls
from hitl_client.questions import Json, Question
from hitl_client.runs import canonical


class ReviewOptions(Options, total=False):
    """What a review may be given besides the options of its questions.

    `reason` is what a person is told unless the policy words it; `unlisted` is what holds for a tool that no
    policy speaks of, "ask" by default.
    """

    reason: str | None
    unlisted: Literal["ask", "allow"]


UNFIT = {400, 413}
SCHEMATIC = ("tool_args", "args_schema")
ANY = {"type": "object"}
OWN = ReviewOptions.__annotations__.keys() - Options.__annotations__.keys()


@dataclass(frozen=True)
class ToolCall:
    """A call that is to be made. `id` is the model's id of it, by which a re-run finds its decision.

    `schema` is the JSON Schema an edit must keep to. `hidden` holds arguments that nobody is shown; they
    count where the call is found again.
    """

    name: str
    arguments: Json
    id: str | None = None
    reason: str | None = None
    schema: Json | None = None
    hidden: Json | None = None


@dataclass(frozen=True)
class Ruling:
    """What may become of a call, in the words of the frameworks.

    approve, edit: run it with `arguments`. respond: do not, a person gave its `response`. reject: do not,
    `refusal` is the error that says why. `interrupt_id` is None where policies alone decided.
    """

    call: ToolCall
    decision: Literal["approve", "edit", "respond", "reject"]
    arguments: dict[str, Any]
    response: Any = None
    refusal: NotApproved | None = None
    interrupt_id: str | None = None
    receipt: str | None = None

    @property
    def runs(self) -> bool:
        """Whether the tool may be called."""
        return self.decision in ("approve", "edit")

    @property
    def message(self) -> str:
        """What a model is told in the place of the tool's result: the answer, or why there is none."""
        if self.refusal is not None:
            return told(self.refusal)
        return self.response if isinstance(self.response, str) else json.dumps(self.response)

    @classmethod
    def of(cls, call: ToolCall, decision: Decision) -> Ruling:
        """Read what was decided about a call."""
        if not decision.approved:
            refusal = NOT_APPROVED[decision.status](decision)
            return cls(call, "reject", dict(call.arguments), refusal=refusal, interrupt_id=decision.id)
        if decision.interrupt.get("decision") == "respond":
            return cls(call, "respond", dict(call.arguments), decision.response, interrupt_id=decision.id)
        found: Literal["approve", "edit"] = "approve" if decision.modifications is None else "edit"
        return cls(call, found, decision.arguments, interrupt_id=decision.id, receipt=decision.receipt)


NOT_KEPT = {"kept": False}
"""What the record says where a result could not be kept: it was no JSON, or too large."""


def told(refusal: NotApproved | ApprovalSpent) -> str:
    """Say to a model why a call was not made."""
    if isinstance(refusal, ApprovalSpent):
        return (
            "This call was approved and begun before, so it was not made again; what came of it is unknown."
        )
    why = f": {refusal.reason}" if refusal.reason else "."
    match refusal:
        case Denied():
            return f"A policy does not allow this call{why}"
        case Expired():
            return "Nobody decided about this call in time, so it was not made."
        case Cancelled():
            return f"The question about this call was withdrawn, so it was not made{why}"
    return f"A person refused this call{why}"


@dataclass(frozen=True)
class Running:
    """How a call is made that was approved.

    With `report` its approval is spent before and its outcome told after it, so that it runs once; with
    "result" its result is kept on the record too, as JSON, and returned where the call would be made again.
    An `idempotent` call whose process died may run again: by `approved_call` it can see that it is the same.
    """

    report: bool | Literal["result"] = False
    idempotent: bool = False


under_way: ContextVar[Ruling | None] = ContextVar("hitl_under_way", default=None)


def approved_call() -> Ruling | None:
    """Return the ruling under which the tool in this context runs.

    Its `interrupt_id` is the same whenever this call is made: pass it on as an idempotency key.
    """
    return under_way.get()


@contextmanager
def within(ruling: Ruling) -> Iterator[None]:
    """Let the tool see its ruling."""
    token = under_way.set(ruling)
    try:
        yield
    finally:
        under_way.reset(token)


class ReviewCalls(PolicyCalls):
    """The calls of one agent, the review of tool calls among them."""

    def review(self, calls: Sequence[ToolCall], **options: Unpack[ReviewOptions]) -> Flow[list[Ruling]]:
        """Ask about tool calls, all at once, and return what may become of each, in their order.

        Refusals are rulings, not errors. In mode "raise" InterruptSignal is raised once all are asked,
        where some are undecided; in mode "wait", WaitTimeout after `wait_timeout` seconds.
        """
        began, timeout = time.monotonic(), options.get("wait_timeout")
        opened: list[Ruling | tuple[ToolCall, Question, Interrupt]] = []
        for call in calls:
            opened.append((yield from self._open(call, options)))
        rulings, undecided = list[Ruling](), list[Interrupt]()
        for one in opened:
            if isinstance(one, Ruling):
                rulings.append(one)
                continue
            call, question, item = one
            if item["status"] in OPEN and (question.mode == "wait" or timeout):
                left = None if timeout is None else max(0.0, timeout - (time.monotonic() - began))
                item = (yield from self.outcome(item["id"], left)) or item
            if item["status"] in OPEN:
                undecided.append(item)
                continue
            self.answers.clear()
            rulings.append(Ruling.of(call, Decision.of(item)))
        if not undecided:
            return rulings
        if options.get("mode") != "raise":
            raise WaitTimeout(undecided[0])
        for one in opened:
            if not isinstance(one, Ruling):
                self.end_run(one[1].scope)
        raise InterruptSignal(*undecided)

    def _open(
        self, call: ToolCall, options: ReviewOptions
    ) -> Flow[Ruling | tuple[ToolCall, Question, Interrupt]]:
        """Ask the policies, and a person unless they decide; return the ruling, or the question asked."""
        arguments = dict(call.arguments)
        answer = yield from self.rule(call.name, arguments, options.get("session_id") or "")
        if answer.decision == "deny":
            return Ruling(call, "reject", arguments, refusal=Denied(call.name, answer))
        reason = answer.approval_message or call.reason or options.get("reason")
        asked = {
            "type": "approval",
            "reason": reason or f"Tool '{call.name}' requires approval",
            "tool_name": call.name,
            "tool_args": arguments,
            "args_schema": call.schema,
        }
        common: dict[str, Any] = {name: value for name, value in options.items() if name not in OWN}
        question = self.compose(
            "interrupts", asked, common | ({"call_id": call.id} if call.id else {}), call.hidden
        )
        if _allows(answer, options.get("unlisted") or "ask"):
            earlier = question.key and (yield from self.keyed("interrupts", question.key))
            if not earlier:
                return Ruling(call, "approve", arguments)
        self.warn_where_lost(question)
        try:
            item = yield from self.create(question)
        except ProblemError as refusal:
            if call.schema is None or not any(field.startswith(SCHEMATIC) for field in refusal.errors):
                raise
            # What a model wrote need not fit its tool's schema, nor the schema the server: people see it too.
            item = yield from self.create(replace(question, body={**question.body, "args_schema": ANY}))
        return call, question, item

    def begin(self, ruling: Ruling, how: Running) -> Flow[Interrupt | None]:
        """Spend the approval of a call that is about to run.

        Returns None where it may run now; the item where it has run before and its result was kept. Raises
        what refused it, ApprovalSpent where it must not run (it has failed, or nobody knows what came of
        it), ArgumentsChanged.
        """
        if ruling.refusal is not None:
            raise ruling.refusal
        if ruling.interrupt_id is None or not how.report:
            return None
        attempt = "idempotent" if how.idempotent else uuid.uuid4().hex
        try:
            yield from self.consume(ruling.interrupt_id, ruling.arguments, ruling.receipt, attempt)
        except ApprovalSpent as spent:
            ran = spent.current or {}
            if how.report != "result" or ran.get("outcome") != "succeeded":
                raise
            if ran.get("outcome_result") == NOT_KEPT:
                raise
            return ran
        return None

    def end(self, ruling: Ruling, how: Running, result: Any, error: Exception | None) -> Flow[None]:
        """Report what came of a call that began: the name of its error, its result where that is kept."""
        if ruling.interrupt_id is None or not how.report:
            return
        status: Literal["succeeded", "failed"] = "failed" if error else "succeeded"
        kept: Any = {"error": type(error).__name__} if error else result if how.report == "result" else None
        try:
            canonical(kept)
        except (TypeError, ValueError, RecursionError):
            kept = NOT_KEPT
        try:
            try:
                yield from self.report(ruling.interrupt_id, status, kept)
            except ProblemError as refusal:
                if refusal.status not in UNFIT or kept is None:
                    raise
                yield from self.report(ruling.interrupt_id, status, NOT_KEPT)
        except HITLError as trouble:  # what the call did is worth more
            log.warning("%s could not be reported as %s (%s)", ruling.interrupt_id, status, trouble)


def carry_out(
    calls: ReviewCalls,
    ruling: Ruling,
    tool: Callable[[], Any],
    how: Running,
    run: Callable[[Flow[Any]], Any],
) -> Any:
    """Run a tool under its ruling; `run` drives the flows."""
    if ruling.decision == "respond":
        return ruling.response
    if ran := run(calls.begin(ruling, how)):
        return ran["outcome_result"]
    try:
        with within(ruling):
            result = tool()
    except Exception as error:
        run(calls.end(ruling, how, None, error))
        raise
    run(calls.end(ruling, how, result, None))
    return result


async def carry_out_async(
    calls: ReviewCalls,
    ruling: Ruling,
    tool: Callable[[], Awaitable[Any]],
    how: Running,
    run: Callable[[Flow[Any]], Awaitable[Any]],
) -> Any:
    """Run an asynchronous tool under its ruling."""
    if ruling.decision == "respond":
        return ruling.response
    if ran := await run(calls.begin(ruling, how)):
        return ran["outcome_result"]
    try:
        with within(ruling):
            result = await tool()
    except Exception as error:
        await run(calls.end(ruling, how, None, error))
        raise
    await run(calls.end(ruling, how, result, None))
    return result


def _allows(answer: PolicyAnswer, unlisted: str) -> bool:
    listed = answer.policy is not None or answer.grant is not None
    return answer.decision == "allow" and (listed or unlisted == "allow")
