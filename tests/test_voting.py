"""Votes: how many approve, in which order, and who may."""

import base64
import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.models import Agent
from events.models import Event
from tests.conftest import Door
from tests.steps import Enter, Join, MakeAgent, MakePolicy, MakeUser, event_types, problem, status_of


@pytest.fixture
def doors(make_user: MakeUser, enter: Enter, join: Join) -> dict[str, Door]:
    """Make four reviewers: fay and finn of finance, lea and len of legal."""
    people = {name: make_user(name, "reviewer") for name in ("fay", "finn", "lea", "len")}
    join("finance", people["fay"], people["finn"])
    join("legal", people["lea"], people["len"])
    return {name: enter(user) for name, user in people.items()}


def approve(door: Door, asked: dict[str, Any], **body: Any) -> Any:
    return door.post_json(f"/interrupts/{asked['id']}/approve", body)


def item_of(agent: Door, asked: dict[str, Any]) -> dict[str, Any]:
    kind = "interrupts" if asked["id"].startswith("int_") else "requests"
    found: dict[str, Any] = agent.get_json(f"/{kind}/{asked['id']}").json()
    return found


TWO_STAGES = [
    {"name": "Money", "reviewers": ["finance"], "required_approvals": 2},
    {"name": "Law", "reviewers": ["legal"]},
]


# -- How many, in which order ---------------------------------------------------------------------------


def test_the_last_approval_that_is_needed_ends_it(
    agent: Door, doors: dict[str, Door], as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", required_approvals=3)
    asked = agent.ask(tool_name="drop")

    for number, name in enumerate(("fay", "lea"), 1):
        answer = approve(doors[name], asked, comment=f"Yes, {name}.").json()
        assert (answer["status"], len(answer["votes"])) == ("pending", number)
        assert status_of(agent, asked["id"])["status"] == "pending"
        assert not status_of(agent, asked["id"]).get("receipt")
    assert approve(as_ann, asked).json()["status"] == "approved"

    found = item_of(agent, asked)
    assert [vote["by"] for vote in found["votes"]] == ["fay", "lea", "ann"]
    assert found["resolved_by"] == "ann"
    assert event_types(asked["id"])[1:] == ["hitl.item.voted"] * 2 + ["hitl.interrupt.approved"]
    problem(approve(doors["len"], asked), 409, "already_decided")


def test_a_vote_is_on_the_record(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", required_approvals=2)
    asked = agent.ask()

    approve(as_ann, asked, comment="Fine.")

    event = Event.objects.get(type="hitl.item.voted")
    told = json.loads(event.data)
    assert (event.subject_id, event.actor) == (asked["id"], "user:ann")
    assert told["vote"] == {"by": "ann", "seat": "ann", "stage": 0}
    assert (told["approvals"], told["required_approvals"], told["comment"]) == (1, 2, "Fine.")


def test_the_receipt_names_all_who_approved(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy
) -> None:

    make_policy(pattern="*", required_approvals=2)
    asked = agent.ask(tool_name="drop")
    approve(as_ann, asked)
    approve(as_bob, asked)

    payload = status_of(agent, asked["id"])["receipt"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["approvers"] == ["ann", "bob"]


def test_one_stage_after_another_is_asked(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", stages=TWO_STAGES)
    asked = agent.ask()
    assert (asked["stage"], asked["reviewers"]) == (0, ["finance"])
    problem(approve(doors["lea"], asked), 403, "not_a_reviewer")

    approve(doors["fay"], asked)
    second = approve(doors["finn"], asked).json()
    assert (second["status"], second["stage"], second["reviewers"]) == ("pending", 1, ["legal"])
    problem(approve(doors["finn"], asked), 409, "voted")

    assert approve(doors["len"], asked).json()["status"] == "approved"


@pytest.mark.parametrize("approved_by", [(), ("fay",), ("fay", "finn")])
def test_one_refusal_ends_it_at_any_stage(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy, approved_by: tuple[str, ...]
) -> None:
    make_policy(pattern="*", stages=TWO_STAGES)
    asked = agent.ask()
    for name in approved_by:
        approve(doors[name], asked)
    asked_now, others = ("lea", "fay") if len(approved_by) == 2 else ("finn", "lea")
    path = f"/interrupts/{asked['id']}/reject"

    problem(doors[others].post_json(path), 403, "not_a_reviewer")
    assert doors[asked_now].post_json(path, {"reason": "No."}).json()["status"] == "rejected"
    problem(approve(doors[asked_now], asked), 409)


def test_nobody_votes_twice(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", required_approvals=2)
    asked = agent.ask()
    approve(as_ann, asked)

    answer = problem(approve(as_ann, asked), 409, "voted")

    assert len(answer["current"]["votes"]) == 1


def test_nobody_votes_in_two_stages(
    agent: Door, doors: dict[str, Door], join: Join, make_policy: MakePolicy
) -> None:
    join("legal", User.objects.get(username="fay"))
    make_policy(pattern="*", stages=[{"reviewers": ["finance"]}, {"reviewers": ["legal"]}])
    asked = agent.ask()
    assert approve(doors["fay"], asked).json()["stage"] == 1

    problem(approve(doors["fay"], asked), 409, "voted")

    assert approve(doors["lea"], asked).json()["status"] == "approved"


def test_who_voted_may_still_refuse(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", required_approvals=2)
    asked = agent.ask()
    approve(as_ann, asked)

    assert as_ann.post_json(f"/interrupts/{asked['id']}/reject").json()["status"] == "rejected"


def test_a_vote_is_about_what_was_shown(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", required_approvals=2)
    asked = agent.ask()

    problem(approve(as_ann, asked, content_hash="0" * 64), 412, "stale")
    assert approve(as_ann, asked, content_hash=asked["content_hash"]).status_code == 200


def test_a_vote_gives_a_claimed_item_back(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", required_approvals=2)
    asked = agent.ask()
    as_ann.post_json(f"/interrupts/{asked['id']}/claim")
    problem(approve(as_bob, asked), 409, "claimed")

    assert approve(as_ann, asked).json()["claimed_by"] is None
    assert approve(as_bob, asked).json()["status"] == "approved"


# -- Who may --------------------------------------------------------------------------------------------


def test_only_the_group_that_is_asked_decides(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", reviewers=["finance"])
    asked = agent.ask()
    for verb, body in (
        ("approve", {}),
        ("approve", {"modifications": {"a": 1}}),
        ("reject", {}),
        ("request_changes", {"comment": "x"}),
    ):
        problem(doors["lea"].post_json(f"/interrupts/{asked['id']}/{verb}", body), 403, "not_a_reviewer")

    assert approve(doors["fay"], asked).json()["status"] == "approved"


def test_a_superuser_is_not_thereby_a_reviewer(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy, enter: Enter
) -> None:
    root = User.objects.create_superuser("root", password="root-has-a-password")
    make_policy(pattern="*", reviewers=["finance"])

    problem(approve(enter(root), agent.ask()), 403, "not_a_reviewer")


@pytest.mark.parametrize("change", ["left the group", "deactivated", "no reviewer"])
def test_who_lost_the_right_between_page_and_click_is_refused(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy, change: str
) -> None:
    make_policy(pattern="*", reviewers=["finance"])
    asked, fay = agent.ask(), User.objects.get(username="fay")
    if change == "left the group":
        fay.groups.remove(fay.groups.get(name="finance"))
    elif change == "deactivated":
        User.objects.filter(pk=fay.pk).update(is_active=False)
    else:
        fay.groups.remove(fay.groups.get(name="reviewer"))

    assert approve(doors["fay"], asked).status_code in (401, 403)
    assert doors["fay"].post_json(f"/interrupts/{asked['id']}/reject").status_code in (401, 403)
    assert item_of(agent, asked)["status"] == "pending"


@pytest.mark.parametrize(
    ("policy", "fields", "may"),
    [
        ({}, {"priority": "low"}, True),
        ({}, {"priority": "medium"}, True),
        ({}, {"priority": "high"}, False),
        ({}, {"priority": "urgent"}, False),
        ({"high_risk": True}, {"priority": "low"}, False),
        ({"high_risk": True, "reviewers": ["finance"]}, {}, False),
    ],
)
def test_an_owner_does_not_approve_alone_what_is_of_high_risk(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy, policy: Any, fields: Any, may: bool
) -> None:
    Agent.objects.filter(pk="janitor").update(owner=User.objects.get(username="fay"))
    make_policy(pattern="*", **policy)
    asked = agent.ask(**fields)

    answer = approve(doors["fay"], asked)

    if may:
        assert answer.json()["status"] == "approved"
    else:
        problem(answer, 403, "own_agent")
        assert approve(doors["finn"], asked).json()["status"] == "approved"


def test_an_owner_may_refuse_what_is_of_high_risk(agent: Door, doors: dict[str, Door]) -> None:
    Agent.objects.filter(pk="janitor").update(owner=User.objects.get(username="fay"))
    asked = agent.ask(priority="critical")

    assert doors["fay"].post_json(f"/interrupts/{asked['id']}/reject").json()["status"] == "rejected"


def test_a_back_end_decides_for_people_who_are_asked(
    agent: Door, make_agent: Any, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    back_end = make_agent("janitor", ("on_behalf",))
    make_policy(pattern="*", reviewers=["finance"], required_approvals=2)
    asked = agent.ask()
    for stranger in ("lea", "u-17", "FAY", "root"):
        problem(approve(back_end, asked, user_id=stranger), 403, "not_a_reviewer")
        answer = back_end.post_json(f"/interrupts/{asked['id']}/reject", {"user_id": stranger})
        problem(answer, 403, "not_a_reviewer")

    assert approve(back_end, asked, user_id="fay").json()["status"] == "pending"
    problem(approve(back_end, asked, approved_by="fay"), 409, "voted")
    problem(approve(doors["fay"], asked), 409, "voted")
    assert approve(back_end, asked, user_id="finn").json()["status"] == "approved"


def test_an_item_is_handed_to_who_may_answer_it(
    agent: Door, doors: dict[str, Door], as_ann: Door, vic: User, make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", reviewers=["finance"], required_approvals=2)
    asked = agent.ask()
    approve(doors["fay"], asked)
    path = f"/interrupts/{asked['id']}/reassign"
    for name in ("lea", "vic", "fay", "nobody"):
        assert "to" in problem(doors["fay"].post_json(path, {"to": name}), 400)["errors"], name

    assert as_ann.post_json(path, {"to": "finn"}).json()["claimed_by"] == "finn"

    problem(doors["fay"].post_json(f"/interrupts/{asked['id']}/reject"), 409, "claimed")
    assert approve(doors["finn"], asked).json()["status"] == "approved"
    assert "hitl.item.reassigned" in event_types(asked["id"])


# -- Answers that several agree to ----------------------------------------------------------------------


def test_several_agree_to_a_request_and_the_last_fulfills_it(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    make_policy(kind="request", stages=TWO_STAGES)
    asked = agent.need(required_fields={"key": {"label": "Key", "type": "secret"}})
    path, answer = f"/requests/{asked['id']}", {"response_data": {"key": "rk_1"}}

    problem(doors["fay"].post_json(f"{path}/fulfill", answer), 409, "votes")
    problem(doors["lea"].post_json(f"{path}/fulfill", answer), 403, "not_a_reviewer")
    assert doors["fay"].post_json(f"{path}/approve").status_code == 200
    assert doors["finn"].post_json(f"{path}/approve").json()["reviewers"] == ["legal"]
    problem(doors["lea"].post_json(f"{path}/approve"), 409, "last")
    problem(doors["fay"].post_json(f"{path}/fulfill", answer), 409, "voted")

    done = doors["lea"].post_json(f"{path}/fulfill", answer).json()
    assert (done["status"], [vote["by"] for vote in done["votes"]]) == ("fulfilled", ["fay", "finn", "lea"])
    assert agent.post_json(f"{path}/reveal").json()["values"] == {"key": "rk_1"}


def test_a_request_that_needs_one_is_fulfilled_and_not_approved(agent: Door, as_ann: Door) -> None:
    problem(as_ann.post_json(f"/requests/{agent.need()['id']}/approve"), 409, "last")


@pytest.mark.parametrize("kind", ["input", "feedback"])
def test_several_agree_to_an_input_and_the_last_answers_it(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy, kind: str
) -> None:
    make_policy(pattern="*", required_approvals=2)
    asked = agent.ask(type=kind)
    path = f"/interrupts/{asked['id']}/respond"

    problem(as_ann.post_json(path, {"response": 1}), 409, "votes")
    assert approve(as_ann, asked).json()["status"] == "pending"
    problem(as_ann.post_json(path, {"response": 1}), 409, "voted")
    if kind == "input":
        problem(approve(as_bob, asked), 409, "last")

    assert as_bob.post_json(path, {"response": 1}).json()["status"] == "approved"


def test_names_that_a_back_end_makes_up_are_not_several_people(
    agent: Door, make_agent: MakeAgent, make_policy: MakePolicy
) -> None:
    make_policy(required_approvals=2)
    asked = agent.ask()
    back_end = make_agent("janitor", ("on_behalf", "read"))

    for name in ("eve@example.com", "mallory@example.com"):
        answer = back_end.post_json(f"/interrupts/{asked['id']}/approve", {"user_id": name})
        problem(answer, 403, "not_a_reviewer")
