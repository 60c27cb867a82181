"""Tell who is calling, from the headers alone, for every way in: REST, long polls and sockets."""

import datetime as dt
import time
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AbstractUser
from django.db.models.functions import Now
from django.http import HttpRequest, parse_cookie

from agents import keys, presence
from agents.models import Key
from events.statements import Parameter, Prepared

TOUCH_SECONDS = 60.0
_touched: dict[int, float] = {}
_COLUMNS = ("id", "prefix", "digest", "agent_id", "user_id", "scopes")
_by_prefix = Prepared(
    lambda: Key.objects.filter(keys.valid(), prefix=Parameter("prefix")).values_list(*_COLUMNS)
)


class Refused(Exception):
    """The caller claims to be somebody and is not; the message says why, without a hint for guessing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Be an agent with a key, or an operator (with a session or a key of their own).

    ``actor`` is how the record names who acts (``agent:…``, ``user:…``), ``name`` the bare name, and ``via``
    by which way they came where it is not a page or the API. ``looked`` is how long they had the page open
    that they decide on, where that is known.
    """

    actor: str
    name: str
    agent: str = ""
    user: Any = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    key: Key | None = None
    looked: dt.timedelta | None = None
    shown_at: float | None = None
    """When the holder of a session last showed who they are; None without a session."""
    via: str = ""

    # What Django, DRF and the log expect of request.user.
    is_authenticated = True
    is_active = True
    is_anonymous = False

    @property
    def pk(self) -> str:
        return self.actor

    @property
    def way(self) -> dict[str, str]:
        """Return what an event says of the way by which they came."""
        return {"via": self.via} if self.via else {}

    def on_behalf_of(self, user_id: str) -> "Caller":
        """Return who a trusted back end acts as when it decides for a user of its own."""
        return replace(self, actor=f"key {self.key} on behalf of {user_id}", name=user_id)

    def has_perm(self, permission: str) -> bool:
        """Say whether this is an operator with *permission*."""
        return self.user is not None and bool(self.user.has_perm(permission))


def by_key(text: str) -> Caller:
    """Return who holds the key *text*.

    Raises:
        Refused: there is no such key, or it no longer holds.
    """
    parts = keys.split(text)
    row = None if parts is None else _by_prefix.first(prefix=parts[0])
    key = None if row is None else Key.from_db(None, _COLUMNS, row)
    if key is None or parts is None or not keys.matches(key, parts[1]):
        raise Refused("This key is unknown, expired or revoked.")
    _touch(key)
    return of_key(key)


def of_key(key: Key) -> Caller:
    """Return the caller that a valid *key* stands for."""
    if key.agent_id:
        name = key.agent_id
        return Caller(f"agent:{name}", name, agent=name, scopes=frozenset(key.scopes), key=key)
    return Caller(f"user:{key.user}", str(key.user), user=key.user, key=key)


def of_user(user: AbstractUser, session: Any = None, via: str = "") -> Caller:
    """Return the caller that an operator is who was recognised."""
    when, name = None if session is None else presence.shown_at(session), user.get_username()
    return Caller(f"user:{name}", name, user=user, shown_at=when, via=via)


def operator(request: HttpRequest) -> Caller:
    """Return who is logged in on a page of the admin, which lets nobody else in."""
    return of_user(cast(AbstractUser, request.user), request.session)


def by_cookie(header: str) -> Caller | None:
    """Return the operator whose session a ``Cookie`` header names, or None."""
    session = parse_cookie(header).get(settings.SESSION_COOKIE_NAME)
    if session is None:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session)
    user = get_user(request)
    if not user.is_authenticated or not presence.is_enough(request.session):
        return None
    return of_user(user, request.session)


def _touch(key: Key) -> None:
    """Note that the key was used, at most once a minute from each process."""
    now = time.monotonic()
    if now - _touched.get(key.pk, -TOUCH_SECONDS) >= TOUCH_SECONDS:
        _touched[key.pk] = now
        Key.objects.filter(pk=key.pk).update(last_used_at=Now())
