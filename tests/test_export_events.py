"""The record as a file: it is proved without its database, and whatever is wrong in it is named."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from events.log import digest
from events.models import Event, Stream
from tests.conftest import Door

CHAINED = ("id", "stream", "position", "type", "subject_id", "session_id", "actor", "occurred_at", "data")


@pytest.fixture
def kept(agent: Door, rogue: Door, as_ann: Door, tmp_path: Path) -> Path:
    """Return the checkpoint of a record of three streams."""
    for number in range(3):
        for door in (agent, rogue):
            asked = door.ask(reason=f"Größe {number} ändern?", tool_args={"amount": number, "at": "\u2028"})
            as_ann.post_json(f"/interrupts/{asked['id']}/approve")
    path = tmp_path / "heads.json"
    call_command("verify_events", write_checkpoint=path)
    return path


def export(path: Path, **options: str) -> list[bytes]:
    """Write what the command exports to *path*; return its lines."""
    out = StringIO()
    call_command("export_events", stdout=out, stderr=StringIO(), **options)
    path.write_text(out.getvalue(), encoding="utf-8", newline="\n")
    return path.read_bytes().splitlines(keepends=True)


def fault(path: Path, lines: list[bytes], **options: Any) -> str:
    """Return what the command has against *lines*; nothing when they are proved."""
    path.write_bytes(b"".join(lines))
    try:
        call_command("verify_events", file=path, stdout=StringIO(), **options)
    except CommandError as error:
        return str(error)
    return ""


@pytest.fixture
def file(kept: Path) -> Path:
    return kept.with_name("record.jsonl")


def test_an_exported_record_is_proved_without_the_database(
    kept: Path, file: Path, capsys: pytest.CaptureFixture[str], django_assert_num_queries: Any
) -> None:
    lines = export(file)

    with django_assert_num_queries(0):
        call_command("verify_events", file=file, checkpoint=kept)

    assert len(lines) == Event.objects.count()
    assert capsys.readouterr().out == f"{len(lines)} events in the file, every chain whole.\n"


def test_a_line_holds_the_event_as_it_was_hashed(kept: Path, file: Path) -> None:
    last = json.loads(export(file, stream="janitor")[-1])

    event = Event.objects.get(pk=last["id"])
    assert tuple(last) == (*CHAINED, "hash")
    assert (last["data"], last["hash"], last["position"]) == (event.data, event.hash, event.position)
    assert last["hash"] == Stream.objects.get(pk="janitor").head_hash


def test_a_byte_changed_anywhere_is_named_by_its_line(kept: Path, file: Path) -> None:
    lines = export(file)
    for at, line in enumerate(lines):
        for place in range(0, len(line) - 1, 23):
            changed = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
            told = fault(file, [*lines[:at], changed, *lines[at + 1 :]])
            assert f"Line {at + 1}" in told or f"Line {at + 2}" in told, changed


def test_a_missing_line_is_named(kept: Path, file: Path) -> None:
    lines = export(file)

    for at in range(len(lines)):
        told = fault(file, lines[:at] + lines[at + 1 :], checkpoint=kept)
        name = json.loads(lines[at])["stream"]
        assert "altered" in told
        assert f"Line {at + 1}" in told or f"{name!r} does not reach" in told


def test_a_swapped_or_repeated_line_is_named(kept: Path, file: Path) -> None:
    lines = export(file)

    for at in range(len(lines) - 1):
        swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        assert f"Line {at + 1}" in fault(file, swapped) or f"Line {at + 2}" in fault(file, swapped)
        assert f"Line {at + 2}" in fault(file, [*lines[: at + 1], *lines[at:]])


def test_a_stream_that_comes_twice_or_out_of_turn_is_named(kept: Path, file: Path) -> None:
    janitor = export(file, stream="janitor")
    rogue = export(file, stream="rogue")

    for lines in (rogue + janitor, janitor + rogue + janitor):
        assert "is out of place" in fault(file, lines)


def rewritten(lines: list[bytes]) -> list[bytes]:
    """Change the first event and compute every later hash anew, as who holds the file could."""
    previous, done = "", []
    for number, line in enumerate(lines):
        event = json.loads(line)
        if number == 0:
            event["actor"] = "user:somebody-else"
        previous = event["hash"] = digest(previous, tuple(event[name] for name in CHAINED))
        done.append(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    return done


Harm = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (rewritten, "Line 6: stream 'janitor' was rewritten at or before position 6"),
        (lambda lines: lines[:4], "'janitor' does not reach position 6"),
        (lambda lines: [], "'janitor' does not reach position 6"),
    ],
)
def test_only_the_checkpoint_shows_what_was_forged_or_cut_as_a_whole(
    kept: Path, file: Path, harm: Harm, words: str
) -> None:
    harmed = harm(export(file, stream="janitor"))

    assert words in fault(file, harmed, checkpoint=kept, stream="janitor")
    assert fault(file, harmed) == ""


def test_what_is_newer_goes_on_from_the_checkpoint(kept: Path, file: Path, agent: Door) -> None:
    cursor = Stream.objects.get(pk="janitor").cursor
    agent.ask()
    agent.ask()

    lines = export(file, stream="janitor", after=cursor)

    assert len(lines) == 2
    assert fault(file, lines, checkpoint=kept, goes_on=True) == ""
    assert "should go on at position 7, not at 8" in fault(file, lines[1:], checkpoint=kept, goes_on=True)
    assert "should go on at position 1, not at 7" in fault(file, lines, checkpoint=kept)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stream": "nobody"}, "no stream 'nobody'"),
        ({"after": "ep:1"}, "name it with --stream"),
        ({"stream": "janitor", "after": "1"}, "is no place in stream"),
        ({"stream": "janitor", "after": "ep_other:1"}, "is no place in stream"),
    ],
)
def test_what_cannot_be_exported_is_said(kept: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("export_events", **options)


def test_a_file_that_is_not_there_is_said(tmp_path: Path, db: None) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_events", file=tmp_path / "none.jsonl")
