"""The record shows when it was altered: against itself, and against a checkpoint kept elsewhere."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import F

from events.log import digest
from events.models import Event, Stream
from tests.conftest import Door

CHAINED = ("id", "stream", "position", "type", "subject_id", "session_id", "actor", "occurred_at", "data")
CASES = 40


@pytest.fixture
def record(agent: Door, rogue: Door, as_ann: Door) -> list[Event]:
    """Return a record of three streams with some length."""
    for number in range(5):
        for door in (agent, rogue):
            asked = door.ask(session_id=f"s-{number}", tool_args={"amount": number})
            as_ann.post_json(f"/interrupts/{asked['id']}/approve")
    return list(Event.objects.order_by("stream", "position"))


@pytest.fixture
def kept(record: list[Event], tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.json"
    call_command("verify_events", write_checkpoint=path)
    return path


def edit(record: list[Event], chance: random.Random) -> str:
    event = chance.choice(record)
    column = chance.choice(["type", "subject_id", "session_id", "actor", "data", "hash", "occurred_at", "id"])
    before = getattr(event, column)
    if column == "occurred_at":
        Event.objects.filter(pk=event.pk).update(
            occurred_at=before.replace(microsecond=before.microsecond ^ 1)
        )
    else:
        at = chance.randrange(len(before) + 1)
        after = before[:at] + chance.choice("xyz ") + before[at + 1 :]
        Event.objects.filter(pk=event.pk).update(**{column: after[:32] if column == "id" else after})
    return f"{column} of {event.stream}:{event.position}"


def delete(record: list[Event], chance: random.Random) -> str:
    event = chance.choice(record)
    Event.objects.filter(pk=event.pk).delete()
    return f"deleted {event.stream}:{event.position}"


def delete_and_close_the_gap(record: list[Event], chance: random.Random) -> str:
    event = chance.choice(record)
    Event.objects.filter(pk=event.pk).delete()
    for later in Event.objects.filter(stream=event.stream, position__gt=event.position).order_by("position"):
        Event.objects.filter(pk=later.pk).update(position=F("position") - 1)
    Stream.objects.filter(pk=event.stream).update(position=F("position") - 1)
    return f"deleted {event.stream}:{event.position}, gap closed"


def swap(record: list[Event], chance: random.Random) -> str:
    first = chance.choice([event for event in record if event.stream != "system"])
    second = chance.choice([one for one in record if one.stream == first.stream and one.pk != first.pk])
    Event.objects.filter(pk=first.pk).update(position=-1)
    Event.objects.filter(pk=second.pk).update(position=first.position)
    Event.objects.filter(pk=first.pk).update(position=second.position)
    return f"swapped {first.stream}:{first.position} and {second.position}"


def move_to_another_stream(record: list[Event], chance: random.Random) -> str:
    event = chance.choice([one for one in record if one.stream == "janitor"])
    Event.objects.filter(pk=event.pk).update(stream="rogue", position=999)
    return f"moved {event.position}"


def cut_the_tail(record: list[Event], chance: random.Random) -> str:
    """Delete the newest events and make the head fit."""
    last = chance.choice(record)
    Event.objects.filter(stream=last.stream, position__gte=last.position).delete()
    end = Event.objects.filter(stream=last.stream).order_by("position").last()
    Stream.objects.filter(pk=last.stream).update(
        position=last.position - 1, head_hash=end.hash if end else ""
    )
    return f"cut {last.stream} from {last.position}"


def rewrite(record: list[Event], chance: random.Random) -> str:
    """Change one event and compute every later hash anew, as who owns the database could."""
    changed = chance.choice(record)
    Event.objects.filter(pk=changed.pk).update(actor="user:somebody-else")
    previous = ""
    for event in Event.objects.filter(stream=changed.stream).order_by("position"):
        previous = digest(previous, tuple(getattr(event, name) for name in CHAINED))
        Event.objects.filter(pk=event.pk).update(hash=previous)
    Stream.objects.filter(pk=changed.stream).update(head_hash=previous)
    return f"rewrote {changed.stream} from {changed.position}"


def forget_a_stream(record: list[Event], chance: random.Random) -> str:
    name = chance.choice(["janitor", "rogue", "system"])
    Event.objects.filter(stream=name).delete()
    Stream.objects.filter(pk=name).delete()
    return f"forgot {name}"


Harm = Callable[[list[Event], random.Random], str]
SHOWS_BY_ITSELF: list[Harm] = [edit, delete, delete_and_close_the_gap, swap, move_to_another_stream]
SHOWS_BY_CHECKPOINT: list[Harm] = [cut_the_tail, rewrite, forget_a_stream]


def found(harm: Harm, record: list[Event], chance: random.Random, **options: Any) -> tuple[str, bool]:
    """Do *harm*, see whether it is found, and undo it."""
    with transaction.atomic():
        done = harm(record, chance)
        try:
            call_command("verify_events", **options)
            told = ""
        except CommandError as error:
            told = str(error)
        transaction.set_rollback(True)
    return done, "altered" in told


def test_an_honest_record_is_whole(
    record: list[Event], kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verify_events", checkpoint=kept)

    assert capsys.readouterr().out == f"{len(record)} events, every chain whole.\n"


def test_a_record_that_grew_still_passes_through_the_checkpoint(kept: Path, agent: Door) -> None:
    agent.ask()

    call_command("verify_events", checkpoint=kept)


@pytest.mark.parametrize("harm", SHOWS_BY_ITSELF)
def test_what_is_altered_is_found(record: list[Event], harm: Harm) -> None:
    chance = random.Random(9457)
    for _ in range(CASES):
        done, seen = found(harm, record, chance)
        assert seen, done


@pytest.mark.parametrize("harm", SHOWS_BY_CHECKPOINT)
def test_what_is_altered_cleverly_is_found_by_the_checkpoint(
    record: list[Event], kept: Path, harm: Harm
) -> None:
    chance = random.Random(9457)
    for _ in range(CASES // 2):
        done, seen = found(harm, record, chance, checkpoint=kept)
        assert seen, done


def test_a_cut_tail_that_then_grew_again_is_found_too(record: list[Event], kept: Path, agent: Door) -> None:
    done, seen = found(cut_and_grow(agent), record, random.Random(1), checkpoint=kept)

    assert seen, done


def cut_and_grow(agent: Door) -> Harm:
    def harm(record: list[Event], chance: random.Random) -> str:
        done = cut_the_tail([event for event in record if event.stream == "janitor"], chance)
        for _ in range(20):
            agent.ask()
        return done

    return harm


def test_the_command_says_where(record: list[Event]) -> None:
    Event.objects.filter(stream="janitor", position=3).update(actor="user:eve")

    with pytest.raises(CommandError, match=r"'janitor'.* position 3 .*not what was written"):
        call_command("verify_events")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"janitor": 1}', '{"janitor": {"position": 1}}'])
def test_what_is_not_a_checkpoint_is_refused(record: list[Event], tmp_path: Path, text: str) -> None:
    path = tmp_path / "checkpoint.json"
    path.write_text(text)

    with pytest.raises(CommandError, match="is not a checkpoint"):
        call_command("verify_events", checkpoint=path)


def test_a_checkpoint_is_json_for_people_and_programs(kept: Path) -> None:
    written = json.loads(kept.read_text())

    assert set(written) == {"janitor", "rogue", "system"}
    assert written["janitor"]["position"] == 10
