"""Sessions in the database, asked only for keys that can be one; and how long they last.

A session ends so many hours after its login, and before that when nobody has done anything for a while. Both
stand in the moment at which its row expires, so that every way in obeys them without a question of its own.
What somebody does is to open a page or to send a form: what pages fetch by themselves keeps nothing alive.
"""

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends import db
from django.http import HttpRequest
from django.utils import timezone

from agents import presence

ENDS = "ends_at"
WRITES = 10
"""How often in the time that it may be idle a session in use is written at most."""
NOBODY = {"cors", "no-cors", "same-origin"}
"""How a browser calls it (``Sec-Fetch-Mode``) when a script asks, and no person."""


class SessionStore(db.SessionStore):
    """Take what is no key for no session: PostgreSQL would fail on a NUL in it."""

    def _validate_session_key(self, key: Any) -> bool:
        return bool(super()._validate_session_key(key)) and key.isalnum()  # type: ignore[misc]


def begin(request: HttpRequest, **_told: Any) -> None:
    """Start to count, at a login."""
    presence.forget(request.session)
    presence.shown(request.session)
    request.session[ENDS] = (timezone.now() + dt.timedelta(hours=settings.HITL_SESSION_HOURS)).timestamp()
    request.session.set_expiry(_expiry(request.session))


def keep(request: HttpRequest) -> None:
    """Let the session of *request* last, if a person is at it, and if it would not last anyway."""
    session = request.session
    if not (request.user.is_authenticated and _is_somebody(request)):
        return
    if ENDS not in session:  # of before there were limits
        session[ENDS] = (timezone.now() + dt.timedelta(hours=settings.HITL_SESSION_HOURS)).timestamp()
    wanted = _expiry(session)
    if wanted - session.get_expiry_date() >= _idle() / WRITES or session.get_expiry_date() > ends_at(session):
        session.set_expiry(wanted)


def ends_at(session: Any) -> dt.datetime:
    """Return when *session* ends, whatever is done in it."""
    return dt.datetime.fromtimestamp(session[ENDS], dt.UTC)


def _expiry(session: Any) -> dt.datetime:
    end = ends_at(session)
    return min(end, timezone.now() + _idle()) if settings.HITL_SESSION_IDLE_MINUTES else end


def _idle() -> dt.timedelta:
    return dt.timedelta(minutes=settings.HITL_SESSION_IDLE_MINUTES or 60 * settings.HITL_SESSION_HOURS)


def _is_somebody(request: HttpRequest) -> bool:
    if "X-Fragment" in request.headers:
        return False
    return request.headers.get("Sec-Fetch-Mode", "navigate") not in NOBODY
