"""A greedy agent hurts only itself: calls a minute, and open items."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from agents import throttles
from interrupts.services import expire_overdue
from tests.conftest import Door
from tests.steps import MakeAgent, let_deadline_pass, problem, rows


@pytest.fixture
def three_calls(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody call three times in a minute that does not end during the test."""
    settings.HITL_CALLS_PER_MINUTE = 3
    monkeypatch.setattr(throttles, "_counts", {})
    minute = 60.0 * random.getrandbits(40)  # its own, so that no earlier test counts into it
    monkeypatch.setattr(throttles, "time", SimpleNamespace(time=lambda: minute))


@pytest.mark.usefixtures("three_calls")
def test_too_many_calls_wait_for_the_next_minute(agent: Door) -> None:
    answers = [agent.get_json("/interrupts").status_code for _ in range(3)]

    refused = agent.get_json("/interrupts")

    assert answers == [200] * 3
    problem(refused, 429, "throttled")
    assert 1 <= int(refused["Retry-After"]) <= 60


@pytest.mark.usefixtures("three_calls")
def test_who_calls_too_often_writes_nothing(agent: Door) -> None:
    for _ in range(3):
        agent.ask()
    before = rows()

    problem(agent.post_json("/interrupts", {"reason": "x"}), 429)

    assert rows() == before


@pytest.mark.usefixtures("three_calls")
def test_others_do_not_notice(agent: Door, rogue: Door, as_ann: Door, make_agent: MakeAgent) -> None:
    for _ in range(5):
        rogue.get_json("/interrupts")

    assert agent.get_json("/interrupts").status_code == 200
    assert as_ann.get_json("/interrupts").status_code == 200


@pytest.mark.usefixtures("three_calls")
def test_a_second_key_gives_no_second_helping(agent: Door, make_agent: MakeAgent) -> None:
    second = make_agent("janitor")
    answers = [door.get_json("/interrupts").status_code for door in (agent, second) * 2]

    assert answers == [200, 200, 200, 429]


@pytest.fixture
def two_open_items(settings: Any) -> None:
    settings.HITL_OPEN_ITEMS_PER_AGENT = 2


@pytest.mark.usefixtures("two_open_items")
def test_an_agent_has_so_many_open_items(agent: Door, rogue: Door) -> None:
    agent.ask()
    agent.ask()
    before = rows()

    refused = agent.post_json("/interrupts", {"reason": "x"})

    problem(refused, 429, "too_many_open")
    assert int(refused["Retry-After"]) > 0
    assert rows() == before
    assert rogue.ask()


@pytest.mark.usefixtures("two_open_items")
@pytest.mark.parametrize("how", ["approve", "reject", "cancel", "overdue", "swept"])
def test_what_is_resolved_frees_its_place(agent: Door, as_ann: Door, how: str) -> None:
    first = agent.ask()["id"]
    agent.ask()
    if how in ("overdue", "swept"):
        let_deadline_pass(first)
        if how == "swept":
            assert expire_overdue() == 1
    else:
        as_ann.post_json(f"/interrupts/{first}/{how}")

    agent.ask()

    problem(agent.post_json("/interrupts", {"reason": "x"}), 429, "too_many_open")


@pytest.mark.usefixtures("two_open_items")
def test_a_batch_that_does_not_fit_is_not_asked_at_all(agent: Door) -> None:
    agent.ask()
    before = rows()

    problem(agent.post_json("/interrupts/batch", {"items": [{"reason": "x"}] * 2}), 429, "too_many_open")

    assert rows() == before
    assert agent.post_json("/interrupts/batch", {"items": [{"reason": "x"}]}).status_code == 201
