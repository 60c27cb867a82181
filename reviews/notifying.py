"""Who is told on their devices that something waits: what is asked of them, and nothing of what it says.

A look goes from the id up to which a device's owner was told to the newest open item. Ids are drawn before a
transaction commits, so what was drawn in the last seconds is left for the next look: nothing appears behind
the place that a look has reached. What comes to be asked of somebody later (a claim that lapses, a stage, an
escalation) is not new, and does not ring.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext, ngettext
from ulid import ULID

from agents.callers import of_user
from events import push
from events.clock import database_now
from events.models import PushSubscription
from reviews.models import Priority, ReviewItem
from reviews.reviewers import deciders, is_asked
from reviews.selectors import is_open, time_left
from reviews.templatetags.items import PRIORITIES, page_of

SETTLED = dt.timedelta(seconds=3)
LOOKED_AT = 200
LONGEST_LIFE = 86_400
INBOX = "/admin/inbox/"
KINDS = ("int", "har")


def push_to_people() -> int:
    """Tell devices of what is newer than their owners know; return how many were told."""
    if not PushSubscription.objects.exists():
        return 0
    end = present()
    devices = list(push.due(newest_before(end)))
    people, told = people_of(device.user_id for device in devices), list[push.Push]()
    for known in {device.told for device in devices}:
        items, idle = open_after(known, end), list[PushSubscription]()
        if not items:  # answered meanwhile
            continue
        last = place_of(items[-1])
        for device in (device for device in devices if device.told == known):
            theirs = asked_of(people.get(device.user_id), items)
            if theirs:
                told.append(_push(device, last, theirs))
            else:
                idle.append(device)
        push.advance(idle, last)
    return push.send(told)


def present() -> str:
    """Return the place in the order of ids before which none will appear any more.

    Who begins now is told of what follows.
    """
    moment = database_now() - SETTLED
    return str(ULID.from_datetime(moment))[:10] + "0" * 16


def newest_before(end: str) -> str:
    """Return the place of the newest open item before *end*; an empty text where there is none."""
    return max((place_of(found) for rows in _open_between("", end) if (found := rows.last())), default="")


def asked_of(user: User | None, items: list[ReviewItem]) -> list[ReviewItem]:
    """Return those of *items* that wait for *user*: whom they ask, and that nobody else holds."""
    if user is None:
        return []
    answers: dict[Any, bool] = {}
    found = []
    for item in items:
        # Whoever may answer one may answer all that are alike in this: a burst is judged once.
        alike = (
            tuple(item.reviewers),
            str(item.votes),
            item.needs_several,
            item.is_high_risk and item.agent_id,
        )
        if alike not in answers:
            answers[alike] = is_asked(item, of_user(user))
        if answers[alike] and item.holder_id in (None, user.pk):  # type: ignore[attr-defined]
            found.append(item)
    return found


def people_of(ids: Iterable[int]) -> dict[int, User]:
    """Return who of the people with these *ids* may decide today."""
    wanted = set(ids)
    return deciders().filter(is_staff=True).select_related("preferences").in_bulk(wanted) if wanted else {}


def _open_between(known: str, end: str) -> list[QuerySet[ReviewItem]]:
    """Return what is open after *known* and before *end*, oldest first, by the kind of id."""
    items = ReviewItem.objects.filter(is_open())
    return [items.filter(pk__gt=f"{kind}_{known}", pk__lt=f"{kind}_{end}").order_by("pk") for kind in KINDS]


def open_after(known: str, end: str) -> list[ReviewItem]:
    """Return as much of what is open after *known* as one look takes, oldest first, each with its holder."""
    holder = Case(When(claimed_until__gt=Now(), then=F("claimed_by")))
    found: list[Any] = [
        item
        for rows in _open_between(known, end)
        for item in rows.annotate(holder_id=holder, left=time_left())[:LOOKED_AT]
    ]
    return sorted(found, key=place_of)[:LOOKED_AT]


def place_of(item: ReviewItem) -> str:
    """Return the part of an item's id that is ordered in time."""
    return item.pk.partition("_")[2]


def _push(device: PushSubscription, told: str, items: list[ReviewItem]) -> push.Push:
    highest = max(item.priority for item in items)
    with translation.override(device.language or None):
        payload = {
            "title": ngettext("A question waits", "%(n)d new questions wait", len(items)) % {"n": len(items)},
            "body": gettext("Priority: %(priority)s") % {"priority": PRIORITIES[Priority(highest)][2]},
            "open": gettext("Open"),
            "path": page_of(items[0]) if len(items) == 1 else INBOX,
        }
    lives = (LONGEST_LIFE if item.left is None else item.left.total_seconds() for item in items)  # type: ignore[attr-defined]
    seconds = int(max(0, min(LONGEST_LIFE, max(lives))))
    return push.Push(device, told, payload, seconds, urgent=highest >= Priority.HIGH)
