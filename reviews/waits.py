"""How long people took to answer, and what has ended each day: read from tallies, never from the items.

A time is known by its bucket, of which it is said to be in the middle: so it is off by an eighth at most.
"""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db.models import Q, QuerySet, Sum

from events.models import Tally
from reviews.models import FAMILIES
from reviews.tallies import LATE, TIMED, UNANSWERED, WAITS, wide_bounds

ENDED = tuple(f"{noun}.ended." for noun in FAMILIES)
AGENTS_SHOWN = 20
Buckets = Counter[int]


@dataclass(frozen=True, slots=True)
class Wait:
    """Say of so many answers within how many seconds half of them came, and nearly all."""

    count: int
    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class Miss:
    """Say how many people answered after they were due, and how many nobody answered before its deadline."""

    late: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Days:
    """Hold what ended by day and status, how long people took by day, and how long over all."""

    ended: dict[str, Counter[str]]
    waits: dict[str, Wait]
    wait: Wait | None


def waits() -> dict[str, dict[str, Wait]]:
    """Return how long people took, by ``kind``, ``day``, ``hour`` and ``group``, each by its name."""
    found: dict[str, dict[str, Buckets]] = defaultdict(lambda: defaultdict(Counter))
    for name, count in sums(*TIMED):
        matter, label, second = _parts(name)
        found[matter][label][second] += count
    return {matter: _waits(by_label) for matter, by_label in found.items()}


def agents() -> dict[str, Wait]:
    """Return how long the answers to agents took, of those who got most, by their names: one query."""
    timed = _beginning(f"{WAITS}kind.")
    busiest = timed.values("stream").annotate(sum=Sum("count")).order_by("-sum", "stream")
    found: dict[str, Buckets] = defaultdict(Counter)
    rows = timed.filter(stream__in=busiest.values("stream")[:AGENTS_SHOWN])
    for stream, name, count in rows.values_list("stream", "name", "count"):
        _matter, _kind, second = _parts(name)
        found[stream][second] += count
    return _waits(found)


def misses() -> dict[str, Miss]:
    """Return what was answered too late or not in time, by kind: one query."""
    counts = dict(sums(LATE, UNANSWERED))
    kinds = sorted({name.rpartition(".")[2] for name in counts})
    return {
        kind: Miss(counts.get(f"{LATE}{kind}", 0), counts.get(f"{UNANSWERED}{kind}", 0)) for kind in kinds
    }


def days() -> Days:
    """Return what the days that are kept had: one query."""
    ended: dict[str, Counter[str]] = defaultdict(Counter)
    took: dict[str, Buckets] = defaultdict(Counter)
    for name, count in sums(f"{WAITS}day.", *ENDED):
        if name.startswith(WAITS):
            _matter, day, second = _parts(name)
            took[day][second] += count
        else:
            _noun, _ended, status, day = name.split(".")
            ended[day][status] += count
    overall: Buckets = sum(took.values(), Counter())
    return Days(ended, _waits(took), wait_of(overall) if overall else None)


def sums(*beginnings: str) -> list[tuple[str, int]]:
    """Return what the tallies whose names begin so are over all streams."""
    rows = _beginning(*beginnings).values_list("name").annotate(sum=Sum("count"))
    return [(name, int(count)) for name, count in rows.order_by("name")]


def _beginning(*beginnings: str) -> QuerySet[Tally]:
    ours = Q(*(("name__startswith", beginning) for beginning in beginnings), _connector=Q.OR)
    return Tally.objects.filter(ours)


def _parts(name: str) -> tuple[str, str, int]:
    """Read the name of a tally: what it counts by, which one that is, and the bucket."""
    matter, _, rest = name.removeprefix(WAITS).partition(".")
    if matter == "group":  # whose name may have dots
        second, _, label = rest.partition(".")
    else:
        label, _, second = rest.rpartition(".")
    return matter, label, int(second)


def _waits(by_label: dict[str, Buckets]) -> dict[str, Wait]:
    return {label: wait_of(buckets) for label, buckets in by_label.items()}


def wait_of(buckets: Buckets) -> Wait:
    """Return what *buckets*, which are not empty, say of how long it took."""
    return Wait(buckets.total(), _share(buckets, 0.5), _share(buckets, 0.95))


def _share(buckets: Buckets, share: float) -> float:
    """Return the seconds within which this *share* of all came."""
    left = math.ceil(share * buckets.total())
    for lower in sorted(buckets):
        left -= buckets[lower]
        if left <= 0:
            break
    return sum(wide_bounds(lower)) / 2
