"""The hub: one reader of the record a process, for all its sockets and waiting calls.

A nudge makes the hub read what a stream has gained, once; each event is encoded once and kept in a short
tail. Followers are woken and take from the tail at their own pace; one that has fallen behind it reads the
database, so a slow client costs nobody anything and no queue can grow. Nudges may be lost: the hub looks
again every few seconds at the streams somebody follows.

    commit -> nudge -> Hub -> Tail -> followers (sockets, long polls, waits for one subject)
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from weakref import WeakKeyDictionary

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings

from events import nudges, selectors
from events.selectors import Frame

TAIL_LENGTH = 1_000
READ_AT_ONCE = 500
LOOK_AGAIN_SECONDS = {"embedded": 1.0, "redis": 2.0}
Watcher = Callable[[Frame], None]

log = structlog.get_logger(__name__)


class Bell:
    """Wake everybody who waits. ``rung`` counts, so that a ring between look and wait is not missed."""

    def __init__(self) -> None:
        self.rung = 0
        self.users = 0
        self._sleepers: set[asyncio.Future[None]] = set()

    async def wait(self, seconds: float, rung: int) -> None:
        """Return when the bell has rung more than *rung* times, or *seconds* have passed."""
        if self.rung > rung or seconds <= 0:
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.add(sleeper)
        try:
            await asyncio.wait([sleeper], timeout=seconds)
        finally:
            self._sleepers.discard(sleeper)

    def ring(self) -> None:
        self.rung += 1
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)


class Tail:
    """Keep the last events of one stream while somebody follows it."""

    def __init__(self, name: str, epoch: str, position: int) -> None:
        self.name, self.epoch = name, epoch
        self.start = self.position = self.wanted = position
        self.frames: deque[Frame] = deque()
        self.bell = Bell()
        self.followers = 0
        self.reader: asyncio.Task[None] | None = None

    def after(self, position: int) -> list[Frame] | None:
        """Return what follows *position*, or None when the tail no longer reaches back so far."""
        if position >= self.position:
            return []
        if position < self.start:
            return None
        return [self.frames[index] for index in range(position - self.start, len(self.frames))]

    def extend(self, frames: list[Frame]) -> None:
        self.frames.extend(frames)
        self.position = frames[-1].position
        while len(self.frames) > TAIL_LENGTH:
            self.start = self.frames.popleft().position
        self.bell.ring()


class Hub:
    """Follow streams for one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tails: dict[str, Tail] = {}
        self._subjects: dict[str, Bell] = {}
        self._watchers: set[Watcher] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self.closed = False
        nudges.listen(self._on_commit)
        self._tasks.append(loop.create_task(self._look_again()))
        if not settings.EMBEDDED:
            self._tasks.append(loop.create_task(self._receive()))

    # -- For readers ----------------------------------------------------------------------------------

    async def follow(self, name: str, position: int, idle: float = 30.0) -> AsyncIterator[list[Frame]]:
        """Yield the events of *name* after *position* as they come; an empty list after *idle* seconds."""
        async with self._following(name) as tail:
            while not self.closed:
                rung = tail.bell.rung
                frames = tail.after(position)
                if frames is None:
                    frames = await _read(name, tail.epoch, position)
                if frames:
                    position = frames[-1].position
                    yield frames
                    continue
                await tail.bell.wait(idle, rung)
                if tail.bell.rung == rung:
                    yield []

    @asynccontextmanager
    async def subject(self, stream: str, subject_id: str) -> AsyncIterator[Bell]:
        """Give a bell that rings whenever something happens to *subject_id* of *stream*."""
        async with self._following(stream):
            bell = self._subjects.setdefault(subject_id, Bell())
            bell.users += 1
            try:
                yield bell
            finally:
                bell.users -= 1
                if not bell.users:
                    self._subjects.pop(subject_id, None)

    @asynccontextmanager
    async def watching(self, watcher: Watcher) -> AsyncIterator[None]:
        """Call *watcher* with every event of every stream from now on."""
        found = await database_sync_to_async(selectors.heads)()
        for name, (epoch, position) in found.items():
            self._tails.setdefault(name, Tail(name, epoch, position))
        self._watchers.add(watcher)
        try:
            yield
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                self._tails = {name: tail for name, tail in self._tails.items() if tail.followers}

    # -- Reading --------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _following(self, name: str) -> AsyncIterator[Tail]:
        tail = self._tails.get(name) or await self._open(name)
        tail.followers += 1
        try:
            yield tail
        finally:
            tail.followers -= 1
            if not tail.followers and not self._watchers:
                self._tails.pop(name, None)

    async def _open(self, name: str) -> Tail:
        stream = await database_sync_to_async(selectors.stream_of)(name)
        return self._tails.setdefault(name, Tail(name, stream.epoch, stream.position))

    def _on_commit(self, heads: dict[str, int]) -> None:
        with suppress(RuntimeError):  # the loop is closing
            self._loop.call_soon_threadsafe(self._advance, heads)

    def _advance(self, heads: dict[str, int]) -> None:
        for name, position in heads.items():
            tail = self._tails.get(name)
            if tail is None and self._watchers:  # a stream that did not exist when the watching began
                tail = self._tails[name] = Tail(name, "", 0)
            if tail is None or position <= tail.wanted:
                continue
            tail.wanted = position
            if tail.reader is None:
                tail.reader = self._loop.create_task(self._read_on(tail))

    async def _read_on(self, tail: Tail) -> None:
        try:
            if not tail.epoch:
                tail.epoch = (await database_sync_to_async(selectors.stream_of)(tail.name)).epoch
            while tail.position < tail.wanted:
                frames = await _read(tail.name, tail.epoch, tail.position)
                if not frames:
                    break
                tail.extend(frames)
                for frame in frames:
                    if bell := self._subjects.get(frame.subject_id):
                        bell.ring()
                    for watcher in list(self._watchers):
                        watcher(frame)
        except Exception:  # the database may be away: look again soon
            log.exception("stream_not_read", stream=tail.name)
        finally:
            tail.wanted = tail.position
            tail.reader = None

    async def _look_again(self) -> None:
        pause = LOOK_AGAIN_SECONDS["embedded" if settings.EMBEDDED else "redis"]
        while True:
            await asyncio.sleep(pause)
            if not self._tails and not self._watchers:
                continue
            try:
                names = None if self._watchers else list(self._tails)
                found = await database_sync_to_async(selectors.heads)(names)
            except Exception as problem:
                log.warning("streams_not_looked_at", problem=type(problem).__name__)
                continue
            self._advance({name: position for name, (_, position) in found.items()})

    async def _receive(self) -> None:
        """Hear the nudges of other processes, for as long as Redis is there to carry them."""
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel("hub")
                await layer.group_add(nudges.GROUP, channel)
                while True:
                    message = await layer.receive(channel)
                    self._advance(message["heads"])
            except Exception as problem:
                log.warning("nudges_not_heard", problem=type(problem).__name__)
                await asyncio.sleep(1)

    async def close(self) -> None:
        """Let every follower end."""
        self.closed = True
        nudges.forget(self._on_commit)
        for task in self._tasks:
            task.cancel()
        for tail in self._tails.values():
            tail.bell.ring()
        for bell in self._subjects.values():
            bell.ring()


async def _read(name: str, epoch: str, position: int) -> list[Frame]:
    frames: list[Frame] = await database_sync_to_async(selectors.frames_after)(
        name, epoch, position, READ_AT_ONCE
    )
    return frames


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """Return the hub of the running event loop, starting it on first use."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = Hub(loop)
    return found


async def close_hubs() -> None:
    """Let everybody who waits in this event loop go, and those go at once who only now begin to."""
    await hub().close()
