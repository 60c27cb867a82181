"""What an agent may ask, what is filled in for it, and how the question reads afterwards."""

import datetime as dt
import re
from typing import Any

import pytest

from tests.conftest import Door
from tests.steps import ID, TIME, event_types, problem, rows

EVERYTHING: dict[str, Any] = {
    "type": "approval",
    "reason": "Refund 250 € to a customer?",
    "data": {"customer": "Ünal", "amounts": [1, 2.5, None, True, {"deep": []}]},
    "session_id": "s/1 ü",
    "agent_name": "refunds",
    "run_id": "run-7",
    "step_name": "payload_review",
    "tool_name": "refund",
    "tool_args": {"amount": 250, "currency": "EUR"},
    "call_id": "call_1",
    "args_schema": {"type": "object", "required": ["amount"]},
    "allowed_decisions": ["approve", "reject"],
    "response_schema": {"type": "string"},
    "priority": "high",
    "on_timeout": "reject",
    "batch_id": "b-1",
    "metadata": {"trace": "t"},
}


@pytest.mark.parametrize(
    ("kind", "decisions"),
    [
        ("approval", ["approve", "edit", "reject"]),
        ("confirmation", ["approve", "reject"]),
        ("input", ["respond", "reject"]),
        ("feedback", ["respond", "approve", "reject"]),
    ],
)
def test_each_type_says_what_a_person_may_answer(agent: Door, kind: str, decisions: list[str]) -> None:
    asked = agent.ask(type=kind)

    assert (asked["type"], asked["status"]) == (kind, "pending")
    assert sorted(asked["allowed_decisions"]) == sorted(decisions)


def test_a_reason_is_enough(agent: Door) -> None:
    asked = agent.ask()

    assert asked["type"] == "approval"
    assert asked["priority"] == "medium"
    assert asked["agent_name"] == asked["agent"] == "janitor"
    assert asked["data"] == asked["tool_args"] == asked["metadata"] == {}
    assert asked["on_timeout"] == "expire"
    assert asked["revision"] == 1
    assert (asked["is_expired"], asked["is_resolved"]) == (False, False)
    assert asked["resolved_by"] is asked["resolved_at"] is asked["modifications"] is asked["response"] is None
    assert lifetime(asked) == dt.timedelta(hours=24)


def test_everything_sent_comes_back(agent: Door) -> None:
    asked = agent.ask(**EVERYTHING)

    assert {name: asked[name] for name in EVERYTHING} == EVERYTHING
    more = {"history": history(agent, asked), "attachments": []}
    assert agent.get_json(f"/interrupts/{asked['id']}").json() == {**asked, **more}


def test_ids_are_typed_and_ordered_in_time_and_moments_are_utc(agent: Door) -> None:
    asked = [agent.ask() for _ in range(3)]

    ids = [one["id"] for one in asked]
    assert all(re.fullmatch(f"int_{ID}", found) for found in ids)
    assert [one["created_at"] for one in asked] == sorted(one["created_at"] for one in asked)
    assert all(TIME.fullmatch(one[name]) for one in asked for name in ("created_at", "expires_at"))
    assert re.fullmatch("[0-9a-f]{64}", asked[0]["content_hash"])
    assert len(set(ids)) == 3


def test_urgent_is_read_as_critical(agent: Door) -> None:
    assert agent.ask(priority="urgent")["priority"] == "critical"


@pytest.mark.parametrize("seconds", [1, 90, 31_536_000])
def test_a_deadline_in_seconds_counts_from_the_asking(agent: Door, seconds: int) -> None:
    assert lifetime(agent.ask(expires_in=seconds)) == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize("offset", [0, 5])
def test_a_deadline_may_be_a_moment_of_any_zone(agent: Door, offset: int) -> None:
    zone = dt.timezone(dt.timedelta(hours=offset))
    moment = dt.datetime.now(zone).replace(microsecond=0) + dt.timedelta(days=3)

    asked = agent.ask(expires_at=moment.isoformat())

    assert dt.datetime.fromisoformat(asked["expires_at"]) == moment
    assert asked["expires_at"].endswith("Z")


def test_the_title_is_the_beginning_of_the_reason(agent: Door) -> None:
    assert agent.ask(reason="  Two\n lines ")["title"] == "Two lines"
    assert len(agent.ask(reason="x" * 1000)["title"]) == 200


def test_asking_is_recorded_with_what_was_asked(agent: Door) -> None:
    asked = agent.ask(tool_name="refund", tool_args={"amount": 250})

    (event,) = history(agent, asked)
    assert event["type"] == "hitl.interrupt.requested"
    assert event["actor"] == "agent:janitor"
    assert event["data"]["tool_args"] == {"amount": 250}
    assert event["data"]["content_hash"] == asked["content_hash"]


def test_an_empty_label_is_as_good_as_none(agent: Door) -> None:
    assert agent.ask(agent_name="", session_id="", args_schema=None)["agent_name"] == "janitor"


def test_a_batch_is_asked_as_one(agent: Door) -> None:
    answer = agent.post_json("/interrupts/batch", {"items": [{"reason": f"Nr {n}"} for n in range(100)]})

    assert answer.status_code == 201
    asked = answer.json()["results"]
    assert [one["reason"] for one in asked] == [f"Nr {n}" for n in range(100)]
    (batch,) = {one["batch_id"] for one in asked}
    found = agent.get_json("/interrupts", batch_id=batch, limit=200).json()["results"]
    assert {one["id"] for one in found} == {one["id"] for one in asked}


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([{"reason": "fine"}, {"reason": ""}], "items.1.reason"),
        ([{"reason": "fine"}, {"reason": "x", "type": "question"}], "items.1.type"),
        ([{"reason": "fine"}, "not an object"], "items.1"),
        ([{"reason": "fine"}, {"reason": "x", "expires_at": "2001-01-01T00:00:00Z"}], "items.1.expires_at"),
        ([{"reason": "fine"}, {"reason": "x", "args_schema": {"type": "strin"}}], "items.1.args_schema"),
        ([{"reason": "x"}] * 101, "items"),
        ([], "items"),
    ],
)
def test_a_batch_with_one_mistake_asks_nothing(agent: Door, items: list[Any], field: str) -> None:
    before = rows()

    refused = problem(agent.post_json("/interrupts/batch", {"items": items}), 400, "invalid")

    assert list(refused["errors"]) == [field]
    assert rows() == before


def test_every_question_of_a_batch_has_its_own_life(agent: Door, as_ann: Door) -> None:
    answer = agent.post_json("/interrupts/batch", {"items": [{"reason": "one"}, {"reason": "two"}]})
    first, second = (one["id"] for one in answer.json()["results"])

    as_ann.post_json(f"/interrupts/{first}/approve")

    assert event_types(first)[-1] == "hitl.interrupt.approved"
    assert event_types(second) == ["hitl.interrupt.requested"]


def lifetime(asked: dict[str, Any]) -> dt.timedelta:
    return dt.datetime.fromisoformat(asked["expires_at"]) - dt.datetime.fromisoformat(asked["created_at"])


def history(door: Door, asked: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = door.get_json(f"/interrupts/{asked['id']}").json()["history"]
    return found
