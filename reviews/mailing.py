"""Write to people about what waits for them, as they chose; high and critical questions at once.

A mail says how many questions wait and how urgent they are, and leads to them: what an agent wrote stays on
the server. The look and its place are those of pushes (see :mod:`reviews.notifying`). What is held back, by
quiet hours or for a digest, keeps the place where it is, so an answer that comes meanwhile takes it off.
"""

import datetime as dt
import smtplib
import zoneinfo
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext, ngettext

from agents import preferences
from events.clock import database_now
from events.models import MailSubscription
from reviews import notifying
from reviews.models import Priority, ReviewItem
from reviews.templatetags.items import page_of

LEASE = dt.timedelta(seconds=60)
FIRST_PAUSE, LONGEST_PAUSE = 20, 3_600
AT_ONCE = 50
SHOWN = 20
SALT = "reviews.mailing"
STOP = "/mail/stop/"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mail:
    """Hold what one person is to be told, and how far they know then."""

    subscription: MailSubscription
    user: User
    told: str
    items: list[ReviewItem]


def mail_to_people() -> int:
    """Write to people of what is newer than they know; return how many mails were taken."""
    if not settings.HITL_EMAIL_URL or not MailSubscription.objects.exists():
        return 0
    end, now = notifying.present(), database_now()
    due = MailSubscription.objects.filter(told__lt=notifying.newest_before(end), not_before__lte=Now())
    waiting = list(due.order_by("not_before", "pk")[:AT_ONCE])
    people = notifying.people_of(subscription.user_id for subscription in waiting)
    new = {known: notifying.open_after(known, end) for known in {one.told for one in waiting}}
    mails = [
        mail
        for one in waiting
        if (user := people.get(one.user_id)) and (mail := _mail(one, user, new[one.told], now))
    ]
    return sum(_send(mail, now) for mail in mails if _take(mail.subscription))


def _mail(one: MailSubscription, user: User, new: list[ReviewItem], now: dt.datetime) -> Mail | None:
    """Return what is to be said now; nothing where nothing waits for them, or it may wait."""
    theirs = [item for item in notifying.asked_of(user, new) if item.priority >= one.lowest]
    if not theirs:
        if new:
            _same(one).update(told=notifying.place_of(new[-1]))
        return None
    if not any(item.priority >= Priority.HIGH for item in theirs) and _is_held(one, user, now):
        return None
    return Mail(one, user, notifying.place_of(new[-1]), theirs)


def _is_held(one: MailSubscription, user: User, now: dt.datetime) -> bool:
    if one.mailed_at and now < one.mailed_at + dt.timedelta(minutes=one.digest_minutes):
        return True
    if one.quiet_from is None or one.quiet_until is None:
        return False
    zone = zoneinfo.ZoneInfo(preferences.of(user).time_zone or "UTC")
    clock = now.astimezone(zone).time()
    if one.quiet_from <= one.quiet_until:
        return one.quiet_from <= clock < one.quiet_until
    return clock >= one.quiet_from or clock < one.quiet_until  # over midnight


def _take(one: MailSubscription) -> bool:
    return bool(_same(one).filter(not_before__lte=Now()).update(not_before=Now() + LEASE))


def _same(one: MailSubscription) -> Any:
    return MailSubscription.objects.filter(pk=one.pk, told=one.told)


def _send(mail: Mail, now: dt.datetime) -> bool:
    """Send *mail* and note what came of it; say whether it was taken."""
    try:
        with translation.override(preferences.of(mail.user).language or None):
            _written(mail).send()
    except (OSError, smtplib.SMTPException, ValueError) as problem:  # a header with a line break is a value
        failures = mail.subscription.failures + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 10))
        log.warning("mail_refused", user=mail.user.pk, problem=type(problem).__name__)
        _same(mail.subscription).update(failures=failures, not_before=Now() + dt.timedelta(seconds=pause))
        return False
    _same(mail.subscription).update(told=mail.told, mailed_at=now, failures=0, not_before=Now())
    return True


def _written(mail: Mail) -> EmailMultiAlternatives:
    """Write *mail* in the language that is active, as text and as HTML."""
    base = settings.HITL_PUBLIC_URL
    highest = max(mail.items, key=lambda item: item.priority).priority
    subject = ngettext("A question waits", "%(n)d new questions wait", len(mail.items)) % {
        "n": len(mail.items)
    }
    if highest >= Priority.HIGH:
        subject = gettext("Urgent: %(subject)s") % {"subject": subject}
    stop = f"{base}{STOP}{stop_token(mail.user)}"
    ordered = sorted(mail.items, key=lambda item: (-item.priority, item.pk))
    told = {
        "subject": subject,
        "lines": [(item.priority, f"{base}{page_of(item)}" if base else "") for item in ordered[:SHOWN]],
        "more": max(0, len(ordered) - SHOWN),
        "inbox": f"{base}{notifying.INBOX}" if base else "",
        "stop": stop if base else "",
        "language": translation.get_language(),
    }
    headers = {"Auto-Submitted": "auto-generated", "Message-ID": _message_id(mail)}
    if base:
        headers |= {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    written = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string("hitl/mail/waiting.txt", told),
        from_email=settings.HITL_EMAIL_FROM,
        to=[mail.user.email],
        headers=headers,
        connection=get_connection(),
    )
    written.attach_alternative(render_to_string("hitl/mail/waiting.html", told), "text/html")
    return written


def _message_id(mail: Mail) -> str:
    """Name the mail by what it says, so that one sent again after a crash is known as the same."""
    host = settings.HITL_EMAIL_FROM.rpartition("@")[2].strip("> ")
    return f"<waiting-{mail.user.pk}-{mail.told}@{host}>"


# -- Who wants it ---------------------------------------------------------------------------------------


def subscribe(user: User, **chosen: Any) -> None:
    """Keep what *user* has *chosen*; who had no mail before is told of what follows."""
    if not MailSubscription.objects.filter(user=user).update(**chosen):
        MailSubscription.objects.get_or_create(user=user, defaults={**chosen, "told": notifying.present()})


def unsubscribe(user_id: int) -> None:
    """Write no more to this person."""
    MailSubscription.objects.filter(user=user_id).delete()


def stop_token(user: User) -> str:
    """Return what stops the mails to *user* without logging in."""
    return signing.dumps(user.pk, salt=SALT)


def read_stop(token: str) -> int | None:
    """Return whose mails *token* stops; None where it is none of ours."""
    try:
        found = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    return found if isinstance(found, int) else None
