"""The record of runs holds together: in the database, under threads, and against what an agent tries."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from events import log
from events.models import Event, Stream
from runs import advance
from runs.lifecycle import Step
from runs.models import Checkpoint, Run, StepEvent
from runs.record import begin_step
from tests.conftest import Door
from tests.providers import HTTPService, Trouble
from tests.runs import answer, go_on, resize, shown, start
from tests.steps import Enter, problem

AUTO = {"policy": "auto"}
ALL_STEPS = [(number, step.value, "completed") for number, step in enumerate(Step, 1)]


def history(run_id: str) -> list[tuple[int, str, str]]:
    return list(StepEvent.objects.filter(run_id=run_id).values_list("number", "step", "outcome"))


def to_the_question(door: Door, service: HTTPService, step: Step, by: Door) -> str:
    """Start a run that is asked about everywhere, and answer until it asks at *step*."""
    run_id = start(door, run_input=resize(service, width=640))
    while go_on(run_id).step != step:
        assert answer(by, run_id).status_code == 200
    return run_id


# -- The database ---------------------------------------------------------------------------------------


def test_every_stay_at_a_step_is_a_row_with_its_beginning_and_its_end(
    agent: Door, service: HTTPService
) -> None:
    run_id = start(agent, config=AUTO, run_input=resize(service))
    go_on(run_id)

    assert history(run_id) == ALL_STEPS
    rows = list(StepEvent.objects.filter(run_id=run_id))
    assert all(row.finished_at and row.started_at <= row.finished_at for row in rows)
    shown_steps = agent.get_json(f"/runs/{run_id}/steps").json()["results"]
    assert [row["number"] for row in shown_steps] == [1, 2, 3, 4, 5, 6]


def test_no_step_stands_without_its_run(agent: Door) -> None:
    run_id = start(agent, run_input={"tool": "http"})
    go_on(run_id)

    def orphan() -> None:
        StepEvent.objects.create(run_id="run_of_nobody", number=1, step=Step.CREATED)
        connection.check_constraints()

    with pytest.raises(IntegrityError), transaction.atomic():
        orphan()

    Run.objects.get(pk=run_id).delete()

    assert not StepEvent.objects.exists()
    assert not Checkpoint.objects.exists()
    assert Event.objects.filter(subject_id=run_id).exists()


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "odd"},
        {"step": "odd"},
        {"status": "completed"},
        {"resolved_at": Now()},
    ],
)
def test_the_database_refuses_a_run_that_cannot_be(agent: Door, columns: dict[str, Any]) -> None:
    run_id = start(agent, run_input={"tool": "http"})

    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.filter(pk=run_id).update(**columns)


def test_no_two_steps_of_a_run_are_under_way(agent: Door) -> None:
    run = Run.objects.get(pk=start(agent, run_input={"tool": "http"}))

    with pytest.raises(IntegrityError), transaction.atomic():
        begin_step(run, Step.API_CALL)


def test_a_step_whose_event_cannot_be_written_did_not_happen(
    agent: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(agent, config=AUTO, run_input=resize(service))
    go_on(run_id, steps=1)
    before = (history(run_id), Event.objects.count())

    def fail(*args: Any, **told: Any) -> None:
        raise RuntimeError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(log, "record", fail)
        run = go_on(run_id, steps=1)

    assert (run.status, run.step, run.tries, run.leased_by) == ("running", "information_review", 1, "")
    assert (history(run_id), Event.objects.count()) == before
    assert go_on(run_id).status == "completed"


def test_a_fault_of_ours_ends_the_run_where_it_stood_instead_of_taking_it_round_for_ever(
    agent: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(agent, config=AUTO, run_input=resize(service))
    go_on(run_id, steps=1)

    def fail(*args: Any, **told: Any) -> None:
        raise RuntimeError("A fault.")

    with monkeypatch.context() as patch:
        patch.setattr(advance, "end_step", fail)
        run = go_on(run_id)

    assert (run.status, run.error["code"], run.error["step"]) == (
        "failed", "server_fault", "information_review",
    )  # fmt: skip
    assert agent.post_json(f"/runs/{run_id}/resume").status_code == 200
    assert go_on(run_id).status == "completed"


def test_a_run_whose_agent_has_too_much_open_asks_later(
    agent: Door, service: HTTPService, settings: Any
) -> None:
    settings.HITL_OPEN_ITEMS_PER_AGENT = 2
    open_items = [agent.ask()["id"] for _ in range(2)]
    run_id = start(agent, run_input=resize(service))

    run = go_on(run_id)
    assert (run.status, run.step, run.leased_by) == ("running", "information_review", "")
    assert not Checkpoint.objects.exists()

    agent.post_json(f"/interrupts/{open_items[0]}/cancel")
    assert go_on(run_id).status == "awaiting_human"


# -- Several at once ------------------------------------------------------------------------------------


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Do all of it at once, each in a thread with a connection of its own."""
    start_line = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        start_line.wait(10)
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return [found.result() for found in [threads.submit(one, call) for call in calls]]


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_one_run_take_each_step_once(agent: Door, service: HTTPService) -> None:
    service.trouble(Trouble(seconds=0.3))
    run_id = start(agent, config=AUTO, run_input=resize(service))

    for _ in range(10):
        together(*[lambda: advance.advance(run_id)] * 8)

    assert Run.objects.get(pk=run_id).status == "completed"
    assert history(run_id) == ALL_STEPS
    assert len(service.to("/resize")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(3))
def test_of_approving_and_cancelling_one_wins(
    agent: Door, ann: User, enter: Enter, service: HTTPService, number: int
) -> None:
    as_ann = enter(ann)
    run_id = to_the_question(agent, service, Step.PAYLOAD_REVIEW, as_ann)
    question = shown(agent, run_id)["approval_id"]

    approved, cancelled, *_ = together(
        lambda: as_ann.post_json(f"/interrupts/{question}/approve").status_code,
        lambda: agent.send_json("DELETE", f"/runs/{run_id}").status_code,
        lambda: advance.advance(run_id),
        lambda: advance.advance(run_id),
    )
    run = go_on(run_id)

    assert approved in (200, 409)
    assert cancelled in (200, 409)
    assert 200 in (approved, cancelled)
    assert run.status == "cancelled" if cancelled == 200 else run.step == "response_review"
    assert len(service.to("/resize")) <= (cancelled != 200 or approved == 200)
    assert Checkpoint.objects.filter(run=run, settled_at__isnull=True).count() == (run.status != "cancelled")
    positions = Event.objects.filter(stream="janitor").order_by("position")
    assert list(positions.values_list("position", flat=True)) == [
        *range(1, Stream.objects.get(name="janitor").position + 1)
    ]


@pytest.mark.django_db(transaction=True)
def test_a_pause_amid_a_call_keeps_its_answer(agent: Door, service: HTTPService) -> None:
    service.trouble(Trouble(seconds=0.5))
    run_id = start(agent, config=AUTO, run_input=resize(service))
    go_on(run_id, steps=3)

    def pause() -> int:
        while not service.to("/resize"):
            threading.Event().wait(0.01)
        return int(agent.post_json(f"/runs/{run_id}/pause").status_code)

    Run.objects.update(due_at=Now())
    assert together(pause, lambda: advance.advance(run_id))[0] == 200

    run = Run.objects.get(pk=run_id)
    assert (run.status, run.step) == ("paused", "response_review")
    assert agent.post_json(f"/runs/{run_id}/resume").status_code == 200
    assert go_on(run_id).status == "completed"
    assert (history(run_id), len(service.to("/resize"))) == (ALL_STEPS, 1)


@pytest.mark.django_db(transaction=True)
def test_of_many_starts_in_one_session_one_run_is_left(agent: Door, service: HTTPService) -> None:
    body = {"run_input": resize(service), "session_id": "s-1"}

    codes = together(*[lambda: agent.post_json("/run", body).status_code] * 4)

    assert set(codes) <= {202, 409}
    assert Run.objects.filter(status="queued").count() == 1
    assert Run.objects.filter(status="cancelled").count() == codes.count(202) - 1


@pytest.mark.django_db(transaction=True)
def test_one_key_starts_one_run_however_often_it_is_sent_at_once(agent: Door, service: HTTPService) -> None:
    body = {"run_input": resize(service)}

    def once() -> Any:
        return agent.post_json("/run", body, **{"Idempotency-Key": "job-1"}).json()["run_id"]

    assert len(set(together(*[once] * 4))) == 1
    problem(agent.post_json("/run", {}, **{"Idempotency-Key": "job-1"}), 400)
    other = {"run_input": resize(service, width=1)}
    problem(agent.post_json("/run", other, **{"Idempotency-Key": "job-1"}), 422, "key_reused")
