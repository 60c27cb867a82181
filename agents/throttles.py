"""Keep one caller from using up the server: so many calls a minute for each, counted atomically."""

import threading
import time
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from agents.callers import Caller

WINDOW_SECONDS = 60
log = structlog.get_logger(__name__)
_lock = threading.Lock()
_own_count: dict[str, int] = {}


class CallsPerMinute(BaseThrottle):
    """Refuse what exceeds ``HITL_CALLS_PER_MINUTE``, with the seconds until the next minute."""

    def allow_request(self, request: Request, view: Any) -> bool:
        return not isinstance(request.auth, Caller) or allow(request.auth)

    def wait(self) -> float:
        return seconds_left()


def allow(caller: Caller) -> bool:
    """Count a call of *caller*; say whether it is within the limit."""
    window = f"calls:{caller.actor}:{int(time.time() // WINDOW_SECONDS)}"
    return _count(window) <= settings.HITL_CALLS_PER_MINUTE


def seconds_left() -> float:
    """Return how long the present window still lasts."""
    return WINDOW_SECONDS - time.time() % WINDOW_SECONDS


def _count(window: str) -> int:
    """Add one to the counter called *window*: Redis's, or this process's own while Redis is away."""
    if not settings.EMBEDDED:
        try:
            cache.add(window, 0, WINDOW_SECONDS * 2)
            return int(cache.incr(window))
        except Exception as problem:  # a limiter that fails must not take the service with it
            log.warning("throttle_counts_alone", problem=type(problem).__name__)
    with _lock:
        if window not in _own_count and len(_own_count) > 10_000:
            _own_count.clear()
        _own_count[window] = _own_count.get(window, 0) + 1
        return _own_count[window]
