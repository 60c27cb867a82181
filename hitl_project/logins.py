"""Log in, and make guessing a password slow: by limits for a name, for an address, and for both together.

Who reaches one pauses, each time for twice as long. A name's limit spares the addresses that it has logged in
from: a stranger's guesses, from however many addresses, keep no colleague out.
"""

import hashlib
import ipaddress
from typing import Any

import structlog
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from events import log as record
from events.models import SYSTEM

TRIES, TRIES_OF_ONE, SECONDS, LONGEST_PAUSE = 10, 50, 60, 900
TRIES_OF_CODES = 5  # a code has six digits: fewer guesses than at a password
HOUR, DAY = 3600, 86_400
FAILURES_RECORDED = 100  # an hour, so that a flood cannot fill the record
log = structlog.get_logger(__name__)


class LoginForm(AdminAuthenticationForm):
    """Look at no password while its name, its address or the two together have to pause."""

    def clean(self) -> dict[str, Any]:
        name, address = self.cleaned_data.get("username", ""), address_of(self.request)
        limits = _limits(name, address)
        if any(_must_pause(who, tries, name, address) for who, tries in limits.items()):
            raise too_many_tries()
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            log.info("login_failed", address=address)
            raise
        _succeeded(limits, name, address)
        return cleaned


def too_many_tries() -> ValidationError:
    """Return how a form says that somebody has to pause."""
    return ValidationError(_("Too many tries. Wait a while, then try again."), code="too_many_tries")


def must_pause(request: HttpRequest, user: User) -> bool:
    """Count a try to confirm who *user* is; say whether it may not be made.

    It is counted for the person, wherever it comes from: to log in anew, or elsewhere, gives no more tries.
    """
    return _must_pause(_key("person", str(user.pk)), TRIES_OF_CODES, user.get_username(), address_of(request))


def confirmed(user: User) -> None:
    """Take that try, and those before it, for no guesses."""
    who = _key("person", str(user.pk))
    for counter in (who, f"{who}:pauses"):
        _asked("delete", counter)


def entered(request: HttpRequest, name: str, by: str = "") -> None:
    """Record that *name* is in; *by* which other site, where it was not by password."""
    address = address_of(request)
    log.info("logged_in", address=address)
    _record("hitl.user.logged_in", name, f"user:{name}", address, **({"by": by} if by else {}))


def address_of(request: HttpRequest | None) -> str:
    """Return where *request* comes from; of an IPv6 address its network, whose holder has all of it.

    Each proxy of ours adds whom it was called by on the right: what stands further left anybody can write.
    """
    if request is None:
        return ""
    address: str = request.META.get("REMOTE_ADDR", "")
    if settings.HITL_BEHIND_PROXY:
        told = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        if len(told) >= settings.HITL_PROXIES and told[-settings.HITL_PROXIES]:
            address = told[-settings.HITL_PROXIES]
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(known) if known.version == 4 else str(ipaddress.ip_network(f"{known}/64", strict=False))


def _limits(name: str, address: str) -> dict[str, int]:
    """Return how many tries each counter allows in a minute."""
    limits = {_key("both", name, address): TRIES, _key("address", address): TRIES_OF_ONE}
    if not _asked("get", _key("known", name, address)):
        limits[_key("name", name)] = TRIES_OF_ONE
    return limits


def _must_pause(who: str, tries: int, name: str, address: str) -> bool:
    """Count a try before it is made; say whether it may not be."""
    if _asked("get", f"{who}:pause"):
        return True
    if _counted(who, SECONDS) <= tries:
        return False
    pauses = _asked("get", f"{who}:pauses") or 0
    if _asked("add", f"{who}:pause", 1, min(SECONDS * 2**pauses, LONGEST_PAUSE)):
        _counted(f"{who}:pauses", DAY)
        _asked("delete", who)
        log.warning("login_paused", address=address)
        if _counted("login:recorded", HOUR) <= FAILURES_RECORDED:
            _record("hitl.user.login_failed", name, SYSTEM, address)
    return True


def _succeeded(limits: dict[str, int], name: str, address: str) -> None:
    for who in limits:
        _asked("decr", who)  # it was no guess
    _asked("delete", f"{_key('both', name, address)}:pauses")
    _asked("set", _key("known", name, address), 1, 30 * DAY)


def _record(event_type: str, name: str, actor: str, address: str, **told: str) -> None:
    """Record *name* only if somebody is called so: in haste people write passwords there."""
    known = name if User.objects.filter(username=name).exists() else "unknown"
    with record.unit_of_work():
        record.record(SYSTEM, event_type, known, actor=actor, data={"address": address, **told})


def _key(kind: str, *parts: str) -> str:
    return f"login:{kind}:{hashlib.sha256(repr(parts).encode()).hexdigest()}"


def _counted(key: str, seconds: int) -> int:
    _asked("add", key, 0, seconds)
    return _asked("incr", key) or 0


def _asked(verb: str, key: str, *values: Any) -> Any:
    """Ask the cache; a limiter that fails must not lock people out."""
    try:
        return getattr(cache, verb)(key, *values)
    except ValueError:  # what was to be counted has just expired
        return None
    except Exception as problem:
        log.warning("logins_not_counted", problem=type(problem).__name__)
        return None
