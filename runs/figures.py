"""What the tallies of runs say: how often people are asked, how long they take, what fails and where."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Sum

from events.models import Tally
from runs.lifecycle import REVIEWS, Step

NAMES_AT_MOST = 5_000
FAILURES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Stop:
    """Say of one step how often it asked a person, how often one answered, and how soon half of them had.

    ``within`` is a number of seconds, ``inf`` beyond the last bound, and None where nobody has answered.
    """

    step: str
    asked: int
    answered: int
    within: float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Say how often runs have failed with one code at one step of one tool and model."""

    code: str
    step: str
    tool: str
    model: str
    count: int


def totals() -> dict[str, int]:
    """Return all that is counted of runs, by the names of :mod:`runs.tallies`, over all agents: one query."""
    rows = Tally.objects.filter(name__startswith="run.").values_list("name").annotate(sum=Sum("count"))
    return {name: int(count) for name, count in rows.order_by("name")[:NAMES_AT_MOST]}


def stops(counted: dict[str, int]) -> list[Stop]:
    """Return the steps at which people were asked, in the order in which a run comes to them."""
    found = []
    for step in (*REVIEWS[:2], Step.API_CALL, *REVIEWS[2:]):
        buckets = _below(counted, f"run.latency:{step}:")
        asked = counted.get(f"run.asked:{step}", 0)
        if asked or buckets:
            found.append(Stop(step, asked, buckets.total(), _median(buckets)))
    return found


def failures(counted: dict[str, int]) -> list[Failure]:
    """Return what fails most often, the most frequent first."""
    found = _below(counted, "run.failure:").most_common(FAILURES_SHOWN)
    return [_failure(name, count) for name, count in found]


def _failure(name: str, count: int) -> Failure:
    code, step, tool, model = (*name.split(":", 3), "", "", "")[:4]
    return Failure(code, step, tool, model, count)


def _below(counted: dict[str, int], prefix: str) -> Counter[str]:
    """Return the counts whose names begin with *prefix*, by the rest of the name."""
    return Counter({name.removeprefix(prefix): n for name, n in counted.items() if name.startswith(prefix)})


def _median(buckets: Counter[str]) -> float | None:
    """Return the upper bound of the bucket that the one in the middle of all lies in."""
    left = (buckets.total() + 1) // 2
    for bound in sorted(buckets, key=float):
        left -= buckets[bound]
        if left <= 0:
            return float(bound)
    return None
