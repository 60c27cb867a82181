"""The record, for auditors: to read and to search, never to change."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from events.changelist import ReadOnlyAdmin
from events.clock import local
from events.models import SYSTEM, Event
from events.untrusted import pretty, visible


class AboutFilter(admin.SimpleListFilter):
    """Narrow by the noun that an event is about: the first word of its type."""

    title = _("what it is about")
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("interrupt", _("Interrupts")),
            ("request", _("Action requests")),
            ("item", _("Claims and comments")),
            ("run", _("Runs")),
            ("agent", _("Agents")),
            ("key", _("Keys")),
            ("policy", _("Policies")),
            ("webhook", _("Webhooks")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(type__startswith=f"hitl.{self.value()}.") if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("when", "type", "subject", "of_stream", "who")
    list_display_links = ("when",)
    list_filter = (AboutFilter,)
    search_fields = ("subject_id",)
    search_help_text = _("Whole id, session, agent, actor or type")
    ordering = ("-occurred_at", "-id")
    sortable_by = ()
    fields = (
        "when", "type", "subject", "of_stream", "position", "who", "session", "told", "id", "hash",
    )  # fmt: skip
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if word := search_term.strip():
            whole = Q(stream=word) | Q(session_id=word) | Q(type=word)
            actor = Q(actor__in=[word, f"user:{word}", f"agent:{word}"])
            queryset = queryset.filter(Q(subject_id=word) | Q(pk=word) | whole | actor)
        return queryset, False

    @admin.display(description=_("When"))
    def when(self, event: Event) -> str:
        return local(event.occurred_at, seconds=True)

    @admin.display(description=_("Subject"))
    def subject(self, event: Event) -> SafeString:
        shown = visible(event.subject_id)
        if event.subject_id.startswith(("int_", "har_")):  # also when the item itself was cleaned up
            return format_html('<a href="/admin/record/{}/">{}</a>', event.subject_id, shown)
        return shown

    @admin.display(description=_("Stream"))
    def of_stream(self, event: Event) -> Any:
        return _("system") if event.stream == SYSTEM else visible(event.stream)

    @admin.display(description=_("Actor"))
    def who(self, event: Event) -> SafeString:
        return visible(event.actor)

    @admin.display(description=_("Session"))
    def session(self, event: Event) -> SafeString:
        return visible(event.session_id or "—")

    @admin.display(description=_("Data"))
    def told(self, event: Event) -> SafeString:
        return format_html(
            '<pre class="written" tabindex="0">{}</pre>', visible(pretty(json.loads(event.data)))
        )
