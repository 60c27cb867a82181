"""How an item comes to be: what was drafted is written with its event, all of it or nothing.

What a body means is each kind's own business. The limit of open items, the idempotency key and many who ask
at the same moment are the same for all.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from django.conf import settings

from agents.callers import Caller
from events import log, signals
from events.clock import database_now
from events.ids import new_id
from events.log import TooManyOpen
from events.problems import Problem, invalid
from events.together import Together
from reviews.bodies import YEAR_SECONDS, expiry_of, priority_of
from reviews.creation import Deadline, insert
from reviews.lifecycle import Status
from reviews.models import ReviewItem
from reviews.rules import Ruling
from reviews.selectors import open_count

Item = TypeVar("Item", bound=ReviewItem)
T = TypeVar("T")


class Draft(NamedTuple, Generic[Item]):
    """Hold an item that is checked and not yet written, and whose it is."""

    by: Caller
    item: Item
    deadline: Deadline


def draft(
    model: type[Item], by: Caller, body: dict[str, Any], prefix: str, ruling: Ruling, **fields: Any
) -> Draft[Item]:
    """Return the draft of an item: *fields* are its kind's own, the others are read from *body*.

    What the policy in force says about reviewers, deadline and silence stands above what *body* says.

    Raises:
        Problem: the deadline has passed, or is more than a year ahead.
    """
    priority = priority_of(body.get("priority", "medium"))
    deadline = _deadline(body, ruling)
    if not (_is_ahead(deadline[1]) or _was_asked(model, by, fields["idempotency_key"])):
        raise invalid({"expires_at": ["The deadline must lie in the future, at most a year ahead."]})
    item = model(
        id=new_id(prefix),
        status=Status.PENDING,
        agent_id=by.agent,
        session_id=body.get("session_id", ""),
        run_id=body.get("run_id", ""),
        priority=priority,
        metadata=body.get("metadata", {}),
        **{"on_timeout": body.get("on_timeout", "expire"), **ruling.columns(priority)},
        **fields,
    )
    item.content_hash = item.stored_hash()
    # The parent's row has the same id, and the child points at it.
    item.reviewitem_ptr_id = item.id  # type: ignore[attr-defined]
    return Draft(by, item, deadline)


class Asking(Generic[Item]):
    """Write items of one class, each with an event of type *event*.

    *after* may do more with a new item in the same transaction.
    """

    def __init__(self, event: str, after: Callable[[Item], None] | None = None) -> None:
        self._event, self._after = event, after
        self._together: Together[Draft[Item], tuple[Item, bool]] = Together(
            self._write_within_limit, order=lambda draft: (draft.item.agent_id, draft.item.idempotency_key)
        )

    def one(self, draft: Draft[Item]) -> tuple[Item, bool]:
        """Write *draft*; return the item and whether it is new. Raises as :meth:`all` does."""
        return _within_limit(
            draft.by, 1, lambda: self._together.do(draft), lambda: self._write([draft], limit=None)[0]
        )

    def all(self, drafts: list[Draft[Item]]) -> list[tuple[Item, bool]]:
        """Write *drafts*, all of one agent, or none of them.

        The same agent asking with the same key gets the item it made before, however long ago.

        Raises:
            Problem: 422 for a key that was used for another body, 429 when the agent has too many open items.
        """
        return _within_limit(
            drafts[0].by,
            len(drafts),
            lambda: self._write_within_limit(drafts),
            lambda: self._write(drafts, limit=None),
        )

    def _write_within_limit(self, drafts: list[Draft[Item]]) -> list[tuple[Item, bool]]:
        return self._write(drafts, limit=settings.HITL_OPEN_ITEMS_PER_AGENT)

    def _write(self, drafts: list[Draft[Item]], *, limit: int | None) -> list[tuple[Item, bool]]:
        asked = []
        with log.unit_of_work(open_limit=limit):
            new = insert([draft.item for draft in drafts], [draft.deadline for draft in drafts])
            for (by, item, _), is_new in zip(drafts, new, strict=True):
                if not is_new:
                    asked.append((_replayed(item), False))
                    continue
                told = {**item.asked, "content_hash": item.content_hash, "status": item.status}
                log.record(
                    item.stream, self._event, item.pk,
                    actor=by.actor, session_id=item.session_id, data=told, opens=1,
                    counts=item.counts_of_start,
                )  # fmt: skip
                signals.after_commit(self._event, item, by.actor, told)
                if self._after is not None:
                    self._after(item)
                asked.append((item, True))
        return asked


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


def _replayed(draft: Item) -> Item:
    earlier: Item | None = (
        type(draft)
        ._base_manager.filter(agent_id=draft.agent_id, idempotency_key=draft.idempotency_key)
        .first()
    )
    if earlier is None or earlier.body_digest != draft.body_digest:
        raise Problem(
            422,
            "key_reused",
            "This Idempotency-Key was used for another body. Take a new one.",
        )
    return earlier


def _deadline(body: dict[str, Any], ruling: Ruling) -> Deadline:
    """Return the deadline that *body* names, or that of the policy where it is sooner or the only one."""
    latest = ruling.expires_in
    seconds, moment = expiry_of(body, latest or settings.HITL_DEFAULT_EXPIRATION_HOURS * 3600)
    if latest and moment is not None and moment - database_now() > dt.timedelta(seconds=latest):
        return latest, None
    return (min(seconds, latest), None) if latest and seconds is not None else (seconds, moment)


def _is_ahead(moment: dt.datetime | None) -> bool:
    return moment is None or dt.timedelta(0) < moment - database_now() <= dt.timedelta(seconds=YEAR_SECONDS)


def _was_asked(model: type[Item], by: Caller, key: str) -> bool:
    """Say whether this may be asked again by *key*: a late retry gets the item, whatever its deadline."""
    return bool(key) and model._base_manager.filter(agent_id=by.agent, idempotency_key=key).exists()
