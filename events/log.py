"""Write events in the transaction that made them true.

Everything that changes rows runs inside :func:`unit_of_work`. What it records is written at its end: the
streams are locked in the order of their names (so that bulk verbs cannot deadlock), each event takes the
next position and is chained to the one before it, and the head is stored. Taking the position last means
that positions become visible in order and without gaps, however long other transactions take. Tallies move
with the head, so counting makes nobody wait who would not have waited anyway.
"""

import datetime as dt
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import connection, transaction

from events import nudges
from events.clock import as_datetime, now_sql
from events.ids import new_id
from events.models import Stream, Tally
from events.statements import Row, as_json, execute

CHAINED = ("id", "stream", "position", "type", "subject_id", "session_id", "actor", "occurred_at", "data")
_COLUMNS = (*CHAINED, "hash")


class TooManyOpen(Exception):
    """The stream would hold more unresolved items than its agent may have open."""


@dataclass(slots=True)
class Draft:
    """Hold an event that has no position yet."""

    stream: str
    type: str
    subject_id: str
    session_id: str
    actor: str
    data: str
    opens: int = 0


@dataclass(slots=True)
class UnitOfWork:
    """Collect the events of one transaction, what it counts by stream and name, and the limit it keeps."""

    drafts: list[Draft] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    open_limit: int | None = None


_current: ContextVar[UnitOfWork | None] = ContextVar("unit_of_work", default=None)
_sqlite_writer = threading.RLock()


@contextmanager
def unit_of_work(open_limit: int | None = None) -> Iterator[UnitOfWork]:
    """Run the block as one transaction and write its events at the end; nested blocks join the outer one.

    SQLite has one writer: a lock in the process lets threads queue fairly instead of polling the file.

    Raises:
        TooManyOpen: with *open_limit* set, the block would leave a stream with more open items.
    """
    if (outer := _current.get()) is not None:
        yield outer
        return
    queue: AbstractContextManager[Any] = _sqlite_writer if connection.vendor == "sqlite" else nullcontext()
    work = UnitOfWork(open_limit=open_limit)
    with queue, transaction.atomic():
        token = _current.set(work)
        try:
            yield work
            _flush(work)
        finally:
            _current.reset(token)


def record(
    stream: str,
    type: str,  # noqa: A002 - the contract's name of the field
    subject_id: str,
    *,
    actor: str,
    session_id: str = "",
    data: dict[str, Any] | None = None,
    opens: int = 0,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Add an event to the unit of work under way; *opens* is +1 or -1 when it opens or resolves an item."""
    text = orjson.dumps(data or {}).decode()
    _underway().drafts.append(Draft(stream, type, subject_id, session_id, actor, text, opens))
    count(stream, counts or {})


def count(stream: str, counts: Mapping[str, int]) -> None:
    """Move the tallies of *stream* by *counts*, at the end of the unit of work under way."""
    moved = _underway().counts
    for name, number in counts.items():
        moved[stream, name] += number


def _underway() -> UnitOfWork:
    if (work := _current.get()) is None:
        raise RuntimeError("An event can only be recorded inside unit_of_work().")
    return work


def digest(previous: str, row: tuple[Any, ...]) -> str:
    """Chain *row*, the columns ``CHAINED`` of an event, to the hash *previous*."""
    return hashlib.sha256(orjson.dumps([previous, *row])).hexdigest()


def _flush(work: UnitOfWork) -> None:
    # What moved and moved back would write rows in vain.
    tallies = [(*key, number) for key, number in sorted(work.counts.items()) if number]
    by_stream: dict[str, list[Draft]] = {stream: [] for stream, _, _ in tallies}
    if not (work.drafts or tallies):
        return
    for draft in work.drafts:
        by_stream.setdefault(draft.stream, []).append(draft)
    rows: list[Row] = []
    heads: list[Row] = []
    for name, position, previous, open_items, now in _lock(sorted(by_stream)):
        opened = sum(draft.opens for draft in by_stream[name])
        if work.open_limit is not None and opened > 0 and open_items + opened > work.open_limit:
            raise TooManyOpen(name)
        moment = as_datetime(now)
        for draft in by_stream[name]:
            position += 1
            row = (
                new_id("evt"), name, position, draft.type, draft.subject_id, draft.session_id, draft.actor,
                moment, draft.data,
            )  # fmt: skip
            previous = digest(previous, row)
            rows.append((*row, previous))
        heads.append((position, previous, open_items + opened, name))
    _WRITE[connection.vendor](rows, heads, tallies)
    if any(number < 0 for *_, number in tallies):
        Tally.objects.filter(stream__in=list(by_stream), count=0).delete()
    if rows:
        nudges.after_commit({name: position for position, _, _, name in heads if by_stream[name]})


def _lock(names: list[str]) -> list[Any]:
    """Lock the heads of streams in the order of their names; one that is missing (no agent's is) is made."""
    columns = f"name, position, head_hash, open_items, {now_sql()}"
    if connection.vendor == "sqlite":  # IMMEDIATE has locked everything already
        one = f"SELECT {columns} FROM events_stream WHERE name = %s"
        found = [row for name in names for row in execute(one, [name])]
    else:
        found = execute(
            f"SELECT {columns} FROM events_stream WHERE name = ANY(%s) ORDER BY name FOR NO KEY UPDATE",
            [names],
        )
    if len(found) == len(names):
        return found
    Stream.objects.bulk_create([Stream(name=name) for name in names], ignore_conflicts=True)
    return _lock(names)


def _write_at_once(rows: list[Row], heads: list[Row], tallies: list[Row]) -> None:
    events = _named(_COLUMNS, rows)
    streams = _named(("position", "head_hash", "open_items", "name"), heads)
    counts = _named(("stream", "name", "count"), tallies)
    execute(
        f"""
        WITH told AS (
            INSERT INTO events_event ({", ".join(_COLUMNS)})
            SELECT {", ".join(_COLUMNS)} FROM json_to_recordset(%s::json) AS e (
                id text, stream text, position bigint, type text, subject_id text, session_id text,
                actor text, occurred_at timestamptz, data text, hash text
            )
        ), counted AS (
            INSERT INTO events_tally (stream, name, count)
            SELECT stream, name, count
            FROM json_to_recordset(%s::json) AS t (stream text, name text, count bigint)
            {_ADD}
        )
        UPDATE events_stream SET position = s.position, head_hash = s.head_hash, open_items = s.open_items
        FROM json_to_recordset(%s::json) AS s (name text, position bigint, head_hash text, open_items integer)
        WHERE events_stream.name = s.name
        """,
        [as_json(events), as_json(counts), as_json(streams)],
    )


def _named(columns: tuple[str, ...], rows: list[Row]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _write_one_by_one(rows: list[Row], heads: list[Row], tallies: list[Row]) -> None:
    places = ", ".join(["%s"] * len(_COLUMNS))
    for row in rows:
        execute(
            f"INSERT INTO events_event ({', '.join(_COLUMNS)}) VALUES ({places})",
            [_adapt(value) for value in row],
        )
    for head in heads:
        execute(
            "UPDATE events_stream SET position = %s, head_hash = %s, open_items = %s WHERE name = %s", head
        )
    if tallies:
        execute(
            "INSERT INTO events_tally (stream, name, count)"
            " SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')"
            " FROM json_each(%s)"
            f" WHERE TRUE {_ADD}",  # without WHERE, SQLite would take ON for a join's
            [as_json(tallies)],
        )


_ADD = "ON CONFLICT (stream, name) DO UPDATE SET count = events_tally.count + excluded.count"
_WRITE = {"postgresql": _write_at_once, "sqlite": _write_one_by_one}


def _adapt(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
