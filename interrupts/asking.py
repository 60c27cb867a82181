"""How an interrupt comes to be: what was sent is checked, drafted and written, all of it or nothing."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from django.conf import settings

from agents.callers import Caller
from events import log, signals
from events.canonical import fingerprint, sha256
from events.clock import database_now
from events.ids import new_id
from events.log import TooManyOpen
from events.models import SYSTEM
from events.problems import Problem, invalid
from events.schema import SchemaError, admit, check_admitted
from events.together import Together
from events.transitions import perform
from interrupts.lifecycle import APPROVE, DECISIONS
from interrupts.models import Interrupt, title_of
from reviews.bodies import YEAR_SECONDS, expiry_of, priority_of
from reviews.creation import Deadline, insert
from reviews.lifecycle import Status
from reviews.models import Kind
from reviews.selectors import open_count

REQUESTED = "hitl.interrupt.requested"
DISABLED = "Human review is switched off on this server (HITL_ENABLED)."


Asked = tuple[Interrupt, bool]
T = TypeVar("T")


class Draft(NamedTuple):
    """Hold an interrupt that is checked and not yet written, and whose it is."""

    by: Caller
    interrupt: Interrupt
    deadline: Deadline


def ask(by: Caller, body: dict[str, Any], *, key: str = "") -> Asked:
    """Ask a person what *body* says; return the interrupt and whether it is new.

    The same agent asking with the same *key* gets the interrupt it made before, however long ago, and
    with it the decision.

    Raises:
        Problem: 400 for a schema or arguments that do not hold, 422 for a key that was used for another
            body, 429 when the agent has too many open items.
    """
    draft = _draft(by, body, key, fingerprint(body) if key else "", "")
    return _within_limit(by, 1, lambda: _together.do(draft), lambda: _write([draft], limit=None)[0])


def ask_all(
    by: Caller, bodies: list[dict[str, Any]], *, keys: list[str] | None = None, batch_id: str = ""
) -> list[Asked]:
    """Ask everything in *bodies*, or nothing; return each interrupt and whether it is new."""
    # A key stands for all that was asked with it: in other company it is another question.
    digest = fingerprint(bodies) if keys else ""
    drafts = []
    for number, (body, key) in enumerate(zip(bodies, keys or [""] * len(bodies), strict=True)):
        with _named(f"items.{number}"):
            drafts.append(_draft(by, body, key, digest, batch_id))
    return _within_limit(
        by, len(drafts), lambda: _write_within_limit(drafts), lambda: _write(drafts, limit=None)
    )


def _within_limit(by: Caller, number: int, write: Callable[[], T], write_anyway: Callable[[], T]) -> T:
    """Call *write*; where it finds the limit of open items reached, judge by what is truly open."""
    try:
        return write()
    except TooManyOpen:
        # The stream counts what was not resolved; what is overdue holds no place, swept or not.
        limit = settings.HITL_OPEN_ITEMS_PER_AGENT
        if open_count(by.agent, limit) + number <= limit:
            return write_anyway()
        raise Problem(
            429,
            "too_many_open",
            f"This agent may have {limit:,} open items. Cancel some, or wait.",
            headers={"Retry-After": "60"},
        ) from None


@contextmanager
def _named(at: str) -> Iterator[None]:
    """Name the fields of a problem by the place in the batch."""
    try:
        yield
    except Problem as problem:
        raise invalid({f"{at}.{field}": texts for field, texts in problem.extra["errors"].items()}) from None


def _draft(by: Caller, body: dict[str, Any], key: str, digest: str, batch_id: str) -> Draft:
    kind = Kind(body.get("type", Kind.APPROVAL))
    deadline = expiry_of(body, settings.HITL_DEFAULT_EXPIRATION_HOURS * 3600)
    _check_moment(deadline[1])
    arguments = body.get("tool_args", {})
    if (args_schema := body.get("args_schema")) is not None:
        _check_schema("args_schema", args_schema)
        check_admitted(args_schema, arguments, at="tool_args")
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
    return Draft(by, interrupt, deadline)


def _write(drafts: list[Draft], *, limit: int | None) -> list[Asked]:
    asked = []
    with log.unit_of_work(open_limit=limit):
        new = insert([draft.interrupt for draft in drafts], [draft.deadline for draft in drafts])
        for (by, interrupt, _), is_new in zip(drafts, new, strict=True):
            if not is_new:
                asked.append((_replayed(interrupt), False))
                continue
            told = {**interrupt.headline, "reason": interrupt.reason, "data": interrupt.data,
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


def _write_within_limit(drafts: list[Draft]) -> list[Asked]:
    return _write(drafts, limit=settings.HITL_OPEN_ITEMS_PER_AGENT)


_together: Together[Draft, Asked] = Together(
    _write_within_limit, order=lambda draft: (draft.interrupt.agent_id, draft.interrupt.idempotency_key)
)


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
        data={**interrupt.headline, "comment": DISABLED, "resolved_by": SYSTEM},
    )


def _check_schema(field: str, schema: Any) -> None:
    try:
        admit(schema)
    except SchemaError as error:
        raise invalid({field: [f"This is not a JSON Schema (2020-12): {error}"]}) from None


def _check_moment(moment: dt.datetime | None) -> None:
    if moment is None:
        return
    now = database_now()
    if not now < moment <= now + dt.timedelta(seconds=YEAR_SECONDS):
        raise invalid({"expires_at": ["The deadline must lie in the future, at most a year ahead."]})
