"""Admin lists over tables that grow without end: pages without a COUNT, and nothing to change."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from events.counting import FEW, counts
from events.keyset import AFTER, BEFORE, PLACES, page_at


class KeysetChangeList(ChangeList):
    """Show the rows behind or before one that the address names, and count nothing."""

    uncounted = True
    has_next = has_previous = False
    model_admin: Any

    def get_results(self, request: HttpRequest) -> None:
        # Whatever else is chosen on this page begins on the first one.
        self.params = {name: value for name, value in self.params.items() if name not in PLACES}
        parts = [self.queryset.filter(part) for part in self.model_admin.get_parts(request)]
        order = self.model_admin.get_ordering(request)
        page = page_at(request.GET, self.root_queryset, parts, order, limit=self.list_per_page)
        self.has_previous, self.has_next = page.has_previous, page.has_next
        self.result_list: Any = page.rows
        self.result_count = len(page.rows)
        self.full_result_count = None
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        # The templates ask a paginator for its page range even where there is one page.
        self.paginator = Paginator(page.rows, self.list_per_page)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Leave out what is no filter's: as a lookup (``title__regex``) it might take forever."""
        known = {getattr(found, "parameter_name", "") for found in self.list_filter}
        asked = super().get_filters_params(params)
        return {name: value for name, value in asked.items() if name in known}

    @property
    def previous_url(self) -> str:
        """Return the link to the page before this one, empty on the first."""
        return self._page_url(BEFORE, 0) if self.has_previous else ""

    @property
    def next_url(self) -> str:
        """Return the link to the page after this one, empty on the last."""
        return self._page_url(AFTER, -1) if self.has_next else ""

    def _page_url(self, place: str, row: int) -> str:
        if not self.result_list:
            return self.get_query_string()
        return self.get_query_string({place: self.result_list[row].pk})


class TabsFilter(admin.SimpleListFilter):
    """Offer ``tabs``, each a word and what it matches; the one without a name is shown at first.

    Those in ``counted`` carry a figure, which stops at ``FEW``: a small index has to serve them, in the
    order that is given with the name.
    """

    template = "hitl/tabs.html"
    tabs: dict[str, tuple[Any, Q]] = {}
    counted: dict[str, tuple[str, ...]] = {}

    def matching(self, name: str) -> Q:
        """Return what the tab *name* matches; unknown ones match what ``all`` does."""
        return self.tabs.get(name, self.tabs["all"])[1]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, word) for name, (word, _rows) in self.tabs.items() if name]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        every = changelist.root_queryset
        rows = [every.filter(self.matching(name)).order_by(*order) for name, order in self.counted.items()]
        found = dict(zip(self.counted, counts(rows, limit=FEW), strict=True)) if rows else {}
        for name, (word, _rows) in self.tabs.items():
            count = found.get(name)
            yield {
                "selected": (self.value() or "") == name,
                "query_string": changelist.get_query_string({str(self.parameter_name): name or None}),
                "display": word,
                "count": f"{FEW - 1}+" if count == FEW else count,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.matching(self.value() or ""))


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Show rows; add, change and delete nothing. Who may look is up to Django's ``view`` permission."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def get_parts(self, request: HttpRequest) -> tuple[Q, ...]:
        """Return what the list shows one after another, each in the same order."""
        return (Q(),)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
