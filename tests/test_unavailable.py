"""What the server cannot take or do just now is said as such, and with what to do about it."""

import pytest
from django.db import OperationalError

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


def test_a_fault_of_our_own_is_not_called_anything_else() -> None:
    assert from_exception(ZeroDivisionError()) is None


def test_a_worker_that_would_take_chunks_for_nothing_says_so(agent: Door) -> None:
    answer = agent.generic(
        "POST", f"{API}/interrupts", "", "application/json", headers={"Transfer-Encoding": "chunked"}
    )
    problem(answer, 411, "length_required")
