"""How each person decides: read from tallies, never from the items, so what was cleaned up is in no figure.

A quick approval is one that came soon after the question itself; a glance is one for which the page was open
no longer than that. Of what was approved by the API nobody knows how long it was looked at.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db.models import Count
from django.db.models.functions import Now

from reviews.lifecycle import Status
from reviews.models import ReviewItem
from reviews.selectors import is_open
from reviews.tallies import BY, EDITED, LOOKED
from reviews.waits import Buckets, Wait, sums, wait_of

PEOPLE_SHOWN = 50
QUICK_SECONDS = 5
"""Sooner than this nobody has read what they approve; exact, as a bucket below 8 is a second wide."""
VERDICTS = (Status.APPROVED.value, EDITED, Status.REJECTED.value, Status.FULFILLED.value)


@dataclass(frozen=True, slots=True)
class Person:
    """Hold how often somebody decided each way, how long it took, and how many approvals came at once.

    *looked* is how long they had the pages open that they approved on, where any is known.
    """

    verdicts: Counter[str]
    wait: Wait
    quick: int
    looked: Wait | None
    glances: int

    @property
    def approved(self) -> int:
        return self.verdicts[Status.APPROVED] + self.verdicts[EDITED]


def people() -> dict[str, Person]:
    """Return those who decided most, by name, the busiest first: one query."""
    found: dict[str, dict[str, Buckets]] = defaultdict(lambda: defaultdict(Counter))
    looked: dict[str, Buckets] = defaultdict(Counter)
    for name, count in sums(BY, LOOKED):
        if name.startswith(LOOKED):
            second, person = name.removeprefix(LOOKED).split(".", 1)  # whose name may have dots
            looked[person][int(second)] += count
        else:
            verdict, second, person = name.removeprefix(BY).split(".", 2)
            found[person][verdict][int(second)] += count
    persons = {name: _person(by_verdict, looked[name]) for name, by_verdict in found.items()}
    busiest = sorted(persons.items(), key=lambda one: (-one[1].wait.count, one[0]))
    return dict(busiest[:PEOPLE_SHOWN])


def held() -> dict[str, int]:
    """Return how many open items each person has claimed now, of those who have most: one query."""
    claims = ReviewItem.objects.filter(is_open(), claimed_by__isnull=False, claimed_until__gt=Now())
    counted = claims.values_list("claimed_by__username").annotate(n=Count("pk"))
    return dict(counted.order_by("-n", "claimed_by__username")[:PEOPLE_SHOWN])


def _person(by_verdict: dict[str, Buckets], looked: Buckets) -> Person:
    verdicts = Counter({verdict: buckets.total() for verdict, buckets in by_verdict.items()})
    approvals = by_verdict.get(Status.APPROVED, Counter()) + by_verdict.get(EDITED, Counter())
    return Person(
        verdicts,
        wait_of(sum(by_verdict.values(), Counter())),
        _quick(approvals),
        wait_of(looked) if looked else None,
        _quick(looked),
    )


def _quick(buckets: Buckets) -> int:
    return sum(count for second, count in buckets.items() if second < QUICK_SECONDS)
