"""What happens while nobody answers: a reminder, then other groups are asked, by the clock or by hand."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.callers import Caller
from events.clock import database_now, iso
from events.models import SYSTEM
from events.problems import Problem
from events.transitions import Transition, TransitionConflict, perform
from reviews.lifecycle import ESCALATE, REMIND
from reviews.models import Policy, Priority, ReviewItem
from reviews.selectors import is_open

BATCH = 500
LAST_RESORT = "administrator"
"""The role that is asked besides where a policy names nobody more."""


def moments(policy: Policy, priority: int) -> dict[str, dt.datetime | None]:
    """Return when an item asked now under *policy* is due, to be reminded of, and to be escalated."""
    sla = policy.sla.get(Priority(priority).label)
    steps = policy.escalation
    if not (sla or policy.remind_after or steps):
        return {}
    now = database_now()
    return {
        "due_at": _later(now, sla, policy.business_hours),
        "remind_at": _later(now, policy.remind_after, policy.business_hours),
        "escalate_at": _later(now, steps[0].get("after", sla), policy.business_hours) if steps else None,
    }


def remind() -> int:
    """Remind of what was not answered by its ``remind_at``; return of how many."""
    return _each_due("remind_at", lambda item: _move(REMIND, item, {"remind_at": None}, {}))


def escalate() -> int:
    """Ask another group besides, for what was not answered by its ``escalate_at``; return for how many."""
    return _each_due("escalate_at", _escalate)


def escalate_now(item: ReviewItem, *, by: Caller, note: str = "") -> str:
    """Ask whom the next step of *item*'s policy names, at once; after the last, the administrators.

    Return the group that is asked besides.

    Raises:
        Problem: 409 ``escalated`` when there is nobody left to ask, or it has moved on meanwhile.
    """
    group = _next_group(item)
    if group is None:
        raise Problem(409, "escalated", _("Everybody who could be asked besides is asked already."))
    told = {"to": group, **({"comment": note} if note else {})}
    if not _ask_besides(item, group, told, by.actor):
        raise Problem(409, "escalated", _("It has moved on meanwhile. Nobody was asked besides."))
    return group


def _next_group(item: ReviewItem) -> str | None:
    """Return whom to ask besides: the next step that names somebody new, or the administrators, once."""
    steps, number = item.policy.get("escalation", []), item.escalations
    if number < len(steps):
        return str(steps[number]["to"])
    return LAST_RESORT if number == len(steps) and LAST_RESORT not in item.reviewers else None


def _escalate(item: ReviewItem) -> bool:
    steps, number = item.policy.get("escalation", []), item.escalations
    if number >= len(steps):
        return _move(ESCALATE, item, {"escalate_at": None}, {})
    return _ask_besides(item, steps[number]["to"], {"to": steps[number]["to"]})


def _ask_besides(item: ReviewItem, group: str, told: dict[str, Any], actor: str = SYSTEM) -> bool:
    steps, number = item.policy.get("escalation", []), item.escalations
    following = steps[number + 1] if number + 1 < len(steps) else {}
    after = following and following.get("after", item.policy.get("sla_seconds"))
    # Where everybody may answer, nobody is to be kept out by asking somebody in particular.
    asked = [*item.reviewers, group] if item.reviewers else []
    changes = {
        "reviewers": asked,
        "escalations": number + 1,
        "escalate_at": _later(database_now(), after or None, bool(item.policy.get("business_hours"))),
    }
    return _move(ESCALATE, item, changes, {**told, "reviewers": asked}, actor)


def _move(
    transition: Transition,
    item: ReviewItem,
    changes: dict[str, Any],
    told: dict[str, Any],
    actor: str = SYSTEM,
) -> bool:
    data = {"kind": item.kind, "title": item.title, "due_at": iso(item.due_at), **told}
    # Who is asked now must be who was asked when this was read; and two clocks do it once.
    read = ("stage", "revision", "escalations", "remind_at", "escalate_at")
    same = {"moved": Q(**{name: getattr(item, name) for name in read if getattr(item, name) is not None})}
    try:
        perform(transition, item, actor=actor, changes=changes, guards=same, data=data)
    except TransitionConflict:  # answered, or moved on, meanwhile
        return False
    return True


def _each_due(column: str, move: Callable[[ReviewItem], bool]) -> int:
    """Do *move* to every open item whose *column* has come, a batch at a time; return how many were moved."""
    count, moved = 0, BATCH
    while moved:
        moved = sum(map(move, _due(column)))
        count += moved
    return count


def _due(column: str) -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(is_open(), **{f"{column}__lte": Now()}).order_by(column)[:BATCH]


def _later(start: dt.datetime, seconds: int | None, in_business_hours: bool) -> dt.datetime | None:
    if not seconds:
        return None
    if in_business_hours:
        return settings.HITL_BUSINESS_HOURS.after(start, seconds)
    return start + dt.timedelta(seconds=seconds)
