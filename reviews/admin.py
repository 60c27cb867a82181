"""What the admin pages of every kind of item share: who may look, and the list with its fragments."""

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from agents.callers import Caller, operator
from events.changelist import ReadOnlyAdmin, TabsFilter
from reviews import policy_admin  # noqa: F401 - Django looks for pages here
from reviews.lifecycle import FINAL
from reviews.models import DECIDE, VIEW, Priority, ReviewItem
from reviews.selectors import BY_URGENCY, is_open, is_overdue
from reviews.templatetags.items import PRIORITIES, kind_chip

# A page asks for itself again with this header and gets only the part that changes.
FRAGMENT, KNOWN = "X-Fragment", "X-Known-Items"
KNOWN_LIMIT = 200
WORDS_SEARCHED = 10


class StateFilter(TabsFilter):
    """Show what waits; what was decided or lapsed is one click away."""

    title = _("state")
    parameter_name = "state"
    tabs = {
        "": (_("Waiting"), is_open()),
        "overdue": (_("Overdue"), is_overdue()),
        "decided": (_("Decided"), Q(status__in=sorted(FINAL)) | is_overdue()),
        "all": (_("All"), Q()),
    }


class PriorityFilter(admin.SimpleListFilter):
    title = _("priority")
    parameter_name = "priority"
    template = "hitl/pills.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(rank.label, PRIORITIES[rank][2]) for rank in reversed(Priority)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rank = next((rank for rank in Priority if rank.label == self.value()), None)
        return queryset if rank is None else queryset.filter(priority=rank)


class TypeFilter(admin.SimpleListFilter):
    title = _("type")
    parameter_name = "type"
    template = "hitl/pills.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind.value, kind_chip(kind)) for kind in model_admin.page.kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = self.value() in dict(self.lookup_choices)
        return queryset.filter(kind=self.value()) if known else queryset


class ItemAdmin(ReadOnlyAdmin):
    """List items of one family; subclasses say which *rows*, but for what is *deferred*, and their page."""

    list_display = ("title",)
    list_title: Any = ""
    empty_words: Any = _("When an agent asks, it appears here by itself.")
    list_view = ""
    rows: Callable[[Caller], Any]
    deferred: tuple[str, ...] = ()
    page: type[View]
    list_filter: ClassVar[Any] = (StateFilter, PriorityFilter, TypeFilter)
    change_list_template = "hitl/list/page.html"
    results_template = "hitl/list/results.html"
    ordering: ClassVar[Any] = BY_URGENCY
    search_fields: ClassVar[Any] = ("title",)
    search_help_text = _("Title, tool, agent, session or id")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(VIEW))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = self.rows(operator(request))
        return found.defer(*self.deferred)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Put what waits in the order of its urgency, and everything else newest first."""
        return self.ordering if StateFilter.parameter_name not in request.GET else ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.split()[:WORDS_SEARCHED]:
            queryset = queryset.filter(
                Q(title__icontains=word)
                | Q(tool_name__icontains=word)
                | Q(agent_name__icontains=word)
                | Q(session_id=word)
                | Q(pk=word)
            )
        return queryset, False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        told = {
            "list_title": self.list_title,
            "empty_words": self.empty_words,
            "results_template": self.results_template,
            "figures": self.figures(request),
        }
        response: Any = super().changelist_view(request, {**told, **(extra_context or {})})
        if hasattr(response, "context_data") and "cl" in response.context_data:
            response.context_data["may_decide"] = request.user.has_perm(DECIDE)
            if FRAGMENT in request.headers:
                response.template_name = "hitl/list/fragment.html"
                response.context_data["gone"] = self._gone(request, response.context_data["cl"])
            response["Cache-Control"] = "no-store"
        found: HttpResponse = response
        return found

    def figures(self, request: HttpRequest) -> list[tuple[str, Any, Any]]:
        """Return what stands above the list: icon, word and figure each."""
        return []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return cast(HttpResponse, self.page.as_view(model_admin=self)(request, pk=unquote(object_id)))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.change_view(request, object_id)

    def _gone(self, request: HttpRequest, changelist: ChangeList) -> list[ReviewItem]:
        """Return, as they now are, the items that the page shows and this list no longer does."""
        shown = {item.pk for item in changelist.result_list}
        known = [pk for pk in request.headers.get(KNOWN, "").split(",") if pk and pk.isprintable()]
        missing = [pk for pk in known[:KNOWN_LIMIT] if pk not in shown]
        return list(self.get_queryset(request).filter(pk__in=missing)) if missing else []
