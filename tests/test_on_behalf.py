"""A trusted back end decides for users it has authenticated itself, and the record says so."""

from collections.abc import Callable
from typing import Any

import pytest

from agents import keys
from agents.models import Key
from tests.conftest import Door
from tests.steps import MakeAgent, problem, rows, status_of


@pytest.fixture
def back_end(make_agent: MakeAgent) -> Door:
    return make_agent("janitor", ("read", "on_behalf"))


def test_the_record_says_which_key_decided_for_whom(agent: Door, back_end: Door) -> None:
    asked = agent.ask()

    decided = back_end.post_json(f"/interrupts/{asked['id']}/approve", {"user_id": "eve@example.com"})

    assert decided.json()["resolved_by"] == "eve@example.com"
    (key,) = (key for key in Key.objects.all() if "on_behalf" in key.scopes)
    decision = agent.get_json(f"/interrupts/{asked['id']}").json()["history"][-1]
    assert decision["actor"] == f"key {key} on behalf of eve@example.com"


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("approve", {}),
        ("reject", {"reason": "no"}),
        ("respond", {"response": 1}),
        ("request_changes", {"comment": "x"}),
    ],
)
def test_without_a_user_nothing_is_decided(
    agent: Door, back_end: Door, verb: str, body: dict[str, Any]
) -> None:
    asked = agent.ask(type="feedback")
    path, before = f"/interrupts/{asked['id']}/{verb}", rows()

    for user in ({}, {"user_id": ""}, {"user_id": "  "}, {"user_id": "system"}):
        assert list(problem(back_end.post_json(path, {**body, **user}), 400, "invalid")["errors"]) == [
            "user_id"
        ]

    assert (rows(), status_of(agent, asked["id"])["status"]) == (before, "pending")
    assert back_end.post_json(path, {**body, "user_id": "eve"}).status_code == 200


@pytest.mark.parametrize(("verb", "name"), [("approve", "approved_by"), ("reject", "rejected_by")])
def test_the_user_may_stand_under_the_name_of_the_verb_and_counts_for_no_operator(
    agent: Door, back_end: Door, as_ann: Door, verb: str, name: str
) -> None:
    ours, theirs = (f"/interrupts/{agent.ask()['id']}/{verb}" for _ in range(2))

    assert as_ann.post_json(ours, {name: "the boss"}).json()["resolved_by"] == "ann"
    assert back_end.post_json(theirs, {name: "eve"}).json()["resolved_by"] == "eve"


def test_approvals_by_thread_name_the_user_too(agent: Door, back_end: Door) -> None:
    asked = agent.ask(session_id="t")
    body = {"thread_id": "t", "interrupt_id": asked["id"], "approved": False}

    problem(back_end.post_json("/approvals", body), 400)
    decided = back_end.post_json("/approvals", {**body, "user_id": "eve"})

    assert (decided.json()["status"], decided.json()["resolved_by"]) == ("rejected", "eve")


def test_only_for_what_its_own_agent_asked(rogue: Door, back_end: Door) -> None:
    asked = rogue.ask()

    problem(back_end.post_json(f"/interrupts/{asked['id']}/approve", {"user_id": "eve"}), 404)


def test_what_somebody_works_on_waits_for_them(agent: Door, back_end: Door, as_ann: Door) -> None:
    asked = agent.ask()
    as_ann.post_json(f"/interrupts/{asked['id']}/claim")

    problem(back_end.post_json(f"/interrupts/{asked['id']}/approve", {"user_id": "eve"}), 409, "claimed")


def test_a_user_of_the_back_end_is_not_mistaken_for_one_of_ours(
    agent: Door, back_end: Door, as_ann: Door
) -> None:
    asked = agent.ask()

    back_end.post_json(f"/interrupts/{asked['id']}/reject", {"user_id": "ann", "reason": "no"})

    late = problem(as_ann.post_json(f"/interrupts/{asked['id']}/approve"), 409)
    assert late["code"] == "already_decided"
    history = agent.get_json(f"/interrupts/{asked['id']}").json()["history"]
    assert history[-1]["actor"].startswith("key hitl_")


def test_one_key_does_not_both_ask_and_decide(db: None) -> None:
    agent = keys.create_agent("janitor")

    with pytest.raises(Exception, match="another key"):
        keys.create_key(agent, scopes=("create", "on_behalf"))


def test_an_agent_that_finds_its_own_id_cannot_decide(agent: Door) -> None:
    asked = agent.ask()
    attempts: list[Callable[[], Any]] = [
        lambda: agent.post_json(f"/interrupts/{asked['id']}/approve", {"user_id": "ann"}),
        lambda: agent.post_json(f"/interrupts/{asked['id']}/respond", {"response": 1, "user_id": "ann"}),
        lambda: agent.post_json(
            "/approvals", {"thread_id": "", "interrupt_id": asked["id"], "approved": True}
        ),
    ]

    for attempt in attempts:
        problem(attempt(), 403, "forbidden")
    assert status_of(agent, asked["id"])["status"] == "pending"
