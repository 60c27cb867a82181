"""Do a job of the clock once, however many beats there are, and show that the clock ticks.

Each job has a lease row. Who takes it does the work; a second beat that comes while the lease is held, or
before half the job's interval is over, finds that there is nothing to do. A lease left by a process that
was killed lapses by itself.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import structlog
from django.db.models import F, Q
from django.db.models.functions import Now

from events.ids import new_id
from events.models import JobLease

HEARTBEAT = "heartbeat"
log = structlog.get_logger(__name__)


def once(job: str, work: Callable[[], Any], *, every: float, lease: float = 600.0) -> Any:
    """Do *work* unless another process is at it or has just done it; return its result, None if not done.

    *every* is the job's interval and *lease* how long a silent holder keeps it, both in seconds.
    """
    holder = new_id("job")
    JobLease.objects.bulk_create([JobLease(job=job)], ignore_conflicts=True)
    free = Q(held_until__isnull=True) | Q(held_until__lte=Now())
    due = Q(finished_at__isnull=True) | Q(finished_at__lte=Now() - dt.timedelta(seconds=every / 2))
    mine = JobLease.objects.filter(job=job, holder=holder)
    taken = JobLease.objects.filter(free, due, job=job).update(
        holder=holder, held_until=Now() + dt.timedelta(seconds=lease)
    )
    if not taken:
        return None
    try:
        result = work()
    except BaseException:
        mine.update(held_until=None)
        raise
    mine.update(held_until=None, finished_at=Now(), result=result)
    if result:
        log.info("job_done", job=job, result=result)
    return result


def release_all() -> None:
    """Take every lease back; for a process that is the only one, and whose predecessor was killed."""
    JobLease.objects.filter(held_until__isnull=False).update(held_until=None)


def beat() -> None:
    """Note that the clock ticks."""
    JobLease.objects.update_or_create(job=HEARTBEAT, defaults={"finished_at": Now()})


def seconds_since_beat() -> float | None:
    """Return how long ago the clock last ticked, by the database's clock; None if it never did."""
    age = (
        JobLease.objects.filter(job=HEARTBEAT, finished_at__isnull=False)
        .annotate(age=Now() - F("finished_at"))
        .values_list("age", flat=True)
        .first()
    )
    return None if age is None else age.total_seconds()
