"""The one clock that counts is the database's; the hours of an application server may be wrong."""

import datetime as dt

from django.db import connection, models
from django.db.models.functions import Now
from django.utils import timezone


def now_sql() -> str:
    """Return the SQL of the present moment, for hand-written statements."""
    if connection.vendor == "sqlite":
        return "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"
    return "CLOCK_TIMESTAMP()"


def database_now() -> dt.datetime:
    """Ask the database what time it is."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {now_sql()}", [])
        return as_datetime(cursor.fetchone()[0])


def as_datetime(value: dt.datetime | str) -> dt.datetime:
    """Read a moment as a driver hands it over: PostgreSQL's is aware already, SQLite's is UTC text."""
    if isinstance(value, str):
        return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)
    return value.astimezone(dt.UTC)


def overdue() -> models.Q:
    """Match subjects whose deadline has passed."""
    return models.Q(expires_at__lte=Now())


def iso(moment: dt.datetime | None) -> str | None:
    """Write a moment as the contract has it: ISO 8601, UTC, microseconds, ``Z``."""
    if moment is None:
        return None
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def local(moment: dt.datetime, seconds: bool = False) -> str:
    """Write a moment for a person: in the zone they read in, which is named."""
    return timezone.localtime(moment).strftime(f"%Y-%m-%d %H:%M{':%S' if seconds else ''} %Z")
