"""The clock's way into interrupts."""

from celery import shared_task

from events import jobs
from interrupts import services


@shared_task
def expire_overdue_interrupts() -> None:
    """Every 30 s: make the timeout of overdue interrupts permanent."""
    # A short lease: should its holder be killed, the next run is still in time; two sweeps do no harm.
    jobs.once("expire_overdue_interrupts", services.expire_overdue, every=30, lease=20)
