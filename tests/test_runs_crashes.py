"""A worker is killed at the worst moments: who takes up after it does nothing twice."""

from typing import Any

import pytest
from django.db.models.functions import Now

from events import log
from events.models import Event
from runs import advance, checkpoints, corrections, endings, leases, steps
from runs.lifecycle import Step
from runs.models import Run, StepEvent
from tests.conftest import Door
from tests.providers import LOST, HTTPService, ReplicateService, Trouble, in_json
from tests.runs import answer, go_on, resize, shown, start

AUTO = {"policy": "auto"}
ONCE_EACH = [(number, step.value, "completed") for number, step in enumerate(Step, 1)]


class Killed(BaseException):
    """What nothing of ours catches, as nothing catches SIGKILL."""


def die_in(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, run_id: str) -> None:
    """Have the worker die instead of calling the function."""

    def die(*args: Any, **told: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, name, die)
        with pytest.raises(Killed):
            advance.advance(run_id)


def let_lease_lapse(run_id: str) -> None:
    assert Run.objects.filter(pk=run_id, leased_until__gt=Now()).update(leased_until=Now())


def history(run_id: str) -> list[tuple[int, str, str]]:
    return list(StepEvent.objects.filter(run_id=run_id).values_list("number", "step", "outcome"))


def done(service: HTTPService) -> list[int]:
    """Return how often the work was done, for each key; who only looks has none."""
    return [times for key, times in service.carried_out.items() if key]


@pytest.mark.parametrize("step", list(Step)[:-1])
@pytest.mark.parametrize("moment", ["before the step", "after it", "amid its transaction"])
def test_a_step_that_was_cut_off_is_taken_again(
    agent: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch, step: Step, moment: str
) -> None:
    run_id = start(agent, config=AUTO, run_input=resize(service, width=640))
    assert go_on(run_id, steps=list(Step).index(step)).step == step
    places = {
        "before the step": (steps, "take"),
        "after it": (advance, "_make_true"),
        "amid its transaction": (advance, "begin_step"),
    }

    die_in(monkeypatch, *places[moment], run_id)
    advance.advance(run_id)  # it is still held by the one who died
    assert Run.objects.get(pk=run_id).step == step
    let_lease_lapse(run_id)

    run = go_on(run_id)
    assert run.status == "completed", run.error
    assert history(run_id) == ONCE_EACH
    assert done(service) == [1]
    assert {seen.json["width"] for seen in service.to("/resize")} == {640}


def test_a_run_whose_end_was_cut_off_ends_once(
    agent: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(agent, config=AUTO, run_input=resize(service))
    go_on(run_id, steps=5)

    die_in(monkeypatch, endings, "end_step", run_id)
    assert Run.objects.get(pk=run_id).status == "running"
    let_lease_lapse(run_id)

    assert go_on(run_id).status == "completed"
    assert Event.objects.filter(subject_id=run_id, type="hitl.run.completed").count() == 1


@pytest.mark.parametrize("place", [(checkpoints, "ask"), (log, "count")])
def test_a_question_that_was_cut_off_is_asked_once(
    agent: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str]
) -> None:
    run_id = start(agent, run_input=resize(service))
    go_on(run_id, steps=1)

    die_in(monkeypatch, *place, run_id)
    let_lease_lapse(run_id)

    run = go_on(run_id)
    assert (run.status, run.checkpoints.count()) == ("awaiting_human", 1)


@pytest.mark.parametrize("place", [(checkpoints, "spend"), (corrections, "note")])
def test_an_answer_whose_reading_was_cut_off_is_read_again(
    agent: Door, as_ann: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str]
) -> None:
    run_id = start(agent, config=AUTO, run_input={"tool": "http", "inputs": {"width": 640}})
    go_on(run_id)
    assert answer(as_ann, run_id, "edit", edits={"url": f"{service.url}/resize"}).status_code == 200

    die_in(monkeypatch, *place, run_id)
    assert shown(agent, run_id)["status"] == "awaiting_human"

    assert go_on(run_id).status == "completed"
    assert service.to("/resize")[-1].json == {"width": 640}
    assert history(run_id) == ONCE_EACH


def test_an_answer_that_was_lost_on_its_way_is_asked_for_again_with_the_same_key(
    agent: Door, service: HTTPService
) -> None:
    run_id = start(agent, config=AUTO, run_input=resize(service, width=640))
    assert go_on(run_id, steps=3).step == "api_call"
    service.trouble(LOST, Trouble(503), LOST)

    run = go_on(run_id)

    assert run.status == "completed", run.error
    assert len(service.to("/resize")) == 4
    assert done(service) == [1]


def test_a_failed_run_that_is_resumed_calls_under_a_new_key(agent: Door, service: HTTPService) -> None:
    service.result = in_json({"detail": "No such width."}, 400)
    run_id = start(agent, config=AUTO, run_input=resize(service, width=640))
    assert go_on(run_id).status == "failed"

    service.result = None
    assert agent.post_json(f"/runs/{run_id}/resume").status_code == 200

    assert go_on(run_id).status == "completed"
    keys = [seen.key for seen in service.to("/resize")]
    assert len(keys) == len(set(keys)) == 2


def test_a_provider_that_knows_no_keys_is_not_called_again_unasked(
    agent: Door, as_ann: Door, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReplicateService() as replicate:
        settings.HITL_REPLICATE_URL, settings.HITL_REPLICATE_TOKEN = replicate.url, replicate.TOKEN
        version = f"me/painter:{replicate.VERSION}"
        body = {"tool": "replicate", "model": version, "inputs": {"prompt": "A fox"}}
        run_id = start(agent, config=AUTO, run_input=body)
        for _ in range(5):
            if (run := go_on(run_id, steps=1)).status == "awaiting_human":
                answer(as_ann, run_id)
            elif run.step == Step.API_CALL:
                break
        assert run.step == Step.API_CALL, run.error

        die_in(monkeypatch, advance, "_make_true", run_id)
        let_lease_lapse(run_id)
        run = go_on(run_id)

        assert (run.status, run.error["code"], len(replicate.predictions)) == ("failed", "unknown_outcome", 1)
        agent.post_json(f"/runs/{run_id}/resume")
        run = go_on(run_id)
        assert (run.status, run.step) == ("awaiting_human", "payload_review")
        assert "may have been carried out" in " ".join(shown(agent, run_id)["checkpoint_context"]["why"])
        assert len(replicate.predictions) == 1


def test_who_lost_the_lease_changes_nothing(
    agent: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(agent, config=AUTO, run_input=resize(service, width=640))
    go_on(run_id, steps=3)
    take, late = steps.take, list[Run]()

    def take_long(run: Run) -> Any:
        if late:
            return take(run)
        late.append(run)
        outcome = take(run)
        leases.release_all()
        advance.advance(run_id)
        return outcome

    monkeypatch.setattr(steps, "take", take_long)
    advance.advance(run_id)

    assert Run.objects.get(pk=run_id).step == "response_review"
    assert go_on(run_id).status == "completed"
    assert (history(run_id), done(service)) == (ONCE_EACH, [1])
