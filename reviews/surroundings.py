"""What else happened around an item: the rest of its session, and the run it belongs to."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from events.selectors import newest
from reviews.models import ReviewItem
from reviews.selectors import with_effective_status

ITEMS, STEPS = 10, 6
_RUN = "run_"
_EVENTS = {
    "hitl.run.started": ("play", _("started")),
    "hitl.run.step": ("check", _("finished the step “%(step)s”")),
    "hitl.run.awaiting_human": ("person", _("asked a person")),
    "hitl.run.paused": ("pause", _("was paused")),
    "hitl.run.resumed": ("play", _("went on")),
    "hitl.run.completed": ("check", _("completed")),
    "hitl.run.failed": ("warning", _("failed")),
    "hitl.run.cancelled": ("slash", _("was cancelled")),
}


def of(item: ReviewItem) -> dict[str, Any]:
    """Return the newest other ``items`` of the session of *item*, and the last ``steps`` of its run."""
    steps = newest(item.run_id, item.stream, STEPS) if item.run_id.startswith(_RUN) else []
    return {"items": _same_session(item) if item.session_id else [], "steps": list(map(_step, steps))}


def _same_session(item: ReviewItem) -> list[ReviewItem]:
    rows = ReviewItem.objects.filter(session_id=item.session_id, agent=item.agent_id).exclude(pk=item.pk)
    shown = rows.only("pk", "kind", "title", "status", "created_at", "expires_at", "on_timeout")
    return list(with_effective_status(shown).order_by("-pk")[:ITEMS])


def _step(event: dict[str, Any]) -> dict[str, Any]:
    icon, words = _EVENTS.get(event["type"], ("note", event["type"]))
    step = str(event["data"].get("step", "")).replace("_", " ")
    return {"icon": icon, "verb": str(words) % {"step": step}, "at": event["occurred_at"]}
