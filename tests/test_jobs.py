"""The jobs of the clock: each done once, however many beats there are."""

import datetime as dt

import pytest
from django.db.models.functions import Now
from django.test import Client
from django_celery_beat.models import PeriodicTask

from agents.tasks import sweep_socket_tickets
from events import jobs
from events.models import JobLease
from events.tasks import heartbeat
from hitl_project import health
from hitl_project.celery import app
from hitl_project.schedule import EVERY
from tests.conftest import Door
from tests.steps import event_types, let_deadline_pass


def test_two_beats_do_a_job_once(db: None) -> None:
    def work() -> str:
        assert jobs.once("job", str, every=30) is None  # a second beat while the first is at it
        return "done"

    assert jobs.once("job", work, every=30) == "done"
    assert jobs.once("job", work, every=30) is None  # and one just after it


def test_the_next_round_is_done_again(db: None) -> None:
    assert jobs.once("job", lambda: 1, every=30) == 1
    JobLease.objects.update(finished_at=Now() - dt.timedelta(seconds=16))

    assert jobs.once("job", lambda: 2, every=30) == 2


def test_the_lease_of_a_killed_holder_lapses(db: None) -> None:
    JobLease.objects.create(job="job", holder="killed", held_until=Now() + dt.timedelta(seconds=600))
    assert jobs.once("job", lambda: 1, every=30) is None

    JobLease.objects.update(held_until=Now() - dt.timedelta(seconds=1))

    assert jobs.once("job", lambda: 1, every=30) == 1


def test_who_lost_the_lease_does_not_end_anothers(db: None) -> None:
    def work() -> int:  # so slow that the lease lapsed and another beat took it
        JobLease.objects.update(holder="other", held_until=Now() + dt.timedelta(seconds=600))
        return 1

    jobs.once("job", work, every=30)

    lease = JobLease.objects.get()
    assert (lease.holder, lease.held_until is not None, lease.finished_at) == ("other", True, None)


def test_a_job_that_fails_is_free_at_once(db: None) -> None:
    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        jobs.once("job", fail, every=30)

    assert jobs.once("job", lambda: 1, every=30) == 1


def test_every_job_is_on_the_schedule_of_the_database(db: None) -> None:
    found = {task.task: task.interval for task in PeriodicTask.objects.exclude(interval=None)}

    assert {name: interval.every for name, interval in found.items() if interval} == EVERY
    assert EVERY["interrupts.tasks.expire_overdue_interrupts"] == 30


def test_the_sweep_of_the_schedule_expires(agent: Door) -> None:
    app.loader.import_default_modules()
    asked = agent.ask()
    let_deadline_pass(asked["id"])

    app.tasks["interrupts.tasks.expire_overdue_interrupts"].apply(throw=True)

    assert event_types(asked["id"])[-1] == "hitl.interrupt.expired"
    sweep_socket_tickets()


def test_ready_is_who_has_database_and_clock(client: Client, db: None) -> None:
    heartbeat()

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["clock"] == answer.json()["database"] == "ok"


@pytest.mark.parametrize("age", [None, 61, 7_200])
def test_a_clock_that_stands_still_is_named(client: Client, db: None, age: int | None) -> None:
    if age is not None:
        heartbeat()
        JobLease.objects.update(finished_at=Now() - dt.timedelta(seconds=age))

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["database"]) == (503, "ok")
    assert "beat" in answer.json()["clock"]


def test_a_part_that_fails_is_named_and_the_others_are_not(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat()

    def fail() -> str:
        raise ConnectionError("password=hunter2")

    monkeypatch.setitem(health.CHECKS, "layer", fail)

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["layer"]) == (503, "unavailable (ConnectionError)")
    assert answer.json()["clock"] == "ok"


def test_a_process_lives_whatever_it_lacks(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
