"""Write a new item and its child with two prepared statements.

Asking is the hottest verb. The ORM would build the same two INSERTs anew for every call; here they are
written once from the models' own fields. The moment of creation and the deadline are the database's.
"""

import datetime as dt
from functools import cache
from typing import Any, NamedTuple

from django.db import connection, models

from events.clock import as_datetime
from reviews.models import ReviewItem

_BY_DATABASE = ("created_at", "expires_at")


class Statement(NamedTuple):
    """Hold an INSERT and the fields whose values it takes, in order."""

    sql: str
    fields: tuple["models.Field[Any, Any]", ...]


def insert(item: ReviewItem, *, seconds: int | None, moment: dt.datetime | None) -> bool:
    """Insert *item* with a deadline in *seconds* or at *moment*, and set the times the database gave.

    Return False, with nothing written, when the agent already used this idempotency key.
    """
    parent, child = _statements(type(item), connection.vendor)
    deadline = [_prepared(ReviewItem._meta.get_field("expires_at"), moment), _seconds(seconds)]
    with connection.cursor() as cursor:
        cursor.execute(parent.sql, [*_values(parent, item), *deadline])
        row = cursor.fetchone()
        if row is None:
            return False
        item.created_at, item.expires_at = as_datetime(row[0]), as_datetime(row[1])
        cursor.execute(child.sql, _values(child, item))
    item._state.adding = False
    return True


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
    "postgresql": ("STATEMENT_TIMESTAMP()", "STATEMENT_TIMESTAMP() + %s * INTERVAL '1 second'"),
    "sqlite": (
        # Six digits, as Django writes moments: SQLite compares them as text.
        "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'NOW')",
        "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'NOW', %s)",
    ),
}


def _values(statement: Statement, item: ReviewItem) -> list[Any]:
    return [_prepared(field, getattr(item, field.attname)) for field in statement.fields]


def _prepared(field: "models.Field[Any, Any]", value: Any) -> Any:
    return field.get_db_prep_save(value, connection)


def _seconds(seconds: int | None) -> Any:
    if connection.vendor == "sqlite":
        return None if seconds is None else f"+{seconds} seconds"
    return seconds
