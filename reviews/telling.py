"""Who is to be told now, and by which channel, as they chose; high and critical questions at once.

The look and its place are those of pushes (see :mod:`reviews.notifying`). What is held back, by quiet hours
or for a digest, keeps the place where it is, so an answer that comes meanwhile takes it off. A channel only
writes and sends. It sends to everybody side by side and has so many seconds: what is slow then goes on
alone, and is tried again.
"""

import datetime as dt
import zoneinfo
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext, ngettext

from agents import preferences
from events.clock import database_now
from events.models import Channel, Subscription
from events.once import has_room
from reviews import notifying
from reviews.models import Priority, ReviewItem

LEASE = dt.timedelta(seconds=60)
BURST, BURST_SECONDS, REST = 10, 600, dt.timedelta(seconds=60)
"""Who was told so often in a while then rests between two messages: an agent that floods fills no mailbox."""
FIRST_PAUSE, LONGEST_PAUSE = 20, 3_600
AT_ONCE, SIDE_BY_SIDE, SECONDS = 50, 25, 20.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telling:
    """Hold what one person is to be told, and how far they know then."""

    subscription: Subscription
    user: User
    told: str
    items: list[ReviewItem]

    @property
    def is_urgent(self) -> bool:
        return any(is_urgent(item) for item in self.items)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Say what came of one message: the *problem*, empty where it was taken; *wait* is asked for, in seconds.

    ``sent`` is what the channel wants to keep of it.
    """

    problem: str = ""
    wait: int = 0
    sent: Any = None


class Carrier(Protocol):
    """Be a channel: say whether this server has it, write a message, and keep what was sent of it."""

    name: Channel

    def is_on(self) -> bool:
        """Say whether this server can send by it."""

    def write(self, about: Telling) -> Callable[[], Outcome]:
        """Write what *about* says, in the language that is active; return what sends it.

        Sending runs beside others, and must not ask the database.
        """

    def keep(self, about: Telling, outcome: Outcome) -> None:
        """Keep what was sent, also where it was not all."""


def tell(carrier: Carrier) -> int:
    """Tell people of what is newer than they know; return how many messages were taken."""
    if not carrier.is_on() or not Subscription.objects.filter(channel=carrier.name).exists():
        return 0
    tellings = [telling for telling in _due(carrier.name) if _take(telling.subscription)]
    letters = [_written(carrier, telling) for telling in tellings]
    outcomes = side_by_side(letters)
    return sum(_settle(carrier, *pair) for pair in zip(tellings, outcomes, strict=True))


def side_by_side(letters: list[Callable[[], Outcome]]) -> list[Outcome]:
    """Send *letters*, none of which has longer than ``SECONDS``; return what came of each."""
    if not letters:
        return []
    pool = ThreadPoolExecutor(min(SIDE_BY_SIDE, len(letters)), thread_name_prefix="telling")
    futures = [pool.submit(letter) for letter in letters]
    wait(futures, SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    return [_outcome(future) for future in futures]


def _outcome(future: Future[Outcome]) -> Outcome:
    if not future.done() or future.cancelled():
        return Outcome("no answer in time")
    if problem := future.exception():
        return Outcome(type(problem).__name__)
    return future.result()


def _written(carrier: Carrier, telling: Telling) -> Callable[[], Outcome]:
    with translation.override(preferences.of(telling.user).language or None):
        return carrier.write(telling)


# -- The look -------------------------------------------------------------------------------------------


def _due(channel: Channel) -> list[Telling]:
    end, now = notifying.present(), database_now()
    due = Subscription.objects.filter(
        channel=channel, told__lt=notifying.newest_before(end), not_before__lte=Now()
    )
    waiting = list(due.order_by("not_before", "pk")[:AT_ONCE])
    people = notifying.people_of(subscription.user_id for subscription in waiting)
    new = {known: notifying.open_after(known, end) for known in {one.told for one in waiting}}
    return [
        telling
        for one in waiting
        if (user := people.get(one.user_id)) and (telling := _telling(one, user, new[one.told], now))
    ]


def _telling(one: Subscription, user: User, new: list[ReviewItem], now: dt.datetime) -> Telling | None:
    """Return what is to be said now; nothing where nothing waits for them, or it may wait."""
    theirs = [item for item in notifying.asked_of(user, new) if item.priority >= one.lowest]
    if not theirs:
        if new:
            _same(one).update(told=notifying.place_of(new[-1]))
        return None
    found = Telling(one, user, notifying.place_of(new[-1]), theirs)
    return None if not found.is_urgent and _is_held(one, user, now) else found


def is_urgent(item: ReviewItem) -> bool:
    """Say whether *item* is told at once, whatever somebody chose."""
    return item.priority >= Priority.HIGH


def _is_held(one: Subscription, user: User, now: dt.datetime) -> bool:
    if one.told_at and now < one.told_at + dt.timedelta(minutes=one.digest_minutes):
        return True
    if one.quiet_from is None or one.quiet_until is None:
        return False
    zone = zoneinfo.ZoneInfo(preferences.of(user).time_zone or "UTC")
    clock = now.astimezone(zone).time()
    if one.quiet_from <= one.quiet_until:
        return one.quiet_from <= clock < one.quiet_until
    return clock >= one.quiet_from or clock < one.quiet_until  # over midnight


def _take(one: Subscription) -> bool:
    return bool(_same(one).filter(not_before__lte=Now()).update(not_before=Now() + LEASE))


def _same(one: Subscription) -> Any:
    return Subscription.objects.filter(pk=one.pk, told=one.told)


def _settle(carrier: Carrier, telling: Telling, outcome: Outcome) -> bool:
    """Note what came of *telling*; say whether it was taken."""
    one = telling.subscription
    carrier.keep(telling, outcome)
    if not outcome.problem:
        rest = dt.timedelta(0) if has_room(f"told:{one.pk}", BURST, BURST_SECONDS) else REST
        _same(one).update(told=telling.told, told_at=database_now(), failures=0, not_before=Now() + rest)
        return True
    failures = min(one.failures + 1, 1_000)
    pause = min(LONGEST_PAUSE, max(outcome.wait, FIRST_PAUSE * 2 ** min(failures - 1, 10)))
    # The address is not said: by some of them anybody could write to this person.
    log.warning("telling_refused", channel=carrier.name, user=telling.user.pk, problem=outcome.problem)
    _same(one).update(failures=failures, not_before=Now() + dt.timedelta(seconds=pause))
    return False


# -- What every channel says ----------------------------------------------------------------------------


def subject_of(items: list[ReviewItem]) -> str:
    """Say how many questions wait, and whether it is urgent: nothing that an agent wrote."""
    subject = ngettext("A question waits", "%(n)d new questions wait", len(items)) % {"n": len(items)}
    if any(is_urgent(item) for item in items):
        subject = gettext("Urgent: %(subject)s") % {"subject": subject}
    return subject


def address_of(path: str) -> str:
    """Return where people reach *path* of this server; an empty text where nobody said so."""
    return f"{settings.HITL_PUBLIC_URL}{path}" if settings.HITL_PUBLIC_URL else ""


# -- Who wants it ---------------------------------------------------------------------------------------


def subscribe(user: User, channel: str, **chosen: Any) -> None:
    """Keep what *user* has *chosen* of *channel*; who had none before is told of what follows."""
    if not Subscription.objects.filter(user=user, channel=channel).update(**chosen):
        defaults = {**chosen, "told": notifying.present()}
        Subscription.objects.get_or_create(user=user, channel=channel, defaults=defaults)


def unsubscribe(user_id: int, channel: str) -> None:
    """Tell this person nothing more by *channel*."""
    Subscription.objects.filter(user=user_id, channel=channel).delete()


def of(user: Any, channel: str) -> Subscription | None:
    """Return what *user* chose of *channel*; None where they want nothing by it."""
    return Subscription.objects.filter(user=user, channel=channel).first()
