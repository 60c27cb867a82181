"""Sockets. Who is at the other end is known before a consumer runs, as ``scope["listener"]``.

An agent is told everything of its own stream, from its cursor on. An operator's page is only told that
something happened, and fetches what it may see.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from events import selectors
from events.hub import hub
from events.models import Stream
from events.selectors import Frame

CLOSE_UNAUTHENTICATED = 4401
CLOSE_TOO_SLOW = 4408
CLOSE_TOO_MANY = 4429
PING_SECONDS = 20.0
SEND_SECONDS = 10.0
SIGNALS_WAITING = 200


class StreamConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Send frames until the socket closes, answer pings, and end when told to."""

    channel_layer_alias = "none"  # the hub hears for all sockets: none needs, or waits for, Redis itself
    understands = "Send a JSON object whose type is ping, pong or ack."

    async def connect(self) -> None:
        self.listener = self.scope.get("listener")
        self.sender: asyncio.Task[None] | None = None
        await self.accept()  # a refusal after the handshake can say why
        if self.listener is None:
            await self.close(CLOSE_UNAUTHENTICATED)
            return
        if not self.listener.add(self):
            await self.close(CLOSE_TOO_MANY)
            return
        await self.start(self._run())

    async def disconnect(self, code: int) -> None:
        if self.listener is not None:
            self.listener.remove(self)
        await self._stop()

    async def start(self, sending: Coroutine[Any, Any, None]) -> None:
        """Send from *sending* instead of what was being sent before."""
        await self._stop()
        self.sender = asyncio.create_task(sending)

    async def _stop(self) -> None:
        if self.sender is not None:
            self.sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.sender

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            message = orjson.loads(text_data or bytes_data or b"null")
        except ValueError:
            message = None
        if not isinstance(message, dict) or not await self.answer(message):
            await self.tell({"type": "error", "code": "unknown_message", "detail": self.understands})

    async def answer(self, message: dict[str, Any]) -> bool:
        """Answer *message*; say whether it was understood."""
        kind = message.get("type")
        if kind == "ping":
            await self.tell({"type": "pong"})
        # An ack needs no answer: the reader keeps its cursor.
        return kind in ("ping", "pong", "ack")

    async def tell(self, message: dict[str, Any]) -> None:
        await self.push(orjson.dumps(message).decode())

    async def push(self, text: str) -> None:
        """Send *text*; a reader that does not read is let go rather than waited for."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self.send(text_data=text)
        except TimeoutError:
            with contextlib.suppress(TimeoutError):  # even a close has to wait until there is room for it
                async with asyncio.timeout(SEND_SECONDS):
                    await self.close(CLOSE_TOO_SLOW)
            raise asyncio.CancelledError from None

    async def revoke(self) -> None:
        """Close the socket because its key or session no longer holds."""
        await self.close(CLOSE_UNAUTHENTICATED)

    async def _run(self) -> None:
        raise NotImplementedError


class AgentConsumer(StreamConsumer):
    """`ws/agents`: hello, replay from the cursor, then live, without a gap.

    The cursor comes in the query (``?after=``) or in a ``hello`` of the reader's own, at any time.
    """

    understands = "Send a JSON object whose type is hello, ping, pong or ack."

    async def _run(self) -> None:
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        await self._stream((query.get("after") or query.get("cursor") or [None])[0], greet=True)

    async def answer(self, message: dict[str, Any]) -> bool:
        if message.get("type") != "hello":
            return await super().answer(message)
        if not await database_sync_to_async(self.listener.may_call)():  # a replay is work
            await self.tell(
                {"type": "error", "code": "throttled", "detail": "Too many calls. Wait a minute."}
            )
            return True
        cursor = message.get("cursor")
        await self.start(self._stream(cursor if isinstance(cursor, str) else None, greet=False))
        return True

    async def _stream(self, cursor: str | None, *, greet: bool) -> None:
        """Send what follows *cursor*; without one, what happens from now on."""
        try:
            stream, position = await database_sync_to_async(_find)(self.listener.stream, cursor)
        except selectors.CursorReset as reset:
            await self.tell({"type": "reset", "code": "reset", "cursor": reset.cursor})
            return  # the socket stays open: the reader may say hello again with the new cursor
        except selectors.BadCursor as problem:
            await self.tell({"type": "error", "code": "bad_cursor", "detail": str(problem)})
            return
        if greet:
            await self.tell({"type": "hello", "cursor": f"{stream.epoch}:{position}", "head": stream.cursor})
        async for frames in hub().follow(stream.name, position, idle=PING_SECONDS):
            for frame in frames:
                await self.push(frame.text)
            if not frames:
                await self.tell({"type": "ping"})


class OperatorConsumer(StreamConsumer):
    """`ws/operators`: a signal for each event that the operator may see; the page refetches itself."""

    async def _run(self) -> None:
        waiting: asyncio.Queue[Frame | None] = asyncio.Queue()

        def watch(frame: Frame) -> None:
            if waiting.qsize() >= SIGNALS_WAITING:  # one "look again" says as much as two hundred signals
                while not waiting.empty():
                    waiting.get_nowait()
                waiting.put_nowait(None)
            else:
                waiting.put_nowait(frame)

        async with hub().watching(watch):
            await self.tell({"type": "hello"})
            while True:
                try:
                    async with asyncio.timeout(PING_SECONDS):
                        frame = await waiting.get()
                except TimeoutError:
                    await self.tell({"type": "ping"})
                    continue
                if frame is None:
                    await self.tell({"type": "refetch"})
                elif self.listener.may_see(frame):
                    await self.push(signal(frame))


@lru_cache(maxsize=16)  # written once for all who are told
def signal(frame: Frame) -> str:
    """Write the signal of one event: what moved and who moved it, never what an agent wrote but its title."""
    event = orjson.loads(frame.text)
    data = event["data"]
    return orjson.dumps(
        {
            "type": frame.type,
            "cursor": event["cursor"],
            "item": frame.subject_id,
            "kind": data.get("kind", ""),
            "status": data.get("status", ""),
            "title": data.get("title", ""),
            "data": {"title": data.get("title", "")},  # where the seed's pages look for it
            "agent": event["agent"],
            "actor": event["actor"],
            "occurred_at": event["occurred_at"],
        }
    ).decode()


def _find(name: str, cursor: str | None) -> tuple[Stream, int]:
    stream = selectors.stream_of(name)
    return stream, stream.position if cursor is None else selectors.position_after(stream, cursor)
