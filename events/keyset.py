"""Read on behind a row, at the same cost on the first page and on the thousandth.

Rows come by some columns, each up or down (``-``), the last of which is unique. What follows a row is read
range by range: first what agrees with it in all columns but the last, then in one column less, and so on.
Each range is one stretch of an index, where ``(a, b) > (x, y)`` written in one condition is a scan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet, Subquery

AFTER, BEFORE = PLACES = ("after", "before")
"""The parameters of an address that name the row a page begins behind, or ends before."""
Row = Any


@dataclass(frozen=True, slots=True)
class Page:
    """Hold the rows of a page, and whether there are more before and behind them."""

    rows: list[Row]
    has_previous: bool
    has_next: bool


def page_at(
    query: Mapping[str, str],
    known: QuerySet[Any],
    parts: Sequence[QuerySet[Any]],
    order: Sequence[str],
    *,
    limit: int,
) -> Page:
    """Return the page that *query* names, or the first where it names none, or a row that is gone.

    The row is looked for among all that are *known*: it need not be in *parts* any more. For *parts* and
    *order* see :func:`rows_after`.
    """
    backwards = BEFORE in query
    anchor = _anchor(known, query.get(BEFORE if backwards else AFTER, ""))
    # What goes before nothing is the first page as well.
    backwards = backwards and anchor is not None
    number = anchor.values_list("part", flat=True)[0] if anchor is not None and len(parts) > 1 else 0
    found = rows_after(parts, order, anchor, part=number, limit=limit + 1, backwards=backwards)
    if backwards:
        return Page(found[-limit:], len(found) > limit, has_next=True)
    return Page(found[:limit], anchor is not None, has_next=len(found) > limit)


def _anchor(known: QuerySet[Any], pk: str) -> QuerySet[Any] | None:
    if not pk or not pk.isprintable():
        return None
    try:
        found = known.order_by().filter(pk=pk)
    except ValueError:  # no number, where rows are numbered
        return None
    return found if found.exists() else None


def rows_after(
    parts: Sequence[QuerySet[Any]],
    order: Sequence[str],
    anchor: QuerySet[Any] | None = None,
    *,
    part: int = 0,
    limit: int,
    backwards: bool = False,
) -> list[Row]:
    """Return up to *limit* rows that follow *anchor*, or the first; *backwards* what goes before it.

    *parts* come one after another, each in *order*. *anchor* holds the one row to begin behind, which belongs
    to the part with the number *part*.
    """
    columns = [_flipped(column) for column in order] if backwards else list(order)
    found: list[Row] = []
    for number in range(len(parts))[:: -1 if backwards else 1]:
        ranges = [Q()]
        if anchor is not None:
            if (number > part) if backwards else (number < part):
                continue
            if number == part:
                ranges = _ranges_behind(anchor, columns)
        for condition in ranges:
            if len(found) < limit:
                found += parts[number].filter(condition).order_by(*columns)[: limit - len(found)]
    return found[::-1] if backwards else found


def _ranges_behind(anchor: QuerySet[Any], columns: list[str]) -> list[Q]:
    """Return what lies behind *anchor* as conditions, the nearest first."""
    # The database's own values: SQLite compares moments as texts, and Python writes more digits.
    values = {column: Subquery(anchor.values(column.lstrip("-"))[:1]) for column in columns}
    ranges = []
    for depth in reversed(range(len(columns))):
        same = {column.lstrip("-"): values[column] for column in columns[:depth]}
        last = columns[depth]
        beyond = f"{last[1:]}__lt" if last.startswith("-") else f"{last}__gt"
        ranges.append(Q(**same, **{beyond: values[last]}))
    return ranges


def _flipped(column: str) -> str:
    return column[1:] if column.startswith("-") else f"-{column}"
