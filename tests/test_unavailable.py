"""What the server cannot take or do just now is said as such, and with what to do about it."""

from typing import Any

import pytest
from django.db import OperationalError

from agents import callers
from agents.sockets import AgentDoor
from events.consumers import AgentConsumer
from events.problems import from_exception
from interrupts import asking
from tests.conftest import API, Door
from tests.steps import problem


def test_a_database_that_is_away_is_503_and_come_back(agent: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(asking, "ask", fail)
    answer = agent.post_json("/interrupts", {"reason": "Delete it?"})

    assert "connection" not in problem(answer, 503, "unavailable")["detail"]
    assert answer["Retry-After"] == "2"


async def test_a_socket_while_the_database_is_away_is_told_to_come_back(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(callers, "by_key", fail)
    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await AgentDoor(AgentConsumer.as_asgi())({"headers": [(b"authorization", b"Bearer hitl_x")]}, None, send)
    assert said == [{"type": "websocket.accept"}, {"type": "websocket.close", "code": 1013}]


def test_a_fault_of_our_own_is_not_called_anything_else() -> None:
    assert from_exception(ZeroDivisionError()) is None


def test_a_worker_that_would_take_chunks_for_nothing_says_so(agent: Door) -> None:
    answer = agent.generic(
        "POST", f"{API}/interrupts", "", "application/json", headers={"Transfer-Encoding": "chunked"}
    )
    problem(answer, 411, "length_required")
