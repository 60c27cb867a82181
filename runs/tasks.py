"""The clock's and the messages' way into runs."""

from celery import shared_task

from events import jobs, retention
from runs import advance, services
from runs.retention import still_there


@shared_task
def advance_run(run_id: str) -> None:
    """Take one run a step on, or read the answer that it waits for."""
    advance.advance(run_id)


@shared_task
def wake_runs() -> None:
    """Every 5 s: have somebody look at the runs that are due, and at those that were just answered."""
    advance.wake()


@shared_task
def wake_answered_runs() -> None:
    """Every minute: the same for every answer that nobody has read."""
    advance.wake_all()


@shared_task
def cleanup_runs() -> None:
    """Daily: delete the runs that ended long ago, and files of sessions; the record stays."""
    jobs.once("cleanup_runs", services.cleanup, every=86_400, lease=3_600)


@shared_task
def shorten_record() -> None:
    """Daily: let go of what the record has held long enough, but of nothing about what is still there."""
    jobs.once("shorten_record", lambda: retention.let_go(still_there), every=86_400, lease=3_600)
