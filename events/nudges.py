"""Tell every process, after a commit, that a stream has grown. A nudge carries no more than that.

In the embedded set-up the hubs of this process are told directly. With Redis a thread of its own owns the
channel layer, so that a request neither waits for Redis nor fails with it: what cannot be sent is dropped,
and readers find it when they look again.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial

import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

GROUP = "nudges"
PAUSE_SECONDS = 0.005
Listener = Callable[[dict[str, int]], None]

log = structlog.get_logger(__name__)
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have *listener* called, from whichever thread commits, with ``{stream: position}``."""
    _listeners.append(listener)


def forget(listener: Listener) -> None:
    """Stop calling *listener*."""
    with contextlib.suppress(ValueError):
        _listeners.remove(listener)


def after_commit(heads: dict[str, int]) -> None:
    """Send *heads* once the transaction under way has been committed."""
    transaction.on_commit(partial(send, heads), robust=True)


def send(heads: dict[str, int]) -> None:
    """Tell the hubs of this process and, where there is Redis, those of the others."""
    for listener in list(_listeners):
        listener(heads)
    if not settings.EMBEDDED:
        _messenger().send(heads)


class Messenger:
    """Carry nudges to the channel layer from a thread with one event loop; bursts are merged by stream."""

    def __init__(self) -> None:
        self._waiting: dict[str, int] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._some = asyncio.Event()
        threading.Thread(target=self._run, name="nudges", daemon=True).start()

    def send(self, heads: dict[str, int]) -> None:
        with self._lock:
            idle = not self._waiting
            self._waiting.update(heads)
        if idle:
            self._loop.call_soon_threadsafe(self._some.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._carry())

    async def _carry(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            with self._lock:
                heads, self._waiting = self._waiting, {}
            try:
                async with asyncio.timeout(2):
                    await get_channel_layer().group_send(GROUP, {"type": "nudge", "heads": heads})
            except Exception as problem:  # whatever Redis or its driver raises: readers look again
                log.warning("nudge_dropped", streams=len(heads), problem=type(problem).__name__)
            await asyncio.sleep(PAUSE_SECONDS)  # what comes meanwhile goes together


_started: list[Messenger] = []
_starting = threading.Lock()


def _messenger() -> Messenger:
    # Started on first use, and so after a server has forked its workers.
    if not _started:
        with _starting:
            if not _started:
                _started.append(Messenger())
    return _started[0]
