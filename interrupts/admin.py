"""The operators' way in: the list of interrupts, and the page on which one is decided."""

from typing import cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agents.callers import of_user
from interrupts import selectors
from interrupts.deciding import InterruptView
from interrupts.models import Interrupt
from reviews.admin import ItemAdmin, PriorityFilter, StateFilter, TypeFilter
from reviews.models import INTERRUPTS


class InterruptTypeFilter(TypeFilter):
    kinds = INTERRUPTS


@admin.register(Interrupt)
class InterruptAdmin(ItemAdmin):
    list_filter = (StateFilter, PriorityFilter, InterruptTypeFilter)
    list_title = _("Interrupts")
    list_view = "admin:interrupts_interrupt_changelist"
    page = InterruptView

    def get_queryset(self, request: HttpRequest) -> QuerySet[Interrupt]:
        rows: QuerySet[Interrupt] = selectors.interrupts(of_user(cast(User, request.user)))
        return rows.defer("data", "tool_args", "args_schema", "response_schema", "modifications", "response")
