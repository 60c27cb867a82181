"""Delegations: who answers in the place of somebody who is away."""

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.models import Agent
from events.models import SYSTEM, Event
from reviews.models import Delegation
from tests.conftest import Door
from tests.steps import Enter, Join, MakePolicy, MakeUser, problem


@pytest.fixture
def doors(make_user: MakeUser, enter: Enter, join: Join) -> dict[str, Door]:
    """Make fay and finn of finance, and sub, who is of no group."""
    people = {name: make_user(name, "reviewer") for name in ("fay", "finn", "sub")}
    join("finance", people["fay"], people["finn"])
    return {name: enter(user) for name, user in people.items()}


def away(door: Door, substitute: str = "sub", *, hours: tuple[float, float] = (-1, 1), **fields: Any) -> Any:
    now = dt.datetime.now(dt.UTC)
    starts, ends = (now + dt.timedelta(hours=number) for number in hours)
    body = {"substitute": substitute, "starts_at": starts.isoformat(), "ends_at": ends.isoformat(), **fields}
    return door.post_json("/delegations", body)


def approve(door: Door, asked: dict[str, Any]) -> Any:
    return door.post_json(f"/interrupts/{asked['id']}/approve")


# -- Standing in ----------------------------------------------------------------------------------------


def test_a_substitute_answers_in_the_seat_of_who_is_away(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", reviewers=["finance"], required_approvals=2)
    asked = agent.ask()
    problem(approve(doors["sub"], asked), 403, "not_a_reviewer")
    assert away(doors["fay"]).status_code == 201

    found = approve(doors["sub"], asked).json()

    assert found["votes"] == [{"by": "sub", "seat": "fay", "stage": 0}]
    problem(approve(doors["fay"], asked), 409, "voted")
    problem(approve(doors["sub"], asked), 409, "voted")
    assert approve(doors["finn"], asked).json()["status"] == "approved"


def test_who_voted_is_not_voted_for_again(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", reviewers=["finance"], required_approvals=2)
    asked = agent.ask()
    approve(doors["fay"], asked)
    away(doors["fay"])

    problem(approve(doors["sub"], asked), 409, "voted")


def test_who_stands_in_for_two_has_one_vote(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", reviewers=["finance"], required_approvals=2)
    asked = agent.ask()
    away(doors["fay"])
    away(doors["finn"])

    assert approve(doors["sub"], asked).json()["status"] == "pending"
    problem(approve(doors["sub"], asked), 409, "voted")


def test_two_substitutes_of_one_have_one_vote(
    agent: Door, doors: dict[str, Door], make_user: MakeUser, enter: Enter, make_policy: MakePolicy
) -> None:
    other = enter(make_user("other", "reviewer"))
    make_policy(pattern="*", reviewers=["finance"], required_approvals=2)
    asked = agent.ask()
    away(doors["fay"])
    away(doors["fay"], "other")

    assert approve(doors["sub"], asked).json()["votes"][0]["seat"] == "fay"
    problem(approve(other, asked), 409, "voted")


def test_who_is_of_the_group_votes_for_themselves(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", reviewers=["finance"], required_approvals=2)
    asked = agent.ask()
    away(doors["fay"], "finn")

    assert approve(doors["finn"], asked).json()["votes"][0]["seat"] == "finn"
    problem(approve(doors["finn"], asked), 409, "voted")
    assert approve(doors["fay"], asked).json()["status"] == "approved"


def test_a_seat_is_taken_once_in_all_stages(
    agent: Door, doors: dict[str, Door], join: Join, make_policy: MakePolicy
) -> None:
    join("legal", User.objects.get(username="fay"), User.objects.get(username="finn"))
    make_policy(pattern="*", stages=[{"reviewers": ["finance"]}, {"reviewers": ["legal"]}])
    asked = agent.ask()
    away(doors["fay"])
    assert approve(doors["fay"], asked).json()["stage"] == 1

    problem(approve(doors["sub"], asked), 409, "voted")


def test_a_substitute_may_refuse(agent: Door, doors: dict[str, Door], make_policy: MakePolicy) -> None:
    make_policy(pattern="*", reviewers=["finance"])
    asked = agent.ask()
    away(doors["fay"])

    assert doors["sub"].post_json(f"/interrupts/{asked['id']}/reject").json()["status"] == "rejected"


@pytest.mark.parametrize("hours", [(-2, -1), (1, 2)])
def test_nobody_stands_in_before_or_after(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy, hours: tuple[float, float]
) -> None:
    make_policy(pattern="*", reviewers=["finance"])
    assert away(doors["fay"], hours=hours).status_code == 201

    problem(approve(doors["sub"], agent.ask()), 403, "not_a_reviewer")


@pytest.mark.parametrize("change", ["left the group", "deactivated", "no reviewer", "taken back"])
def test_a_delegation_gives_what_the_absent_has(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy, change: str
) -> None:
    make_policy(pattern="*", reviewers=["finance"])
    made, fay = away(doors["fay"]).json(), User.objects.get(username="fay")
    if change == "left the group":
        fay.groups.remove(fay.groups.get(name="finance"))
    elif change == "deactivated":
        User.objects.filter(pk=fay.pk).update(is_active=False)
    elif change == "no reviewer":
        fay.groups.remove(fay.groups.get(name="reviewer"))
    else:
        assert doors["fay"].send_json("DELETE", f"/delegations/{made['id']}").status_code == 204

    problem(approve(doors["sub"], agent.ask()), 403, "not_a_reviewer")


def test_a_delegation_is_not_handed_on(
    agent: Door, doors: dict[str, Door], make_user: MakeUser, enter: Enter, make_policy: MakePolicy
) -> None:
    third = enter(make_user("third", "reviewer"))
    make_policy(pattern="*", reviewers=["finance"])
    away(doors["fay"])
    away(doors["sub"], "third")

    problem(approve(third, agent.ask()), 403, "not_a_reviewer")


def test_nobody_approves_in_the_owners_place_what_is_of_high_risk(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    Agent.objects.filter(pk="janitor").update(owner=User.objects.get(username="fay"))
    make_policy(pattern="*", reviewers=["finance"])
    away(doors["fay"])
    risky, harmless = agent.ask(priority="high"), agent.ask(priority="low")

    assert approve(doors["sub"], risky).status_code in (403, 409)
    assert approve(doors["sub"], harmless).json()["status"] == "approved"
    away(doors["finn"])
    assert approve(doors["sub"], risky).json()["status"] == "approved"


def test_an_owner_who_stands_in_for_another_is_still_the_owner(
    agent: Door, doors: dict[str, Door], make_policy: MakePolicy
) -> None:
    Agent.objects.filter(pk="janitor").update(owner=User.objects.get(username="sub"))
    make_policy(pattern="*", reviewers=["finance"])
    away(doors["fay"])

    problem(approve(doors["sub"], agent.ask(priority="high")), 403, "own_agent")


# -- Naming a substitute --------------------------------------------------------------------------------


def test_only_an_administrator_speaks_for_another(
    doors: dict[str, Door], as_ada: Door, make_policy: MakePolicy
) -> None:
    problem(away(doors["fay"], absent="finn"), 403, "not_yours")
    made = away(as_ada, absent="finn").json()
    assert (made["absent"], made["substitute"]) == ("finn", "sub")

    problem(doors["fay"].send_json("DELETE", f"/delegations/{made['id']}"), 403, "not_yours")
    assert doors["finn"].send_json("DELETE", f"/delegations/{made['id']}").status_code == 204
    problem(doors["finn"].send_json("DELETE", f"/delegations/{made['id']}"), 404)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"substitute": "fay"}, "substitute"),
        ({"substitute": "vic"}, "substitute"),
        ({"substitute": "nobody"}, "substitute"),
        ({"absent": "nobody"}, "absent"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"starts_at": "2030-01-01T00:00:00"}, "starts_at"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"ends_at": "9999-12-31T23:59:59-14:00"}, "ends_at"),
        ({"note": "x" * 201}, "note"),
        ({"note": "a\x00b"}, "note"),
    ],
)
def test_a_delegation_that_could_not_work_is_refused(
    doors: dict[str, Door], vic: User, fields: dict[str, Any], at: str
) -> None:
    assert at in str(problem(away(doors["fay"], **{"substitute": "sub", **fields}), 400)["errors"])
    assert not Delegation.objects.exists()


@pytest.mark.parametrize("odd", ["0", "x", "1.0", "9" * 30, "-1", "\u0663", "%00"])
def test_a_delegation_that_is_not_there_is_not_found(doors: dict[str, Door], odd: str) -> None:
    problem(doors["fay"].send_json("DELETE", f"/delegations/{odd}"), 404)


def test_a_delegation_is_on_the_record(doors: dict[str, Door]) -> None:
    made = away(doors["fay"], note="Holidays.").json()
    assert [one["id"] for one in doors["sub"].get_json("/delegations").json()["results"]] == [made["id"]]
    doors["fay"].send_json("DELETE", f"/delegations/{made['id']}")

    rows = Event.objects.filter(subject_id=f"delegation {made['id']}").order_by("position")
    assert [(row.stream, row.type, row.actor) for row in rows] == [
        (SYSTEM, "hitl.delegation.created", "user:fay"),
        (SYSTEM, "hitl.delegation.ended", "user:fay"),
    ]
    assert json.loads(rows[0].data)["substitute"] == "sub"
