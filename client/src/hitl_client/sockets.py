"""Hear by WebSocket that something happened, instead of asking again and again. Needs `websockets`.

What happened is then read by ordinary calls. So a socket that is lost loses nothing: whoever listens has
its next answer held by the server, as without a socket, and opens another one after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from hitl_client.flows import Listen, log

PATIENCE_SECONDS = 5.0
TROUBLE = (WebSocketException, OSError, EOFError, ImportError)  # the last for a proxy it has no package for
Heard = Callable[[Any], bool]


class Ear:
    """A socket of one agent's stream, opened when somebody first listens."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url, self.headers = url, headers
        self._open = contextlib.ExitStack()
        self._socket: ClientConnection | None = None

    def listen(self, step: Listen) -> bool:
        """Return True when there may be something new to see, False where no socket is to be had.

        What happened before the socket was there has to be looked for, so it returns once it is.
        """
        try:
            if self._socket is None:
                opening = connect(self.url, additional_headers=self.headers, open_timeout=PATIENCE_SECONDS)
                self._socket = self._open.enter_context(opening)
                self._hear(self._socket, is_greeting, PATIENCE_SECONDS)
            else:
                self._hear(self._socket, step.concerns, step.seconds)
        except TROUBLE as trouble:
            log.warning(LOST, trouble)
            self.close()
            return False
        return True

    def _hear(self, socket: ClientConnection, wanted: Heard, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while not wanted(read(socket.recv(max(0, deadline - time.monotonic())))):
                continue

    def close(self) -> None:
        """Close the socket, if there is one."""
        self._socket = None
        self._open.close()


class AsyncEar:
    """`Ear`, to be awaited."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url, self.headers = url, headers
        self._open = contextlib.AsyncExitStack()
        self._socket: AsyncConnection | None = None

    async def listen(self, step: Listen) -> bool:
        """As `Ear.listen`."""
        try:
            if self._socket is None:
                opening = connect_async(
                    self.url, additional_headers=self.headers, open_timeout=PATIENCE_SECONDS
                )
                self._socket = await self._open.enter_async_context(opening)
                await self._hear(self._socket, is_greeting, PATIENCE_SECONDS)
            else:
                await self._hear(self._socket, step.concerns, step.seconds)
        except TROUBLE as trouble:
            log.warning(LOST, trouble)
            await self.close()
            return False
        return True

    async def _hear(self, socket: AsyncConnection, wanted: Heard, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not wanted(read(await socket.recv())):
                    continue

    async def close(self) -> None:
        """As `Ear.close`."""
        self._socket = None
        await self._open.aclose()


LOST = "No socket (%s): the answer is held instead"


def read(text: str | bytes) -> Any:
    """Read a message; an empty one for what is none."""
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    return message if isinstance(message, dict) else {}


def is_greeting(message: Any) -> bool:
    """Say whether the stream is being followed from now on."""
    return bool(message.get("type") == "hello")
