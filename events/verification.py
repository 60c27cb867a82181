"""Check the hash chain of every stream, and the heads against a checkpoint kept elsewhere."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from events.log import CHAINED, digest
from events.models import SYSTEM, Event, Stream
from events.retention import LET_GO

REPORT_EVERY = 5_000


class Broken(Exception):
    """The record is not what was written; the message says where it first differs."""


class TooOld(Exception):
    """What was kept is from before the beginning of the record as it now is: it can prove nothing of it."""


def checkpoint() -> dict[str, dict[str, Any]]:
    """Return ``{stream: {position, hash}}`` of every head, to be kept out of the database owner's reach."""
    rows = Stream.objects.order_by("name").values_list("name", "position", "head_hash")
    return {name: {"position": position, "hash": head} for name, position, head in rows}


def beginnings() -> dict[str, dict[str, Any]]:
    """Return ``{stream: {position, hash}}`` of where each stream begins whose beginning was let go."""
    rows = Stream.objects.filter(begins_after__gt=0).order_by("name")
    return {row.name: {"position": row.begins_after, "hash": row.begins_hash} for row in rows}


def verify(kept: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, int, int]]:
    """Follow every chain; yield (stream, events checked so far, events in all) now and then.

    Raises:
        Broken: an event was changed, removed, moved or added; or a stream does not pass through *kept*.
        TooOld: a stream begins after what was *kept* of it.
    """
    streams = {stream.name: stream for stream in Stream.objects.all()}
    names = set(Event.objects.order_by().values_list("stream", flat=True).distinct())
    if orphans := sorted((names | set(kept)) - set(streams)):
        raise Broken(f"Stream {orphans[0]!r} has lost its head.")
    total, done = sum(stream.position - stream.begins_after for stream in streams.values()), 0
    for name, stream in sorted(streams.items()):
        position, previous = stream.begins_after, stream.begins_hash
        wanted = kept.get(name)
        _begins_rightly(stream, wanted, streams[SYSTEM].begins_after if SYSTEM in streams else 0)
        for *row, stored in _rows(name):
            position += 1
            if row[2] != position:
                raise Broken(f"Stream {name!r}: position {position} is missing.")
            previous = digest(previous, tuple(row))
            if not hmac.compare_digest(previous, stored):
                raise Broken(
                    f"Stream {name!r}: the event at position {position} ({row[0]}) is not what was written."
                )
            if wanted and wanted["position"] == position and wanted["hash"] != previous:
                raise Broken(f"Stream {name!r}: the chain was rewritten at or before position {position}.")
            done += 1
            if done % REPORT_EVERY == 0:
                yield name, done, total
        if position != stream.position or previous != stream.head_hash:
            raise Broken(
                f"Stream {name!r}: it should end at position {stream.position} and ends at {position}."
            )
        if wanted and wanted["position"] > position:
            raise Broken(f"Stream {name!r}: everything after position {position} was cut off.")
        yield name, done, total


def _begins_rightly(stream: Stream, wanted: Mapping[str, Any] | None, system_begins: int) -> None:
    """Hold where *stream* begins against what the record says was let go, and against what was kept."""
    if not stream.begins_after:
        return
    rows = Event.objects.filter(type=LET_GO, stream=SYSTEM, subject_id=stream.name).order_by("position")
    begins = {"position": stream.begins_after, "hash": stream.begins_hash}
    told = next((orjson.loads(row.data) for row in rows.reverse()[:1]), None)
    # The beginning of the stream that tells of it may have been let go itself.
    is_told = system_begins > 0 if told is None else {name: told.get(name) for name in begins} == begins
    if not is_told:
        raise Broken(f"Stream {stream.name!r}: its beginning is missing, and the record does not say why.")
    if wanted and wanted["position"] < stream.begins_after:
        raise TooOld(
            f"Stream {stream.name!r} begins after position {stream.begins_after}, and what was kept is from"
            " before. Prove what was exported of that time, or take a newer checkpoint."
        )
    if wanted and wanted["position"] == stream.begins_after and wanted["hash"] != stream.begins_hash:
        raise Broken(f"Stream {stream.name!r}: it does not go on from what was kept.")


def fitting(events: Iterable[Event]) -> set[str]:
    """Return the ids of those *events* that fit their own hash and the event before them in their stream."""
    events = list(events)
    places: dict[str, list[int]] = {}
    for event in events:
        places.setdefault(event.stream, []).append(event.position - 1)
    begins = Stream.objects.filter(name__in=places).values_list("name", "begins_after", "begins_hash")
    before = {(stream, position): stored for stream, position, stored in begins}
    for stream, positions in places.items():
        rows = Event.objects.filter(stream=stream, position__in=positions)
        before |= {(stream, position): stored for position, stored in rows.values_list("position", "hash")}
    return {
        event.pk
        for event in events
        if (previous := before.get((event.stream, event.position - 1))) is not None
        and hmac.compare_digest(digest(previous, tuple(getattr(event, n) for n in CHAINED)), event.hash)
    }


def _rows(name: str) -> Iterator[tuple[Any, ...]]:
    rows = Event.objects.filter(stream=name).order_by("position")
    return rows.values_list(*CHAINED, "hash").iterator(chunk_size=2_000)
