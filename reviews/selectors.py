"""Reads that hold for every kind of item: who may see it, and what state it is truly in.

The truth about a deadline is the database's clock at the moment of reading: :func:`with_effective_status`
and :func:`having_status` never wait for the sweep.
"""

from typing import Any, TypeVar

from django.db.models import (
    Case,
    CharField,
    DurationField,
    ExpressionWrapper,
    F,
    Model,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Now

from agents.callers import Caller
from events.clock import overdue
from events.problems import not_found
from reviews.lifecycle import OPEN, OnTimeout, Status
from reviews.lookups import Among
from reviews.models import ReviewItem

Item = TypeVar("Item", bound=ReviewItem)
Row = TypeVar("Row", bound=Model)
BY_URGENCY = ("-priority", "expires_at", "pk")
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


def inbox() -> QuerySet[ReviewItem]:
    """Return what waits for a person: the most urgent first, then what is due soonest."""
    return ReviewItem.objects.filter(is_open()).order_by(*BY_URGENCY)


def claim_is_free_for(user: Any) -> Q:
    """Match items that nobody holds, or whose holder is *user*, or whose claim has lapsed."""
    return Q(claimed_by__isnull=True) | Q(claimed_by=user) | Q(claimed_until__lte=Now())
