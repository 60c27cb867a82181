"""The clock's way into keys and tickets."""

from celery import shared_task

from agents import keys
from events import jobs


@shared_task
def sweep_socket_tickets() -> None:
    """Hourly: forget tickets that nobody used."""
    jobs.once("sweep_socket_tickets", keys.sweep_tickets, every=3_600)
