"""Filters that say no: an unknown parameter or a value that cannot be is a 400, never a longer list."""

import datetime as dt
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import QueryDict
from django_filters import CharFilter, FilterSet, IsoDateTimeFilter, TypedChoiceFilter
from django_filters.fields import IsoDateTimeField

from events.problems import invalid
from reviews import paging
from reviews.bodies import priority_of
from reviews.models import Priority
from reviews.selectors import having_status, is_open


class MomentField(IsoDateTimeField):  # type: ignore[misc]
    """Read a moment of any zone into UTC: PostgreSQL does not know every offset that Python does."""

    def clean(self, value: Any) -> dt.datetime | None:
        moment: dt.datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(dt.UTC)
        except OverflowError:
            raise ValidationError("Write a moment as in 2030-01-31T12:00:00Z.") from None


class MomentFilter(IsoDateTimeFilter):  # type: ignore[misc]
    field_class = MomentField


class StrictFilterSet(FilterSet):  # type: ignore[misc]
    """Refuse what it does not know."""

    @classmethod
    def narrow(cls, rows: QuerySet[Any], query: QueryDict) -> QuerySet[Any]:
        """Return *rows* as *query* narrows them.

        Raises:
            Problem: a parameter that does not exist or has a value that cannot be, each named.
        """
        names = set(query) - set(paging.PARAMETERS)
        if twice := [name for name, values in query.lists() if len(values) > 1]:
            raise invalid({name: ["Give this parameter once."] for name in twice})
        if unknown := names - set(cls.base_filters):
            raise invalid(
                {
                    name: [f"There is no such parameter. Use {', '.join(cls.base_filters)}."]
                    for name in sorted(unknown)
                }
            )
        if empty := [name for name in sorted(names) if not query[name]]:
            raise invalid({name: ["Give a value, or leave the parameter out."] for name in empty})
        if not names:
            return rows
        filters = cls(query, rows)
        if not filters.is_valid():
            raise invalid({field: [str(e) for e in errors] for field, errors in filters.errors.items()})
        narrowed: QuerySet[Any] = filters.qs
        return narrowed


class ItemFilter(StrictFilterSet):
    """Narrow items by what all kinds have."""

    session_id = CharFilter()
    run_id = CharFilter()
    priority = TypedChoiceFilter(
        choices=[(name, name) for name in (*Priority.labels, "urgent")], coerce=priority_of, empty_value=None
    )
    key = CharFilter(field_name="idempotency_key")
    pending_only = TypedChoiceFilter(
        choices=[(word, word) for word in ("true", "false", "1", "0")],
        coerce=lambda word: word in ("true", "1"),
        empty_value=None,
        method="open_only",
    )
    created_after = MomentFilter(field_name="created_at", lookup_expr="gt")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")
    q = CharFilter(method="search")

    def by_status(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(having_status(value))

    def open_only(self, rows: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return rows.filter(is_open()) if value else rows

    def search(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        raise NotImplementedError
