"""Grants: what a person allows in advance, and where that ends."""

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from events.models import Event
from reviews.models import Grant
from tests.conftest import Door
from tests.steps import Join, MakePolicy, problem, status_of

CALL: dict[str, Any] = {"tool_name": "drop", "tool_args": {"table": "a"}, "session_id": "s"}


@pytest.fixture
def drops(make_policy: MakePolicy) -> dict[str, Any]:
    """Let every drop be asked."""
    return make_policy(name="Drops", pattern="drop*")


def grant(agent: Door, door: Door, reach: str, **fields: Any) -> str:
    """Let *door* approve a call with a grant; return the grant's id."""
    asked = agent.ask(**{**CALL, **fields})
    answer = door.post_json(f"/interrupts/{asked['id']}/approve", {"grant": reach})
    assert answer.status_code == 200, answer.content
    return Grant.objects.get(item_id=asked["id"]).pk


def passes(agent: Door, **fields: Any) -> bool:
    """Say whether a call passes; what is asked and what is evaluated agree."""
    call = {**CALL, **fields}
    found = agent.post_json(
        "/policies/evaluate", {name: call[name] for name in ("tool_name", "tool_args", "session_id")}
    ).json()
    status = status_of(agent, agent.ask(**call)["id"])["status"]
    assert (found["decision"] == "allow") == (found["grant"] is not None) == (status == "approved")
    return bool(status == "approved")


# -- What passes ----------------------------------------------------------------------------------------


def test_what_is_allowed_for_a_session_passes_in_it(agent: Door, as_ann: Door, drops: Any) -> None:
    assert not passes(agent)
    grant(agent, as_ann, "session")

    assert passes(agent)
    assert passes(agent, tool_args={"table": "b"})
    assert not passes(agent, session_id="other")
    assert not passes(agent, session_id="")
    assert not passes(agent, tool_name="drop_all")
    assert not passes(agent, tool_name="DROP")


def test_what_is_always_allowed_is_exactly_those_arguments(agent: Door, as_ann: Door, drops: Any) -> None:
    grant(agent, as_ann, "arguments")

    assert passes(agent, session_id="other")
    assert passes(agent, session_id="")
    for other in ({"table": "b"}, {}, {"table": "a", "force": True}, {"table": ["a"]}):
        assert not passes(agent, tool_args=other)


def test_arguments_that_were_edited_are_those_allowed(agent: Door, as_ann: Door, drops: Any) -> None:
    asked = agent.ask(**CALL)
    body = {"grant": "arguments", "modifications": {"table": "b"}}
    assert as_ann.post_json(f"/interrupts/{asked['id']}/approve", body).status_code == 200

    assert not passes(agent)
    assert passes(agent, tool_args={"table": "b"})


def test_a_grant_is_for_one_agent(agent: Door, rogue: Door, as_ann: Door, drops: Any) -> None:
    grant(agent, as_ann, "session")

    assert not passes(rogue)


def test_a_grant_holds_also_where_no_policy_asks(agent: Door, as_ann: Door) -> None:
    """An agent that asks by itself is asked no more often than one that a policy makes ask."""
    grant(agent, as_ann, "session")

    again = agent.ask(**CALL)

    assert status_of(agent, again["id"])["status"] == "approved"
    assert agent.get_json(f"/interrupts/{again['id']}").json()["policy"] is None


def test_a_grant_answers_in_the_name_of_who_gave_it(agent: Door, as_ann: Door, drops: Any) -> None:
    pk = grant(agent, as_ann, "session")

    asked = agent.ask(**CALL)

    item = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert (item["status"], item["resolved_by"]) == ("approved", "ann")
    last = json.loads(Event.objects.filter(subject_id=asked["id"]).latest("position").data)
    assert (last["grant"], last["resolved_by"]) == (pk, "ann")
    assert status_of(agent, asked["id"])["receipt"]
    spent = agent.post_json(f"/interrupts/{asked['id']}/consume", {"tool_args": CALL["tool_args"]})
    assert spent.status_code == 200, spent.content


def test_a_grant_is_told_before_the_call_and_kept_by_nobody(agent: Door, as_ann: Door, drops: Any) -> None:
    pk = grant(agent, as_ann, "session")

    answer = agent.post_json("/policies/evaluate", CALL)

    assert (answer.json()["decision"], answer.json()["grant"], answer.json()["policy"]) == (
        "allow",
        pk,
        "Drops",
    )
    assert answer.json()["depends_on_args"] is True
    assert answer["Cache-Control"] == "private, max-age=0"
    tag = answer["ETag"]
    assert agent.post_json("/policies/evaluate", CALL, **{"If-None-Match": tag}).status_code == 200


def test_a_grant_answers_yes_and_nothing_else(agent: Door, as_ann: Door, drops: Any) -> None:
    grant(agent, as_ann, "session")

    for kind in ("input", "feedback"):
        assert agent.ask(**CALL, type=kind)["status"] == "pending"
        found = agent.post_json("/policies/evaluate", {**CALL, "kind": kind}).json()
        assert (found["decision"], found["grant"]) == ("ask", None)


# -- Where it ends --------------------------------------------------------------------------------------


def test_a_grant_lapses(agent: Door, as_ann: Door, drops: Any) -> None:
    Grant.objects.filter(pk=grant(agent, as_ann, "session")).update(
        expires_at=Now() - dt.timedelta(seconds=1)
    )

    assert not passes(agent)
    assert as_ann.get_json("/grants").json()["results"] == []


def test_a_grant_is_revoked_by_any_reviewer(agent: Door, as_ann: Door, as_bob: Door, drops: Any) -> None:
    pk = grant(agent, as_ann, "session")
    assert [one["id"] for one in as_bob.get_json("/grants").json()["results"]] == [pk]

    first, second = (as_bob.send_json("DELETE", f"/grants/{pk}").json() for _ in range(2))

    assert first == second
    assert first["revoked_at"]
    assert not passes(agent)
    assert Event.objects.filter(type="hitl.grant.revoked").count() == 1
    for odd in ("gra_1", "x" * 300, "é", "%00"):
        problem(as_bob.send_json("DELETE", f"/grants/{odd}"), 404)


@pytest.mark.parametrize("change", ["deactivated", "no reviewer", "deleted"])
def test_a_grant_ends_with_the_right_of_who_gave_it(
    agent: Door, as_ann: Door, ann: User, drops: Any, change: str
) -> None:
    grant(agent, as_ann, "session")
    if change == "deactivated":
        User.objects.filter(pk=ann.pk).update(is_active=False)
    elif change == "no reviewer":
        ann.groups.clear()
    else:
        ann.delete()

    assert not passes(agent)


def test_a_grant_ends_when_who_gave_it_is_asked_no_more(
    agent: Door, as_ann: Door, ann: User, bob: User, join: Join, make_policy: MakePolicy
) -> None:
    join("finance", ann, bob)
    make_policy(pattern="drop", reviewers=["finance"])
    grant(agent, as_ann, "session")
    assert passes(agent)

    ann.groups.remove(ann.groups.get(name="finance"))

    assert not passes(agent)


@pytest.mark.parametrize(
    "change",
    [
        {"required_approvals": 2},
        {"high_risk": True},
        {"deny": True},
        {"reviewers": ["legal"]},
        {"stages": [{"reviewers": []}, {"reviewers": ["legal"]}]},
    ],
)
def test_a_grant_ends_with_a_stricter_policy(
    agent: Door, as_ann: Door, as_ada: Door, bob: User, drops: Any, join: Join, change: dict[str, Any]
) -> None:
    join("legal", bob)
    grant(agent, as_ann, "session")

    changed = as_ada.send_json("PATCH", f"/policies/{drops['id']}", change)

    assert changed.status_code == 200, changed.content
    found = agent.post_json("/policies/evaluate", CALL).json()
    assert (found["grant"], found["decision"]) == (None, "deny" if "deny" in change else "ask")
    assert status_of(agent, agent.ask(**CALL)["id"])["status"] == (
        "rejected" if "deny" in change else "pending"
    )


def test_a_grant_of_small_sums_does_not_pass_a_policy_of_large_ones(
    agent: Door, as_ann: Door, bob: User, join: Join, make_policy: MakePolicy
) -> None:
    join("finance", bob)
    make_policy(name="Large", pattern="pay", when="args.sum > 100", reviewers=["finance"], priority=1)
    make_policy(name="Small", pattern="pay")
    grant(agent, as_ann, "session", tool_name="pay", tool_args={"sum": 1})

    assert passes(agent, tool_name="pay", tool_args={"sum": 2})
    assert not passes(agent, tool_name="pay", tool_args={"sum": 101})
    assert not passes(agent, tool_name="pay", tool_args={})  # the condition fails: its policy is in force


@pytest.mark.parametrize("priority", ["high", "critical", "urgent"])
def test_what_is_urgent_is_asked_all_the_same(agent: Door, as_ann: Door, drops: Any, priority: str) -> None:
    grant(agent, as_ann, "session")

    assert agent.ask(**CALL, priority=priority)["status"] == "pending"
    assert status_of(agent, agent.ask(**CALL, priority="low")["id"])["status"] == "approved"


def test_what_was_revised_is_shown_to_a_person(agent: Door, as_ann: Door, as_bob: Door, drops: Any) -> None:
    asked = agent.ask(**CALL)
    as_bob.post_json(f"/interrupts/{asked['id']}/request_changes", {"comment": "Another table."})
    grant(agent, as_ann, "session")

    agent.post_json(f"/interrupts/{asked['id']}/revise", {"tool_args": {"table": "b"}})

    assert status_of(agent, asked["id"])["status"] == "pending"


# -- Who may give it ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "fields", "reach"),
    [
        ({"required_approvals": 2}, {}, "session"),
        ({"required_approvals": 2}, {}, "arguments"),
        ({"high_risk": True}, {}, "arguments"),
        ({}, {"priority": "high"}, "session"),
        ({}, {"priority": "critical"}, "arguments"),
        ({}, {"tool_name": ""}, "session"),
        ({}, {"session_id": ""}, "session"),
    ],
)
def test_what_nobody_alone_may_allow_in_advance(
    agent: Door, as_ann: Door, make_policy: MakePolicy, policy: Any, fields: Any, reach: str
) -> None:
    make_policy(pattern="*", **policy)
    asked = agent.ask(**{**CALL, **fields})

    answer = as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"grant": reach})

    problem(answer, 400, "no_grant")
    item = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert (item["status"], item["votes"]) == ("pending", [])
    assert not Grant.objects.exists()


def test_a_back_end_gives_no_grants(agent: Door, make_agent: Any, drops: Any) -> None:
    back_end = make_agent("janitor", ("on_behalf",))
    asked = agent.ask(**CALL)

    answer = back_end.post_json(f"/interrupts/{asked['id']}/approve", {"user_id": "u", "grant": "session"})

    problem(answer, 400, "no_grant")
    assert status_of(agent, asked["id"])["status"] == "pending"


def test_a_grant_of_what_was_decided_meanwhile_is_none(
    agent: Door, as_ann: Door, as_bob: Door, drops: Any
) -> None:
    asked = agent.ask(**CALL)
    as_bob.post_json(f"/interrupts/{asked['id']}/reject")

    problem(as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"grant": "session"}), 409)

    assert not Grant.objects.exists()
    assert not passes(agent)


def test_giving_is_on_the_record(agent: Door, as_ann: Door, drops: Any) -> None:
    pk = grant(agent, as_ann, "session")

    event = Event.objects.get(type="hitl.grant.created")
    assert (event.stream, event.actor, event.session_id) == ("janitor", "user:ann", "s")
    assert json.loads(event.data) == {
        "grant": pk,
        "reach": "session",
        "tool_name": "drop",
        "granted_by": "ann",
    }
