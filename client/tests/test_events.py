"""Events are read in order and resumed by their cursor."""

from itertools import islice
from typing import Any

import pytest
from hitl_client import StreamReset
from loopback import Fault, Loopback


@pytest.fixture(autouse=True)
def events(server: Loopback) -> None:
    for position in range(1, 6):
        server.events.append(
            {"id": f"evt_{position}", "cursor": f"a:{position}", "type": "t", "new_field": 1}
        )


def test_events_come_page_by_page_until_caught_up(agent: Any) -> None:
    assert [event.id for event in agent.events(follow=False)] == [f"evt_{number}" for number in range(1, 6)]


def test_a_reader_goes_on_after_its_cursor(agent: Any, server: Loopback) -> None:
    seen = list(islice(agent.events(), 3))
    server.faults.extend([Fault(), Fault(handled=True)])
    assert [event.id for event in islice(agent.events(after=seen[-1].cursor), 2)] == ["evt_4", "evt_5"]


def test_a_cursor_of_another_life_is_told_apart(agent: Any) -> None:
    with pytest.raises(StreamReset) as reset:
        list(agent.events(after="b:3", follow=False))
    assert reset.value.cursor == "a:0"
