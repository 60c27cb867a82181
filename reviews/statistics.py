"""Figures over items, exact at the moment of the call: what is overdue counts as timed out already."""

import math
from typing import Any

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import TruncDate

from agents.callers import Caller
from reviews.lifecycle import Status
from reviews.models import INTERRUPTS, REQUESTS, Kind, Priority, ReviewItem
from reviews.selectors import visible_to, with_effective_status

ANSWERED = (Status.APPROVED, Status.FULFILLED, Status.REJECTED)
DAYS = 30


def statistics(caller: Caller) -> dict[str, Any]:
    """Return the figures of what *caller* may see: requests on top, interrupts below ``interrupts``."""
    items = visible_to(caller, ReviewItem.objects.all())
    requests, interrupts = items.filter(kind__in=REQUESTS), items.filter(kind__in=INTERRUPTS)
    return {
        **_figures(requests, REQUESTS, "requests"),
        "interrupts": _figures(interrupts, INTERRUPTS, "interrupts"),
    }


def _figures(items: QuerySet[ReviewItem], kinds: tuple[Kind, ...], noun: str) -> dict[str, Any]:
    by_status = _count(with_effective_status(items), "effective_status")
    by_priority = _count(items, "priority")
    took = _response_times(items)
    days = (
        items.annotate(day=TruncDate("created_at"))
        .values_list("day")
        .annotate(n=Count("pk"))
        .order_by("-day")[:DAYS]
    )
    return {
        f"total_{noun}": sum(by_status.values()),
        f"pending_{noun}": by_status.get(Status.PENDING, 0),
        "by_status": by_status,
        "by_priority": {Priority(rank).label: count for rank, count in sorted(by_priority.items())},
        "by_type": _count(items, "kind"),
        **took,
        "by_agent": _count(items, "agent_name"),
        "by_day": {day.isoformat(): count for day, count in days},
    }


def _count(items: QuerySet[ReviewItem], column: str) -> dict[Any, int]:
    return dict(items.order_by().values_list(column).annotate(n=Count("pk")).order_by(column))


def _response_times(items: QuerySet[ReviewItem]) -> dict[str, float | None]:
    """Return mean, median and 95th percentile of the hours from asking to a person's answer."""
    by_people = items.filter(Q(status__in=ANSWERED) & ~Q(resolved_by__in=["", "system"]))
    took = by_people.annotate(
        took=ExpressionWrapper(F("resolved_at") - F("created_at"), output_field=DurationField())
    ).order_by("took")
    summary = took.aggregate(mean=Avg("took"), n=Count("pk"))
    n = summary["n"]

    def nth(share: float) -> float | None:
        if not n:
            return None
        return _hours(took.values_list("took", flat=True)[max(0, math.ceil(share * n) - 1)])

    return {
        "average_response_time_hours": _hours(summary["mean"]),
        "median_response_time_hours": nth(0.5),
        "p95_response_time_hours": nth(0.95),
    }


def _hours(duration: Any) -> float | None:
    return None if duration is None else round(duration.total_seconds() / 3600, 6)
