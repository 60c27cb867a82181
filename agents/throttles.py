"""Keep one caller from using up the server: so many calls a minute for each, over all processes.

A process takes calls from the common counter in Redis a hundredth of the limit at a time, so that most
calls need not ask. The limit is never exceeded; what a process took and did not need is lost to the others
until the next minute.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from agents.callers import Caller

WINDOW_SECONDS = 60
SHARES = 100
log = structlog.get_logger(__name__)
_lock = threading.Lock()


@dataclass(slots=True)
class _Count:
    """Count, of one caller in one minute, the calls that this process took and those it let through."""

    taken: int = 0
    passed: int = 0


_counts: dict[str, _Count] = {}


class CallsPerMinute(BaseThrottle):
    """Refuse what exceeds ``HITL_CALLS_PER_MINUTE``, with the seconds until the next minute."""

    def allow_request(self, request: Request, view: Any) -> bool:
        return not isinstance(request.auth, Caller) or allow(request.auth)

    def wait(self) -> float:
        return seconds_left()


def allow(caller: Caller) -> bool:
    """Count a call of *caller*; say whether it is within the limit."""
    window = f"calls:{caller.actor}:{int(time.time() // WINDOW_SECONDS)}"
    limit: int = settings.HITL_CALLS_PER_MINUTE
    with _lock:
        if window not in _counts and len(_counts) > 10_000:
            _counts.clear()
        count = _counts.setdefault(window, _Count())
        if count.passed >= count.taken:
            count.taken += _share(window, limit, count.taken)
        if count.passed >= min(count.taken, limit):
            return False
        count.passed += 1
        return True


def seconds_left() -> float:
    """Return how long the present window still lasts."""
    return WINDOW_SECONDS - time.time() % WINDOW_SECONDS


def _share(window: str, limit: int, taken: int) -> int:
    """Take some more calls from Redis's counter, or from this process's own while Redis is away."""
    share = max(1, limit // SHARES)
    if not settings.EMBEDDED:
        try:
            cache.add(window, 0, WINDOW_SECONDS * 2)
            return max(0, min(share, limit + share - cache.incr(window, share)))
        except Exception as problem:  # a limiter that fails must not take the service with it
            log.warning("throttle_counts_alone", problem=type(problem).__name__)
    return max(0, min(share, limit - taken))
