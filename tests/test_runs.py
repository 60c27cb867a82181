"""A run from its start to its end: what it asks, what people say, what the provider gets."""

import pytest
from django.contrib.auth.models import User

from reviews.models import ReviewItem
from tests.conftest import Door
from tests.providers import HTTPService
from tests.runs import answer, go_on, sent, shown, start
from tests.steps import event_types, problem

AUTO = {"policy": "auto"}


def test_a_run_that_needs_nobody_goes_straight_through(agent: Door, service: HTTPService) -> None:
    run_id = start(agent, config=AUTO, **sent(service, width=640))

    run = go_on(run_id)

    assert run.status == "completed", run.error
    assert [seen.json for seen in service.calls if seen.method == "POST"] == [{"width": 640}]


def test_something_missing_makes_it_wait_for_a_person(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id = start(agent, config=AUTO, run_input={"tool": "http", "inputs": {"width": 640}})

    assert go_on(run_id).status == "awaiting_human"
    found = shown(agent, run_id, "status")
    assert found["pending_actions"] == ["edit", "reject"]
    assert found["checkpoint_context"]["validation"]["missing"] == ["url"]

    done = answer(as_ann, run_id, "edit", edits={"url": f"{service.url}/resize"})
    assert done.status_code == 200, done.content
    assert go_on(run_id).status == "completed"
    assert service.to("/resize")[-1].json == {"width": 640}


def test_every_review_asks_where_that_is_wanted(agent: Door, as_ann: Door, service: HTTPService) -> None:
    run_id = start(agent, config={"policy": "require_human"}, **sent(service, width=640))
    asked = []
    while go_on(run_id).status == "awaiting_human":
        asked.append(shown(agent, run_id, "status")["checkpoint"])
        assert answer(as_ann, run_id).status_code == 200

    assert asked == ["information_review", "payload_suggestion", "response_review"]
    assert shown(agent, run_id)["status"] == "completed"
    assert event_types(run_id)[0] == "hitl.run.started"
    assert event_types(run_id)[-1] == "hitl.run.completed"


def test_a_rejection_ends_it(agent: Door, as_ann: Door, service: HTTPService) -> None:
    run_id = start(agent, **sent(service, width=640))
    go_on(run_id)
    assert answer(as_ann, run_id, "reject", reason="Not this one").status_code == 200

    run = go_on(run_id)
    assert (run.status, run.error["message"]) == ("cancelled", "Not this one")
    assert service.to("/resize") == []


def test_resuming_a_run_that_waits_is_refused(agent: Door, service: HTTPService) -> None:
    run_id = start(agent, **sent(service, width=640))
    go_on(run_id)

    problem(agent.post_json(f"/runs/{run_id}/resume"), 409, "awaiting_human")


def test_a_paused_run_goes_past_no_open_question(agent: Door, as_ann: Door, service: HTTPService) -> None:
    run_id = start(agent, **sent(service, width=640))
    go_on(run_id)
    assert agent.post_json(f"/runs/{run_id}/pause").json()["status"] == "paused"
    assert go_on(run_id).status == "paused"
    assert agent.post_json(f"/runs/{run_id}/resume").json()["status"] == "awaiting_human"
    assert go_on(run_id).status == "awaiting_human"


def test_what_is_said_beside_the_input_stands_above_it(agent: Door) -> None:
    said = {"prompt": "a cat", "session_id": "old", "user_id": "bob"}
    run_id = start(agent, run_input=said, original_input={"prompt": "a dog"}, session_id="new", user_id="ann")

    found = shown(agent, run_id)
    assert (found["session_id"], found["user_id"]) == ("new", "ann")
    kept = {name: found["run_input"][name] for name in said}
    assert kept == {"prompt": "a dog", "session_id": "new", "user_id": "ann"}


def test_a_question_goes_to_whom_the_run_is_for(
    agent: Door, as_ann: Door, ann: User, service: HTTPService
) -> None:
    run_id = start(agent, user_id="ann", session_id="s", **sent(service, width=640))
    start(agent, user_id="nobody", session_id="t", **sent(service, width=640))
    go_on(run_id)

    waiting = as_ann.get_json("/approvals/pending", user_id="ann").json()["results"]
    assert [found["run_id"] for found in waiting] == [run_id]
    assert ReviewItem.objects.get(pk=waiting[0]["approval_id"]).assignee == ann


def test_pausing_and_going_on_are_lines_of_the_log(
    agent: Door, as_ann: Door, service: HTTPService, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = start(agent, session_id="s-1", **sent(service, width=640))
    with caplog.at_level("INFO"):
        go_on(run_id)
        answer(as_ann, run_id)
        go_on(run_id)
        agent.post_json(f"/runs/{run_id}/pause", {"reason": "Later"})
        agent.post_json(f"/runs/{run_id}/resume")

    lines = [line.msg for line in caplog.records if isinstance(line.msg, dict) and "run_id" in line.msg]
    assert [line["event"] for line in lines] == [
        "run_waits", "run_goes_on", "run_waits", "run_paused", "run_resumed",
    ]  # fmt: skip
    assert {line["session_id"] for line in lines} == {"s-1"}
    assert lines[1]["action"] == "approve"
    assert lines[1]["waited_seconds"] >= 0
