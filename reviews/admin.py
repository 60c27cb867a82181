"""What the admin pages of every kind of item share: who may look, and the list with its fragments."""

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from agents.callers import Caller, operator
from agents.models import Agent
from events.changelist import ReadOnlyAdmin, TabsFilter
from events.untrusted import visible
from reviews import policy_admin  # noqa: F401 - Django looks for pages here
from reviews.lifecycle import FINAL
from reviews.models import DECIDE, VIEW, YES_OR_NO, Kind, Priority, ReviewItem
from reviews.selectors import (
    BY_URGENCY,
    inbox_rows,
    is_held_by,
    is_late,
    is_nobodys,
    is_open,
    is_overdue,
    parts_of_waiting,
    saying,
    says,
)
from reviews.templatetags.items import PRIORITIES, kind_chip, page_of

# A page asks for itself again with this header and gets only the part that changes.
FRAGMENT, KNOWN = "X-Fragment", "X-Known-Items"
KNOWN_LIMIT = 200
AGENTS_OFFERED = 50


class StateFilter(TabsFilter):
    """Show what waits, or a part of it; what was decided or lapsed is one click away."""

    title = _("state")
    parameter_name = "state"
    tabs = {
        "": (_("Waiting"), is_open()),
        "mine": (_("Mine"), is_open()),
        "free": (_("Nobody's"), is_open()),
        "overdue": (_("Overdue"), is_late()),
        "soon": (_("Due in 15 min"), is_open() & parts_of_waiting()[0]),
        "decided": (_("Decided"), Q(status__in=sorted(FINAL)) | is_overdue()),
        "all": (_("All"), Q()),
    }
    counted = {"": (), "mine": (), "free": (), "overdue": ("due",), "soon": ("due",)}
    newest_first = frozenset({"decided", "all"})

    def matching(self, name: str) -> Q:
        rows = super().matching(name)
        if name == "mine":
            return rows & is_held_by(self.request.user)
        return rows & is_nobodys() if name == "free" else rows


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
    template = "hitl/menu.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind.value, kind_chip(kind)) for kind in model_admin.kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = self.value() in dict(self.lookup_choices)
        return queryset.filter(kind=self.value()) if known else queryset


class AgentFilter(admin.SimpleListFilter):
    """Narrow to what one agent asks, of those that are there."""

    title = _("agent")
    parameter_name = "agent"
    template = "hitl/menu.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        names = Agent.objects.order_by("name").values_list("name", flat=True)[:AGENTS_OFFERED]
        return [(name, visible(name)) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = self.value()
        return queryset.filter(agent=name) if name and name.isprintable() else queryset


class ItemAdmin(ReadOnlyAdmin):
    """List what people look after; subclasses say what is *deferred*, how a word is found, and their page."""

    list_display = ("title",)
    list_title: Any = ""
    back_title: Any = ""
    """What the list is called that a page of an item leads back to, where it is another one."""
    empty_words: Any = _("When an agent asks, it appears here by itself.")
    list_view = ""
    deferred: tuple[str, ...] = ()
    page: type[View]
    says: Callable[[str], Q] = staticmethod(says)
    kinds: tuple[Kind, ...] = ()
    list_filter: ClassVar[Any] = (StateFilter, PriorityFilter, TypeFilter, AgentFilter)
    change_list_template = "hitl/list/page.html"
    results_template = "hitl/list/results.html"
    is_tickable = False
    """Whether some of its rows may be ticked, to be decided together."""
    by_urgency = True
    """Whether what waits comes by urgency; everything else comes newest first."""
    search_fields: ClassVar[Any] = ("title",)
    search_help_text = _("Title, tool, agent, session or id")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(VIEW))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def rows(self, caller: Caller) -> Any:
        return inbox_rows(caller, self.model._default_manager.all())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = self.rows(operator(request))
        return found.defer(*self.deferred)

    def _is_by_urgency(self, request: HttpRequest) -> bool:
        states: Any = self.list_filter[0]
        return self.by_urgency and request.GET.get(states.parameter_name, "") not in states.newest_first

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return BY_URGENCY if self._is_by_urgency(request) else ("-pk",)

    def get_parts(self, request: HttpRequest) -> tuple[Q, ...]:
        return parts_of_waiting() if self._is_by_urgency(request) else super().get_parts(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return queryset.filter(saying(search_term, self.says)), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_decide = request.user.has_perm(DECIDE)
        told = {
            "may_decide": may_decide,
            "is_by_urgency": self._is_by_urgency(request),
            "may_tick": may_decide and self.is_tickable and self._is_by_urgency(request),
            "tickable": YES_OR_NO,
            "list_title": self.list_title,
            "empty_words": self.empty_words,
            "results_template": self.results_template,
            "figures": self.figures(request),
        }
        response: Any = super().changelist_view(request, {**told, **(extra_context or {})})
        if hasattr(response, "context_data") and "cl" in response.context_data:
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


@admin.register(ReviewItem)
class InboxAdmin(ItemAdmin):
    """List whatever waits for a person, of every kind."""

    list_title = _("Inbox")
    list_view = "admin:inbox"
    kinds = tuple(Kind)
    is_tickable = True
    deferred = ("metadata",)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead on to the page of its kind, with forms of its own."""
        pk = unquote(object_id)
        found = self.get_queryset(request).filter(pk=pk).first() if pk.isprintable() else None
        if found is None:
            raise Http404(_("There is no such item, or it was cleaned up."))
        return HttpResponseRedirect(page_of(found))
