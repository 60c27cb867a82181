"""The figures: exact at the moment of the call, and each agent's its own."""

import datetime as dt
from typing import Any

import pytest
from django.db.models.functions import Now

from reviews.models import ReviewItem
from tests.conftest import Door
from tests.steps import let_deadline_pass


def figures(door: Door) -> dict[str, Any]:
    found: dict[str, Any] = door.get_json("/statistics").json()["interrupts"]
    return found


def test_nothing_asked_is_nothing_counted(agent: Door) -> None:
    everything = agent.get_json("/statistics").json()

    for part, noun in ((everything, "requests"), (everything["interrupts"], "interrupts")):
        assert (part[f"total_{noun}"], part[f"pending_{noun}"]) == (0, 0)
        assert part["average_response_time_hours"] is None
        assert part["by_status"] == part["by_priority"] == part["by_type"] == {}


def test_every_interrupt_is_counted_by_what_it_is(agent: Door, as_ann: Door) -> None:
    agent.ask(priority="high", agent_name="refunds")
    agent.ask(type="input")
    decided = agent.ask()["id"]
    as_ann.post_json(f"/interrupts/{decided}/approve")

    found = figures(as_ann)

    assert (found["total_interrupts"], found["pending_interrupts"]) == (3, 2)
    assert found["by_status"] == {"approved": 1, "pending": 2}
    assert found["by_priority"] == {"high": 1, "medium": 2}
    assert found["by_type"] == {"approval": 2, "input": 1}
    assert found["by_agent"] == {"janitor": 3}  # whose key it was, whatever it calls itself
    (day,) = found["by_day"]
    assert (dt.date.fromisoformat(day), found["by_day"][day]) == (dt.datetime.now(dt.UTC).date(), 3)


def test_what_is_overdue_is_not_pending_though_nothing_swept_it(agent: Door, as_ann: Door) -> None:
    let_deadline_pass(agent.ask()["id"])
    let_deadline_pass(agent.ask(on_timeout="reject")["id"])
    agent.ask()

    found = figures(as_ann)

    assert found["by_status"] == {"expired": 1, "pending": 1, "rejected": 1}
    assert found["pending_interrupts"] == 1


def test_an_agent_sees_its_own_figures(agent: Door, rogue: Door, as_ann: Door) -> None:
    agent.ask()
    agent.ask()
    rogue.ask()

    assert figures(agent)["total_interrupts"] == 2
    assert figures(rogue)["by_agent"] == {"rogue": 1}
    assert figures(as_ann)["total_interrupts"] == 3


def test_response_times_are_those_of_people(agent: Door, as_ann: Door) -> None:
    for hours in (1, 2, 3, 10):
        asked = agent.ask()["id"]
        ReviewItem.objects.filter(pk=asked).update(created_at=Now() - dt.timedelta(hours=hours))
        as_ann.post_json(f"/interrupts/{asked}/approve")
    agent.post_json(f"/interrupts/{agent.ask()['id']}/cancel")
    let_deadline_pass(agent.ask(on_timeout="reject")["id"])

    found = figures(as_ann)

    assert found["average_response_time_hours"] == pytest.approx(4, abs=0.01)
    assert found["median_response_time_hours"] == pytest.approx(2, abs=0.01)
    assert found["p95_response_time_hours"] == pytest.approx(10, abs=0.01)
