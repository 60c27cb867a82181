"""Read the record: a stream after a cursor, a subject's history, all streams by time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import QuerySet

from events.clock import iso
from events.log import CHAINED
from events.models import SYSTEM, Event, Stream


class CursorReset(Exception):
    """The cursor is of another epoch, beyond the head or before the beginning: start from ``cursor``."""

    def __init__(self, cursor: str) -> None:
        super().__init__(f"This cursor does not belong to the stream as it is now. Start from {cursor}.")
        self.cursor = cursor


class BadCursor(ValueError):
    """The text is not a cursor at all."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Hold one event encoded once, for any number of readers."""

    stream: str
    position: int
    type: str
    subject_id: str
    text: str


def stream_of(name: str) -> Stream:
    """Return the stream called *name*; one that has no events yet is made on the spot."""
    stream, _ = Stream.objects.get_or_create(name=name)
    return stream


def position_after(stream: Stream, cursor: str) -> int:
    """Return the position that *cursor* names in *stream*; an empty cursor is the beginning.

    Raises:
        BadCursor: it is not of the form ``epoch:position``.
        CursorReset: it is of another epoch, or beyond the head, or what follows it was let go.
    """
    if not cursor:
        return stream.begins_after
    epoch, colon, digits = cursor.rpartition(":")
    if not colon or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise BadCursor(
            "A cursor is what an earlier answer gave as `cursor`; leave it out to start from the beginning."
        )
    if epoch != stream.epoch or int(digits) > stream.position:
        raise CursorReset(stream.cursor)
    if int(digits) < stream.begins_after:
        raise CursorReset(f"{epoch}:{stream.begins_after}")
    return int(digits)


def frames_after(name: str, epoch: str, position: int, limit: int, types: Iterable[str] = ()) -> list[Frame]:
    """Return up to *limit* events of stream *name* after *position*, oldest first."""
    rows = Event.objects.filter(stream=name, position__gt=position).order_by("position")
    if types:
        rows = rows.filter(type__in=types)
    return [
        Frame(name, row[2], row[3], row[4], encode(row, epoch)) for row in rows.values_list(*CHAINED)[:limit]
    ]


def encode(row: tuple[Any, ...], epoch: str) -> str:
    """Write one row of ``CHAINED`` as the contract's event; its data is passed on as it was stored."""
    identifier, stream, position, event_type, subject, session, actor, occurred_at, data = row
    document = {
        "id": identifier,
        "cursor": f"{epoch}:{position}",
        "type": event_type,
        "subject_id": subject,
        "session_id": session,
        "agent": "" if stream == SYSTEM else stream,
        "actor": actor,
        "occurred_at": iso(occurred_at),
        "data": orjson.Fragment(data),
    }
    return orjson.dumps(document).decode()


def encoded(rows: QuerySet[Event]) -> list[str]:
    """Return *rows* as JSON texts, in their order, whatever their streams."""
    found = list(rows.values_list(*CHAINED))
    epochs = {name: epoch for name, (epoch, _) in heads({row[1] for row in found}).items()}
    return [encode(row, epochs.get(row[1], "")) for row in found]


def history(subject_id: str) -> list[dict[str, Any]]:
    """Return what happened to one subject, oldest first."""
    rows = Event.objects.filter(subject_id=subject_id).order_by("position")
    return [
        {
            "id": pk,
            "type": event_type,
            "actor": actor,
            "occurred_at": iso(occurred_at),
            "data": orjson.loads(data),
        }
        for pk, event_type, actor, occurred_at, data in rows.values_list(
            "id", "type", "actor", "occurred_at", "data"
        )
    ]


def newest(subject_id: str, stream: str, limit: int) -> list[dict[str, Any]]:
    """Return the last *limit* events of one subject in *stream*, oldest first."""
    rows = Event.objects.filter(subject_id=subject_id, stream=stream).order_by("-position")[:limit]
    return [
        {"type": row.type, "occurred_at": iso(row.occurred_at), "data": orjson.loads(row.data)}
        for row in reversed(rows)
    ]


def last_told(subject_ids: Iterable[str], types: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the data of the last event of one of *types* that each subject has."""
    rows = Event.objects.filter(subject_id__in=list(subject_ids), type__in=list(types)).order_by("position")
    return {pk: orjson.loads(data) for pk, data in rows.values_list("subject_id", "data")}


def heads(names: Iterable[str] | None = None) -> dict[str, tuple[str, int]]:
    """Return ``{stream: (epoch, position)}`` of *names*, or of all streams."""
    streams = Stream.objects.all() if names is None else Stream.objects.filter(name__in=list(names))
    return {
        name: (epoch, position) for name, epoch, position in streams.values_list("name", "epoch", "position")
    }
