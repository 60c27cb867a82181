"""Asking twice with the same Idempotency-Key asks once, and finds the decision."""

import datetime as dt
from typing import Any

import pytest

from events.clock import database_now
from tests.conftest import Door
from tests.steps import MakeAgent, let_deadline_pass, problem, rows

BODY = {"reason": "Delete it?", "tool_args": {"path": "/a", "force": False}}


def ask(door: Door, key: str, body: Any = BODY, path: str = "/interrupts") -> Any:
    return door.post_json(path, body, **{"Idempotency-Key": key})


def test_the_same_key_finds_the_same_interrupt(agent: Door) -> None:
    first = ask(agent, "k-1")
    before = rows()

    second = ask(agent, "k-1")

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()
    assert first.json()["key"] == "k-1"
    assert rows() == before


def test_the_order_of_names_in_the_body_does_not_matter(agent: Door) -> None:
    ask(agent, "k-1")

    again = ask(agent, "k-1", {"tool_args": {"force": False, "path": "/a"}, "reason": "Delete it?"})

    assert again.status_code == 200


def test_asking_again_later_finds_the_decision(agent: Door, as_ann: Door) -> None:
    asked = ask(agent, "k-1").json()
    as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"modifications": {"path": "/b"}})

    again = ask(agent, "k-1")

    assert again.status_code == 200
    found = again.json()
    assert (found["id"], found["status"], found["modifications"], found["resolved_by"]) == (
        asked["id"], "approved", {"path": "/b"}, "ann",
    )  # fmt: skip


def test_asking_again_after_the_deadline_finds_the_silence(agent: Door) -> None:
    asked = ask(agent, "k-1").json()
    let_deadline_pass(asked["id"])

    again = ask(agent, "k-1").json()

    assert (again["id"], again["status"], again["is_expired"]) == (asked["id"], "expired", True)


def test_a_retry_that_comes_after_its_own_deadline_finds_the_item(
    agent: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {**BODY, "expires_at": (database_now() + dt.timedelta(hours=1)).isoformat()}
    asked = ask(agent, "k-1", body).json()
    monkeypatch.setattr("reviews.asking.database_now", lambda: database_now() + dt.timedelta(hours=2))

    assert ask(agent, "k-1", body).json()["id"] == asked["id"]
    problem(ask(agent, "k-1", {**body, "reason": "Another?"}), 422, "key_reused")
    problem(ask(agent, "k-2", body), 400, "invalid")


@pytest.mark.parametrize(
    "other",
    [
        {**BODY, "reason": "Delete it!"},
        {**BODY, "tool_args": {"path": "/a", "force": True}},
        {**BODY, "tool_args": {"path": "/a", "force": 0}},
        {**BODY, "priority": "high"},
        {**BODY, "session_id": ""},
    ],
)
def test_the_same_key_for_another_body_is_refused(agent: Door, other: Any) -> None:
    ask(agent, "k-1")
    before = rows()

    refused = problem(ask(agent, "k-1", other), 422, "key_reused")

    assert "Idempotency-Key" in refused["detail"]
    assert rows() == before


def test_a_body_that_was_refused_does_not_use_up_the_key(agent: Door) -> None:
    problem(ask(agent, "k-1", {"reason": ""}), 400)

    assert ask(agent, "k-1").status_code == 201


def test_each_agent_has_its_own_keys(agent: Door, rogue: Door) -> None:
    mine, theirs = ask(agent, "k-1"), ask(rogue, "k-1", {"reason": "Something else"})

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


def test_without_a_key_every_asking_is_new(agent: Door) -> None:
    assert len({agent.ask()["id"] for _ in range(3)}) == 3


def test_an_interrupt_is_found_by_its_key(agent: Door, rogue: Door) -> None:
    asked = ask(agent, "run-7/gate-2").json()
    agent.ask()

    assert [one["id"] for one in agent.get_json("/interrupts", key="run-7/gate-2").json()["results"]] == [
        asked["id"]
    ]
    assert rogue.get_json("/interrupts", key="run-7/gate-2").json()["results"] == []


@pytest.mark.parametrize("key", ["k" * 256, "ünïcode", "tab\there"])
def test_a_key_is_short_plain_text(agent: Door, key: str) -> None:
    before = rows()

    refused = problem(ask(agent, key), 400, "invalid")

    assert list(refused["errors"]) == ["Idempotency-Key"]
    assert rows() == before


@pytest.mark.parametrize("key", ["k" * 255, "a b", "'; DROP TABLE--", "%00"])
def test_a_key_may_be_any_printable_ascii(agent: Door, key: str) -> None:
    assert [ask(agent, key).status_code for _ in range(2)] == [201, 200]


def test_a_batch_asked_again_is_the_same_batch(agent: Door, as_ann: Door) -> None:
    items = {"items": [{"reason": "one"}, {"reason": "two"}]}
    first = ask(agent, "k-1", items, "/interrupts/batch")
    decided = first.json()["results"][1]["id"]
    as_ann.post_json(f"/interrupts/{decided}/reject", {"reason": "no"})
    before = rows()

    again = ask(agent, "k-1", items, "/interrupts/batch")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["batch_id"] == first.json()["batch_id"]
    found = again.json()["results"]
    assert [one["id"] for one in found] == [one["id"] for one in first.json()["results"]]
    assert [one["status"] for one in found] == ["pending", "rejected"]
    assert rows() == before


@pytest.mark.parametrize(
    "items",
    [
        [{"reason": "one"}, {"reason": "other"}],
        [{"reason": "two"}, {"reason": "one"}],
        [{"reason": "one"}, {"reason": "two"}, {"reason": "three"}],
        [{"reason": "one"}],
    ],
)
def test_a_batch_with_the_same_key_and_other_questions_is_refused(agent: Door, items: Any) -> None:
    ask(agent, "k-1", {"items": [{"reason": "one"}, {"reason": "two"}]}, "/interrupts/batch")
    before = rows()

    problem(ask(agent, "k-1", {"items": items}, "/interrupts/batch"), 422, "key_reused")

    assert rows() == before


def test_a_replay_is_free_even_when_no_more_may_be_asked(make_agent: MakeAgent, settings: Any) -> None:
    busy = make_agent("busy")
    ask(busy, "k-1")
    settings.HITL_OPEN_ITEMS_PER_AGENT = 1

    assert ask(busy, "k-1").status_code == 200
    problem(ask(busy, "k-2"), 429, "too_many_open")


def test_a_batch_and_a_single_question_never_share_a_key(agent: Door) -> None:
    batch = ask(agent, "k", {"items": [{"reason": "one"}]}, "/interrupts/batch").json()["results"][0]

    assert ask(agent, "k#0", {"reason": "another"}).status_code == 201
    assert not batch["key"].isascii()
