"""Admin lists over tables that grow without end: pages without a COUNT, and nothing to change."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest

LAST_PAGE = 10_000


class UncountedChangeList(ChangeList):
    """Read one row more than a page has, instead of counting them all."""

    uncounted = True
    has_next = False

    def get_results(self, request: HttpRequest) -> None:
        self.page_num = min(max(self.page_num, 1), LAST_PAGE)
        first = (self.page_num - 1) * self.list_per_page
        found = list(self.queryset[first : first + self.list_per_page + 1])
        self.has_next = len(found) > self.list_per_page
        self.result_list: Any = found[: self.list_per_page]
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        # The templates ask a paginator for its page range even where there is one page.
        self.paginator = Paginator(self.result_list, self.list_per_page)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Leave out what is no filter's: as a lookup (``title__regex``) it might take forever."""
        known = {getattr(found, "parameter_name", "") for found in self.list_filter}
        asked = super().get_filters_params(params)
        return {name: value for name, value in asked.items() if name in known}

    @property
    def previous_url(self) -> str:
        """Return the link to the page before this one, empty on the first."""
        return self._page_url(self.page_num - 1) if self.page_num > 1 else ""

    @property
    def next_url(self) -> str:
        """Return the link to the page after this one, empty on the last."""
        return self._page_url(self.page_num + 1) if self.has_next else ""

    def _page_url(self, number: int) -> str:
        return self.get_query_string({"p": number} if number > 1 else None, ["p"])


class TabsFilter(admin.SimpleListFilter):
    """Offer ``tabs``, each a word and what it matches; the one without a name is shown at first."""

    template = "hitl/tabs.html"
    tabs: dict[str, tuple[Any, Q]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, word) for name, (word, _rows) in self.tabs.items() if name]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for name, (word, _rows) in self.tabs.items():
            yield {
                "selected": (self.value() or "") == name,
                "query_string": changelist.get_query_string({str(self.parameter_name): name or None}, ["p"]),
                "display": word,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        _word, rows = self.tabs.get(self.value() or "", self.tabs["all"])
        return queryset.filter(rows)


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Show rows; add, change and delete nothing. Who may look is up to Django's ``view`` permission."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UncountedChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
