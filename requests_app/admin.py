"""The operators' way in: the list of human actions, and the page on which one is done."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agents.callers import operator
from requests_app import template_admin  # noqa: F401 - Django looks for pages here
from requests_app.deciding import RequestView
from requests_app.models import ActionRequest
from reviews.admin import AgentFilter, ItemAdmin, PriorityFilter, StateFilter, TypeFilter
from reviews.lifecycle import Status
from reviews.models import REQUESTS
from reviews.selectors import having_status, is_open
from reviews.statistics import statistics
from reviews.times import HOUR, duration


class RequestStateFilter(StateFilter):
    tabs = {
        "": (_("Waiting"), is_open()),
        "in_review": (_("In review"), having_status(Status.IN_REVIEW)),
        "fulfilled": (_("Fulfilled"), having_status(Status.FULFILLED)),
        "rejected": (_("Rejected"), having_status(Status.REJECTED)),
        "lapsed": (_("Lapsed"), having_status(Status.EXPIRED) | having_status(Status.CANCELLED)),
        "all": StateFilter.tabs["all"],
    }
    counted = {"": (), "in_review": ()}
    newest_first = frozenset({"fulfilled", "rejected", "lapsed", "all"})


@admin.register(ActionRequest)
class ActionRequestAdmin(ItemAdmin):
    list_filter = (RequestStateFilter, PriorityFilter, TypeFilter, AgentFilter)
    list_title = _("Human actions")
    list_view = "admin:human_actions"
    empty_words = _(
        "When an agent needs something done that only a person can do, it appears here by itself."
    )
    kinds = REQUESTS
    deferred = ("description", "required_fields", "context", "checklist", "response_data", "metadata")
    page = RequestView

    def figures(self, request: HttpRequest) -> list[tuple[str, Any, Any]]:
        found = statistics(operator(request))
        hours = found["average_response_time_hours"]
        return [
            ("clock", _("Pending"), found["pending_requests"]),
            ("inbox", _("Total"), found["total_requests"]),
            ("check", _("Fulfilled"), found["by_status"].get(Status.FULFILLED, 0)),
            ("hourglass", _("Avg response"), "—" if hours is None else duration(hours * HOUR)),
        ]
