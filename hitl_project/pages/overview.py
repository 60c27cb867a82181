"""What the first page says: how much waits, what is late, where to begin, and how the last days went."""

import datetime as dt
from typing import Any

from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse

from events.counting import COUNTED, FEW, counts
from hitl_project.pages import charts
from reviews import times
from reviews.lifecycle import Status
from reviews.models import DECIDE, INTERRUPTS, REQUESTS, Priority, ReviewItem
from reviews.selectors import first_of, inbox, is_late, parts_of_waiting, with_due
from reviews.waits import days
from runs import figures as run_figures
from runs.lifecycle import RunStatus
from runs.models import Run

SHOWN = 5


def count_waiting() -> dict[str, int]:
    """Return how many interrupts and how many requests wait, each up to ``FEW``, and their sum."""
    waiting = [inbox().filter(kind__in=kinds) for kinds in (INTERRUPTS, REQUESTS)]
    interrupts, requests = counts(waiting, limit=FEW)
    return {"interrupts": interrupts, "requests": requests, "all": interrupts + requests}


def figures(request: HttpRequest) -> dict[str, Any]:
    """Return what the overview shows to somebody who may look at items."""
    waiting, past = inbox(), days()
    *ranked, soon, overdue = counts(
        [
            *(waiting.filter(priority=rank) for rank in Priority),
            waiting.filter(parts_of_waiting()[0]).order_by("due"),
            with_due(ReviewItem.objects.all()).filter(is_late()).order_by("due"),
        ]
    )
    ranks = dict(zip(Priority, ranked, strict=True))
    most_urgent = Priority.CRITICAL if ranks[Priority.CRITICAL] else Priority.HIGH
    return {
        "counted": COUNTED,
        "cards": {
            "waiting": min(sum(ranked), COUNTED),
            "overdue": overdue,
            "soon": soon,
            "urgent": min(ranks[Priority.HIGH] + ranks[Priority.CRITICAL], COUNTED),
            "median": times.duration(past.wait.median) if past.wait else "—",
            "fulfilled": sum(day[Status.FULFILLED] for day in past.ended.values()),
        },
        "most_urgent": most_urgent.label,
        "inbox_url": reverse("admin:inbox"),
        "charts": [*charts.of_days(past), charts.of_priorities(ranks)] if past.ended else [],
        "runs": _runs(),
        "first": first_of(waiting, SHOWN),
        "may_decide": request.user.has_perm(DECIDE),
    }


def _runs() -> dict[str, Any]:
    """Return how many runs stand still, and what is counted of all that ever ran; empty before the first."""
    counted = run_figures.totals()
    if not counted:
        return {}
    lately = Now() - dt.timedelta(days=1)
    waiting, paused, failed = counts(
        [
            Run.objects.filter(status=RunStatus.AWAITING_HUMAN),
            Run.objects.filter(status=RunStatus.PAUSED),
            Run.objects.filter(status=RunStatus.FAILED, resolved_at__gte=lately),
        ]
    )
    return {
        "waiting": waiting,
        "paused": paused,
        "failed": failed,
        "stops": run_figures.stops(counted),
        "failures": run_figures.failures(counted),
    }
