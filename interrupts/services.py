"""The verbs of an interrupt: the only code that makes or changes one."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Now

from agents.callers import Caller
from events import log, signals
from events.canonical import sha256
from events.clock import database_now
from events.ids import new_id
from events.log import TooManyOpen
from events.models import SYSTEM
from events.problems import Problem, invalid
from events.schema import SchemaError, check, compile_schema
from events.transitions import Transition, perform
from interrupts.lifecycle import (
    APPROVE,
    CANCEL,
    CONSUME,
    DECISIONS,
    ON_TIMEOUT,
    REJECT,
    REPORT,
    REQUEST_CHANGES,
    RESPOND,
    REVISE,
    Decision,
)
from interrupts.models import Interrupt
from reviews import services as reviews
from reviews.bodies import YEAR_SECONDS, expiry_of, priority_of
from reviews.creation import insert
from reviews.lifecycle import Status
from reviews.models import Kind
from reviews.selectors import claim_is_free_for, open_count

REQUESTED = "hitl.interrupt.requested"
DISABLED = "Human review is switched off on this server (HITL_ENABLED)."
NOBODY_ANSWERED = "Nobody answered in time."

logger = structlog.get_logger(__name__)


def request(by: Caller, body: dict[str, Any], *, key: str = "") -> tuple[Interrupt, bool]:
    """Ask a person what *body* says; return the interrupt and whether it is new.

    The same agent asking with the same *key* gets the interrupt it made before, however long ago, and
    with it the decision.

    Raises:
        Problem: 400 for a schema or arguments that do not hold, 422 for a key that was used for another
            body, 429 when the agent has too many open items.
    """
    asked = request_all(by, [body], keys=[key])
    return asked[0]


def request_all(
    by: Caller, bodies: list[dict[str, Any]], *, keys: list[str] | None = None, batch_id: str = ""
) -> list[tuple[Interrupt, bool]]:
    """Ask everything in *bodies*, or nothing; return each interrupt and whether it is new."""
    # A key stands for all that was asked with it: in other company it is another question.
    digest = sha256(bodies if batch_id else bodies[0]) if keys else ""
    drafts = []
    for number, (body, key) in enumerate(zip(bodies, keys or [""] * len(bodies), strict=True)):
        with _named(f"items.{number}" if batch_id else ""):
            drafts.append(_draft(by, body, key, digest, batch_id))
    try:
        return _write(by, drafts, limit=settings.HITL_OPEN_ITEMS_PER_AGENT)
    except TooManyOpen:
        # The stream counts what was not resolved; what is overdue holds no place, swept or not.
        if (
            open_count(by.agent, settings.HITL_OPEN_ITEMS_PER_AGENT) + len(drafts)
            <= settings.HITL_OPEN_ITEMS_PER_AGENT
        ):
            return _write(by, drafts, limit=None)
        raise Problem(
            429,
            "too_many_open",
            f"This agent may have {settings.HITL_OPEN_ITEMS_PER_AGENT:,} open items. Cancel some, or wait.",
            headers={"Retry-After": "60"},
        ) from None


def approve(
    interrupt: Interrupt,
    *,
    by: Caller,
    modifications: dict[str, Any] | None = None,
    comment: str = "",
    content_hash: str = "",
) -> None:
    """Allow what *interrupt* asks, with other arguments where *modifications* are given.

    Raises:
        TransitionConflict: it is no longer open, or held by somebody else.
        Problem: 400 when it takes no such decision or the arguments break ``args_schema``; 412 when what
            was shown is not what is stored.
    """
    if modifications is None:
        _must_allow(interrupt, Decision.APPROVE)
    else:
        _must_allow(interrupt, Decision.EDIT)
        if interrupt.args_schema is not None:
            check(interrupt.args_schema, modifications, at="modifications")
    _decide(
        APPROVE,
        interrupt,
        by=by,
        answer={"modifications": modifications},
        told={"modifications": modifications},
        comment=comment,
        content_hash=content_hash,
    )


def reject(
    interrupt: Interrupt, *, by: Caller, reason: str = "", comment: str = "", content_hash: str = ""
) -> None:
    """Refuse what *interrupt* asks. Raises as :func:`approve` does."""
    _must_allow(interrupt, Decision.REJECT)
    _decide(
        REJECT,
        interrupt,
        by=by,
        answer={"rejection_reason": reason},
        told={"rejection_reason": reason},
        comment=comment,
        content_hash=content_hash,
    )


def respond(
    interrupt: Interrupt, *, by: Caller, response: Any, comment: str = "", content_hash: str = ""
) -> None:
    """Answer *interrupt* with *response*, as its schema allows. Raises as :func:`approve` does."""
    _must_allow(interrupt, Decision.RESPOND)
    if interrupt.response_schema is not None:
        check(interrupt.response_schema, response, at="response")
    _decide(
        RESPOND,
        interrupt,
        by=by,
        answer={"response": response},
        told={"response": response},
        comment=comment,
        content_hash=content_hash,
    )


def cancel(interrupt: Interrupt, *, by: Caller, reason: str = "") -> None:
    """Take the question back.

    Raises:
        TransitionConflict: it is no longer open.
    """
    perform(
        CANCEL,
        interrupt,
        actor=by.actor,
        changes={"resolved_by": by.name},
        child_changes={"rejection_reason": reason},
        data={**_headline(interrupt), "reason": reason, "resolved_by": by.name},
    )


def request_changes(interrupt: Interrupt, *, by: Caller, comment: str) -> None:
    """Send *interrupt* back with a *comment*: it stays open, and the agent may revise it.

    Raises:
        TransitionConflict: it is no longer open, or held by somebody else.
    """
    perform(
        REQUEST_CHANGES,
        interrupt,
        actor=by.actor,
        changes={"changes_requested_at": Now()},
        guards={"claimed": claim_is_free_for(by.user)},
        data={**_headline(interrupt), "comment": comment},
    )


def revise(interrupt: Interrupt, *, by: Caller, **content: Any) -> None:
    """Ask again with another ``reason``, ``tool_args`` or ``data``, after changes were requested.

    What was shown before can no longer be approved: its ``content_hash`` is another.

    Raises:
        TransitionConflict: it is no longer open, or (``unasked``) nobody requested changes.
        Problem: 400 when the arguments break ``args_schema``.
    """
    revised = {**interrupt.content, **content}
    if interrupt.args_schema is not None:
        check(interrupt.args_schema, revised["tool_args"], at="tool_args")
    told = {name: revised[name] for name in ("reason", "tool_args", "data")}
    content_hash = sha256(revised)
    perform(
        REVISE,
        interrupt,
        actor=by.actor,
        changes={
            "content_hash": content_hash,
            "revision": F("revision") + 1,
            "title": title_of(revised["reason"]),
            "changes_requested_at": None,
        },
        child_changes=told,
        guards={"unasked": Q(changes_requested_at__isnull=False)},
        data={**_headline(interrupt), **told, "content_hash": content_hash},
    )


def consume(interrupt: Interrupt, *, by: Caller, tool_args: dict[str, Any]) -> None:
    """Spend the approval of *interrupt*, once, for exactly the arguments that were approved.

    Raises:
        TransitionConflict: it is not approved, or (``spent``) it was consumed before.
        Problem: 412 for other arguments.
    """
    if sha256(tool_args) != sha256(interrupt.final_arguments):
        raise Problem(412, "arguments_differ", "These are not the arguments that were approved.")
    perform(
        CONSUME,
        interrupt,
        actor=by.actor,
        changes={"consumed_at": Now()},
        guards={"spent": Q(consumed_at__isnull=True)},
        data={**_headline(interrupt), "tool_args": tool_args},
    )


def report(interrupt: Interrupt, *, by: Caller, outcome: str, result: Any = None) -> None:
    """Record, once, what came of what was approved.

    Raises:
        TransitionConflict: it is not approved, or (``reported``) an outcome is recorded already.
    """
    perform(
        REPORT,
        interrupt,
        actor=by.actor,
        changes={"outcome": outcome},
        child_changes={"outcome_result": result},
        guards={"reported": Q(outcome="")},
        data={**_headline(interrupt), "outcome": outcome, "result": result},
    )


def expire_overdue() -> int:
    """Make permanent what overdue interrupts already read as; return how many."""
    return reviews.timed_out(Interrupt, ON_TIMEOUT, reason=NOBODY_ANSWERED)


def _decide(
    transition: Transition,
    interrupt: Interrupt,
    *,
    by: Caller,
    answer: dict[str, Any],
    told: dict[str, Any],
    comment: str,
    content_hash: str,
) -> None:
    # Taken anew: what was changed behind the API must not pass as what was shown.
    stored = sha256(interrupt.content)
    shown = Q(content_hash=stored) & Q(content_hash=content_hash or stored)
    with log.unit_of_work():
        perform(
            transition,
            interrupt,
            actor=by.actor,
            changes={"resolved_by": by.name, "claimed_by": None, "claimed_until": None},
            child_changes=answer,
            guards={"stale": shown, "claimed": claim_is_free_for(by.user)},
            data={
                **_headline(interrupt),
                **told,
                "comment": comment,
                "resolved_by": by.name,
                "tool_args": interrupt.tool_args,
                "content_hash": stored,
            },
        )
    logger.info(
        "decision",
        interrupt_id=interrupt.pk,
        session_id=interrupt.session_id,
        tool=interrupt.tool_name,
        decision=interrupt.status.upper(),
        approver=by.name,
    )


def _must_allow(interrupt: Interrupt, decision: Decision) -> None:
    if decision not in interrupt.allowed_decisions:
        raise reviews.not_allowed(
            f"This {interrupt.kind} takes {', '.join(interrupt.allowed_decisions)}, and not {decision}."
        )


def _headline(interrupt: Interrupt) -> dict[str, Any]:
    return {"kind": interrupt.kind, "title": interrupt.title, "tool_name": interrupt.tool_name}


# -- Asking -------------------------------------------------------------------------------------------


@contextmanager
def _named(at: str) -> Iterator[None]:
    """Name the fields of a problem by the place in the batch."""
    try:
        yield
    except Problem as problem:
        if not at:
            raise
        raise invalid({f"{at}.{field}": texts for field, texts in problem.extra["errors"].items()}) from None


def _draft(by: Caller, body: dict[str, Any], key: str, digest: str, batch_id: str) -> tuple[Interrupt, Any]:
    kind = Kind(body.get("type", Kind.APPROVAL))
    deadline = expiry_of(body, settings.HITL_DEFAULT_EXPIRATION_HOURS * 3600)
    _check_moment(deadline[1])
    arguments = body.get("tool_args", {})
    if (args_schema := body.get("args_schema")) is not None:
        _check_schema("args_schema", args_schema)
        check(args_schema, arguments, at="tool_args")
    if (response_schema := body.get("response_schema")) is not None:
        _check_schema("response_schema", response_schema)
    interrupt = Interrupt(
        id=new_id("int"),
        status=Status.PENDING,
        kind=kind,
        title=title_of(body["reason"]),
        agent_id=by.agent,
        agent_name=body.get("agent_name") or by.agent,
        session_id=body.get("session_id", ""),
        run_id=body.get("run_id", ""),
        batch_id=body.get("batch_id") or batch_id,
        tool_name=body.get("tool_name", ""),
        priority=priority_of(body.get("priority", "medium")),
        on_timeout=body.get("on_timeout", "expire"),
        metadata=body.get("metadata", {}),
        idempotency_key=key,
        body_digest=digest if key else "",
        reason=body["reason"],
        data=body.get("data", {}),
        tool_args=arguments,
        call_id=body.get("call_id", ""),
        step_name=body.get("step_name", ""),
        args_schema=args_schema,
        response_schema=response_schema,
        allowed_decisions=body.get("allowed_decisions") or [decision.value for decision in DECISIONS[kind]],
    )
    interrupt.content_hash = sha256(interrupt.content)
    # The parent's row has the same id, and the child points at it.
    interrupt.reviewitem_ptr_id = interrupt.id
    return interrupt, deadline


def _write(
    by: Caller, drafts: list[tuple[Interrupt, Any]], *, limit: int | None
) -> list[tuple[Interrupt, bool]]:
    asked = []
    with log.unit_of_work(open_limit=limit):
        for interrupt, (seconds, moment) in drafts:
            if not insert(interrupt, seconds=seconds, moment=moment):
                asked.append((_replayed(interrupt), False))
                continue
            told = {**_headline(interrupt), "reason": interrupt.reason, "data": interrupt.data,
                    "tool_args": interrupt.tool_args, "agent_name": interrupt.agent_name,
                    "content_hash": interrupt.content_hash, "status": interrupt.status}  # fmt: skip
            log.record(
                interrupt.stream, REQUESTED, interrupt.pk,
                actor=by.actor, session_id=interrupt.session_id, data=told, opens=1,
            )  # fmt: skip
            signals.after_commit(REQUESTED, interrupt, by.actor, told)
            if not settings.HITL_ENABLED and interrupt.kind in (Kind.APPROVAL, Kind.CONFIRMATION):
                _wave_through(interrupt)
            asked.append((interrupt, True))
    return asked


def _replayed(draft: Interrupt) -> Interrupt:
    earlier = Interrupt.objects.get(agent_id=draft.agent_id, idempotency_key=draft.idempotency_key)
    if earlier.body_digest != draft.body_digest:
        raise Problem(
            422,
            "key_reused",
            f"This Idempotency-Key was used for another body ({earlier.pk}). Take a new one.",
        )
    return earlier


def _wave_through(interrupt: Interrupt) -> None:
    perform(
        APPROVE,
        interrupt,
        actor=SYSTEM,
        changes={"resolved_by": SYSTEM},
        data={**_headline(interrupt), "comment": DISABLED, "resolved_by": SYSTEM},
    )


def title_of(reason: str) -> str:
    """Return *reason* as one line of at most 200 characters."""
    line = " ".join(reason.split())
    return line if len(line) <= 200 else f"{line[:199]}…"


def _check_schema(field: str, schema: Any) -> None:
    try:
        compile_schema(schema)
    except SchemaError as error:
        raise invalid({field: [f"This is not a JSON Schema (2020-12): {error}"]}) from None


def _check_moment(moment: dt.datetime | None) -> None:
    if moment is None:
        return
    now = database_now()
    if not now < moment <= now + dt.timedelta(seconds=YEAR_SECONDS):
        raise invalid({"expires_at": ["The deadline must lie in the future, at most a year ahead."]})
