"""How an agent learns what became of its question."""

import pytest

from tests.conftest import API, Door
from tests.steps import let_deadline_pass, problem, status_of

NAMES = {
    "approved",
    "modifications",
    "response",
    "status",
    "rejection_reason",
    "resolved_by",
    "resolved_at",
    "expires_at",
}


def test_what_is_pending_is_not_approved(agent: Door) -> None:
    asked = agent.ask()

    told = status_of(agent, asked["id"])

    assert set(told) >= NAMES
    assert (told["approved"], told["status"], told["expires_at"]) == (False, "pending", asked["expires_at"])
    assert told["resolved_by"] is told["resolved_at"] is told["rejection_reason"] is None


def test_a_status_unchanged_is_not_sent_again(agent: Door) -> None:
    path = f"/interrupts/{agent.ask()['id']}/status"
    tag = agent.get_json(path)["ETag"]

    again = agent.get(f"{API}{path}", headers={"If-None-Match": tag})

    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)


@pytest.mark.parametrize("header", ['W/{}, "other"', '"a", {}', "{}", "*"])
def test_the_validator_is_read_as_http_has_it(agent: Door, header: str) -> None:
    path = f"/interrupts/{agent.ask()['id']}/status"
    tag = agent.get_json(path)["ETag"]

    again = agent.get(f"{API}{path}", headers={"If-None-Match": header.format(tag)})

    assert again.status_code == 304


@pytest.mark.parametrize("change", ["approve", "reject", "claim", "deadline", "cancel"])
def test_every_change_is_another_status(agent: Door, as_ann: Door, change: str) -> None:
    asked = agent.ask()
    path = f"/interrupts/{asked['id']}/status"
    tag = agent.get_json(path)["ETag"]

    if change == "deadline":
        let_deadline_pass(asked["id"])
    else:
        as_ann.post_json(f"/interrupts/{asked['id']}/{change}")

    again = agent.get(f"{API}{path}", headers={"If-None-Match": tag})
    assert (again.status_code, again["ETag"] == tag) == (200, False)


def test_a_tag_of_another_interrupt_does_not_hold(agent: Door) -> None:
    tag = agent.get_json(f"/interrupts/{agent.ask()['id']}/status")["ETag"]

    other = agent.get(f"{API}/interrupts/{agent.ask()['id']}/status", headers={"If-None-Match": tag})

    assert other.status_code == 200


def test_waiting_answers_what_status_does(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"modifications": {"a": 1}})

    waited = agent.get_json(f"/interrupts/{asked['id']}/wait", timeout=1)

    assert waited.status_code == 200
    assert waited.json() == status_of(agent, asked["id"])
    assert waited.json()["modifications"] == {"a": 1}


@pytest.mark.parametrize("timeout", ["0", "61", "x", "-1", "1.5", ""])
def test_one_waits_from_one_second_to_sixty(agent: Door, timeout: str) -> None:
    asked = agent.ask()

    refused = problem(agent.get_json(f"/interrupts/{asked['id']}/wait", timeout=timeout), 400, "invalid")

    assert list(refused["errors"]) == ["timeout"]


@pytest.mark.parametrize("tail", ["", "/status", "/wait"])
def test_what_is_not_there_and_what_is_not_mine_look_the_same(agent: Door, rogue: Door, tail: str) -> None:
    theirs = problem(rogue.get_json(f"/interrupts/{agent.ask()['id']}{tail}"), 404, "not_found")

    for unknown in ("int_01HZZZZZZZZZZZZZZZZZZZZZZZ", "42", "%00", "har_01HZ", "a" * 300, "💡"):
        assert problem(rogue.get_json(f"/interrupts/{unknown}{tail}"), 404, "not_found") == theirs
