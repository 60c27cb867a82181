"""Make, check, rotate and revoke keys.

A key reads ``hitl_<prefix>_<secret>``: the prefix finds the row, an HMAC with the deployment's pepper
compares the secret, and a copy of the database alone opens nothing.
"""

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import cast

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.db.models.functions import Least, Now

from agents.models import DEFAULT_SCOPES, ON_BEHALF, SCOPES, Agent, Key, SocketTicket
from events import log
from events.models import SYSTEM, Stream

PREFIX = "hitl_"
TICKET_SECONDS = 60


def digest_of(secret: str) -> str:
    """Return the HMAC-SHA256 of *secret* under the pepper, in hex."""
    return hmac.new(settings.HITL_KEY_PEPPER.encode(), secret.encode(), hashlib.sha256).hexdigest()


def split(text: str) -> tuple[str, str] | None:
    """Take a key apart into prefix and secret; None when it cannot be one."""
    prefix, underscore, secret = text.removeprefix(PREFIX).partition("_")
    if not text.startswith(PREFIX) or not underscore or not text.isascii() or len(text) > 200:
        return None
    return prefix, secret


def check_scopes(scopes: Iterable[str]) -> list[str]:
    """Return *scopes* in their usual order.

    Raises:
        ValidationError: one is unknown, or ``on_behalf`` is mixed with others that act as the agent: a
            key that both asks and decides would let an agent approve itself.
    """
    wanted = set(scopes)
    if unknown := wanted - set(SCOPES):
        raise ValidationError(f"Unknown scopes {sorted(unknown)}. Choose from {', '.join(SCOPES)}.")
    if ON_BEHALF in wanted and "create" in wanted:
        raise ValidationError("A key with on_behalf decides; give creating to another key.")
    return [scope for scope in SCOPES if scope in wanted]


def matches(key: Key, secret: str) -> bool:
    """Say whether *secret* is the secret of *key*, in a time that tells nothing."""
    return hmac.compare_digest(key.digest, digest_of(secret))


def create_agent(
    name: str, *, description: str = "", owner: User | None = None, actor: str = SYSTEM
) -> Agent:
    """Make the agent called *name*, or return it; its stream begins with it.

    Raises:
        ValidationError: the name is not one an agent can have.
    """
    with log.unit_of_work():
        agent = Agent.objects.filter(name=name).first()
        if agent is None:
            agent = Agent(name=name, description=description, owner=owner)
            agent.full_clean()
            agent.save()
            Stream.objects.get_or_create(name=name)
            log.record(SYSTEM, "hitl.agent.created", name, actor=actor, data={"agent": name})
    return agent


def change_agent(agent: Agent, *, actor: str) -> None:
    """Store what may change about *agent*: description, owner, and whether its keys hold."""
    with log.unit_of_work():
        agent.save(update_fields=["description", "owner", "is_active"])
        told = {"agent": agent.name, "is_active": agent.is_active}
        log.record(SYSTEM, "hitl.agent.changed", agent.name, actor=actor, data=told)


def create_key(
    holder: Agent | User,
    *,
    scopes: Iterable[str] = DEFAULT_SCOPES,
    label: str = "",
    expires_at: dt.datetime | None = None,
    actor: str = SYSTEM,
) -> tuple[Key, str]:
    """Make a key for *holder*; return it and its text, which is nowhere kept and never shown again."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    whose = (
        {"agent": holder, "scopes": check_scopes(scopes)}
        if isinstance(holder, Agent)
        else {"user": holder, "scopes": []}
    )
    with log.unit_of_work():
        key = Key.objects.create(
            prefix=prefix, digest=digest_of(secret), label=label, expires_at=expires_at, **whose
        )
        _record("hitl.key.created", key, actor)
    return key, f"{PREFIX}{prefix}_{secret}"


def rotate(key: Key, *, overlap: dt.timedelta, actor: str) -> tuple[Key, str]:
    """Make a successor of *key*, which itself works on for *overlap* and then expires.

    The successor holds no longer than *key* was meant to.
    """
    with log.unit_of_work():
        holder = key.agent or cast(User, key.user)
        successor, text = create_key(
            holder, scopes=key.scopes, label=key.label, expires_at=key.expires_at, actor=actor
        )
        Key.objects.filter(pk=key.pk).update(expires_at=_sooner(key, overlap))
        _record("hitl.key.rotated", key, actor)
    return successor, text


def revoke(key: Key, *, actor: str) -> bool:
    """End *key* at once; its sockets are closed within seconds. Return whether it was still valid."""
    with log.unit_of_work():
        ended = Key.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=Now())
        if ended:
            _record("hitl.key.revoked", key, actor)
    return bool(ended)


def valid() -> Q:
    """Match the keys that hold now, by the database's clock."""
    alive = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
    return alive & Q(revoked_at__isnull=True) & (Q(agent__is_active=True) | Q(user__is_active=True))


def issue_ticket(key: Key) -> str:
    """Return a ticket that opens one socket as *key* within a minute."""
    ticket = secrets.token_urlsafe(32)
    SocketTicket.objects.create(
        digest=digest_of(ticket), key=key, expires_at=Now() + dt.timedelta(seconds=TICKET_SECONDS)
    )
    return ticket


def redeem_ticket(ticket: str) -> Key | None:
    """Spend *ticket*; of two that try, one gets the key."""
    row = SocketTicket.objects.filter(digest=digest_of(ticket), expires_at__gt=Now()).first()
    if row is None or not SocketTicket.objects.filter(pk=row.pk).delete()[0]:
        return None
    return Key.objects.select_related("agent", "user").filter(valid(), pk=row.key_id).first()


def sweep_tickets() -> int:
    """Delete tickets whose minute is over; return how many."""
    count, _ = SocketTicket.objects.filter(expires_at__lt=Now()).delete()
    return count


def _sooner(key: Key, overlap: dt.timedelta) -> Least | object:
    end = Now() + overlap
    return Least("expires_at", end) if key.expires_at else end


def _record(event_type: str, key: Key, actor: str) -> None:
    log.record(
        SYSTEM,
        event_type,
        f"key_{key.prefix}",
        actor=actor,
        data={"holder": key.holder, "scopes": key.scopes},
    )
