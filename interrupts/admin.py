"""The operators' way in: the list of interrupts, and the page on which one is decided."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from agents.callers import of_user
from interrupts import deciding, selectors
from interrupts.lifecycle import DECISIONS
from interrupts.models import Interrupt
from reviews.admin import ItemAdmin, PriorityFilter, StateFilter
from reviews.templatetags.items import KINDS


class TypeFilter(admin.SimpleListFilter):
    title = _("type")
    parameter_name = "type"
    template = "hitl/pills.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind.value, KINDS[kind]) for kind in DECISIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() in DECISIONS else queryset


@admin.register(Interrupt)
class InterruptAdmin(ItemAdmin):
    list_display = ("title",)
    list_filter = (StateFilter, PriorityFilter, TypeFilter)
    fragment_template = "admin/interrupts/interrupt/results.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Interrupt]:
        rows: QuerySet[Interrupt] = selectors.interrupts(of_user(cast(User, request.user)))
        return rows.defer("data", "tool_args", "args_schema", "response_schema", "modifications", "response")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        page: HttpResponse = deciding.view(self)(request, pk=unquote(object_id))
        return page

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.change_view(request, object_id)
