"""Questions asked at the same moment share a transaction, and yet each has its own fate."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection

from agents import callers, keys
from events.models import Event
from events.together import Together
from interrupts import asking
from interrupts.models import Interrupt

WRITERS = 8


class Counter:
    """Do jobs, after the first has waited for the others to come; remember how they were put together."""

    def __init__(self, waiting: int, error: type[Exception] | None = None) -> None:
        self.groups: list[list[int]] = []
        self._others, self._error = waiting, error
        self.together: Together[int, int] = Together(self.work, order=lambda job: job)

    def work(self, jobs: list[int]) -> list[int]:
        if not self.groups:
            self.groups.append(jobs)
            while len(self.together._waiting) < self._others:
                pass
        else:
            self.groups.append(jobs)
        if self._error and -1 in jobs:
            raise self._error("spoiled")
        return [job * 10 for job in jobs]


def do_all(counter: Counter, jobs: list[int]) -> list[Any]:
    def do(job: int) -> Any:
        try:
            return counter.together.do(job)
        except Exception as error:
            return type(error)

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(do, jobs))


def test_who_comes_while_another_writes_is_written_together_in_order() -> None:
    counter = Counter(waiting=4)

    assert do_all(counter, [5, 4, 3, 2, 1]) == [50, 40, 30, 20, 10]
    assert [len(group) for group in counter.groups] == [1, 4]
    assert counter.groups[1] == sorted(counter.groups[1])


def test_one_that_fails_spoils_nothing_for_the_others() -> None:
    counter = Counter(waiting=3, error=ValueError)

    assert sorted(do_all(counter, [1, 2, 3, -1]), key=str) == sorted([10, 20, 30, ValueError], key=str)


def test_a_database_that_is_away_is_not_asked_again_for_each() -> None:
    counter = Counter(waiting=3, error=OperationalError)
    found = do_all(counter, [-1, -1, -1, -1])

    assert found == [OperationalError] * 4
    assert len(counter.groups) == 2


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_at_once_get_each_their_own(settings: Any) -> None:
    settings.HITL_OPEN_ITEMS_PER_AGENT = 3
    agents = [callers.by_key(keys.create_key(keys.create_agent(f"agent-{n}"))[1]) for n in range(2)]
    start = threading.Barrier(WRITERS)

    def ask(number: int) -> str:
        start.wait()
        try:
            # Two of the same key for each agent, and more than may be open.
            interrupt, new = asking.ask(
                agents[number % 2], {"reason": "x", "data": {"n": number // 4}}, key=f"key-{number // 4}"
            )
            return f"{interrupt.pk} {new}"
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(ask, range(WRITERS)))

    assert sum(answer.endswith("True") for answer in answers) == Interrupt.objects.count() == 4
    assert len({answer.split()[0] for answer in answers}) == 4
    positions = Event.objects.filter(stream="agent-0").order_by("position").values_list("position", flat=True)
    assert list(positions) == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_the_limit_of_one_agent_stops_nobody_else(settings: Any) -> None:
    settings.HITL_OPEN_ITEMS_PER_AGENT = 2
    agents = [callers.by_key(keys.create_key(keys.create_agent(f"agent-{n}"))[1]) for n in range(4)]
    start = threading.Barrier(WRITERS)

    def ask(number: int) -> int:
        start.wait()
        try:
            asking.ask(agents[0 if number < 5 else number - 4], {"reason": "x"})
            return 201
        except Exception as error:
            return int(getattr(error, "status", 500))
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(ask, range(WRITERS)))

    assert sorted(answers) == [201] * 5 + [429] * 3
    assert Interrupt.objects.filter(agent_id="agent-0").count() == 2
