"""The record as programs read it: a gapless stream for each agent, all by time for operators."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction

from events import log
from events.models import Event, Stream
from interrupts.models import Interrupt
from tests.conftest import Door
from tests.steps import ID, TIME, Enter, problem


def read(door: Door, **query: Any) -> dict[str, Any]:
    answer = door.get_json("/events", **query)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def positions(page: dict[str, Any]) -> list[int]:
    return [int(event["cursor"].rpartition(":")[2]) for event in page["results"]]


@pytest.fixture
def as_carol(carol: User, enter: Enter) -> Door:
    return enter(carol)


@pytest.fixture
def twelve(agent: Door, rogue: Door, as_ann: Door) -> Door:
    """Let the agent's stream hold twelve events, others in between."""
    for number in range(6):
        asked = agent.ask(session_id=f"s-{number}", tool_name="t")
        rogue.ask()
        as_ann.post_json(f"/interrupts/{asked['id']}/{'approve' if number % 2 else 'reject'}")
    return agent


def test_an_event_says_what_happened_to_what_when_and_by_whom(agent: Door) -> None:
    asked = agent.ask(session_id="s", tool_args={"a": 1})

    (event,) = read(agent)["results"]

    assert set(event) == {
        "id", "cursor", "type", "subject_id", "session_id", "agent", "actor", "occurred_at", "data",
    }  # fmt: skip
    assert re.fullmatch(f"evt_{ID}", event["id"])
    assert TIME.fullmatch(event["occurred_at"])
    assert (event["type"], event["subject_id"]) == ("hitl.interrupt.requested", asked["id"])
    assert (event["session_id"], event["agent"], event["actor"]) == ("s", "janitor", "agent:janitor")
    assert event["data"]["tool_args"] == {"a": 1}


def test_a_stream_has_no_gaps_and_nothing_of_others(twelve: Door, rogue: Door) -> None:
    mine, theirs = read(twelve), read(rogue)

    assert positions(mine) == list(range(1, 13))
    assert positions(theirs) == list(range(1, 7))
    assert {event["agent"] for event in mine["results"]} == {"janitor"}
    assert [event["occurred_at"] for event in mine["results"]] == sorted(
        event["occurred_at"] for event in mine["results"]
    )


@pytest.mark.parametrize("limit", [1, 5, 12, 1_000])
def test_pages_put_together_are_the_stream(twelve: Door, limit: int) -> None:
    whole, cursor, found = read(twelve), "", []
    while (page := read(twelve, limit=limit, **({"after": cursor} if cursor else {})))["results"]:
        assert page["cursor"] == page["results"][-1]["cursor"]
        found += page["results"]
        cursor = page["cursor"]

    assert found == whole["results"]


def test_a_replay_from_any_cursor_is_identical(twelve: Door) -> None:
    whole = read(twelve)["results"]

    for number, event in enumerate(whole, 1):
        assert read(twelve, after=event["cursor"])["results"] == whole[number:]


def test_who_has_caught_up_is_told_nothing_new(twelve: Door) -> None:
    head = read(twelve)["cursor"]

    assert read(twelve, after=head) == {"results": [], "cursor": head}
    asked = twelve.ask()
    assert [event["subject_id"] for event in read(twelve, after=head)["results"]] == [asked["id"]]


def test_types_narrow_what_is_read(twelve: Door) -> None:
    rejected = read(twelve, types="hitl.interrupt.rejected")["results"]
    both = read(twelve, types="hitl.interrupt.rejected,hitl.interrupt.approved")["results"]
    none = read(twelve, types="hitl.run.started")

    assert {event["type"] for event in rejected} == {"hitl.interrupt.rejected"}
    assert (len(rejected), len(both)) == (3, 6)
    assert none["results"] == []
    assert read(twelve, after=none["cursor"])["results"] == []


def test_a_cursor_from_the_future_is_reset(twelve: Door) -> None:
    epoch, _, head = read(twelve)["cursor"].rpartition(":")

    refused = problem(twelve.get_json("/events", after=f"{epoch}:{int(head) + 1}"), 409, "reset")

    assert refused["cursor"] == f"{epoch}:{head}"
    assert read(twelve, after=refused["cursor"])["results"] == []


def test_a_cursor_from_before_a_restore_is_reset(twelve: Door, rogue: Door) -> None:
    cursors = {door: read(door)["cursor"] for door in (twelve, rogue)}

    call_command("start_new_epoch")

    for door, cursor in cursors.items():
        refused = problem(door.get_json("/events", after=cursor), 409, "reset")
        assert refused["cursor"].split(":")[0] != cursor.split(":")[0]
        door.ask()
        assert len(read(door, after=refused["cursor"])["results"]) == 1
    call_command("verify_events")


def test_a_cursor_of_anothers_stream_is_reset(twelve: Door, rogue: Door) -> None:
    problem(rogue.get_json("/events", after=read(twelve, limit=1)["cursor"]), 409, "reset")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("after", value) for value in ("x", "1", "ep_1:", "ep_1:-1", "ep_1:1.5", f"ep:{'9' * 19}", ":٣")),
        *(("limit", value) for value in ("0", "1001", "-1", "", "x", "٣")),
        *(("wait", value) for value in ("61", "-1", "x", "")),
        *(("types", value) for value in ("\x00", "hitl.*", "a b", "'")),
        ("agent", "rogue"),
        ("agent", "system"),
        ("agent", ""),
        ("since", "yesterday"),
    ],
)
def test_a_reading_that_cannot_be_is_refused(agent: Door, rogue: Door, name: str, value: str) -> None:
    refused = problem(agent.get_json("/events", **{name: value}), 400, "invalid")

    assert list(refused["errors"]) == [name]


def test_an_operator_names_the_stream(twelve: Door, as_carol: Door) -> None:
    assert read(as_carol, agent="janitor") == read(twelve)
    system = read(as_carol, agent="system")["results"]
    assert {event["type"] for event in system} == {"hitl.agent.created", "hitl.key.created"}
    assert {event["agent"] for event in system} == {""}
    for name in ("nobody", "\x00", "'"):
        assert list(problem(as_carol.get_json("/events", agent=name), 400)["errors"]) == ["agent"]
    assert not Stream.objects.filter(name="nobody").exists()


def test_an_operator_reads_across_streams_by_time(twelve: Door, as_carol: Door) -> None:
    whole = read(as_carol)["results"]

    assert {event["agent"] for event in whole} == {"", "janitor", "rogue"}
    assert len(whole) == Event.objects.count()
    assert [event["id"] for event in whole] == sorted(event["id"] for event in whole)
    page = read(as_carol, limit=5)
    assert read(as_carol, after=page["cursor"])["results"] == whole[5:]
    only = read(as_carol, types="hitl.key.created")["results"]
    assert {event["type"] for event in only} == {"hitl.key.created"}


@pytest.mark.parametrize("after", ["x", "\x00", "int_1", "💡", '"', "evt_1"])
def test_across_streams_a_cursor_is_one_too(as_carol: Door, after: str) -> None:
    problem(as_carol.get_json("/events", after=after), 400, "invalid")


def test_what_is_rolled_back_never_happened(agent: Door) -> None:
    asked = agent.ask()
    item = Interrupt.objects.get(pk=asked["id"])

    def comment_and_fail() -> None:
        with log.unit_of_work():
            log.record(item.stream, "hitl.item.commented", item.pk, actor="user:ann")
            raise KeyError

    def comment_in_a_transaction_that_fails() -> None:
        with transaction.atomic():
            with log.unit_of_work():
                log.record(item.stream, "hitl.item.commented", item.pk, actor="user:ann")
            raise KeyError

    for failing in (comment_and_fail, comment_in_a_transaction_that_fails):
        with pytest.raises(KeyError):
            failing()

    assert positions(read(agent)) == [1]
    agent.ask()
    assert positions(read(agent)) == [1, 2]


def test_nothing_is_recorded_outside_a_unit_of_work(db: None) -> None:
    with pytest.raises(RuntimeError, match="unit_of_work"):
        log.record("janitor", "hitl.item.commented", "int_1", actor="user:ann")
