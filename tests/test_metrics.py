"""`/metrics`: what Prometheus reads of runs and of items, and who may have it read."""

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from prometheus_client.parser import text_string_to_metric_families

from agents import keys
from events import log
from events.clock import database_now
from events.models import Tally
from interrupts import services
from reviews import recount, tallies
from reviews import services as reviews
from reviews.models import ReviewItem
from runs.models import Run
from tests.conftest import Door
from tests.providers import HTTPService, Trouble
from tests.runs import answer, go_on, resize, start
from tests.steps import Enter, let_deadline_pass, problem


@pytest.fixture
def prometheus(vic: User) -> Door:
    """A program with the personal key of somebody who may look."""
    _, text = keys.create_key(vic)
    return Door(headers={"Authorization": f"Bearer {text}"})


def scraped(door: Door) -> dict[str, float]:
    """Return the samples, each by its name and the values of its labels in the order of their names."""
    answered = door.get("/metrics")
    assert answered.status_code == 200, answered.content
    assert answered["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answered.content.decode())
    return {
        " ".join([sample.name, *(sample.labels[name] for name in sorted(sample.labels))]): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_happens_to_runs_is_told(
    agent: Door, rogue: Door, as_ann: Door, prometheus: Door, service: HTTPService
) -> None:
    for door, action in ((agent, "approve"), (rogue, "reject")):
        run_id = start(door, run_input=resize(service, width=640))
        assert go_on(run_id).status == "awaiting_human"
        assert answer(as_ann, run_id, action).status_code == 200
        go_on(run_id)
    agent.ask()
    service.trouble(Trouble(400))
    assert (
        go_on(start(agent, config={"policy": "auto"}, run_input=resize(service, width=640))).status
        == "failed"
    )

    found = scraped(prometheus)

    assert found["hitl_runs_started_total"] == 3
    assert found["hitl_runs_ended_total cancelled"] == 1
    assert found["hitl_runs_ended_total failed"] == 1
    assert found["hitl_runs_ended_total completed"] == 0
    assert found["hitl_run_questions_total information_review"] == 2
    assert found["hitl_run_questions_total payload_review"] == 1
    assert found["hitl_run_answers_total approve information_review"] == 1
    assert found["hitl_run_answers_total reject information_review"] == 1
    assert found["hitl_run_answer_seconds_count information_review"] == 2
    assert found["hitl_run_answer_seconds_bucket 5.0 information_review"] == 2
    assert found["hitl_run_failures_total provider_error  http api_call"] == 1
    assert found["hitl_runs awaiting_human"] == 1
    assert found["hitl_runs queued"] == 0
    assert found["hitl_items_waiting interrupt"] == 2
    assert found["hitl_items_waiting request"] == 0


def test_buckets_add_up_and_the_slowest_are_in_the_last(prometheus: Door) -> None:
    for bound, count in (("5", 2), ("3600", 1), ("inf", 4)):
        Tally.objects.create(stream="janitor", name=f"run.latency:api_call:{bound}", count=count)
    Tally.objects.create(stream="janitor", name="run.latency_sum:api_call", count=999)

    found = scraped(prometheus)

    of_step = {name.split()[1]: n for name, n in found.items() if "seconds_bucket" in name}
    assert (of_step["5.0"], of_step["900.0"], of_step["3600.0"], of_step["+Inf"]) == (2, 2, 3, 7)
    assert found["hitl_run_answer_seconds_sum api_call"] == 999


def test_what_happens_to_items_is_told(agent: Door, as_ann: Door, prometheus: Door) -> None:
    for _ in range(2):
        as_ann.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    as_ann.post_json(
        f"/requests/{agent.need(request_type='account_creation')['id']}/reject", {"reason": "No."}
    )
    late, missed = agent.ask(), agent.ask(priority="critical")
    ReviewItem.objects.filter(pk=late["id"]).update(due_at=Now() - dt.timedelta(minutes=1))
    as_ann.post_json(f"/interrupts/{late['id']}/approve")
    let_deadline_pass(missed["id"])
    services.expire_overdue()

    found = scraped(prometheus)

    assert found["hitl_items_asked_total approval medium"] == 3
    assert found["hitl_items_asked_total approval critical"] == 1
    assert found["hitl_items_ended_total interrupt approved"] == 3
    assert found["hitl_items_ended_total interrupt expired"] == 1
    assert found["hitl_items_ended_total request rejected"] == 1
    assert found["hitl_items_late_total approval"] == 1
    assert found["hitl_items_unanswered_total approval"] == 1
    assert found["hitl_item_answer_seconds_count approval"] == 3
    assert found["hitl_item_answer_seconds_count account_creation"] == 1


def test_answers_lie_in_the_buckets_that_they_took(prometheus: Door) -> None:
    seconds = (0, 5, 6, 60, 61, 3_600, 3_601, 800_000)
    with log.unit_of_work():
        for took in map(dt.timedelta, [0] * len(seconds), seconds):
            log.count("janitor", tallies.of_answer("interrupts", "input", took, database_now(), ()))

    found = scraped(prometheus)

    within = {name.split()[-1]: n for name, n in found.items() if "item_answer_seconds_bucket" in name}
    assert within == {
        "5.0": 2, "30.0": 3, "60.0": 4, "300.0": 5, "900.0": 5, "3600.0": 6, "14400.0": 7,
        "86400.0": 7, "604800.0": 7, "+Inf": 8,
    }  # fmt: skip
    assert found["hitl_item_answer_seconds_sum input"] == sum(seconds)


def test_what_is_counted_never_falls(agent: Door, as_ann: Door, prometheus: Door) -> None:
    as_ann.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    before = scraped(prometheus)

    assert reviews.cleanup(0) == 1

    assert scraped(prometheus) == before
    assert not recount.differences(lambda done: None)


def test_a_model_with_colons_is_one_label(prometheus: Door) -> None:
    name = 'run.failure:provider_error:api_call:replicate:me/"x":5c7d*'
    Tally.objects.create(stream="janitor", name=name, count=3)

    assert scraped(prometheus)['hitl_run_failures_total provider_error me/"x":5c7d* replicate api_call'] == 3


def test_an_agent_cannot_make_up_series(agent: Door, prometheus: Door) -> None:
    for number in range(3):
        body = {"tool": "http", "model": f"made-up-{number}", "inputs": {"width": 1}}
        run_id = start(agent, config={"policy": "auto", "allowed_steps": []}, run_input=body)
        assert go_on(run_id).status == "failed"

    assert "made-up" not in json.dumps(scraped(prometheus))


def test_the_number_of_queries_is_the_same_for_one_run_and_for_many(
    agent: Door, prometheus: Door, django_assert_num_queries: Any
) -> None:
    scraped(prometheus)  # the key is noted as used
    for count in (1, 9):
        for _ in range(count):
            start(agent, run_input={"tool": "http"})
        # the key, its owner, the owner's permissions (2), the tallies of runs, 4 kinds of run, the tallies of
        # items, 2 kinds of item
        with django_assert_num_queries(8):
            scraped(prometheus)
    assert Run.objects.count() == 10


def test_nobody_else_may_read_them(
    agent: Door, as_ann: Door, enter: Enter, make_user: Any, ada: User
) -> None:
    problem(Door().get("/metrics"), 401, "unauthenticated")
    problem(Door(headers={"Authorization": "Bearer hitl_x_y"}).get("/metrics"), 401, "unauthenticated")
    problem(agent.get("/metrics"), 403, "forbidden")
    problem(enter(make_user("new")).get("/metrics"), 403, "forbidden")
    assert as_ann.get("/metrics").status_code == 200
    assert as_ann.post("/metrics").status_code == 405
