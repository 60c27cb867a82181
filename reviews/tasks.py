"""The clock's way into what all items share."""

from celery import shared_task

from events import jobs
from reviews import apprising, follow_up, mailing, notifying, services


@shared_task
def cleanup_resolved_items() -> None:
    """Daily: delete what was resolved long ago; the record stays."""
    jobs.once("cleanup_resolved_items", services.cleanup, every=86_400, lease=3_600)


@shared_task
def remind_of_items() -> None:
    """Every 30 s: remind of what its policy does not want to wait longer."""
    jobs.once("remind_of_items", follow_up.remind, every=30, lease=20)


@shared_task
def escalate_items() -> None:
    """Every 30 s: ask other groups besides, for what was not answered."""
    jobs.once("escalate_items", follow_up.escalate, every=30, lease=20)


@shared_task
def push_to_people() -> None:
    """Every 10 s: ring the devices of those who are asked about something new."""
    jobs.once("push_to_people", notifying.push_to_people, every=10, lease=60)


@shared_task
def mail_to_people() -> None:
    """Every 5 s: write to those who are asked about something new, as they chose."""
    jobs.once("mail_to_people", mailing.mail_to_people, every=5, lease=60)


@shared_task
def tell_by_apprise() -> None:
    """Every 5 s: tell those who named a channel of Apprise's about something new, as they chose."""
    jobs.once("tell_by_apprise", apprising.tell_by_apprise, every=5, lease=60)
