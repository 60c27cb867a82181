"""Run the few statements that nearly every call makes: written once, and on PostgreSQL prepared once.

Building the SQL of a queryset costs ten times what running it by a unique key does, and planning it costs
the database as much again. What a query says stays where its rule is; only the building is done once:

    by_prefix = Prepared(lambda: Key.objects.filter(valid(), prefix=Parameter("prefix")).values_list("id"))
    by_prefix.first(prefix="0123456789ab")

Only for statements that find rows by a unique key: a prepared plan does not look at the parameters.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import orjson
import psycopg
from django.db import connection
from django.db.models import QuerySet

Row = tuple[Any, ...]


def execute(sql: str, values: Sequence[Any]) -> list[Row]:
    """Execute *sql* and return the rows, if it gives any."""
    with _cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let all reads of the block see one state of the database; inside a transaction, what that sees."""
    if connection.in_atomic_block:
        yield
        return
    # Not atomic(): it would queue with SQLite's writers, and PostgreSQL's statements each see another state.
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT[connection.vendor])
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


_SNAPSHOT = {"postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "sqlite": "BEGIN DEFERRED"}


def as_json(rows: Sequence[Any]) -> str:
    """Write *rows* for the database's JSON functions: however many, they are one value."""
    return orjson.dumps(rows).decode()


class _PreparingCursor(psycopg.Cursor[Any]):
    """Prepare what it executes; Django's own cursor writes the values into the text of each statement."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return super().execute(query, params, **{"prepare": True, **options})


def _cursor() -> Any:
    if connection.vendor == "sqlite":
        return connection.cursor()
    connection.ensure_connection()
    wrapped: Any = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return wrapped(_PreparingCursor(connection.connection))


class Parameter(str):
    """Stand in a queryset for a text that is known when it runs; its own text is its name."""

    __slots__ = ()


class Prepared:
    """Hold a ``values_list`` queryset as the SQL it compiles to."""

    def __init__(self, rows: Callable[[], "QuerySet[Any, Any]"]) -> None:
        self._rows = rows

    def first(self, **values: str) -> Row | None:
        """Return the row that the query finds with *values* for its parameters, or None."""
        sql, parameters, converters = self._compiled
        rows = execute(sql, [values[p] if isinstance(p, Parameter) else p for p in parameters])
        if not rows:
            return None
        found = list(rows[0])
        for position, (functions, expression) in converters.items():
            for convert in functions:
                found[position] = convert(found[position], expression, connection)
        return tuple(found)

    @cached_property
    def _compiled(self) -> tuple[str, Row, dict[int, tuple[list[Any], Any]]]:
        compiler = self._rows().order_by().query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        return sql, tuple(parameters), compiler.get_converters([column[0] for column in compiler.select])
