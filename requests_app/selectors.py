"""Reads of action requests. What is overdue reads as expired, whether or not the sweep has come by."""

from typing import Any

from django.db.models import F

from agents.callers import Caller
from events.problems import Problem
from requests_app.models import ActionRequest
from reviews.selectors import one, shown_to, time_left


def list_requests(caller: Caller) -> Any:
    """Return the requests that *caller* may see, each with its effective status, holder and assignee."""
    rows = shown_to(caller, ActionRequest.objects.all())
    return rows.annotate(assigned_to=F("assignee__username"), time_left=time_left())


def get_request(caller: Caller, pk: str) -> ActionRequest | None:
    """Return one request, or None when there is none that *caller* may see."""
    try:
        found: ActionRequest = one(list_requests(caller), pk)
    except Problem:
        return None
    return found
