"""Count all items anew, for tallies that are missing or were changed behind the server's back.

What is counted for good cannot be: it is of items that are gone as well.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.db.models import Q

from events import log
from events.models import Tally
from events.statements import one_snapshot
from reviews.models import FAMILIES, ReviewItem, noun_of
from reviews.selectors import IS_EDITED
from reviews.tallies import EVER, WAITS, of_answer, of_decision, of_end, of_miss, of_start

CHUNK = 10_000
_COLUMNS = (
    "agent_id",
    "kind",
    "priority",
    "created_at",
    "status",
    "resolved_at",
    "response_time",
    "reviewers",
    "due_at",
    "expires_at",
    "resolved_by",
    "looked_time",
)
OURS = Q(
    *(("name__startswith", name) for name in (*(f"{noun}." for noun in FAMILIES), WAITS)), _connector=Q.OR
)
Tallies = Counter[tuple[str, str]]


def count_items(items: Any, told: Callable[[int], None] = lambda done: None) -> Tallies:
    """Return what the tallies of *items* have to be, by stream and name; call *told* now and then."""
    tallies: Tallies = Counter()
    rows = items.values_list(*_COLUMNS, IS_EDITED).iterator(CHUNK)
    for done, row in enumerate(rows, 1):
        stream, kind, priority, created_at, status, ended_at, took, groups, due_at, expires_at, *decided = row
        by, looked, edited = decided
        noun = noun_of(kind)
        counts = of_start(noun, kind, priority, created_at)
        if ended_at:
            counts |= of_end(noun, status, ended_at)
            counts |= of_miss(kind, took, ended_at, due_at, expires_at)
        if took is not None:
            counts |= of_answer(noun, kind, took, ended_at, groups)
            counts |= of_decision(status, edited, took, by, looked)
        for name, count in counts.items():
            tallies[stream, name] += count
        if not done % CHUNK:
            told(done)
    return tallies


def differences(told: Callable[[int], None]) -> Tallies:
    """Return by how much each tally has to move to be what the items say."""
    with one_snapshot():
        counted = count_items(ReviewItem.objects.all(), told)
        wrong = Counter({key: n for key, n in counted.items() if not key[1].startswith(EVER)})
        for stream, name, count in Tally.objects.filter(OURS).values_list("stream", "name", "count"):
            wrong[stream, name] -= count
    return Counter({key: number for key, number in wrong.items() if number})


def repair(wrong: Tallies) -> None:
    """Move the tallies by what :func:`differences` found; what was counted since then stays counted."""
    with log.unit_of_work():
        for (stream, name), number in wrong.items():
            log.count(stream, {name: number})
