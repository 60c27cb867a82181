"""Whatever has happened, the figures are those that counting all items would give."""

import datetime as dt
import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import DurationField, F, QuerySet, Value
from django.db.models.functions import Now

from agents import callers, keys
from events import log
from events.models import Tally
from interrupts import asking
from interrupts import services as interrupts
from requests_app import services as requests
from reviews.lifecycle import OPEN, Status
from reviews.models import ReviewItem, noun_of
from reviews.oversight import people
from reviews.services import cleanup
from reviews.statistics import statistics
from reviews.tallies import bounds, bucket
from reviews.waits import agents, days, misses, waits
from tests.conftest import Door
from tests.plain_statistics import (
    nth,
    plain_agents,
    plain_days,
    plain_misses,
    plain_people,
    plain_statistics,
    plain_waits,
)
from tests.steps import let_deadline_pass

VERBS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "interrupts": [
        ("approve", {}),
        ("approve", {"modifications": {"a": 2}}),
        ("reject", {}),
        ("respond", {"response": 1}),
        ("cancel", {}),
        ("claim", {}),
    ],
    "requests": [
        ("start_review", {}),
        ("release", {}),
        ("fulfill", {}),
        ("reject", {"reason": "x"}),
        ("cancel", {}),
    ],
}
WRITERS = 6


def assert_exact(found: dict[str, Any], items: QuerySet[ReviewItem]) -> None:
    expected = plain_statistics(items)
    for mine, theirs in ((found, expected), (found["interrupts"], expected["interrupts"])):
        average = theirs.pop("average_response_time_hours")
        assert mine.pop("average_response_time_hours") == pytest.approx(average, abs=2e-6)
    assert found == expected


def assert_waits_hold() -> None:
    """Compare what the pages say of waits with the times themselves: each may be off by an eighth."""
    found, expected = waits(), plain_waits()
    assert {matter: set(by_label) for matter, by_label in found.items()} == {
        matter: set(by_label) for matter, by_label in expected.items()
    }
    for matter, by_label in expected.items():
        for label, times in by_label.items():
            wait = found[matter][label]
            assert wait.count == len(times)
            for share, told in ((0.5, wait.median), (0.95, wait.p95)):
                assert told == pytest.approx(nth(times, share), rel=0.125, abs=0.5)
    assert {name: wait.count for name, wait in agents().items()} == plain_agents()
    assert {name: (one.verdicts, one.quick) for name, one in people().items()} == plain_people()
    assert {kind: Counter(asdict(miss)) for kind, miss in misses().items()} == plain_misses()
    assert {day: dict(counts) for day, counts in days().ended.items()} == plain_days()


def counts_of(item: ReviewItem) -> dict[str, int]:
    return item.counts_of_start | (item.counts_of_end if item.resolved_at else {})


class History:
    """Do one thing after the other, at random, through every way that moves items."""

    def __init__(self, seed: int, agents: list[Door], operator: Door) -> None:
        self.random = random.Random(seed)
        self.agents, self.operator = agents, operator

    def step(self) -> None:
        verbs = [self.ask] * 3 + [self.need] * 3 + [self.decide] * 5 + [self.make_overdue] * 2
        verbs += [self.ask_many, self.make_late, self.make_late, self.make_old, self.make_old]
        self.random.choice([*verbs, interrupts.expire_overdue, requests.expire_overdue, cleanup])()

    def fields(self) -> dict[str, Any]:
        return {"priority": self.random.choice(["low", "medium", "critical"])}

    def question(self) -> dict[str, Any]:
        kind, on_timeout = self.random.choice(["approval", "input"]), self.random.choice(["expire", "reject"])
        return {"reason": "x", "type": kind, "on_timeout": on_timeout, **self.fields()}

    def ask(self) -> None:
        self.random.choice(self.agents).ask(**self.question())

    def ask_many(self) -> None:
        items = [self.question() for _ in range(3)]
        self.random.choice(self.agents).post_json("/interrupts/batch", {"items": items})

    def need(self) -> None:
        kind = self.random.choice(["api_key", "custom"])
        self.random.choice(self.agents).need(request_type=kind, **self.fields())

    def any_item(self, *statuses: str) -> ReviewItem:
        items = ReviewItem.objects.filter(status__in=statuses).order_by("pk")
        return self.random.choice(items) if items else ReviewItem(kind="custom", agent_id="janitor")

    def decide(self) -> None:
        """Try a verb, whether or not the item takes it."""
        item = self.any_item(*OPEN)
        noun = noun_of(item.kind)
        verb, body = self.random.choice(VERBS[noun])
        self.operator.post_json(f"/{noun}/{item.pk}/{verb}", body)

    def make_overdue(self) -> None:
        let_deadline_pass(self.any_item(*OPEN).pk)

    def make_late(self) -> None:
        ReviewItem.objects.filter(pk=self.any_item(*OPEN).pk).update(due_at=Now())

    def make_old(self) -> None:
        """Let an item have been asked, and resolved, days ago."""
        item, ago = self.any_item(*Status), dt.timedelta(days=self.random.choice([1, 2, 3, 40]))
        if not item.pk:
            return
        with log.unit_of_work():
            log.count(item.stream, {name: -count for name, count in counts_of(item).items()})
            late = dt.timedelta(seconds=self.random.lognormvariate(6, 3)) * (item.response_time is not None)
            ReviewItem.objects.filter(pk=item.pk).update(
                created_at=F("created_at") - ago - late,
                resolved_at=F("resolved_at") - ago,
                response_time=F("response_time") + late,
            )
            item.refresh_from_db()
            log.count(item.stream, counts_of(item))


@pytest.mark.parametrize("seed", range(3))
def test_after_any_history_the_figures_are_exact(
    agent: Door, rogue: Door, as_ann: Door, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("reviews.statistics.DAYS", 3)
    history = History(seed, [agent, rogue], as_ann)

    for number in range(150):
        history.step()
        if not number % 5:
            assert_exact(as_ann.get_json("/statistics").json(), ReviewItem.objects.all())
            assert_waits_hold()
    for door, name in ((agent, "janitor"), (rogue, "rogue")):
        assert_exact(door.get_json("/statistics").json(), ReviewItem.objects.filter(agent_id=name))

    call_command("recount_statistics", stdout=StringIO())
    assert not Tally.objects.filter(count=0).exists()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_counted_each_once(make_user: Callable[..., User]) -> None:
    ann = callers.of_user(make_user("ann", "reviewer"))
    agents = [callers.by_key(keys.create_key(keys.create_agent(name))[1]) for name in ("janitor", "rogue")]
    start = threading.Barrier(WRITERS)

    def work(number: int) -> None:
        start.wait()
        try:
            for step in range(5):
                asked, _ = asking.ask(agents[(number + step) % 2], {"reason": "x"})
                if step != number % 5:
                    interrupts.approve(asked, by=ann)
                    cleanup(0)
                found = statistics(ann)["interrupts"]
                assert found["total_interrupts"] == sum(found["by_agent"].values())  # one moment, all of it
                assert min(found["by_status"].values(), default=0) >= 0
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))

    assert_exact(statistics(ann), ReviewItem.objects.all())
    assert statistics(ann)["interrupts"]["pending_interrupts"] == WRITERS


def test_a_recount_names_what_is_wrong_and_puts_it_right(agent: Door, as_ann: Door) -> None:
    as_ann.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    Tally.objects.filter(name__contains="asked").update(count=3)
    Tally.objects.filter(name__contains="ended").delete()
    said = StringIO()

    with pytest.raises(CommandError, match="2 tallies are wrong"):
        call_command("recount_statistics", stdout=said)
    call_command("recount_statistics", repair=True, stdout=said)

    assert re.search(r"janitor: interrupts\.ended\.approved\.[\d-]{10} is wrong by -1", said.getvalue())
    assert ".approval.2." in said.getvalue()
    assert "is wrong by +2" in said.getvalue()
    assert_exact(as_ann.get_json("/statistics").json(), ReviewItem.objects.all())
    call_command("recount_statistics", stdout=said)
    assert said.getvalue().endswith("Every tally is right.\n")


def test_what_an_older_version_left_is_counted_when_migrating(
    agent: Door, as_ann: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(7, [agent], as_ann)
    for _ in range(40):
        history.random.choice(
            [history.ask, history.decide, history.make_overdue, interrupts.expire_overdue]
        )()
    Tally.objects.update(count=F("count") + 1)
    ReviewItem.objects.update(response_time=Value(None, DurationField()))

    import_module("reviews.migrations.0004_response_time").fill(apps, None)
    import_module("reviews.migrations.0010_looked_time").count(apps, None)

    assert_exact(as_ann.get_json("/statistics").json(), ReviewItem.objects.all())


def test_buckets_follow_each_other_and_each_holds_its_own() -> None:
    lower, seen = 0, 0
    while lower < 10**14:  # three years
        begin, end = bounds(lower)
        last = end - dt.timedelta(microseconds=1)
        assert bucket(last) == lower
        assert bucket(end) == lower + (end - max(begin, dt.timedelta(0))) // dt.timedelta(microseconds=1)
        lower, seen = bucket(end), seen + 1
    assert seen < 700
    assert bucket(dt.timedelta(seconds=-1)) == 0
