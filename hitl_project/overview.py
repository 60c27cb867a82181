"""What the first page says: how much waits, what is late, and where to begin."""

import datetime as dt
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from reviews.models import DECIDE, INTERRUPTS, REQUESTS, Priority, ReviewItem
from reviews.selectors import inbox, is_overdue
from reviews.times import SOON_SECONDS
from runs import figures as run_figures
from runs.lifecycle import RunStatus
from runs.models import Run

# Nobody works off more than this; counting on would read the whole table.
COUNTED = 1_000
SHOWN = 5


def count_waiting() -> dict[str, int]:
    """Return how many interrupts and how many requests wait, each up to ``COUNTED``."""
    return {
        "interrupts": _count(inbox().filter(kind__in=INTERRUPTS)),
        "requests": _count(inbox().filter(kind__in=REQUESTS)),
    }


def figures(request: HttpRequest) -> dict[str, Any]:
    """Return what the overview shows to somebody who may look at items."""
    waiting = inbox()
    soon = Now() + dt.timedelta(seconds=SOON_SECONDS)
    return {
        "counted": COUNTED,
        "cards": {
            "overdue": _count(ReviewItem.objects.filter(is_overdue())),
            "soon": _count(waiting.filter(expires_at__lte=soon)),
            "urgent": _count(waiting.filter(priority__gte=Priority.HIGH)),
        },
        "runs": _runs(),
        "first": list(waiting[:SHOWN]),
        "may_decide": request.user.has_perm(DECIDE),
    }


def _runs() -> dict[str, Any]:
    """Return how many runs stand still, and what is counted of all that ever ran; empty before the first."""
    counted = run_figures.totals()
    if not counted:
        return {}
    lately = Now() - dt.timedelta(days=1)
    return {
        "waiting": _count(Run.objects.filter(status=RunStatus.AWAITING_HUMAN)),
        "paused": _count(Run.objects.filter(status=RunStatus.PAUSED)),
        "failed": _count(Run.objects.filter(status=RunStatus.FAILED, resolved_at__gte=lately)),
        "stops": run_figures.stops(counted),
        "failures": run_figures.failures(counted),
    }


def _count(rows: QuerySet[Any]) -> int:
    return rows.order_by()[:COUNTED].count()
