"""Deadlines: judged by the database's clock at the moment of looking, with nothing having swept."""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import pytest

from events.clock import database_now
from events.models import Stream
from interrupts.services import expire_overdue
from interrupts.tasks import expire_overdue_interrupts
from reviews.models import ReviewItem
from tests.conftest import Door
from tests.steps import event_types, let_deadline_pass, problem, rows, status_of

READS_AS = {"expire": "expired", "reject": "rejected"}


@pytest.mark.parametrize("on_timeout", READS_AS)
def test_what_is_overdue_is_over_everywhere_at_once(agent: Door, as_ann: Door, on_timeout: str) -> None:
    asked = agent.ask(on_timeout=on_timeout, session_id="s")
    let_deadline_pass(asked["id"])
    ends_as = READS_AS[on_timeout]

    alone = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert (alone["status"], alone["is_resolved"]) == (ends_as, True)
    assert alone["is_expired"] is (ends_as == "expired")
    assert status_of(agent, asked["id"])["status"] == ends_as
    assert agent.get_json(f"/interrupts/{asked['id']}/wait").json()["status"] == ends_as
    for filters, found in (({"status": ends_as}, 1), ({"status": "pending"}, 0), ({"pending_only": "1"}, 0)):
        assert len(agent.get_json("/interrupts", **filters).json()["results"]) == found
        assert len(agent.get_json("/sessions/s/interrupts", **filters).json()["results"]) == found
    assert as_ann.get_json("/statistics").json()["interrupts"]["by_status"] == {ends_as: 1}
    refused = problem(as_ann.post_json(f"/interrupts/{asked['id']}/approve"), 409, "expired")
    assert refused["current"]["status"] == ends_as
    assert ReviewItem.objects.get().status == "pending"  # nothing has swept
    assert event_types(asked["id"]) == ["hitl.interrupt.requested"]


def test_silence_that_rejects_says_so(agent: Door) -> None:
    asked = agent.ask(on_timeout="reject")
    let_deadline_pass(asked["id"])
    before = status_of(agent, asked["id"])

    expire_overdue()

    after = status_of(agent, asked["id"])
    for told in (before, after):
        assert (told["approved"], told["status"]) == (False, "rejected")
        assert told["rejection_reason"] == "Nobody answered in time."
    assert after["resolved_by"] == "system"


def test_the_sweep_makes_it_so_for_good_with_one_event_each(agent: Door, as_ann: Door) -> None:
    overdue = [agent.ask(on_timeout=mode)["id"] for mode in ("expire", "reject", "expire")]
    decided, open_still = agent.ask()["id"], agent.ask()["id"]
    as_ann.post_json(f"/interrupts/{decided}/approve")
    for one in (*overdue, decided):
        let_deadline_pass(one)

    assert expire_overdue() == 3
    assert expire_overdue() == 0

    assert [event_types(one)[1:] for one in overdue] == [
        ["hitl.interrupt.expired"],
        ["hitl.interrupt.rejected"],
        ["hitl.interrupt.expired"],
    ]
    assert event_types(decided)[1:] == ["hitl.interrupt.approved"]
    assert status_of(agent, decided)["status"] == "approved"
    assert status_of(agent, open_still)["status"] == "pending"
    assert Stream.objects.get(name="janitor").open_items == 1
    history = agent.get_json(f"/interrupts/{overdue[0]}").json()["history"]
    assert history[-1]["actor"] == "system"


def test_what_was_swept_stays_as_it_read(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    let_deadline_pass(asked["id"])
    before = agent.get_json(f"/interrupts/{asked['id']}").json()
    expire_overdue_interrupts()

    after = agent.get_json(f"/interrupts/{asked['id']}").json()

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"history", "version", "resolved_at", "resolved_by"}
    problem(as_ann.post_json(f"/interrupts/{asked['id']}/reject"), 409, "expired")


def test_the_sweep_takes_any_number(agent: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reviews.services.BATCH", 10)
    agent.post_json("/interrupts/batch", {"items": [{"reason": "x"}] * 25})
    for one in ReviewItem.objects.all():
        let_deadline_pass(one.pk)

    assert expire_overdue() == 25


def test_a_deadline_of_tomorrow_is_no_deadline_yet(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(expires_in=60)

    assert expire_overdue() == 0
    assert as_ann.post_json(f"/interrupts/{asked['id']}/approve").status_code == 200


def test_nobody_works_on_what_is_overdue(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    let_deadline_pass(asked["id"])
    before = rows()

    for verb, body in (("claim", {}), ("release", {}), ("cancel", {}), ("request_changes", {"comment": "x"})):
        problem(as_ann.post_json(f"/interrupts/{asked['id']}/{verb}", body), 409, "expired")
    problem(agent.post_json(f"/interrupts/{asked['id']}/cancel"), 409, "expired")
    assert rows() == before


@pytest.fixture(params=[-1, 1], ids=["an hour behind", "an hour ahead"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the clock of this process an hour off; the database's stays right."""
    off = dt.timedelta(hours=request.param)
    true_datetime, true_time, true_time_ns = dt.datetime, time.time, time.time_ns

    class AnyDatetime(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, true_datetime)

        def __call__(cls, *parts: Any, **more: Any) -> dt.datetime:
            return true_datetime(*parts, **more)

        def __getattr__(cls, name: str) -> Any:
            return getattr(true_datetime, name)

    class WrongDatetime(metaclass=AnyDatetime):
        @staticmethod
        def now(tz: dt.tzinfo | None = None) -> dt.datetime:
            return true_datetime.now(tz) + off

    monkeypatch.setattr("datetime.datetime", WrongDatetime)
    monkeypatch.setattr("time.time", lambda: true_time() + off.total_seconds())
    monkeypatch.setattr("time.time_ns", lambda: true_time_ns() + int(off.total_seconds() * 10**9))
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("wrong_clock")
def test_a_wrong_clock_here_ends_nothing_too_early(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(expires_in=600)

    assert abs(dt.datetime.fromisoformat(asked["created_at"]) - database_now()) < dt.timedelta(minutes=1)
    assert status_of(agent, asked["id"])["status"] == "pending"
    assert expire_overdue() == 0
    assert as_ann.post_json(f"/interrupts/{asked['id']}/approve").status_code == 200
    told = status_of(agent, asked["id"])
    assert abs(dt.datetime.fromisoformat(told["resolved_at"]) - database_now()) < dt.timedelta(minutes=1)


@pytest.mark.usefixtures("wrong_clock")
def test_a_wrong_clock_here_lets_nothing_pass_too_late(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    let_deadline_pass(asked["id"])

    assert status_of(agent, asked["id"])["status"] == "expired"
    problem(as_ann.post_json(f"/interrupts/{asked['id']}/approve"), 409, "expired")
    assert expire_overdue() == 1


@pytest.mark.usefixtures("wrong_clock")
def test_a_moment_is_judged_by_the_right_clock(agent: Door) -> None:
    past = (database_now() - dt.timedelta(minutes=5)).isoformat()
    future = (database_now() + dt.timedelta(minutes=5)).isoformat()

    assert agent.ask(expires_at=future)["status"] == "pending"
    problem(agent.post_json("/interrupts", {"reason": "x", "expires_at": past}), 400, "invalid")
