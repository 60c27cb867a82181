"""When the jobs run: rows of django-celery-beat, made after each migrate, theirs to change afterwards."""

from typing import Any

from django.apps import apps as installed

EVERY = {
    "events.tasks.heartbeat": 10,
    "events.tasks.deliver_webhooks": 2,
    "interrupts.tasks.expire_overdue_interrupts": 30,
    "requests_app.tasks.expire_overdue_requests": 30,
    "requests_app.tasks.purge_secrets": 600,
    "reviews.tasks.remind_of_items": 30,
    "reviews.tasks.escalate_items": 30,
    "reviews.tasks.push_to_people": 10,
    "reviews.tasks.mail_to_people": 5,
    "reviews.tasks.tell_by_apprise": 5,
    "interrupts.tasks.tell_by_slack": 5,
    "runs.tasks.wake_runs": 5,
    "runs.tasks.wake_answered_runs": 60,
    "agents.tasks.sweep_socket_tickets": 3_600,
    "events.tasks.cleanup_deliveries": 86_400,
    "reviews.tasks.cleanup_resolved_items": 86_400,
    "runs.tasks.cleanup_runs": 86_400,
    "runs.tasks.shorten_record": 86_400,
}
"""Seconds between two runs, by task."""


def install(sender: Any, apps: Any = installed, **kwargs: Any) -> None:
    """Add the schedules that are not in the database yet; one that somebody changed stays as it is."""
    try:
        interval_model = apps.get_model("django_celery_beat", "IntervalSchedule")
        task_model = apps.get_model("django_celery_beat", "PeriodicTask")
    except LookupError:  # migrated to a state before them
        return
    for task, seconds in EVERY.items():
        if not task_model.objects.filter(task=task).exists():
            interval, _ = interval_model.objects.get_or_create(every=seconds, period="seconds")
            task_model.objects.create(name=task, task=task, interval=interval)
