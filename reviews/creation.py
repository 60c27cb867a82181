"""Write new items and their children: on PostgreSQL by one statement, however many there are.

Asking is the hottest verb. The ORM would build two INSERTs anew for every item; here the statement is
written once from the models' own fields. The moment of creation and the deadline are the database's.
"""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connection

from events.clock import as_datetime
from events.statements import Row, as_json, execute
from reviews.models import ReviewItem

_BY_DATABASE = ("created_at", "expires_at")
Deadline = tuple[int | None, dt.datetime | None]
"""Seconds from now, or the moment; neither where there is none."""


def insert(items: Sequence[ReviewItem], deadlines: Sequence[Deadline]) -> list[bool]:
    """Insert *items*, all of one class, and set the times the database gave; say of each whether it is new.

    Nothing is written of an item whose idempotency key its agent already used.
    """
    written = {pk: times for pk, *times in _WRITE[connection.vendor](items, deadlines)}
    for item in items:
        if item.pk in written:
            item.created_at, item.expires_at = map(as_datetime, written[item.pk])
            item._state.adding = False
    return [item.pk in written for item in items]


def _write_at_once(items: Sequence[ReviewItem], deadlines: Sequence[Deadline]) -> list[Row]:
    sql, columns = _whole_statement(type(items[0]))
    rows = [
        {**{column: getattr(item, column) for column in columns}, "seconds": seconds, "expires_at": moment}
        for item, (seconds, moment) in zip(items, deadlines, strict=True)
    ]
    return execute(sql, [as_json(rows)])


@cache
def _whole_statement(model: type[ReviewItem]) -> tuple[str, list[str]]:
    """Return the statement that writes parents and children, and the columns that it takes."""
    parent, child = _columns(ReviewItem), _columns(model)
    asked = {**parent, **child, "seconds": "integer", "expires_at": "timestamptz"}
    sql = f"""
        WITH asked AS MATERIALIZED (
            SELECT * FROM json_to_recordset(%s::json) AS a ({", ".join(f"{c} {t}" for c, t in asked.items())})
        ), new AS (
            INSERT INTO {ReviewItem._meta.db_table} ({", ".join(parent)}, created_at, expires_at)
            SELECT {", ".join(parent)}, STATEMENT_TIMESTAMP(),
                COALESCE(expires_at, STATEMENT_TIMESTAMP() + seconds * INTERVAL '1 second')
            FROM asked {_ONCE} RETURNING id, created_at, expires_at
        ), children AS (
            INSERT INTO {model._meta.db_table} ({", ".join(child)})
            SELECT {", ".join(child)} FROM asked WHERE id IN (SELECT id FROM new)
        )
        SELECT id, created_at, expires_at FROM new
    """
    return sql, [*parent, *child]


def _write_one_by_one(items: Sequence[ReviewItem], deadlines: Sequence[Deadline]) -> list[Row]:
    parent, child = list(_columns(ReviewItem)), list(_columns(type(items[0])))
    moments = [moment and connection.ops.adapt_datetimefield_value(moment) for _, moment in deadlines]
    written = []
    for item, (seconds, _), moment in zip(items, deadlines, moments, strict=True):
        later = None if seconds is None else f"+{seconds} seconds"
        found = execute(
            f"INSERT INTO {ReviewItem._meta.db_table} ({', '.join(parent)}, created_at, expires_at)"
            f" VALUES ({', '.join(['%s'] * len(parent))}, {_NOW}, COALESCE(%s, {_LATER}))"
            f" {_ONCE} RETURNING id, created_at, expires_at",
            [*_prepared(item, parent), moment, later],
        )
        if found:
            execute(
                f"INSERT INTO {item._meta.db_table} ({', '.join(child)})"
                f" VALUES ({', '.join(['%s'] * len(child))})",
                _prepared(item, child),
            )
        written += found
    return written


def _prepared(item: ReviewItem, columns: list[str]) -> list[Any]:
    fields = {field.column: field for field in item._meta.concrete_fields}
    return [fields[name].get_db_prep_save(getattr(item, name), connection) for name in columns]


def _columns(model: type[ReviewItem]) -> dict[str, str]:
    """Return the columns of a table that are set by us, each with its type."""
    own = model._meta.local_concrete_fields
    return {
        str(field.column): str(field.db_type(connection)) for field in own if field.name not in _BY_DATABASE
    }


_ONCE = "ON CONFLICT (agent_id, idempotency_key) WHERE NOT (idempotency_key = '') DO NOTHING"
# Six digits, as Django writes moments: SQLite compares them as text.
_NOW = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'NOW')"
_LATER = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'NOW', %s)"
_WRITE = {"postgresql": _write_at_once, "sqlite": _write_one_by_one}
