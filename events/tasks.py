"""The clock's way into the record."""

from celery import shared_task

from events import jobs


@shared_task
def heartbeat() -> None:
    """Show that beat and worker are alive (see /readyz)."""
    jobs.beat()
