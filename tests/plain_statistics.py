"""The statistics as aggregates over all items: slow, plain, and what the server's have to equal."""

import math
from collections import Counter, defaultdict
from typing import Any

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import TruncDate

from interrupts.models import Interrupt
from reviews import statistics
from reviews.models import FAMILIES, Priority, ReviewItem
from reviews.selectors import with_effective_status

ANSWERED = ("approved", "fulfilled", "rejected")


def plain_statistics(items: QuerySet[ReviewItem]) -> dict[str, Any]:
    """Return the figures of *items* in the shape of ``GET statistics``."""
    found = {noun: _figures(items.filter(kind__in=kinds), noun) for noun, kinds in FAMILIES.items()}
    return {**found["requests"], "interrupts": found["interrupts"]}


def _figures(items: QuerySet[ReviewItem], noun: str) -> dict[str, Any]:
    by_status = _count(with_effective_status(items), "effective_status")
    by_priority = _count(items, "priority")
    days = items.annotate(day=TruncDate("created_at")).values_list("day").annotate(n=Count("pk"))
    return {
        f"total_{noun}": items.count(),
        f"pending_{noun}": by_status.get("pending", 0),
        "by_status": by_status,
        "by_priority": {Priority(rank).label: count for rank, count in by_priority.items()},
        "by_type": _count(items, "kind"),
        **_response_times(items),
        "by_agent": _count(items, "agent_id"),
        "by_day": {day.isoformat(): count for day, count in days.order_by("-day")[: statistics.DAYS]},
    }


def _count(items: Any, column: str) -> dict[Any, int]:
    return dict(items.order_by().values_list(column).annotate(n=Count("pk")).order_by(column))


def _response_times(items: QuerySet[ReviewItem]) -> dict[str, float | None]:
    by_people = items.filter(Q(status__in=ANSWERED) & ~Q(resolved_by__in=["", "system"]))
    took = by_people.annotate(
        took=ExpressionWrapper(F("resolved_at") - F("created_at"), output_field=DurationField())
    ).order_by("took")
    n = took.count()

    def nth(share: float) -> float | None:
        return _hours(took.values_list("took", flat=True)[math.ceil(share * n) - 1]) if n else None

    return {
        "average_response_time_hours": _hours(took.aggregate(mean=Avg("took"))["mean"]),
        "median_response_time_hours": nth(0.5),
        "p95_response_time_hours": nth(0.95),
    }


def nth(times: list[float], share: float) -> float:
    """Return the time within which this *share* of all came."""
    return sorted(times)[math.ceil(share * len(times)) - 1]


def plain_waits() -> dict[str, dict[str, list[float]]]:
    """Return the seconds that people took, by kind, day, hour and group."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for item in ReviewItem.objects.filter(response_time__isnull=False):
        ended_at, took = item.resolved_at, item.response_time
        assert ended_at is not None
        assert took is not None
        labels = {
            "kind": [item.kind],
            "day": [ended_at.date().isoformat()],
            "hour": [str((ended_at - took).hour)],
            "group": item.reviewers or [""],
        }
        for matter, names in labels.items():
            for name in names:
                found[matter][name].append(max(took.total_seconds(), 0))
    return found


def plain_misses() -> dict[str, Counter[str]]:
    """Return how many items were answered after they were due or not before their deadline, by kind."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for item in ReviewItem.objects.filter(resolved_at__isnull=False):
        assert item.resolved_at is not None
        if item.response_time is None:
            if item.expires_at and item.resolved_at > item.expires_at:
                found[item.kind]["unanswered"] += 1
        elif item.due_at and item.resolved_at > item.due_at:
            found[item.kind]["late"] += 1
    return found


def plain_agents() -> dict[str, int]:
    """Return how many answers people gave to each agent."""
    return _count(ReviewItem.objects.filter(response_time__isnull=False), "agent_id")


def plain_people() -> dict[str, tuple[Counter[str], int]]:
    """Return how often each person decided which way, and how many approvals took less than five seconds."""
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    quick: Counter[str] = Counter()
    edited = set(Interrupt.objects.filter(modifications__isnull=False).values_list("pk", flat=True))
    for item in ReviewItem.objects.filter(response_time__isnull=False):
        assert item.response_time is not None
        is_approved = item.status == "approved"
        verdicts[item.resolved_by]["edited" if is_approved and item.pk in edited else item.status] += 1
        quick[item.resolved_by] += is_approved and item.response_time.total_seconds() < 5
    return {name: (counts, quick[name]) for name, counts in verdicts.items()}


def plain_days() -> dict[str, dict[str, int]]:
    """Return how many items ended, by day and status."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for ended_at, status in ReviewItem.objects.values_list("resolved_at", "status"):
        if ended_at:
            found[ended_at.date().isoformat()][status] += 1
    return {day: dict(counts) for day, counts in found.items()}


def _hours(duration: Any) -> float | None:
    return None if duration is None else round(duration.total_seconds() / 3600, 6)
