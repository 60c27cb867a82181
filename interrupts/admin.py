"""The operators' way in: the list of interrupts, and the page on which one is decided."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from interrupts.deciding import InterruptView
from interrupts.models import Interrupt
from reviews.admin import ItemAdmin
from reviews.models import INTERRUPTS


@admin.register(Interrupt)
class InterruptAdmin(ItemAdmin):
    list_title = _("Interrupts")
    back_title = _("Inbox")
    list_view = "admin:inbox"
    kinds = INTERRUPTS
    is_tickable = True
    deferred = ("data", "tool_args", "args_schema", "response_schema", "modifications", "response")
    page = InterruptView
