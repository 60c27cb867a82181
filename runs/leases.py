"""Have one worker at a time at a run, and nobody hold it who was killed.

A lease is short and is renewed by a thread while its holder works, so that what a killed worker held is
taken up again within seconds, however long a provider takes.
"""

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.db import DatabaseError, close_old_connections, connection
from django.db.models import Q
from django.db.models.functions import Now

from events.ids import new_id
from runs.lifecycle import MOVING, RunStatus, Step
from runs.models import Run

SECONDS = 10.0
NOBODY: dict[str, Any] = {"leased_by": "", "leased_until": None}
log = structlog.get_logger(__name__)


def is_free() -> Q:
    """Match what nobody holds, or whose holder was not heard of."""
    return Q(leased_until__isnull=True) | Q(leased_until__lte=Now())


def take(run_id: str) -> Run | None:
    """Take the run if it is due and free; return it, or None."""
    holder = new_id("lease")
    until = Now() + dt.timedelta(seconds=SECONDS)
    due = Run.objects.filter(is_free(), pk=run_id, status__in=sorted(MOVING), due_at__lte=Now())
    if not due.update(leased_by=holder, leased_until=until):
        return None
    return Run.objects.filter(pk=run_id, leased_by=holder).first()


def held(run: Run) -> Q:
    """Match *run* as long as the holder who took it still has it."""
    return Q(leased_by=run.leased_by)


@contextmanager
def kept(run: Run) -> Iterator[None]:
    """Renew the lease of *run* while the block works."""
    over = threading.Event()
    renewer = threading.Thread(target=_renew, args=[run, over], name=f"lease of {run.pk}", daemon=True)
    renewer.start()
    try:
        yield
    finally:
        over.set()
        renewer.join()


def _renew(run: Run, over: threading.Event) -> None:
    while not over.wait(SECONDS / 4):
        try:
            close_old_connections()
            until = Now() + dt.timedelta(seconds=SECONDS)
            Run.objects.filter(held(run), pk=run.pk).update(leased_until=until)
        except DatabaseError as problem:  # the step goes on; whether it still counts is seen at its end
            log.warning("lease_not_renewed", run_id=run.pk, problem=type(problem).__name__)
    connection.close()


def calls_beside(run: Run) -> int:
    """Count the workers that wait for providers in the name of the same agent now."""
    calling = Run.objects.filter(status__in=sorted(MOVING), step=Step.API_CALL, leased_until__gt=Now())
    return calling.filter(agent=run.agent_id, submitted_at__isnull=False).exclude(pk=run.pk).count()


def note(run: Run, **columns: Any) -> bool:
    """Write *columns* that are no step of the record, such as an intent, if the lease still holds."""
    mine = Run.objects.filter(held(run), pk=run.pk, status__in=[*MOVING, RunStatus.PAUSED])
    if not mine.update(**columns):
        return False
    run.refresh_from_db(fields=list(columns))
    return True


def put_off(run: Run, seconds: float, **columns: Any) -> None:
    """Give *run* back, to be taken up again in *seconds*; nothing to do where the lease is lost."""
    note(run, due_at=Now() + dt.timedelta(seconds=seconds), **columns, **NOBODY)


def release_all() -> None:
    """Take every lease back; for a process that is the only one, and whose predecessor was killed."""
    Run.objects.filter(leased_until__isnull=False).update(**NOBODY)
