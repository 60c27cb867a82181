"""Reads of runs: who may see which, with what each of them waits for."""

from typing import Any

from django.db.models import Prefetch, QuerySet

from agents.callers import Caller
from interrupts.models import Interrupt
from reviews.selectors import is_open, shown_to, visible_to
from runs.lifecycle import ACTIVE
from runs.models import Checkpoint, CheckpointKind, Run


def runs(caller: Caller) -> QuerySet[Run]:
    """Return the runs that *caller* may see, each with its open questions as ``questions``: two queries."""
    waiting = Checkpoint.objects.filter(settled_at__isnull=True).select_related("interrupt")
    own = waiting.exclude(kind=CheckpointKind.BROWSER_ACTION)
    found = visible_to(caller, Run.objects.all())
    return found.prefetch_related(Prefetch("checkpoints", queryset=own, to_attr="questions"))


def active(caller: Caller) -> QuerySet[Run]:
    """Return those that have not ended."""
    return runs(caller).filter(status__in=sorted(ACTIVE))


def questions(caller: Caller) -> Any:
    """Return the questions of runs that a person can answer now, as interrupts with their checkpoints."""
    asked = Interrupt.objects.filter(is_open(), checkpoint__isnull=False)
    return shown_to(caller, asked.select_related("checkpoint"))
