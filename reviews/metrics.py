"""What is counted of items, for Prometheus: what was asked, how it ended, how long it took, what was late.

All but what waits is read from tallies that never fall, so a look costs as much as there are names of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from events.counting import COUNTED, counts
from reviews.models import INTERRUPTS, REQUESTS, Priority
from reviews.selectors import inbox
from reviews.tallies import EVER, SECONDS
from reviews.waits import sums

Samples = list[tuple[tuple[str, ...], int]]


def of_items() -> Iterator[Metric]:
    """Give each metric of interrupts and requests as it is now: two queries."""
    found: dict[str, Samples] = defaultdict(list)
    for name, count in sums(EVER):
        matter, *labels = name.removeprefix(EVER).split(".")
        found[matter].append((tuple(labels), count))
    asked = [((kind, Priority(int(rank)).label), count) for (kind, rank), count in found["asked"]]
    ended = [((noun.removesuffix("s"), status), count) for (noun, status), count in found["ended"]]
    yield counter("hitl_items_asked", "Items that agents made.", ["kind", "priority"], asked)
    yield counter("hitl_items_ended", "Items that ended.", ["item", "status"], ended)
    yield counter("hitl_items_late", "Items answered after they were due.", ["kind"], found["late"])
    told = "Items that expired without an answer."
    yield counter("hitl_items_unanswered", told, ["kind"], found["unanswered"])
    yield _answers(found["took"], found["microseconds"])
    yield _waiting()


def counter(
    name: str, told: str, labels: list[str], samples: Iterable[tuple[tuple[str, ...], int]]
) -> Metric:
    """Return a counter, with a sample for each combination of *labels*."""
    family = CounterMetricFamily(name, told, labels=labels)
    for values, count in samples:
        family.add_metric(values, count)
    return family


def _answers(took: Samples, microseconds: Samples) -> Metric:
    family = HistogramMetricFamily(
        "hitl_item_answer_seconds", "Seconds until a person answered.", labels=["kind"]
    )
    answers, names = dict(took), [*(str(float(most)) for most in SECONDS), "+Inf"]
    for (kind,), total in microseconds:
        within = accumulate(answers.get((kind, bound), 0) for bound in (*map(str, SECONDS), "inf"))
        family.add_metric([kind], list(zip(names, within, strict=True)), total / 1_000_000)
    return family


def _waiting() -> Metric:
    told = f"What waits for a person, up to {COUNTED:,}."
    family = GaugeMetricFamily("hitl_items_waiting", told, labels=["kind"])
    found = counts(inbox().filter(kind__in=kinds) for kinds in (INTERRUPTS, REQUESTS))
    for kind, count in zip(("interrupt", "request"), found, strict=True):
        family.add_metric([kind], count)
    return family
