"""Runs stop and go on, each in its session: what is kept, what belongs to whom, what time does to them."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now

from events.models import Event
from interrupts.models import Interrupt
from interrupts.services import expire_overdue
from reviews.models import Attachment
from runs import advance, dispatch, leases, services
from runs.models import Checkpoint, InputKind, ModelInput, RegisteredModel, Run, StepEvent
from tests.conftest import API, Door
from tests.providers import HTTPService
from tests.runs import answer, attach_to_session, go_on, resize, shown, start
from tests.steps import event_types, let_deadline_pass, problem

PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
AUTO = {"policy": "auto"}


def told(run_id: str, event_type: str) -> list[dict[str, Any]]:
    rows = Event.objects.filter(subject_id=run_id, type=event_type).order_by("position")
    return [json.loads(row.data) for row in rows]


def after_a_restart() -> list[str]:
    """Have a new process look for what is to do; return the runs it takes up."""
    leases.release_all()
    Run.objects.update(due_at=Now())
    found: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "send", found.append)
        advance.wake()
    return found


# -- Pausing and going on -------------------------------------------------------------------------------


def test_a_run_paused_before_it_began_waits_through_a_restart(agent: Door, service: HTTPService) -> None:
    run_id = start(agent, config=AUTO, run_input=resize(service))
    assert agent.post_json(f"/runs/{run_id}/pause", {"reason": "Lunch"}).json()["status"] == "paused"

    assert after_a_restart() == []
    assert go_on(run_id).step == "created"
    assert agent.post_json(f"/runs/{run_id}/resume").json()["status"] == "running"

    assert after_a_restart() == [run_id]
    assert go_on(run_id).status == "completed"
    assert told(run_id, "hitl.run.paused")[0]["reason"] == "Lunch"


def test_a_question_answered_while_the_run_was_paused_is_not_asked_again(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id = start(agent, run_input=resize(service, width=640))
    go_on(run_id)
    question = shown(agent, run_id, "status")["approval_id"]
    agent.post_json(f"/runs/{run_id}/pause")
    assert as_ann.post_json(f"/interrupts/{question}/approve").status_code == 200
    assert (go_on(run_id).status, after_a_restart()) == ("paused", [])

    agent.post_json(f"/runs/{run_id}/resume")

    assert after_a_restart() == [run_id]
    run = go_on(run_id)
    assert (run.status, run.step) == ("awaiting_human", "payload_review")
    assert run.checkpoints.filter(step="information_review").count() == 1


def test_a_waiting_run_is_found_after_a_restart_once_its_question_is_answered(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id = start(agent, run_input=resize(service))
    go_on(run_id)
    assert after_a_restart() == []

    as_ann.post_json(f"/interrupts/{shown(agent, run_id, 'status')['approval_id']}/reject", {"reason": "No"})

    assert after_a_restart() == [run_id]
    assert go_on(run_id).status == "cancelled"


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_what_has_ended_is_neither_paused_nor_resumed(agent: Door, service: HTTPService, verb: str) -> None:
    completed = start(agent, config=AUTO, run_input=resize(service))
    cancelled = start(agent, run_input=resize(service))
    agent.send_json("DELETE", f"/runs/{cancelled}")
    for run_id in (completed, cancelled):
        status = go_on(run_id).status
        refused = problem(agent.post_json(f"/runs/{run_id}/{verb}"), 409)
        assert refused["code"] == f"already_{status}", refused


def test_pausing_twice_is_refused_and_says_why(agent: Door) -> None:
    run_id = start(agent, run_input={"tool": "http"})
    agent.post_json(f"/runs/{run_id}/pause")

    assert problem(agent.post_json(f"/runs/{run_id}/pause"), 409, "already_paused")["current"]["id"] == run_id


def test_all_that_a_client_needs_to_go_on_is_kept(agent: Door, as_ann: Door, service: HTTPService) -> None:
    run_id = start(agent, run_input=resize(service, width=640), session_id="s-1", user_id="ann")
    go_on(run_id)
    assert answer(as_ann, run_id, reason="Fine").status_code == 200
    go_on(run_id)
    agent.post_json(f"/runs/{run_id}/pause")

    found = agent.get_json("/sessions/s-1/active").json()

    assert found["active"]["run_id"] == run_id
    assert found["active"]["status"] == "paused"
    assert found["active"]["current_step"] == "payload_review"
    assert found["checkpoint_context"]["checkpoint"] == "payload_suggestion"
    assert found["checkpoint_context"]["validation"]["blocking_issues"] == 0
    assert found["pending_actions"] == ["approve", "edit", "reject"]
    last = found["last_approval"]
    assert (last["by"], last["action"], last["step"]) == ("ann", "approve", "information_review")
    assert [row["approval_id"] for row in found["approvals"]] == [found["active"]["approval_id"]]
    history = [(row["step"], row["status"]) for row in found["active"]["step_history"]]
    assert history == [
        ("created", "completed"),
        ("information_review", "completed"),
        ("payload_review", "running"),
    ]


# -- Sessions -------------------------------------------------------------------------------------------


def test_a_newer_run_of_a_session_takes_the_place_of_the_older_and_says_so(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    older = start(agent, run_input=resize(service), session_id="s-1")
    go_on(older)
    question = shown(agent, older, "status")["approval_id"]

    newer = start(agent, run_input=resize(service), session_id="s-1")

    assert go_on(older).status == "cancelled"
    assert told(older, "hitl.run.cancelled")[0]["superseded_by"] == newer
    assert Interrupt.objects.get(pk=question).status == "cancelled"
    problem(as_ann.post_json(f"/interrupts/{question}/approve"), 409)
    assert go_on(newer).status == "awaiting_human"
    found = agent.get_json("/sessions/s-1/active").json()
    assert [run["run_id"] for run in found["runs"]] == [newer]


def test_sessions_do_not_touch_each_other(agent: Door, as_ann: Door, service: HTTPService) -> None:
    runs = {name: start(agent, run_input=resize(service), session_id=name) for name in ("s-1", "s-2", "")}
    runs["none"] = start(agent, run_input=resize(service))
    for run_id in runs.values():
        go_on(run_id)

    assert answer(as_ann, runs["s-1"], "reject").status_code == 200

    assert {name: go_on(run_id).status for name, run_id in runs.items()} == {
        "s-1": "cancelled", "s-2": "awaiting_human", "": "awaiting_human", "none": "awaiting_human",
    }  # fmt: skip
    for name in ("s-1", "s-2"):
        listed = agent.get_json("/runs", session_id=name).json()["results"]
        assert [run["run_id"] for run in listed] == [runs[name]]
    waiting = agent.get_json("/approvals/pending", session_id="s-2").json()["results"]
    assert [row["run_id"] for row in waiting] == [runs["s-2"]]
    assert agent.get_json("/approvals/pending", session_id="s-1").json()["results"] == []
    assert agent.get_json("/sessions/s-1/active").json()["active"] is None


def test_two_agents_can_call_their_sessions_the_same(
    agent: Door, rogue: Door, as_ann: Door, service: HTTPService
) -> None:
    own = start(agent, run_input=resize(service), session_id="s-1")
    attach_to_session(agent, "s-1", b"Mine.")
    go_on(own)
    other = start(rogue, run_input=resize(service), session_id="s-1")
    go_on(other)

    assert go_on(own).status == "awaiting_human"
    for door, run_id, files in ((agent, own, 1), (rogue, other, 0)):
        found = door.get_json("/sessions/s-1/active").json()
        assert [run["run_id"] for run in found["runs"]] == [run_id]
        assert [row["run_id"] for row in found["approvals"]] == [run_id]
        assert len(found["files"]) == files
    seen = as_ann.get_json("/sessions/s-1/active").json()
    assert {run["run_id"] for run in seen["runs"]} == {own, other}


def test_a_run_of_another_agent_can_be_neither_answered_nor_steered(
    agent: Door, rogue: Door, service: HTTPService
) -> None:
    run_id = start(agent, run_input=resize(service), session_id="s-1")
    go_on(run_id)
    before = Event.objects.count()

    for verb in ("pause", "resume"):
        problem(rogue.post_json(f"/runs/{run_id}/{verb}"), 404)
    problem(rogue.send_json("DELETE", f"/runs/{run_id}"), 404)
    problem(rogue.post_json(f"/interrupts/{shown(agent, run_id)['approval_id']}/cancel"), 404)

    assert (Event.objects.count(), go_on(run_id).status) == (before, "awaiting_human")


# -- Files ----------------------------------------------------------------------------------------------


@pytest.fixture
def cutout(service: HTTPService) -> str:
    """The address of an endpoint that must have an image."""
    address = f"{service.url}/cutout"
    model = RegisteredModel.objects.create(tool="http", pattern="*/cutout", title="Cutout")
    ModelInput.objects.create(model=model, name="image", kind=InputKind.IMAGE, required=True)
    return address


def upload(door: Door, run_id: str, content: bytes = PICTURE, name: str = "cat.png") -> str:
    """Put a file to what the run asks; return how an input names it."""
    question = shown(door, run_id, "status")["approval_id"]
    path = f"{API}/interrupts/{question}/attachments"
    added = door.post(path, {"file": SimpleUploadedFile(name, content)})
    assert added.status_code == 201, added.content
    return f"attachment:{Attachment.objects.get(item_id=question).pk}"


def test_a_missing_image_is_asked_for_and_the_one_that_a_person_uploads_is_sent(
    agent: Door, as_ann: Door, service: HTTPService, cutout: str
) -> None:
    run_id = start(agent, config=AUTO, run_input={"tool": "http", "inputs": {"url": cutout}})
    assert go_on(run_id).status == "awaiting_human"
    assert shown(agent, run_id)["checkpoint_context"]["validation"]["missing"] == ["image"]

    upload(as_ann, run_id)
    assert answer(as_ann, run_id).status_code == 200

    run = go_on(run_id)
    assert run.status == "completed", run.error
    assert PICTURE in service.to("/cutout")[-1].body


def test_the_image_of_a_person_beats_the_example_input(
    agent: Door, as_ann: Door, service: HTTPService, cutout: str
) -> None:
    example = {"image": "https://example.com/example.png"}
    body = {"tool": "http", "inputs": {"url": cutout}, "example_input": example}
    run_id = start(agent, run_input=body, config={"policy": "require_human"})
    go_on(run_id)

    uploaded = upload(as_ann, run_id)
    while go_on(run_id).status == "awaiting_human":
        assert answer(as_ann, run_id).status_code == 200

    run = Run.objects.get(pk=run_id)
    assert (run.status, run.payload["image"]) == ("completed", uploaded)
    assert PICTURE in service.to("/cutout")[-1].body
    assert b"example.png" not in service.to("/cutout")[-1].body


def test_a_file_that_was_in_the_session_before_is_found(
    agent: Door, service: HTTPService, cutout: str
) -> None:
    assert attach_to_session(agent, "s-1", PICTURE, "cat.png").status_code == 201
    body = {"tool": "http", "inputs": {"url": cutout}}
    run_id = start(agent, config=AUTO, session_id="s-1", run_input=body)

    assert go_on(run_id).status == "completed"
    assert PICTURE in service.to("/cutout")[-1].body


@pytest.mark.parametrize("whose", ["another session", "another agent"])
def test_a_file_of_somebody_else_is_not_sent(
    agent: Door, rogue: Door, service: HTTPService, cutout: str, whose: str
) -> None:
    door, session = (agent, "s-2") if whose == "another session" else (rogue, "s-1")
    added = attach_to_session(door, session, PICTURE, "cat.png").json()
    body = {"tool": "http", "inputs": {"url": cutout, "image": added["reference"]}}
    run_id = start(agent, config=AUTO, session_id="s-1", run_input=body)

    run = go_on(run_id)

    assert run.status == "awaiting_human"
    assert service.to("/cutout") == []
    problem(agent.get_json(f"/sessions/s-1/files/{added['id']}"), 404)


# -- Time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize(("on_timeout", "status"), [("expire", "failed"), ("reject", "cancelled")])
def test_a_question_that_nobody_answers_in_time_lets_nothing_pass(
    agent: Door, as_ann: Door, service: HTTPService, on_timeout: str, status: str, swept: bool
) -> None:
    config = {"timeout_seconds": 60, "on_timeout": on_timeout}
    run_id = start(agent, config=config, run_input=resize(service, width=640))
    go_on(run_id)
    question = shown(agent, run_id)["approval_id"]
    let_deadline_pass(question)
    if swept:
        expire_overdue()

    problem(as_ann.post_json(f"/runs/{run_id}/approve", {"approval_id": question, "action": "approve"}), 409)
    assert after_a_restart() == [run_id]
    run = go_on(run_id)

    assert (run.status, run.step) == (status, "information_review")
    assert service.to("/resize") == []


def test_a_run_that_failed_for_want_of_an_answer_asks_again_when_it_is_resumed(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    config = {"timeout_seconds": 60}
    run_id = start(agent, config=config, run_input=resize(service, width=640))
    go_on(run_id)
    let_deadline_pass(shown(agent, run_id)["approval_id"])
    assert go_on(run_id).error["code"] == "approval_timeout"

    assert agent.post_json(f"/runs/{run_id}/resume").json()["status"] == "running"
    while go_on(run_id).status == "awaiting_human":
        assert answer(as_ann, run_id).status_code == 200

    assert shown(agent, run_id)["status"] == "completed"
    steps = [(row.step, row.outcome) for row in StepEvent.objects.filter(run_id=run_id)]
    assert steps[1:3] == [("information_review", "failed"), ("information_review", "completed")]
    assert len(service.to("/resize")) == 1


def test_what_ended_long_ago_is_cleaned_up_and_its_record_stays(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    ended = start(agent, config=AUTO, run_input=resize(service), session_id="s-1")
    go_on(ended)
    waiting = start(agent, run_input=resize(service), session_id="s-2")
    go_on(waiting)
    attach_to_session(agent, "s-1")
    kept = event_types(ended)

    assert services.cleanup(days=1) == 0
    assert services.cleanup(days=0) == 2  # the run and the file

    assert list(Run.objects.values_list("pk", flat=True)) == [waiting]
    assert not StepEvent.objects.filter(run_id=ended).exists()
    assert not Attachment.objects.filter(session_id="s-1").exists()
    assert Checkpoint.objects.filter(run_id=waiting).count() == 1
    assert event_types(ended) == kept
    problem(agent.get_json(f"/runs/{ended}"), 404)
