"""Reads that hold for every kind of item: who may see it, and what state it is truly in.

The truth about a deadline is the database's clock at the moment of reading: :func:`with_effective_status`
and :func:`having_status` never wait for the sweep.
"""

import datetime as dt
from collections.abc import Callable
from functools import reduce
from operator import and_
from typing import Any, TypeVar

from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    Model,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Now

from agents.callers import Caller
from events.clock import overdue
from events.keyset import rows_after
from events.problems import not_found
from reviews.lifecycle import OPEN, OnTimeout, Status
from reviews.lookups import Among
from reviews.models import ReviewItem
from reviews.times import SOON_SECONDS

Item = TypeVar("Item", bound=ReviewItem)
Row = TypeVar("Row", bound=Model)
BY_URGENCY = ("-priority", "due", "pk")
"""The order of what waits, within the part that is due soon and within the rest; see :func:`with_due`."""
WORDS_SEARCHED = 10
IS_EDITED = Q(interrupt__modifications__isnull=False)
"""Only an interrupt can be approved otherwise than it was asked."""
TIMED_OUT = {Status.EXPIRED: OnTimeout.EXPIRE, Status.REJECTED: OnTimeout.REJECT}


def visible_to(caller: Caller, rows: QuerySet[Row], owner: str = "agent_id") -> QuerySet[Row]:
    """Return those of *rows* that *caller* may see: an agent its own, an operator with permission all."""
    if caller.user is None:
        return rows.filter(**{owner: caller.agent})
    return rows if caller.has_perm("reviews.view_reviewitem") else rows.none()


def shown_to(caller: Caller, items: QuerySet[Item]) -> Any:
    """Return what *caller* may see of *items*, each with its effective status and its holder."""
    held = When(claimed_until__gt=Now(), then=F("claimed_by__username"))
    return with_effective_status(visible_to(caller, items)).annotate(holder=Case(held))


def one(rows: QuerySet[Row], pk: str) -> Row:
    """Return the one of *rows* that has this id.

    Raises:
        Problem: 404 when there is none.
    """
    found = rows.filter(pk=pk).first() if pk.isprintable() else None
    if found is None:
        raise not_found()
    return found


def _open() -> Q:
    return Q(Among(F("status"), tuple(sorted(OPEN))))


def is_open() -> Q:
    """Match what can still be decided."""
    return _open() & (Q(expires_at__isnull=True) | Q(expires_at__gt=Now()))


def is_overdue() -> Q:
    """Match what is past its deadline and not yet swept."""
    return _open() & overdue()


def having_status(status: str) -> Q:
    """Match items whose effective status is *status*."""
    if status in OPEN:
        return Q(status=status) & is_open()
    if status in TIMED_OUT:
        return Q(status=status) | (is_overdue() & Q(on_timeout=TIMED_OUT[Status(status)]))
    return Q(status=status)


def with_effective_status(items: QuerySet[Item]) -> Any:
    """Annotate ``effective_status``: the stored one, or what an overdue item reads as."""
    return items.annotate(
        effective_status=Case(
            When(is_overdue() & Q(on_timeout=OnTimeout.REJECT), then=Value(Status.REJECTED.value)),
            When(is_overdue(), then=Value(Status.EXPIRED.value)),
            default=F("status"),
            output_field=CharField(),
        )
    )


def time_left() -> Any:
    """Return the time until the deadline, by the database's clock; negative when it has passed."""
    return ExpressionWrapper(F("expires_at") - Now(), output_field=DurationField())


def open_count(agent: str, limit: int) -> int:
    """Count the open items of *agent*, up to *limit*."""
    return ReviewItem.objects.filter(is_open(), agent_id=agent)[:limit].count()


def is_late() -> Q:
    """Match what nobody answered by when it was ``due``: its service level's moment, or else its end."""
    return _open() & Q(due__lte=Now())


def with_due(items: QuerySet[Item]) -> Any:
    """Annotate when each is ``due``, and whether it comes in the first ``part`` (0) or in the second (1)."""
    return items.annotate(due=Coalesce("due_at", "expires_at", output_field=DateTimeField())).annotate(
        part=Case(When(due__lte=_soon(), then=0), default=1, output_field=IntegerField())
    )


def parts_of_waiting() -> tuple[Q, Q]:
    """Match what is due within minutes, and what is due later: two ranges of an index."""
    return Q(due__lte=_soon()), Q(due__gt=_soon())


def _soon() -> Any:
    return Now() + dt.timedelta(seconds=SOON_SECONDS)


def inbox() -> Any:
    """Return what waits for a person, in no order; each with what :func:`first_of` orders by."""
    return with_due(ReviewItem.objects.filter(is_open()))


def first_of(waiting: QuerySet[Item], limit: int) -> list[Item]:
    """Return the first of what waits: what is due soon, then the most urgent, then what is due first."""
    return rows_after([waiting.filter(part) for part in parts_of_waiting()], BY_URGENCY, limit=limit)


def inbox_rows(caller: Caller, items: Any) -> Any:
    """Return what *caller* may see of *items*, each with what a row of the inbox shows."""
    return with_due(shown_to(caller, items)).annotate(assigned_to=F("assignee__username"))


def says(word: str) -> Q:
    """Match items that have *word* in what they are called, or are of that agent, session or id."""
    called = Q(title__icontains=word) | Q(tool_name__icontains=word) | Q(agent_name__icontains=word)
    return called | Q(agent=word) | Q(session_id=word) | Q(pk=word)


def saying(text: str, says: Callable[[str], Q] = says) -> Q:
    """Match what *says* each word of *text*, of which only the first ones count."""
    return reduce(and_, map(says, text.split()[:WORDS_SEARCHED]), Q())


def claim_is_free_for(user: Any) -> Q:
    """Match items that nobody holds, or whose holder is *user*, or whose claim has lapsed."""
    return Q(claimed_by__isnull=True) | Q(claimed_by=user) | Q(claimed_until__lte=Now())


def is_held_by(user: Any) -> Q:
    """Match items that *user* holds, or that were handed to them."""
    return Q(claimed_by=user, claimed_until__gt=Now()) | Q(assignee=user)


def is_nobodys() -> Q:
    """Match items that nobody holds, and nobody was given."""
    return Q(assignee=None) & (Q(claimed_by=None) | Q(claimed_until__lte=Now()))
