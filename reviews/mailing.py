"""Write to people about what waits for them: how many questions, how urgent, and where.

What an agent wrote stays on the server. To whom, and when, says :mod:`reviews.telling`.
"""

import smtplib
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.utils import translation

from events.models import Channel
from reviews import notifying, telling
from reviews.telling import Outcome, Telling, address_of, subject_of
from reviews.templatetags.items import page_of

SHOWN = 20
SALT = "reviews.mailing"
STOP = "/mail/stop/"


def mail_to_people() -> int:
    """Write to people of what is newer than they know; return how many mails were taken."""
    return telling.tell(_Mail())


class _Mail:
    name = Channel.MAIL

    def is_on(self) -> bool:
        return bool(settings.HITL_EMAIL_URL)

    def write(self, about: Telling) -> Callable[[], Outcome]:
        mail = _written(about)
        return lambda: _sent(mail)

    def keep(self, about: Telling, outcome: Outcome) -> None:
        """Keep nothing: a mail that is on its way is its reader's."""


def _sent(mail: EmailMultiAlternatives) -> Outcome:
    try:
        mail.send()
    except (OSError, smtplib.SMTPException, ValueError) as problem:  # a header with a line break is a value
        return Outcome(type(problem).__name__)
    return Outcome()


def _written(about: Telling) -> EmailMultiAlternatives:
    """Write the mail in the language that is active, as text and as HTML."""
    subject = subject_of(about.items)
    stop = address_of(f"{STOP}{stop_token(about.user)}")
    ordered = sorted(about.items, key=lambda item: (-item.priority, item.pk))
    told = {
        "subject": subject,
        "lines": [(item.priority, address_of(page_of(item))) for item in ordered[:SHOWN]],
        "more": max(0, len(ordered) - SHOWN),
        "inbox": address_of(notifying.INBOX),
        "stop": stop,
        "language": translation.get_language(),
    }
    headers = {"Auto-Submitted": "auto-generated", "Message-ID": _message_id(about)}
    if stop:
        headers |= {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    written = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string("hitl/mail/waiting.txt", told),
        from_email=settings.HITL_EMAIL_FROM,
        to=[about.user.email],
        headers=headers,
        connection=get_connection(),
    )
    written.attach_alternative(render_to_string("hitl/mail/waiting.html", told), "text/html")
    return written


def _message_id(about: Telling) -> str:
    """Name the mail by what it says, so that one sent again after a crash is known as the same."""
    host = settings.HITL_EMAIL_FROM.rpartition("@")[2].strip("> ")
    return f"<waiting-{about.user.pk}-{about.told}@{host}>"


# -- Stopping them --------------------------------------------------------------------------------------


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


def stop(user_id: int) -> None:
    """Write no more to this person."""
    telling.unsubscribe(user_id, Channel.MAIL)
