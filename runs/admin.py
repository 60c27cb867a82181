"""The operators' way in: the list of runs, and the page of each."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Prefetch, Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agents.callers import Caller
from events.changelist import TabsFilter
from reviews.admin import ItemAdmin
from reviews.selectors import visible_to
from runs import presentation, providers, registry_admin  # noqa: F401 - Django looks for pages here
from runs.lifecycle import ACTIVE, RunStatus
from runs.models import Checkpoint, CheckpointKind, Run
from runs.steering import RunView

ENDED = (RunStatus.COMPLETED, RunStatus.CANCELLED)


class RunStateFilter(TabsFilter):
    """Show what is under way; what has ended is one click away."""

    title = _("state")
    parameter_name = "state"
    tabs = {
        "": (_("Under way"), Q(status__in=sorted(ACTIVE))),
        "waiting": (_("Waiting for people"), Q(status=RunStatus.AWAITING_HUMAN)),
        "failed": (_("Failed"), Q(status=RunStatus.FAILED)),
        "ended": (_("Ended"), Q(status__in=ENDED)),
        "all": (_("All"), Q()),
    }
    counted = dict.fromkeys(("", "waiting", "failed"), ())


class StatusFilter(admin.SimpleListFilter):
    """Narrow a tab down to one status, where it has several."""

    title = _("status")
    parameter_name = "status"
    template = "hitl/pills.html"
    offered = {
        "": (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.AWAITING_HUMAN, RunStatus.PAUSED),
        "ended": ENDED,
        "all": tuple(RunStatus),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        offered = self.offered.get(request.GET.get(RunStateFilter.parameter_name, ""), ())
        return [(status.value, presentation.STATUSES[status][1]) for status in offered]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = self.value() in dict(self.lookup_choices)
        return queryset.filter(status=self.value()) if known else queryset


class ToolFilter(admin.SimpleListFilter):
    title = _("tool")
    parameter_name = "tool"
    template = "hitl/pills.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, name) for name in providers.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(tool=self.value()) if self.value() in providers.names() else queryset


def rows(caller: Caller) -> QuerySet[Run]:
    """Return the runs that *caller* may see, each with what it asks as ``questions``, for a row."""
    waiting = Checkpoint.objects.filter(settled_at__isnull=True).exclude(kind=CheckpointKind.BROWSER_ACTION)
    light = waiting.only("run_id", "approval_id", "kind", "opened_at")
    found = Run.objects.prefetch_related(Prefetch("checkpoints", light, "questions"))
    # Of what was sent, which may be long, a row shows where it goes alone.
    there = Coalesce(KT("payload__url"), KT("run_input__inputs__url"))
    return visible_to(caller, found.annotate(address=there))


def says(word: str) -> Q:
    """Match runs that have *word* in the name of their agent or model, or are of that tool, session or id."""
    called = Q(agent__name__icontains=word) | Q(model__icontains=word)
    return called | Q(tool=word) | Q(session_id=word) | Q(pk=word)


@admin.register(Run)
class RunAdmin(ItemAdmin):
    list_display = ("tool",)
    list_title = _("Runs")
    list_view = "admin:runs_run_changelist"
    list_filter: ClassVar[Any] = (RunStateFilter, StatusFilter, ToolFilter)
    empty_words = _("When an agent starts a run, it appears here by itself.")
    change_list_template = "admin/runs/run/list.html"
    results_template = "admin/runs/run/results.html"
    search_fields = ("tool",)
    search_help_text = _("Run, session, agent or model")
    rows = staticmethod(rows)
    says = staticmethod(says)
    deferred = ("run_input", "hitl_config", "payload", "validation", "approval", "response")
    page = RunView
    by_urgency = False
