"""`GET /metrics`: what is counted of runs and of items, for Prometheus.

All of it is read from the database at the moment of asking: whichever process answers says the same.
"""

from collections.abc import Iterator
from itertools import accumulate

from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from rest_framework.request import Request

from agents.permissions import Access
from agents.viewsets import CallerViewSet
from events.counting import COUNTED, counts
from reviews.metrics import counter, of_items
from reviews.models import VIEW
from runs.figures import totals
from runs.lifecycle import ACTIVE, FINAL
from runs.models import Run
from runs.tallies import LATENCY_SECONDS

SERIES_AT_MOST = 500
BOUNDS = [*(str(bound) for bound in LATENCY_SECONDS), "inf"]


class MetricsViewSet(CallerViewSet):
    """What Prometheus collects; for operators alone."""

    access = {"retrieve": Access(permission=VIEW)}

    def retrieve(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry()
        registry.register(Figures())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Figures(Collector):
    """Read what there is to say, once."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        counted = totals()
        yield counter(
            "hitl_runs_started", "Runs that agents started.", [], [((), counted.get("run.started", 0))]
        )
        yield counter("hitl_runs_paused", "Pauses by hand.", [], [((), counted.get("run.paused", 0))])
        ends = [((status,), counted.get(f"run.{status}", 0)) for status in sorted(FINAL)]
        yield counter("hitl_runs_ended", "Runs that came to an end.", ["status"], ends)
        yield _labelled(counted, "run.asked", "hitl_run_questions", "Stops for a person.", ["step"])
        yield _labelled(counted, "run.answered", "hitl_run_answers", "Answers.", ["step", "action"])
        labels = ["code", "step", "provider", "model"]
        yield _labelled(counted, "run.failure", "hitl_run_failures", "Failures of runs.", labels)
        yield _latency(counted)
        yield _runs()
        yield from of_items()


def _labelled(counted: dict[str, int], prefix: str, name: str, told: str, labels: list[str]) -> Metric:
    """Return the tallies below *prefix* as one counter; the last label takes what is left of the name."""
    found = [(_split(name, prefix, len(labels)), count) for name, count in counted.items()]
    return counter(name, told, labels, [(values, n) for values, n in found if values][:SERIES_AT_MOST])


def _split(name: str, prefix: str, parts: int) -> tuple[str, ...]:
    """Return the labels of the tally *name*; none where it is not below *prefix*."""
    rest = name.removeprefix(f"{prefix}:")
    values = () if rest == name else tuple(rest.split(":", parts - 1))
    return (*values, *[""] * (parts - len(values))) if values else ()


def _latency(counted: dict[str, int]) -> Metric:
    family = HistogramMetricFamily(
        "hitl_run_answer_seconds", "Seconds until a person answered a run.", labels=["step"]
    )
    names = [*(str(float(bound)) for bound in LATENCY_SECONDS), "+Inf"]
    for step in sorted({name.split(":")[1] for name in counted if name.startswith("run.latency:")}):
        counts = accumulate(counted.get(f"run.latency:{step}:{bound}", 0) for bound in BOUNDS)
        buckets = list(zip(names, counts, strict=True))
        family.add_metric([step], buckets, counted.get(f"run.latency_sum:{step}", 0))
    return family


def _runs() -> Metric:
    family = GaugeMetricFamily("hitl_runs", f"Runs under way, up to {COUNTED:,}.", labels=["status"])
    found = counts(Run.objects.filter(status=status) for status in sorted(ACTIVE))
    for status, count in zip(sorted(ACTIVE), found, strict=True):
        family.add_metric([status], count)
    return family
