"""Write the record as lines of JSON, and prove such lines whole without the database they came from.

A line holds the columns of one event exactly as they were hashed, ``data`` as a string, and its hash. Streams
follow each other by name, and the events of each by position.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from events.log import CHAINED, digest
from events.models import Event, Stream
from events.verification import REPORT_EVERY, Broken

COLUMNS = (*CHAINED, "hash")


def exported(stream: str = "", after: int = 0) -> Iterator[bytes]:
    """Give the events of *stream*, or of all, beyond position *after*: a line each, without its end."""
    # Sorted here, not by the database, whose order depends on its collation.
    names = [stream] if stream else sorted(Stream.objects.values_list("name", flat=True))
    for name in names:
        rows = Event.objects.filter(stream=name, position__gt=after).order_by("position")
        for row in rows.values_list(*COLUMNS).iterator(chunk_size=2_000):
            yield _line(row)


def prove(
    lines: Iterable[bytes], kept: Mapping[str, Mapping[str, Any]], *, goes_on: bool = False
) -> Iterator[int]:
    """Follow the chains of exported *lines*; yield how many were read now and then, and at the end.

    Every stream begins with its first event; of lines that go on, right behind where it was *kept*.

    Raises:
        Broken: a line was changed, removed, moved or added; or a stream does not pass through *kept*.
    """
    name, position, previous, count = "", 0, "", 0
    begins = kept if goes_on else {}
    missing = {} if goes_on else {key: head["position"] for key, head in kept.items() if head["position"]}
    for count, line in enumerate(lines, start=1):
        row = _row(line.removesuffix(b"\n"), count)
        if row[1] != name:
            if row[1] < name:
                raise Broken(f"Line {count} is out of place: stream {row[1]!r} comes before {name!r}.")
            name = row[1]
            head = begins.get(name, {"position": 0, "hash": ""})
            position, previous = head["position"], head["hash"]
        position += 1
        if row[2] != position:
            raise Broken(
                f"Line {count}: stream {name!r} should go on at position {position}, not at {row[2]}."
            )
        previous = digest(previous, row[:-1])
        if not hmac.compare_digest(previous.encode(), row[-1].encode()):
            raise Broken(
                f"Line {count}: stream {name!r} at position {position} ({row[0]}) is not what was written."
            )
        if missing.get(name) == position:
            if previous != kept[name]["hash"]:
                raise Broken(f"Line {count}: stream {name!r} was rewritten at or before position {position}.")
            del missing[name]
        if count % REPORT_EVERY == 0:
            yield count
    if missing:
        first = min(missing)
        raise Broken(f"Stream {first!r} does not reach position {missing[first]}, where it was kept.")
    yield count


def _line(row: tuple[Any, ...]) -> bytes:
    return orjson.dumps(dict(zip(COLUMNS, row, strict=True)))


def _row(line: bytes, number: int) -> tuple[Any, ...]:
    """Return the columns of *line*, which must be byte for byte what would be exported of them."""
    try:
        event = orjson.loads(line)
        row = tuple(event[name] for name in COLUMNS)
        is_whole = isinstance(row[1], str) and isinstance(row[-1], str) and _line(row) == line
    except (ValueError, TypeError, KeyError):
        is_whole = False
    if not is_whole:
        raise Broken(f"Line {number} is not what was exported.")
    return row
