"""Events are read in order and resumed by their cursor."""

from itertools import islice
from typing import Any

import pytest
from hitl_client import Event, StreamReset
from loopback import Fault, Loopback


@pytest.fixture(autouse=True)
def events(agent: Any) -> None:
    agent.batch([{"reason": f"Number {number}?"} for number in range(5)])


def test_events_come_until_caught_up(agent: Any) -> None:
    assert [event.subject_id for event in agent.events(follow=False)] == [f"int_{n}" for n in range(5)]
    assert list(agent.events(follow=False, types=["hitl.interrupt.approved"])) == []


def test_a_reader_goes_on_after_its_cursor(agent: Any, server: Loopback) -> None:
    seen = list(islice(agent.events(), 3))
    server.faults.extend([Fault(), Fault(handled=True)])
    rest = list(islice(agent.events(after=seen[-1].cursor), 2))
    assert [event.data["reason"] for event in rest] == ["Number 3?", "Number 4?"]


def test_a_cursor_of_another_life_is_told_apart(agent: Any) -> None:
    with pytest.raises(StreamReset) as reset:
        list(agent.events(after="ep_other:3", follow=False))
    assert reset.value.cursor == "ep_fake:5"


def test_what_later_servers_say_of_an_event_is_passed_over() -> None:
    assert Event.of({"id": "evt_1", "cursor": "a:1", "type": "t", "new_field": 1}).id == "evt_1"
