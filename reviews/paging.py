"""Keyset pages, newest first: the same cost at any depth, and no COUNT."""

import base64
import binascii
from typing import Any

from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.http import QueryDict

from events.problems import invalid

DEFAULT_LIMIT, LIMIT = 50, 200
PARAMETERS = ("cursor", "limit")
_TRUTH = BooleanField()


def page(rows: QuerySet[Any, Any], query: QueryDict, url: str) -> dict[str, Any]:
    """Return ``{results, next, previous}`` of *rows*, ordered by id downwards, as *query* asks.

    The id is the item's, not the child's key to it: the indexes that serve lists are the item's.

    Raises:
        Problem: ``cursor`` or ``limit`` is not one.
    """
    limit = limit_of(query)
    backwards, start = _read(query.get("cursor", ""))
    if start:
        rows = rows.filter(id__gt=start) if backwards else rows.filter(id__lt=start)
        # Django takes the child's key for `id`. The planner needs to know the parent's end, too: else it
        # joins the two from the newest on.
        for parent in rows.model._meta.all_parents[:1]:
            bound = f"{parent._meta.db_table}.id {'>' if backwards else '<'} %s"
            rows = rows.filter(RawSQL(bound, [start], _TRUTH))  # noqa: S611 - the cursor is a parameter
    found = list(rows.order_by("id" if backwards else "-id")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    if backwards:
        found.reverse()
    return {
        "results": found,
        "next": _link(url, query, "n", found[-1]) if found and (more or backwards) else None,
        "previous": _link(url, query, "p", found[0])
        if found and (more if backwards else bool(start))
        else None,
    }


def limit_of(query: QueryDict) -> int:
    """Return the ``limit`` asked for, 50 where none is.

    Raises:
        Problem: it is not a whole number from 1 to 200.
    """
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LIMIT):
        raise invalid({"limit": [f"Give a whole number from 1 to {LIMIT}."]})
    return int(text)


def _read(cursor: str) -> tuple[bool, str]:
    if not cursor:
        return False, ""
    try:
        direction, _, start = (
            base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").partition(":")
        )
    except (binascii.Error, ValueError):
        direction = start = ""
    if direction not in ("n", "p") or not start or not start.isprintable():
        raise invalid({"cursor": ["Use the cursor of an earlier page's `next` or `previous`, or none."]})
    return direction == "p", start


def _link(url: str, query: QueryDict, direction: str, row: Any) -> str:
    key = row["pk"] if isinstance(row, dict) else row.pk
    parameters = query.copy()
    parameters["cursor"] = base64.urlsafe_b64encode(f"{direction}:{key}".encode()).decode()
    return f"{url}?{parameters.urlencode()}"
