"""While nobody answers: a reminder, then other groups, step by step, then the deadline."""

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now

from events.models import Event, JobLease
from interrupts.services import expire_overdue
from reviews import follow_up, tasks
from reviews.models import ReviewItem
from tests.admin import decide, page_of, text_of
from tests.conftest import Door
from tests.steps import Enter, Join, MakePolicy, let_deadline_pass, problem

HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def groups(ann: User, bob: User, carol: User, ada: User, join: Join) -> None:
    join("first", ann)
    join("second", bob)
    join("third", ada)


def let_pass(asked: dict[str, Any], time: dt.timedelta) -> None:
    """Let everything that waits for the clock have come nearer by *time*."""
    rows = ReviewItem.objects.filter(pk=asked["id"])
    for name in ("due_at", "remind_at", "escalate_at"):
        rows.filter(**{f"{name}__isnull": False}).update(**{name: F(name) - time})


def told(asked: dict[str, Any], event: str) -> list[dict[str, Any]]:
    rows = Event.objects.filter(subject_id=asked["id"], type=f"hitl.item.{event}").order_by("position")
    return [json.loads(row.data) for row in rows]


def seconds_until(moment: str | None) -> float:
    assert moment
    return (dt.datetime.fromisoformat(moment) - dt.datetime.now(dt.UTC)).total_seconds()


# -- Reminding ------------------------------------------------------------------------------------------


def test_one_reminds_once(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", remind_after=600)
    asked = agent.ask()
    let_pass(asked, dt.timedelta(seconds=590))
    assert follow_up.remind() == 0

    let_pass(asked, dt.timedelta(seconds=20))

    assert [follow_up.remind(), follow_up.remind()] == [1, 0]
    assert [one["title"] for one in told(asked, "reminded")] == [asked["title"]]


def test_of_what_is_answered_nobody_is_reminded(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", remind_after=600, escalation=[{"to": "second", "after": 600}])
    answered, overdue = agent.ask(), agent.ask()
    as_ann.post_json(f"/interrupts/{answered['id']}/approve")
    let_deadline_pass(overdue["id"])
    for asked in (answered, overdue):
        let_pass(asked, HOUR)

    assert (follow_up.remind(), follow_up.escalate()) == (0, 0)
    assert not told(overdue, "reminded")


def test_a_page_that_is_open_is_not_outdated_by_the_clock(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", reviewers=["first"], remind_after=60, escalation=[{"to": "second", "after": 60}])
    asked = agent.ask()
    tag = agent.get_json(f"/interrupts/{asked['id']}/status")["ETag"]
    let_pass(asked, HOUR)

    assert (follow_up.remind(), follow_up.escalate()) == (1, 1)

    found = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert (found["version"], found["content_hash"]) == (asked["version"], asked["content_hash"])
    assert agent.get_json(f"/interrupts/{asked['id']}/status")["ETag"] == tag
    body = {"content_hash": asked["content_hash"]}
    assert as_ann.post_json(f"/interrupts/{asked['id']}/approve", body).status_code == 200


# -- Escalating -----------------------------------------------------------------------------------------


def test_one_group_after_another_is_asked_besides(
    agent: Door, as_ann: Door, as_bob: Door, as_ada: Door, make_policy: MakePolicy
) -> None:
    steps = [{"to": "second", "after": 600}, {"to": "third", "after": 60}]
    make_policy(pattern="*", reviewers=["first"], escalation=steps)
    asked = agent.ask()
    problem(as_bob.post_json(f"/interrupts/{asked['id']}/approve"), 403, "not_a_reviewer")

    let_pass(asked, dt.timedelta(seconds=601))
    assert [follow_up.escalate(), follow_up.escalate()] == [1, 0]
    found = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert found["reviewers"] == ["first", "second"]
    problem(as_ada.post_json(f"/interrupts/{asked['id']}/approve"), 403, "not_a_reviewer")

    let_pass(asked, dt.timedelta(seconds=61))
    assert follow_up.escalate() == 1
    let_pass(asked, HOUR)
    assert follow_up.escalate() == 0

    assert [(one["to"], one["reviewers"]) for one in told(asked, "escalated")] == [
        ("second", ["first", "second"]),
        ("third", ["first", "second", "third"]),
    ]
    assert as_ada.post_json(f"/interrupts/{asked['id']}/approve").json()["status"] == "approved"


def test_where_everybody_is_asked_escalating_keeps_nobody_out(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", escalation=[{"to": "second", "after": 60}])
    asked = agent.ask()
    let_pass(asked, HOUR)

    assert follow_up.escalate() == 1

    assert told(asked, "escalated")[0]["to"] == "second"
    assert as_ann.post_json(f"/interrupts/{asked['id']}/approve").json()["status"] == "approved"


def test_a_request_is_escalated_too(agent: Door, as_bob: Door, make_policy: MakePolicy) -> None:
    make_policy(kind="request", reviewers=["first"], escalation=[{"to": "second", "after": 60}])
    asked = agent.need()
    let_pass(asked, HOUR)

    assert follow_up.escalate() == 1

    assert as_bob.post_json(f"/requests/{asked['id']}/fulfill", {}).json()["status"] == "fulfilled"


def test_what_moved_on_since_it_was_read_keeps_the_groups_of_its_stage(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    stages = [{"reviewers": ["first"]}, {"reviewers": ["second"]}]
    make_policy(pattern="*", stages=stages, escalation=[{"to": "third", "after": 60}])
    asked = agent.ask()
    let_pass(asked, HOUR)
    read_before = list(ReviewItem.objects.filter(pk=asked["id"]))
    as_ann.post_json(f"/interrupts/{asked['id']}/approve")

    assert follow_up._escalate(read_before[0]) is False
    assert agent.get_json(f"/interrupts/{asked['id']}").json()["reviewers"] == ["second"]
    assert follow_up.escalate() == 1
    assert agent.get_json(f"/interrupts/{asked['id']}").json()["reviewers"] == ["second", "third"]


@pytest.mark.parametrize(("sweep", "event"), [("remind", "reminded"), ("escalate", "escalated")])
def test_two_clocks_that_read_the_same_do_it_once(
    agent: Door, make_policy: MakePolicy, sweep: str, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_policy(pattern="*", remind_after=60, escalation=[{"to": "second", "after": 60}])
    asked = agent.ask()
    let_pass(asked, HOUR)
    both_read = list(ReviewItem.objects.filter(pk=asked["id"]))
    getattr(follow_up, sweep)()
    read = iter([both_read, []])
    monkeypatch.setattr(follow_up, "_due", lambda column: next(read))

    assert getattr(follow_up, sweep)() == 0
    assert len(told(asked, event)) == 1


@pytest.mark.parametrize("task", [tasks.remind_of_items, tasks.escalate_items])
def test_a_beat_does_its_job_and_notes_it(agent: Door, make_policy: MakePolicy, task: Any) -> None:
    make_policy(pattern="*", remind_after=60, escalation=[{"to": "second", "after": 60}])
    asked = agent.ask()
    let_pass(asked, HOUR)

    task()
    task()

    assert JobLease.objects.get(job=task.name.rpartition(".")[2]).result == 1
    assert len(told(asked, "reminded") + told(asked, "escalated")) == 1


# -- Until when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("priority", "seconds"), [("low", None), ("medium", 7_200), ("high", None), ("urgent", 600)]
)
def test_an_answer_is_due_by_priority(
    agent: Door, make_policy: MakePolicy, priority: str, seconds: int | None
) -> None:
    make_policy(pattern="*", sla={"medium": 7_200, "critical": 600})

    due_at = agent.ask(priority=priority)["due_at"]

    if seconds is None:
        assert due_at is None
    else:
        assert seconds - 10 < seconds_until(due_at) <= seconds


def test_who_does_not_answer_in_time_is_helped(agent: Door, make_policy: MakePolicy) -> None:
    """A step of an escalation that says no time comes when the answer was due."""
    make_policy(pattern="*", reviewers=["first"], sla={"medium": 600}, escalation=[{"to": "second"}])
    asked, unhurried = agent.ask(), agent.ask(priority="low")
    let_pass(asked, dt.timedelta(seconds=601))
    let_pass(unhurried, HOUR)

    assert follow_up.escalate() == 1
    assert (
        told(asked, "escalated")[0]["due_at"] == agent.get_json(f"/interrupts/{asked['id']}").json()["due_at"]
    )


def test_what_waits_in_business_hours_does_not_wait_at_night(
    agent: Door, make_policy: MakePolicy, settings: Any
) -> None:
    class NextYear:
        def after(self, start: dt.datetime, seconds: int) -> dt.datetime:
            return start + dt.timedelta(days=365, seconds=seconds)

    settings.HITL_BUSINESS_HOURS = NextYear()
    make_policy(pattern="*", business_hours=True, sla={"medium": 60}, remind_after=60)

    asked = agent.ask()

    assert seconds_until(asked["due_at"]) > 364 * 86_400
    assert ReviewItem.objects.filter(pk=asked["id"], remind_at__gt=Now() + dt.timedelta(days=364)).exists()


def test_what_is_asked_anew_begins_anew(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", reviewers=["first"], remind_after=60, escalation=[{"to": "second", "after": 60}])
    asked = agent.ask()
    let_pass(asked, HOUR)
    assert (follow_up.remind(), follow_up.escalate()) == (1, 1)
    as_ann.post_json(f"/interrupts/{asked['id']}/request_changes", {"comment": "x"})

    revised = agent.post_json(f"/interrupts/{asked['id']}/revise", {"reason": "y"}).json()

    assert revised["reviewers"] == ["first"]
    assert (follow_up.remind(), follow_up.escalate()) == (0, 0)
    let_pass(asked, HOUR)
    assert (follow_up.remind(), follow_up.escalate()) == (1, 1)


def test_the_deadline_still_ends_it(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", remind_after=60)
    asked = agent.ask()
    let_deadline_pass(asked["id"])

    assert expire_overdue() == 1
    assert agent.get_json(f"/interrupts/{asked['id']}").json()["status"] == "expired"


# -- By hand --------------------------------------------------------------------------------------------


def test_a_person_asks_the_next_group_at_once_and_the_administrators_last(
    agent: Door, as_ann: Door, as_bob: Door, as_ada: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", reviewers=["first"], escalation=[{"to": "second", "after": 600}])
    asked = agent.ask()

    answer = decide(as_ann, asked, "escalate", note="I am not sure.")
    assert answer["Location"] == page_of(asked)
    found = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert (found["reviewers"], found["status"]) == (["first", "second"], "pending")
    shown = text_of(as_bob.get(page_of(asked)))
    assert "ann asked second as well" in shown
    assert "I am not sure." in shown
    let_pass(asked, HOUR)
    assert follow_up.escalate() == 0

    decide(as_bob, asked, "escalate")
    assert agent.get_json(f"/interrupts/{asked['id']}").json()["reviewers"] == [
        *("first", "second", "administrator")
    ]
    refused = decide(as_bob, asked, "escalate", note="And now?")
    assert refused.status_code == 409
    assert "Everybody who could be asked besides is asked already." in text_of(refused)
    assert "And now?" in refused.content.decode()
    assert [one["to"] for one in told(asked, "escalated")] == ["second", "administrator"]
    assert as_ada.post_json(f"/interrupts/{asked['id']}/approve").json()["status"] == "approved"


def test_where_everybody_may_answer_escalating_by_hand_keeps_nobody_out(agent: Door, as_ann: Door) -> None:
    for asked in (agent.ask(), agent.need()):
        assert decide(as_ann, asked, "escalate").status_code == 302
        (event,) = told(asked, "escalated")
        assert (event["to"], event["reviewers"]) == ("administrator", [])
    assert as_ann.post_json(f"/requests/{asked['id']}/fulfill", {}).json()["status"] == "fulfilled"


def test_what_is_decided_nobody_escalates(agent: Door, as_ann: Door, carol: User, enter: Enter) -> None:
    asked = agent.ask()
    assert enter(carol).post(page_of(asked), {"verb": "escalate"}).status_code == 403
    page = as_ann.get(page_of(asked)).content.decode()
    as_ann.post_json(f"/interrupts/{asked['id']}/approve")

    assert decide(as_ann, asked, "escalate", page=page).status_code == 409
    assert told(asked, "escalated") == []
