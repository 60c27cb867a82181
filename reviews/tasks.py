"""The clock's way into what all items share."""

from celery import shared_task

from events import jobs
from reviews import services


@shared_task
def cleanup_resolved_items() -> None:
    """Daily: delete what was resolved long ago; the record stays."""
    jobs.once("cleanup_resolved_items", services.cleanup, every=86_400, lease=3_600)
