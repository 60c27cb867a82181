"""The clock's way into action requests."""

from celery import shared_task

from events import jobs
from requests_app import services


@shared_task
def expire_overdue_requests() -> None:
    """Every 30 s: make the timeout of overdue requests permanent."""
    jobs.once("expire_overdue_requests", services.expire_overdue, every=30, lease=20)


@shared_task
def purge_secrets() -> None:
    """Every 10 minutes: destroy the secret answers that nobody fetched."""
    jobs.once("purge_secrets", services.purge, every=600, lease=300)
