"""The operators' way in: the list of interrupts, and the page on which one is decided."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from interrupts import selectors
from interrupts.deciding import InterruptView
from interrupts.models import Interrupt
from reviews.admin import ItemAdmin


@admin.register(Interrupt)
class InterruptAdmin(ItemAdmin):
    list_title = _("Interrupts")
    list_view = "admin:interrupts_interrupt_changelist"
    rows = staticmethod(selectors.interrupts)
    deferred = ("data", "tool_args", "args_schema", "response_schema", "modifications", "response")
    page = InterruptView
