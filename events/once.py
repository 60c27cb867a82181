"""Know across processes, from the cache, what was seen or done already: once, or so many times in a while."""

import structlog
from django.core.cache import cache

log = structlog.get_logger(__name__)


def is_first(key: str, seconds: int, *, otherwise: bool) -> bool:
    """Say whether *key* was not seen in so many seconds; *otherwise* where the cache cannot say."""
    try:
        return bool(cache.add(f"once:{key}", 1, seconds))
    except Exception as problem:
        log.warning("not_counted", problem=type(problem).__name__)
        return otherwise


def has_room(key: str, times: int, seconds: int) -> bool:
    """Take one of so many *times* in which *key* may be had in so many seconds; say whether there was one.

    Where the cache cannot say, there is.
    """
    return any(is_first(f"{key}:{number}", seconds, otherwise=True) for number in range(times))
