"""How each person decides: read from tallies, never from the items, so what was cleaned up is in no figure.

A time begins when an agent asked: when somebody opened or claimed the item is not kept. A quick approval is
one that came soon after the question itself.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from reviews.lifecycle import Status
from reviews.tallies import BY, EDITED
from reviews.waits import Buckets, Wait, sums, wait_of

PEOPLE_SHOWN = 50
QUICK_SECONDS = 5
"""Sooner than this nobody has read what they approve; exact, as a bucket below 8 is a second wide."""
VERDICTS = (Status.APPROVED.value, EDITED, Status.REJECTED.value, Status.FULFILLED.value)


@dataclass(frozen=True, slots=True)
class Person:
    """Hold how often somebody decided each way, how long it took, and how many approvals came at once."""

    verdicts: Counter[str]
    wait: Wait
    quick: int

    @property
    def approved(self) -> int:
        return self.verdicts[Status.APPROVED] + self.verdicts[EDITED]


def people() -> dict[str, Person]:
    """Return those who decided most, by name, the busiest first: one query."""
    found: dict[str, dict[str, Buckets]] = defaultdict(lambda: defaultdict(Counter))
    for name, count in sums(BY):
        verdict, second, person = name.removeprefix(BY).split(".", 2)  # whose name may have dots
        found[person][verdict][int(second)] += count
    persons = {name: _person(by_verdict) for name, by_verdict in found.items()}
    busiest = sorted(persons.items(), key=lambda one: (-one[1].wait.count, one[0]))
    return dict(busiest[:PEOPLE_SHOWN])


def _person(by_verdict: dict[str, Buckets]) -> Person:
    verdicts = Counter({verdict: buckets.total() for verdict, buckets in by_verdict.items()})
    approvals = by_verdict.get(Status.APPROVED, Counter()) + by_verdict.get(EDITED, Counter())
    quick = sum(count for second, count in approvals.items() if second < QUICK_SECONDS)
    return Person(verdicts, wait_of(sum(by_verdict.values(), Counter())), quick)
