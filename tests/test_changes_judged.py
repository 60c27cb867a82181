"""What is edited or revised is another call: the policies judge it again."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.callers import of_user
from events.transitions import TransitionConflict
from interrupts import services
from interrupts.models import Interrupt
from tests.conftest import Door
from tests.steps import Join, MakePolicy, event_types, problem

SMALL: dict[str, Any] = {"tool_name": "pay", "tool_args": {"sum": 1}}


@pytest.fixture
def payments(make_policy: MakePolicy, bob: User, join: Join) -> dict[str, Any]:
    """Let anybody allow small payments, bob's group large ones, two very large ones, nobody huge ones."""
    join("finance", bob)
    made = make_policy(name="Small", pattern="pay", priority=100)
    make_policy(name="Large", pattern="pay", when="args.sum > 10", priority=50, reviewers=["finance"])
    make_policy(name="Very", pattern="pay", when="args.sum > 100", priority=40, required_approvals=2)
    make_policy(name="Huge", pattern="pay", when="args.sum > 1000", priority=30, deny=True)
    make_policy(name="Nothing", pattern="pay", when="args.sum == 0", priority=20, allow_auto=True)
    return made


def edit(door: Door, asked: dict[str, Any], total: int) -> Any:
    return door.post_json(f"/interrupts/{asked['id']}/approve", {"modifications": {"sum": total}})


# -- Editing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("total", "policy"), [(2, "Small"), (0, "Small")])
def test_an_edit_under_the_same_policy_or_a_laxer_one_passes(
    agent: Door, as_ann: Door, payments: Any, total: int, policy: str
) -> None:
    answer = edit(as_ann, agent.ask(**SMALL), total).json()

    assert (answer["status"], answer["policy"]["name"]) == ("approved", policy)


@pytest.mark.parametrize(("total", "policy"), [(11, "Large"), (101, "Very"), (1001, "Huge")])
def test_an_edit_that_others_would_have_to_allow_is_refused(
    agent: Door, as_ann: Door, payments: Any, total: int, policy: str
) -> None:
    asked = agent.ask(**SMALL)

    errors = problem(edit(as_ann, asked, total), 400)["errors"]

    assert errors == {
        "modifications": [f"With these arguments the policy “{policy}” is in force. Ask for changes instead."]
    }
    assert agent.get_json(f"/interrupts/{asked['id']}").json()["status"] == "pending"


def test_an_edit_by_who_may_allow_it_is_under_the_other_policy(
    agent: Door, as_bob: Door, payments: Any
) -> None:
    answer = edit(as_bob, agent.ask(**SMALL), 11).json()

    assert (answer["status"], answer["policy"]["name"]) == ("approved", "Large")


@pytest.mark.parametrize(
    "change", [{"deny": True}, {"required_approvals": 2}, {"reviewers": ["finance"]}, {"note": "Look."}]
)
def test_an_edit_is_judged_by_the_policy_as_it_now_reads(
    agent: Door, as_ann: Door, as_ada: Door, payments: dict[str, Any], change: dict[str, Any]
) -> None:
    asked, again = agent.ask(**SMALL), agent.ask(**SMALL)
    as_ada.send_json("PATCH", f"/policies/{payments['id']}", change)

    answer = edit(as_ann, asked, 2)

    if "note" in change:
        assert answer.json()["policy"]["version"] == 2
    else:
        problem(answer, 400)
        # What was asked, as it was asked, is still judged by what was in force then.
        assert as_ann.post_json(f"/interrupts/{again['id']}/approve").status_code == 200


def test_nobody_edits_what_several_approve(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", required_approvals=2)
    asked = agent.ask(**SMALL)

    problem(edit(as_ann, asked, 2), 400, "decision_not_allowed")

    assert agent.get_json(f"/interrupts/{asked['id']}").json()["votes"] == []


# -- Revising -------------------------------------------------------------------------------------------


def send_back(door: Door, asked: dict[str, Any]) -> None:
    answer = door.post_json(f"/interrupts/{asked['id']}/request_changes", {"comment": "Otherwise."})
    assert answer.status_code == 200, answer.content


def revise(agent: Door, asked: dict[str, Any], **content: Any) -> dict[str, Any]:
    answer = agent.post_json(f"/interrupts/{asked['id']}/revise", content)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_votes_lapse_with_what_they_were_about(
    agent: Door, as_ann: Door, as_bob: Door, ann: User, bob: User, join: Join, make_policy: MakePolicy
) -> None:
    join("finance", ann)
    join("legal", bob)
    make_policy(pattern="*", stages=[{"reviewers": ["finance"]}, {"reviewers": ["legal"]}])
    asked = agent.ask(**SMALL)
    as_ann.post_json(f"/interrupts/{asked['id']}/approve")
    problem(as_ann.post_json(f"/interrupts/{asked['id']}/request_changes", {"comment": "x"}), 403)
    send_back(as_bob, asked)

    found = revise(agent, asked, tool_args={"sum": 2})

    assert (found["revision"], found["stage"], found["votes"]) == (2, 0, [])
    assert found["reviewers"] == ["finance"]
    problem(as_bob.post_json(f"/interrupts/{asked['id']}/approve"), 403, "not_a_reviewer")
    as_ann.post_json(f"/interrupts/{asked['id']}/approve")
    assert as_bob.post_json(f"/interrupts/{asked['id']}/approve").json()["status"] == "approved"


@pytest.mark.parametrize(
    ("total", "policy", "status"),
    [(2, "Small", "pending"), (11, "Large", "pending"), (101, "Very", "pending"), (1001, "Huge", "rejected")],
)
def test_what_is_revised_is_judged_again(
    agent: Door, as_ann: Door, payments: Any, total: int, policy: str, status: str
) -> None:
    asked = agent.ask(**SMALL)
    send_back(as_ann, asked)

    found = revise(agent, asked, tool_args={"sum": total})

    assert (found["policy"]["name"], found["status"]) == (policy, status)
    if status == "rejected":
        assert found["resolved_by"] == "policy Huge"
        assert event_types(asked["id"])[-2:] == ["hitl.item.revised", "hitl.interrupt.rejected"]


def test_what_is_revised_to_what_no_policy_is_about_has_none(
    agent: Door, as_ada: Door, as_ann: Door, payments: dict[str, Any]
) -> None:
    asked = agent.ask(**SMALL)
    send_back(as_ann, asked)
    as_ada.send_json("PATCH", f"/policies/{payments['id']}", {"is_active": False})

    assert revise(agent, asked, reason="Again?")["policy"] is None


def test_a_page_of_before_does_not_decide_what_was_revised_to_the_same_words(
    agent: Door, as_ada: Door, ann: User, as_ann: Door, payments: dict[str, Any]
) -> None:
    """Its content hash is the same, but who has to approve it is not."""
    asked = agent.ask(**SMALL)
    read_before = Interrupt.objects.get(pk=asked["id"])
    send_back(as_ann, asked)
    as_ada.send_json("PATCH", f"/policies/{payments['id']}", {"required_approvals": 2})
    found = revise(agent, asked, tool_args=SMALL["tool_args"])
    assert found["content_hash"] == asked["content_hash"]

    with pytest.raises(TransitionConflict, match="stale"):
        services.approve(read_before, by=of_user(ann))

    assert agent.get_json(f"/interrupts/{asked['id']}").json()["status"] == "pending"
