"""Attacks on runs: by agents, by what people send by mistake, by services, and by what dies half-way."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.db.models.functions import Now

from events.models import Event
from reviews import services as reviews
from reviews.models import Attachment, ReviewItem
from runs import advance, checkpoints, files, services
from runs.models import Checkpoint, Run
from runs.providers.openai import OpenAIProvider
from tests.conftest import API, Door
from tests.providers import HTTPService, OpenAIService, Reply
from tests.runs import answer, go_on, sent, shown, start
from tests.steps import MakePolicy, attach, problem

AUTO = {"policy": "auto"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


def bodies_of(service: HTTPService) -> list[Any]:
    return [seen.json for seen in service.calls if seen.method == "POST"]


def last_event(run_id: str) -> Event:
    found = Event.objects.filter(subject_id=run_id).order_by("position").last()
    assert found is not None
    return found


def stumble(*args: Any) -> None:
    raise LookupError


# -- What is sent to start one ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "over",
    [
        {"inputs": "all"},
        {"tool": 5},
        {"model": ["a"]},
        {"prompt": {"a": 1}},
        {"session_id": {"a": 1}},
        {"user_id": 7},
        {"user_id": "u" * 256},
        {"agent_tool_config": ["http"]},
        {"config": "fast"},
        {"document_url": 1},
        {"example_input": "none"},
    ],
)
@pytest.mark.parametrize("place", ["original_input", "run_input"])
def test_what_is_no_input_is_refused_wherever_it_stands(
    agent: Door, over: dict[str, Any], place: str
) -> None:
    body = {"run_input": {"tool": "http"}, **({"original_input": over} if place == "original_input" else {})}
    if place == "run_input":
        body["run_input"] = {"tool": "http", **over}

    problem(agent.post_json("/run", body), 400)


def test_a_key_of_a_run_with_people_is_not_that_of_one_without(agent: Door, service: HTTPService) -> None:
    key = {"Idempotency-Key": "one"}
    assert agent.post_json("/teams/run", sent(service), **key).status_code == 202

    problem(agent.post_json("/teams/run?enable_hitl=true", sent(service), **key), 422, "key_reused")


def test_the_slow_calls_of_one_agent_leave_workers_to_others(
    agent: Door, rogue: Door, service: HTTPService, settings: Any
) -> None:
    settings.HITL_RUN_CALLS_PER_AGENT = 1
    auto = {"config": {"policy": "auto"}}
    slow, next_one, other = (start(door, **auto, **sent(service)) for door in (rogue, rogue, agent))
    for run_id in (slow, next_one, other):
        go_on(run_id, steps=3)
    calling = {"submitted_at": Now(), "leased_until": Now() + dt.timedelta(minutes=1), "leased_by": "lease_x"}
    Run.objects.filter(pk=slow).update(**calling)

    assert (go_on(next_one).step, service.to("/resize")) == ("api_call", [])
    assert go_on(other).status == "completed"
    Run.objects.filter(pk=slow).update(leased_until=None, leased_by="", submitted_at=None)
    assert go_on(next_one).status == "completed"


# -- What people approve is what is sent ------------------------------------------------------------------


def test_inputs_that_a_person_took_out_do_not_come_back(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    schema = {"type": "object", "properties": {"width": {"type": "integer"}}}
    content = {"application/json": {"schema": schema}}
    service.document = {"paths": {"/resize": {"post": {"requestBody": {"content": content}}}}}
    run_id = start(agent, config={"allowed_steps": ["information_review"]}, **sent(service, width=640))
    go_on(run_id)
    asked = shown(agent, run_id, "status")["approval_id"]
    changed = {"modifications": {"url": f"{service.url}/resize"}}

    assert as_ann.post_json(f"/interrupts/{asked}/approve", changed).status_code == 200
    assert go_on(run_id).status == "completed"

    assert bodies_of(service) == [{}]


def test_only_the_files_of_who_approves_are_sent_under_the_approval(
    agent: Door, as_ann: Door, as_bob: Door, service: HTTPService
) -> None:
    schema = {"type": "object", "properties": {"image": {"type": "string", "format": "binary"}}}
    content = {"multipart/form-data": {"schema": schema}}
    service.document = {"paths": {"/resize": {"post": {"requestBody": {"content": content}}}}}
    run_id = start(agent, config={"allowed_steps": ["payload_review"]}, **sent(service))
    go_on(run_id)
    asked = shown(agent, run_id, "status")["approval_id"]
    assert attach(as_ann, asked, PNG + b"of ann", "mine.png").status_code == 201
    assert attach(as_bob, asked, PNG + b"of bob", "other.png").status_code == 201

    assert answer(as_ann, run_id).status_code == 200
    assert go_on(run_id).status == "completed"
    body = service.to("/resize")[-1].body
    assert b"of ann" in body
    assert b"of bob" not in body


@pytest.mark.parametrize("model", ["m" * 300, {"a": 1}])
def test_a_model_that_is_none_is_refused_when_somebody_writes_it(
    agent: Door, as_ann: Door, service: HTTPService, model: Any
) -> None:
    run_id = start(agent, **sent(service, width=640))
    go_on(run_id)

    problem(answer(as_ann, run_id, "edit", edits={"model": model}), 400)


def test_who_edits_a_response_edits_its_output_alone(agent: Door, as_ann: Door, service: HTTPService) -> None:
    run_id = start(agent, config={"allowed_steps": ["response_review"]}, **sent(service))
    go_on(run_id)
    edits = {"output": "mine", "files": ["att_1"], "flags": 5}
    assert answer(as_ann, run_id, "edit", edits=edits).status_code == 200

    run = go_on(run_id)

    assert run.status == "completed", (run.status, run.tries, run.error)
    assert run.response == {"output": "mine", "files": [], "flags": [], "confidence": None}


# -- The record -------------------------------------------------------------------------------------------


def test_a_run_that_a_policy_ends_is_ended_by_nobody_of_flesh(
    agent: Door, service: HTTPService, make_policy: MakePolicy
) -> None:
    make_policy(pattern="http", deny=True)
    run_id = start(agent, config=AUTO, **sent(service))

    assert go_on(run_id).status == "cancelled"
    assert last_event(run_id).actor == "system"


def test_an_agent_that_takes_its_question_back_ends_the_run_in_its_own_name(
    make_agent: Callable[..., Door], service: HTTPService
) -> None:
    posing = make_agent("ann")
    run_id = start(posing, **sent(service))
    go_on(run_id)
    asked = shown(posing, run_id, "status")["approval_id"]
    assert posing.post_json(f"/interrupts/{asked}/cancel").status_code == 200

    assert go_on(run_id).status == "cancelled"
    assert last_event(run_id).actor == "agent:ann"


# -- What services answer ---------------------------------------------------------------------------------


def test_an_answer_too_large_to_be_read_at_a_glance_is_kept_as_a_file(
    agent: Door, service: HTTPService
) -> None:
    text = "a" * 150_000
    service.result = Reply(200, b'"' + text.encode() + b'"')
    run_id = start(agent, config=AUTO, session_id="s1", **sent(service))

    run = go_on(run_id)

    assert run.status == "completed"
    (file,) = run.response["files"]
    content = agent.get_json(f"/sessions/s1/files/{file['id']}").content
    assert content.decode() == f'"{text}"'


# -- What dies half-way -----------------------------------------------------------------------------------


def test_a_question_that_cannot_be_asked_does_not_take_the_run_round_for_ever(
    agent: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "show_with", stumble)
    run_id = start(agent, **sent(service))

    run = go_on(run_id)

    assert (run.status, run.error.get("code")) == ("failed", "server_fault")


def test_a_run_that_finds_no_room_for_its_question_is_put_off_and_let_go(
    agent: Door, service: HTTPService, settings: Any
) -> None:
    settings.HITL_OPEN_ITEMS_PER_AGENT = 1
    run_id = start(agent, **sent(service))
    agent.ask()
    advance.advance(run_id)
    advance.advance(run_id)

    run = Run.objects.get(pk=run_id)
    assert (run.status, run.step, run.leased_by) == ("running", "information_review", "")
    assert not Run.objects.filter(pk=run_id, due_at__lte=Now()).exists()


def test_an_answer_that_cannot_be_read_fails_the_run_and_not_the_clock(
    agent: Door, as_ann: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(agent, **sent(service))
    go_on(run_id)
    assert answer(as_ann, run_id).status_code == 200
    with monkeypatch.context() as broken:
        broken.setattr(checkpoints, "changes", stumble)
        run = go_on(run_id)
    assert (run.status, run.error["code"]) == ("failed", "server_fault")

    assert agent.post_json(f"/runs/{run_id}/resume").status_code == 200
    assert go_on(run_id).status == "awaiting_human"


def test_a_result_that_could_not_be_kept_is_fetched_by_the_same_key(
    agent: Door, service: HTTPService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(agent, config=AUTO, **sent(service))

    with monkeypatch.context() as full:
        full.setattr(files, "keep_results", stumble)
        run = go_on(run_id)
    assert (run.status, run.error["code"]) == ("failed", "server_fault")
    assert agent.post_json(f"/runs/{run_id}/resume").status_code == 200

    assert go_on(run_id).status == "completed"
    assert len([key for key in service.carried_out if key]) == 1


@pytest.fixture
def model(settings: Any) -> Iterator[OpenAIService]:
    with OpenAIService() as found:
        settings.HITL_OPENAI_URL, settings.HITL_OPENAI_KEY = f"{found.url}/v1", found.KEY
        yield found


def prompted() -> dict[str, Any]:
    return {"run_input": {"tool": "openai", "model": "gpt-4o-mini", "prompt": "Where is the Louvre?"}}


def test_a_fault_after_the_call_went_out_is_no_reason_to_call_again_unasked(
    agent: Door, model: OpenAIService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(agent, config=AUTO, **prompted())
    with monkeypatch.context() as faulty:
        faulty.setattr(OpenAIProvider, "_finished", stumble)
        assert go_on(run_id).error["code"] == "unknown_outcome"
    assert agent.post_json(f"/runs/{run_id}/resume").status_code == 200

    assert go_on(run_id).status == "awaiting_human"
    assert model.carried_out.total() == 1


def test_a_call_that_may_be_under_way_is_not_forgotten_when_the_provider_is_switched_off(
    agent: Door, model: OpenAIService, settings: Any
) -> None:
    run_id = start(agent, config=AUTO, **prompted())
    for _ in range(3):
        advance.advance(run_id)
    # As if its worker had been killed in the call.
    assert Run.objects.filter(pk=run_id, step="api_call").update(submitted_at=Now())
    settings.HITL_OPENAI_URL = ""

    assert go_on(run_id).error["code"] == "unknown_outcome"


def test_a_call_under_way_outlives_that_its_provider_is_switched_off(
    agent: Door, service: HTTPService, settings: Any
) -> None:
    service.polls = 0
    run_id = start(agent, config=AUTO, **sent(service))
    assert go_on(run_id, steps=4).handle == "/jobs/1"
    settings.HITL_RUN_HOSTS = []
    assert go_on(run_id).error["code"] == "provider_unavailable"
    settings.HITL_RUN_HOSTS = ["127.0.0.1"]
    assert agent.post_json(f"/runs/{run_id}/resume").status_code == 200

    assert go_on(run_id).status == "completed"
    assert len([key for key in service.carried_out if key]) == 1


def test_asking_again_ties_a_browser_action_to_its_run_after_all(agent: Door, service: HTTPService) -> None:
    body = {"run_id": start(agent, **sent(service)), "action_description": "Click"}
    assert agent.post_json("/browser_approvals", body, **{"Idempotency-Key": "k"}).status_code == 201
    Checkpoint.objects.all().delete()  # as if the server had been killed in between

    assert agent.post_json("/browser_approvals", body, **{"Idempotency-Key": "k"}).status_code == 200
    assert Checkpoint.objects.get().kind == "browser_action"


# -- What is cleaned up -----------------------------------------------------------------------------------


def test_the_files_of_a_session_stay_as_long_as_a_run_may_need_them(
    agent: Door, service: HTTPService
) -> None:
    file = SimpleUploadedFile("list.txt", b"To be resized.")
    for session in ("s1", "s2"):
        assert agent.post(f"{API}/sessions/{session}/files", {"file": file}).status_code == 201
        file.seek(0)
    Attachment.objects.update(created_at=Now() - dt.timedelta(days=90))
    start(agent, session_id="s1", **sent(service))

    assert services.cleanup() == 1
    assert Attachment.objects.get().session_id == "s1"


def test_a_run_whose_answer_was_cleaned_up_while_it_was_paused_asks_again(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id = start(agent, **sent(service, width=640))
    go_on(run_id)
    first = shown(agent, run_id, "status")["approval_id"]
    assert agent.post_json(f"/runs/{run_id}/pause").status_code == 200
    assert as_ann.post_json(f"/interrupts/{first}/approve").status_code == 200
    ReviewItem.objects.update(resolved_at=Now() - dt.timedelta(days=90))
    assert reviews.cleanup() == 1
    assert agent.post_json(f"/runs/{run_id}/resume").status_code == 200

    assert go_on(run_id).status == "awaiting_human"
    assert shown(agent, run_id, "status")["approval_id"] not in (None, first)
    assert bodies_of(service) == []


# -- Who comes at the same moment -------------------------------------------------------------------------


@pytest.mark.production
@pytest.mark.django_db(transaction=True)
def test_a_run_that_ends_just_as_a_newer_one_takes_its_place_is_in_nobodys_way(
    agent: Door, service: HTTPService
) -> None:
    body = {"session_id": "s1", **sent(service)}
    older = start(agent, **body)
    answers: list[Any] = []

    def begin() -> None:
        answers.append(agent.post_json("/run", body))
        connection.close()

    newer = threading.Thread(target=begin)
    with transaction.atomic():
        Run.objects.filter(pk=older).update(status="completed", resolved_at=Now())
        newer.start()
        wait_for_a_lock()
    newer.join()

    assert answers[0].status_code == 202, answers[0].content


def wait_for_a_lock() -> None:
    """Wait until another connection waits for what this one has locked."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with connection.cursor() as cursor:
        for _ in range(500):
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("Nobody waits.")
