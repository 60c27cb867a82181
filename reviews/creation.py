"""Write new items and their children, each with the same two statements.

Asking is the hottest verb. The ORM would build the same two INSERTs anew for every call; here they are
written once from the models' own fields. The moment of creation and the deadline are the database's.
"""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from django.db import connection, models

from events.clock import as_datetime
from events.statements import execute_many
from reviews.models import ReviewItem

_BY_DATABASE = ("created_at", "expires_at")
Deadline = tuple[int | None, dt.datetime | None]
"""Seconds from now, or the moment; neither where there is none."""


class Statement(NamedTuple):
    """Hold an INSERT and the fields whose values it takes, in order."""

    sql: str
    fields: tuple["models.Field[Any, Any]", ...]

    def values(self, item: ReviewItem) -> list[Any]:
        return [_prepared(field, getattr(item, field.attname)) for field in self.fields]


def insert(items: Sequence[ReviewItem], deadlines: Sequence[Deadline]) -> list[bool]:
    """Insert *items*, all of one class, and set the times the database gave; say of each whether it is new.

    Nothing is written of an item whose idempotency key its agent already used.
    """
    parent, child = _statements(type(items[0]), connection.vendor)
    expires_at = ReviewItem._meta.get_field("expires_at")
    written = execute_many(
        parent.sql,
        [
            [*parent.values(item), _prepared(expires_at, moment), _seconds(seconds)]
            for item, (seconds, moment) in zip(items, deadlines, strict=True)
        ],
    )
    new = [item for item, times in zip(items, written, strict=True) if times]
    for item, times in zip(items, written, strict=True):
        if times:
            item.created_at, item.expires_at = map(as_datetime, times)
            item._state.adding = False
    if new:
        execute_many(child.sql, [child.values(item) for item in new])
    return [times is not None for times in written]


@cache
def _statements(model: type[ReviewItem], vendor: str) -> tuple[Statement, Statement]:
    own = tuple(field for field in ReviewItem._meta.local_concrete_fields if field.name not in _BY_DATABASE)
    columns = [str(field.column) for field in own] + list(_BY_DATABASE)
    now, later = _CLOCK[vendor]
    parent = (
        f"INSERT INTO {ReviewItem._meta.db_table} ({', '.join(columns)})"  # noqa: S608 - names from the models
        f" VALUES ({', '.join(['%s'] * len(own))}, {now}, COALESCE(%s, {later}))"
        " ON CONFLICT (agent_id, idempotency_key) WHERE NOT (idempotency_key = '') DO NOTHING"
        " RETURNING created_at, expires_at"
    )
    theirs = tuple(model._meta.local_concrete_fields)
    child = (
        f"INSERT INTO {model._meta.db_table} ({', '.join(str(field.column) for field in theirs)})"  # noqa: S608
        f" VALUES ({', '.join(['%s'] * len(theirs))})"
    )
    return Statement(parent, own), Statement(child, theirs)


_CLOCK = {
    "postgresql": ("STATEMENT_TIMESTAMP()", "STATEMENT_TIMESTAMP() + %s::integer * INTERVAL '1 second'"),
    "sqlite": (
        # Six digits, as Django writes moments: SQLite compares them as text.
        "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'NOW')",
        "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'NOW', %s)",
    ),
}


def _prepared(field: "models.Field[Any, Any]", value: Any) -> Any:
    if isinstance(value, str) and isinstance(field, (models.CharField, models.TextField)):
        return str(value)  # a choice as its plain text
    return None if value is None else field.get_db_prep_save(value, connection)


def _seconds(seconds: int | None) -> Any:
    if connection.vendor == "sqlite":
        return None if seconds is None else f"+{seconds} seconds"
    return seconds
