"""The clock's way into the record."""

from celery import shared_task

from events import delivery, jobs


@shared_task
def heartbeat() -> None:
    """Show that beat and worker are alive (see /readyz)."""
    jobs.beat()


@shared_task
def deliver_webhooks() -> None:
    """Every 2 s: make and send the deliveries that are due."""
    delivery.deliver()


@shared_task
def cleanup_deliveries() -> None:
    """Daily: forget deliveries that ended long ago."""
    jobs.once("cleanup_deliveries", delivery.cleanup, every=86_400)
