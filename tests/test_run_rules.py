"""No agent gets its run past the people and the policies of the house, whatever it tries."""

import pytest

from interrupts.models import Interrupt
from runs import advance, steps
from runs.lifecycle import Step
from runs.models import Run
from tests.conftest import Door
from tests.providers import HTTPService
from tests.runs import answer, go_on, resize, shown, start
from tests.steps import MakePolicy, problem

AUTO = {"policy": "auto"}


def to_the_question(door: Door, service: HTTPService, step: Step, by: Door) -> str:
    """Start a run that is asked about everywhere, and answer until it asks at *step*."""
    run_id = start(door, run_input=resize(service, width=640))
    while go_on(run_id).step != step:
        assert answer(by, run_id).status_code == 200
    return run_id


@pytest.mark.parametrize("how", ["auto", "no flag", "no steps"])
def test_a_policy_of_the_house_outranks_what_the_agent_configures(
    agent: Door, as_ann: Door, make_policy: MakePolicy, service: HTTPService, how: str
) -> None:
    make_policy(pattern="http")
    if how == "no flag":
        run_id = str(agent.post_json("/teams/run", resize(service)).json()["run_id"])
    else:
        config = AUTO if how == "auto" else {**AUTO, "allowed_steps": []}
        run_id = start(agent, config=config, run_input=resize(service))

    assert go_on(run_id).status == "awaiting_human"
    assert service.to("/resize") == []
    assert "http" in shown(agent, run_id)["checkpoint_context"]["why"][0]
    assert answer(as_ann, run_id).status_code == 200
    assert go_on(run_id).status == "completed"
    assert len(service.to("/resize")) == 1


def test_what_the_house_denies_is_not_called(
    agent: Door, make_policy: MakePolicy, service: HTTPService
) -> None:
    make_policy(pattern="http", deny=True)
    run_id = start(agent, config=AUTO, run_input=resize(service))

    run = go_on(run_id)

    assert run.status == "cancelled"
    assert run.error["message"]
    assert service.to("/resize") == []


def test_where_two_must_approve_one_does_not_move_the_run(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy, service: HTTPService
) -> None:
    make_policy(pattern="http", required_approvals=2)
    run_id = start(agent, config=AUTO, run_input=resize(service))
    go_on(run_id)

    assert answer(as_ann, run_id).status_code == 200
    assert (go_on(run_id).status, service.to("/resize")) == ("awaiting_human", [])
    answer(as_ann, run_id)
    assert (go_on(run_id).status, service.to("/resize")) == ("awaiting_human", [])

    assert answer(as_bob, run_id).status_code == 200
    assert go_on(run_id).status == "completed"


def test_a_policy_made_while_a_run_was_on_its_way_is_asked_before_the_call(
    agent: Door, make_policy: MakePolicy, service: HTTPService
) -> None:
    run_id = start(agent, config=AUTO, run_input=resize(service))
    assert go_on(run_id, steps=3).step == "api_call"

    make_policy(pattern="http")

    run = go_on(run_id)
    assert (run.status, run.step, service.to("/resize")) == ("awaiting_human", "api_call", [])


def test_an_agent_cannot_answer_what_its_run_asks(agent: Door, service: HTTPService) -> None:
    run_id = start(agent, run_input=resize(service), user_id="janitor")
    go_on(run_id)
    question = shown(agent, run_id)["approval_id"]

    problem(answer(agent, run_id), 403)
    problem(agent.post_json(f"/interrupts/{question}/approve", {"user_id": "ann"}), 403)
    problem(
        agent.post_json(
            "/approvals", {"user_id": "ann", "thread_id": "s", "approved": True, "interrupt_id": question}
        ),
        403,
    )

    assert go_on(run_id).status == "awaiting_human"


def test_an_approval_that_the_run_used_is_spent_for_the_agent(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id = to_the_question(agent, service, Step.PAYLOAD_REVIEW, as_ann)
    asked = Interrupt.objects.get(pk=shown(agent, run_id)["approval_id"])
    answer(as_ann, run_id)
    go_on(run_id)

    refused = agent.post_json(f"/interrupts/{asked.pk}/consume", {"tool_args": asked.tool_args})

    problem(refused, 409)
    assert len(service.to("/resize")) == 1


def test_an_approval_that_the_agent_spent_first_is_none_for_its_run(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id = to_the_question(agent, service, Step.PAYLOAD_REVIEW, as_ann)
    asked = Interrupt.objects.get(pk=shown(agent, run_id)["approval_id"])
    answer(as_ann, run_id)
    spent = agent.post_json(f"/interrupts/{asked.pk}/consume", {"tool_args": asked.tool_args})
    assert spent.status_code == 200

    run = go_on(run_id)

    assert (run.status, run.step, service.to("/resize")) == ("awaiting_human", "payload_review", [])
    assert shown(agent, run_id)["approval_id"] != asked.pk
    answer(as_ann, run_id)
    assert go_on(run_id).step == "response_review"
    assert len(service.to("/resize")) == 1


def test_an_agent_cannot_change_what_was_asked_about(agent: Door, as_ann: Door, service: HTTPService) -> None:
    run_id = to_the_question(agent, service, Step.PAYLOAD_REVIEW, as_ann)
    question = shown(agent, run_id)["approval_id"]
    body = {"tool_args": {"url": f"{service.url}/other"}}
    assert agent.post_json(f"/interrupts/{question}/revise", body).status_code in (400, 403, 409)

    answer(as_ann, run_id)

    assert go_on(run_id).step == "response_review"
    assert [seen.json for seen in service.to("/resize")] == [{"width": 640}]
    assert service.to("/other") == []


def test_what_differs_from_what_was_approved_is_asked_again(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id = to_the_question(agent, service, Step.PAYLOAD_REVIEW, as_ann)
    answer(as_ann, run_id)
    advance.advance(run_id)
    assert Run.objects.get(pk=run_id).approval["action"] == "approve"
    Run.objects.filter(pk=run_id).update(payload={"url": f"{service.url}/resize", "width": 9_999})

    run = go_on(run_id)

    assert (run.status, run.step, service.to("/resize")) == ("awaiting_human", "payload_review", [])


def test_a_question_deleted_behind_the_back_of_its_run_approves_nothing(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id = to_the_question(agent, service, Step.PAYLOAD_REVIEW, as_ann)
    gone = shown(agent, run_id)["approval_id"]
    Interrupt.objects.get(pk=gone).delete()

    assert go_on(run_id).status == "awaiting_human"
    assert shown(agent, run_id)["approval_id"] not in (None, gone)
    assert service.to("/resize") == []


def test_what_the_agent_revised_is_not_what_the_run_asked(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id = to_the_question(agent, service, Step.PAYLOAD_REVIEW, as_ann)
    asked = shown(agent, run_id)["approval_id"]
    assert as_ann.post_json(f"/interrupts/{asked}/request_changes", {"comment": "Smaller"}).status_code == 200
    other = {"url": f"{service.url}/other"}
    assert agent.post_json(f"/interrupts/{asked}/revise", {"tool_args": other}).status_code == 200
    assert as_ann.post_json(f"/interrupts/{asked}/approve").status_code == 200

    assert go_on(run_id).status == "awaiting_human"
    assert shown(agent, run_id)["approval_id"] != asked
    assert service.to("/other") == []


def test_a_run_cannot_be_cancelled_back_to_life(agent: Door, as_ann: Door, service: HTTPService) -> None:
    run_id = to_the_question(agent, service, Step.PAYLOAD_REVIEW, as_ann)
    question = shown(agent, run_id)["approval_id"]
    agent.send_json("DELETE", f"/runs/{run_id}")

    problem(as_ann.post_json(f"/interrupts/{question}/approve"), 409)
    problem(agent.post_json(f"/runs/{run_id}/resume"), 409)
    problem(answer(as_ann, run_id), 400)

    assert (go_on(run_id).status, service.to("/resize")) == ("cancelled", [])


def test_asking_without_end_ends(agent: Door, as_ann: Door, service: HTTPService) -> None:
    run_id = start(agent, config=AUTO, run_input={"tool": "http"})
    for _ in range(advance.QUESTIONS_AT_ONE_STEP):
        assert go_on(run_id).status == "awaiting_human"
        answer(as_ann, run_id, "edit", edits={"width": 1})

    assert go_on(run_id).error["code"] == "too_many_questions"
    assert steps.TRIES < 20
