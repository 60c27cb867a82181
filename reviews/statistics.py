"""Figures over items, exact at the moment of the call: what is overdue counts as timed out already.

What was asked and what has ended is read from tallies, what is in review or overdue from small indexes, and
a response time in the middle of all by walking to it inside one bucket: no call looks at every item.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum, Value

from agents.callers import Caller
from events.models import Tally
from events.statements import one_snapshot
from reviews.lifecycle import Status
from reviews.models import FAMILIES, Priority, ReviewItem, noun_of
from reviews.selectors import TIMED_OUT, is_overdue, visible_to
from reviews.tallies import EVER, HOUR, WAITS, bounds

DAYS = 30
_READS_AS: dict[str, Status] = {on_timeout: status for status, on_timeout in TIMED_OUT.items()}
Counts = Counter[tuple[str, ...]]


def statistics(caller: Caller) -> dict[str, Any]:
    """Return the figures of what *caller* may see: requests on top, interrupts below ``interrupts``."""
    items = visible_to(caller, ReviewItem.objects.all())
    of_others = Q(name__startswith=WAITS) | Q(name__startswith=EVER)
    tallies = visible_to(caller, Tally.objects.exclude(of_others), "stream")
    with one_snapshot():
        counted, agents, live = _counted(tallies), _agents(tallies), _live(items)
        found = {
            noun: {
                **_totals(noun, counted[noun, "asked"], counted[noun, "ended"], live[noun]),
                **_response_times(
                    items.filter(kind__in=kinds), counted[noun, "took"], counted[noun, "microseconds"].total()
                ),
                "by_agent": agents[noun],
                "by_day": _by_day(counted[noun, "asked"]),
            }
            for noun, kinds in FAMILIES.items()
        }
    return {**found["requests"], "interrupts": found["interrupts"]}


def _counted(tallies: QuerySet[Tally]) -> dict[tuple[str, str], Counts]:
    """Sum the tallies of all streams; return them by noun and matter, each by the rest of its name."""
    counted: dict[tuple[str, str], Counts] = defaultdict(Counter)
    for name, count in tallies.values_list("name").annotate(n=Sum("count")):
        noun, matter, *rest = name.split(".")
        counted[noun, matter][tuple(rest)] = int(count)
    return counted


def _agents(tallies: QuerySet[Tally]) -> dict[str, dict[str, int]]:
    """Count what was asked, by noun and agent."""
    sums = {noun: Sum("count", filter=Q(name__startswith=f"{noun}.asked.")) for noun in FAMILIES}
    agents: dict[str, dict[str, int]] = {noun: {} for noun in FAMILIES}
    for stream, *counts in tallies.values_list("stream").annotate(**sums).order_by("stream"):
        for noun, count in zip(FAMILIES, counts, strict=True):
            if count:
                agents[noun][stream] = int(count)
    return agents


def _live(items: QuerySet[ReviewItem]) -> dict[str, Counts]:
    """Count, by noun, what is in review, and what is overdue by status and ``on_timeout``."""
    reviewed = items.filter(status=Status.IN_REVIEW).values_list("kind", "status", Value(""))
    late = items.filter(is_overdue()).values_list("kind", "status", "on_timeout")
    live: dict[str, Counts] = {noun: Counter() for noun in FAMILIES}
    for kind, status, on_timeout, count in reviewed.annotate(n=Count("pk")).union(
        late.annotate(n=Count("pk")), all=True
    ):
        live[noun_of(kind)][status, on_timeout] += count
    return live


def _totals(noun: str, asked: Counts, ended: Counts, live: Counts) -> dict[str, Any]:
    by_status: Counter[str] = Counter()
    for (status, _day), count in ended.items():
        by_status[status] += count
    reviewed = live.pop((Status.IN_REVIEW, ""), 0)
    by_status[Status.IN_REVIEW] = reviewed
    by_status[Status.PENDING] = asked.total() - ended.total() - reviewed
    for (status, on_timeout), count in live.items():
        by_status[status] -= count
        by_status[_READS_AS[on_timeout]] += count
    return {
        f"total_{noun}": asked.total(),
        f"pending_{noun}": by_status[Status.PENDING],
        "by_status": _by(by_status.items()),
        "by_priority": {
            Priority(int(rank)).label: count
            for rank, count in _by((rank, count) for (_, rank, _), count in asked.items()).items()
        },
        "by_type": _by((kind, count) for (kind, _, _), count in asked.items()),
    }


def _by_day(asked: Counts) -> dict[str, int]:
    days = _by((day, count) for (_, _, day), count in asked.items())
    return dict(sorted(days.items(), reverse=True)[:DAYS])


def _by(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Add up *counts* by their names, in order; what is nothing is left out."""
    sums: Counter[str] = Counter()
    for name, count in counts:
        sums[str(name)] += count
    return {name: count for name, count in sorted(sums.items()) if count}


def _response_times(items: QuerySet[ReviewItem], took: Counts, microseconds: int) -> dict[str, float | None]:
    """Return mean, median and 95th percentile of the hours from asking to a person's answer."""
    buckets = {int(lower): count for (lower,), count in took.items()}
    answered = took.total()
    return {
        "average_response_time_hours": round(microseconds / answered / HOUR, 6) if answered else None,
        "median_response_time_hours": _nth(items, buckets, math.ceil(0.5 * answered)),
        "p95_response_time_hours": _nth(items, buckets, math.ceil(0.95 * answered)),
    }


def _nth(items: QuerySet[ReviewItem], buckets: dict[int, int], rank: int) -> float | None:
    """Return the response time in hours with *rank*, the shortest being 1."""
    for lower, count in sorted(buckets.items()):
        if rank <= count:
            return _inside(items, lower, rank - 1, count - rank)
        rank -= count
    return None


def _inside(items: QuerySet[ReviewItem], lower: int, before: int, after: int) -> float | None:
    """Return the hours of what has so many *before* and *after* it in its bucket, from the nearer edge."""
    begin, end = bounds(lower)
    times = items.filter(response_time__gte=begin, response_time__lt=end)
    order, skipped = ("response_time", before) if before <= after else ("-response_time", after)
    found = times.order_by(order).values_list("response_time", flat=True)[skipped : skipped + 1]
    return next((round(time.total_seconds() / 3600, 6) for time in found if time is not None), None)
