"""How many questions a call asks the database: the same for one row and for many."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection

from agents import callers
from agents.models import Key
from tests.conftest import Door
from tests.steps import MakePolicy

Queries = Callable[[int], AbstractContextManager[Any]]


@pytest.fixture
def used_before(agent: Door, monkeypatch: pytest.MonkeyPatch) -> Door:
    """Return an agent whose key was used a moment ago, in a process that has read the policies.

    The first use of a key in a minute is noted, and the policies are read once for each state of them.
    """
    agent.get_json("/interrupts")
    agent.post_json("/policies/evaluate", {"tool_name": "x"})
    assert Key.objects.get().pk in callers._touched
    return agent


def count(door: Door, call: Callable[[Door], Any], django_assert_max_num_queries: Any) -> int:
    with django_assert_max_num_queries(200) as asked:
        answer = call(door)
    assert answer.status_code < 300, answer.content
    return len([query for query in asked.captured_queries if "SAVEPOINT" not in (query["sql"] or "")])


def test_asking_takes_five(used_before: Door, django_assert_max_num_queries: Any) -> None:
    def call(door: Door) -> Any:
        return door.post_json("/interrupts", {"reason": "x"})

    # key, the state of the policies, item with its child, the stream's head, event with head and tallies;
    # SQLite takes them one by one
    expected = 8 if connection.vendor == "sqlite" else 5
    assert count(used_before, call, django_assert_max_num_queries) == expected


@pytest.mark.parametrize("number", [1, 40])
def test_evaluating_takes_two_however_many_policies_there_are(
    used_before: Door, make_policy: MakePolicy, django_assert_max_num_queries: Any, number: int
) -> None:
    for one in range(number):
        make_policy(name=f"Policy {one}", pattern=f"other_{one}")

    def call(door: Door) -> Any:
        return door.post_json("/policies/evaluate", {"tool_name": "x"})

    # key, state of the policies; they themselves were read once when they had changed
    assert count(used_before, call, django_assert_max_num_queries) == 3
    assert count(used_before, call, django_assert_max_num_queries) == 2


@pytest.mark.production
def test_a_batch_takes_no_more_than_a_single_question(
    used_before: Door, django_assert_max_num_queries: Any
) -> None:
    def call(door: Door) -> Any:
        return door.post_json("/interrupts/batch", {"items": [{"reason": "x"}] * 50})

    assert count(used_before, call, django_assert_max_num_queries) == 5


def test_a_batch_of_many_tools_asks_for_their_grants_once(
    used_before: Door, django_assert_max_num_queries: Any
) -> None:
    def batch(tools: int) -> Callable[[Door], Any]:
        items = [{"reason": "x", "tool_name": f"tool_{number}"} for number in range(tools)]
        return lambda door: door.post_json("/interrupts/batch", {"items": items})

    few = count(used_before, batch(2), django_assert_max_num_queries)
    many = count(used_before, batch(20), django_assert_max_num_queries)

    per_item = 3 if connection.vendor == "sqlite" else 0  # the item, its child and its event, one by one
    assert many == few + 18 * per_item


def test_a_status_takes_two(used_before: Door, django_assert_max_num_queries: Any) -> None:
    asked = used_before.ask()

    def call(door: Door) -> Any:
        return door.get_json(f"/interrupts/{asked['id']}/status")

    assert count(used_before, call, django_assert_max_num_queries) == 2


@pytest.mark.parametrize("rows", [1, 50])
def test_a_list_takes_two_whatever_its_length(
    used_before: Door, django_assert_max_num_queries: Any, rows: int
) -> None:
    used_before.post_json("/interrupts/batch", {"items": [{"reason": "x"}] * rows})

    def call(door: Door) -> Any:
        return door.get_json("/interrupts", limit=50)

    assert count(used_before, call, django_assert_max_num_queries) == 2


@pytest.mark.parametrize("rows", [1, 50])
def test_reading_events_takes_three_whatever_their_number(
    used_before: Door, django_assert_max_num_queries: Any, rows: int
) -> None:
    used_before.post_json("/interrupts/batch", {"items": [{"reason": "x"}] * rows})

    assert count(used_before, lambda door: door.get_json("/events"), django_assert_max_num_queries) == 3


@pytest.mark.parametrize("rows", [1, 20])
def test_statistics_take_six_whatever_is_counted(
    used_before: Door, as_ann: Door, django_assert_max_num_queries: Any, rows: int
) -> None:
    for _ in range(rows):
        as_ann.post_json(f"/interrupts/{used_before.ask()['id']}/approve")

    # key, tallies, agents, what is in review or overdue, median, 95th percentile
    assert count(used_before, lambda door: door.get_json("/statistics"), django_assert_max_num_queries) == 6


def test_approving_takes_a_dozen(agent: Door, as_ann: Door, django_assert_max_num_queries: Any) -> None:
    asked = agent.ask()

    def call(door: Door) -> Any:
        return door.post_json(f"/interrupts/{asked['id']}/approve", {"content_hash": asked["content_hash"]})

    assert count(as_ann, call, django_assert_max_num_queries) <= 14


def test_a_request_takes_what_a_question_takes(used_before: Door, django_assert_max_num_queries: Any) -> None:
    body = {"request_type": "api_key", "title": "A key", "description": "To read."}
    expected = 8 if connection.vendor == "sqlite" else 5
    made = count(used_before, lambda door: door.post_json("/requests", body), django_assert_max_num_queries)
    assert made == expected


def test_fulfilling_takes_a_dozen(agent: Door, as_ann: Door, django_assert_max_num_queries: Any) -> None:
    asked = agent.need(required_fields={"a": "A", "b": {"label": "B", "type": "secret"}})
    body = {"response_data": {"a": "1", "b": "2"}}

    def call(door: Door) -> Any:
        return door.post_json(f"/requests/{asked['id']}/fulfill", body)

    assert count(as_ann, call, django_assert_max_num_queries) <= 15
