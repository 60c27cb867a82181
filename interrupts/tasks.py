"""The clock's way into interrupts."""

from celery import shared_task

from events import jobs
from interrupts import services, slack


@shared_task
def expire_overdue_interrupts() -> None:
    """Every 30 s: make the timeout of overdue interrupts permanent."""
    # A short lease: should its holder be killed, the next run is still in time; two sweeps do no harm.
    jobs.once("expire_overdue_interrupts", services.expire_overdue, every=30, lease=20)


@shared_task
def tell_by_slack() -> None:
    """Every 5 s: ask in Slack those who are asked about something new, and say what became of it."""
    jobs.once("tell_by_slack", slack.tell_by_slack, every=5, lease=60)
