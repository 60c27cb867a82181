"""Let sockets in: an agent by key or one-time ticket, an operator by session; and see that they may stay.

A socket outlives the call that opened it, so every few seconds one query a process asks which of the keys
and sessions behind its sockets still hold, and closes the others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import OperationalError

from agents import callers, keys, throttles
from agents.callers import Caller
from agents.models import STREAM, Key
from events.consumers import StreamConsumer
from events.selectors import Frame

RECHECK_SECONDS = 2.0
CLOSE_TRY_LATER = 1013
App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
log = structlog.get_logger(__name__)


class Listener:
    """Stand behind a socket: whose stream it hears, and whether it still may."""

    def __init__(self, caller: Caller, cookie: str = "") -> None:
        self.caller, self.stream, self._cookie = caller, caller.agent, cookie

    def may_see(self, frame: Frame) -> bool:
        """Say whether an operator's page is told of *frame*: items to all who may view them."""
        return frame.stream != "system" or self.caller.has_perm("events.view_event")

    def add(self, socket: StreamConsumer) -> bool:
        """Keep an eye on *socket*; say whether its holder may open one more."""
        sockets = _Doorkeeper.of_this_loop().sockets
        theirs = sum(other.caller.actor == self.caller.actor for other in sockets.values())
        if theirs >= settings.HITL_SOCKETS_PER_CALLER:
            return False
        sockets[socket] = self
        return True

    def may_call(self) -> bool:
        """Count a call; say whether it is within the limit."""
        return throttles.allow(self.caller)

    def remove(self, socket: StreamConsumer) -> None:
        _Doorkeeper.of_this_loop().sockets.pop(socket, None)

    def session_holds(self) -> bool:
        """Say whether the operator is still logged in and may still look."""
        found = callers.by_cookie(self._cookie)
        return found is not None and found.has_perm("reviews.view_reviewitem")


class _Doorkeeper:
    """Close the sockets of one event loop whose key or session no longer holds."""

    _by_loop: dict[asyncio.AbstractEventLoop, "_Doorkeeper"] = {}

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.sockets: dict[StreamConsumer, Listener] = {}
        self._round = loop.create_task(self._go_round())

    @classmethod
    def of_this_loop(cls) -> "_Doorkeeper":
        loop = asyncio.get_running_loop()
        for closed in [other for other in cls._by_loop if other.is_closed()]:
            del cls._by_loop[closed]
        if loop not in cls._by_loop:
            cls._by_loop[loop] = cls(loop)
        return cls._by_loop[loop]

    async def _go_round(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            sockets = dict(self.sockets)
            if not sockets:
                continue
            try:
                gone = await database_sync_to_async(_gone)(sockets)
            except Exception as problem:  # the database is away: nobody can be judged now
                log.warning("sockets_not_rechecked", problem=type(problem).__name__)
                continue
            for socket in gone:
                await socket.revoke()


def _gone(sockets: dict[StreamConsumer, Listener]) -> list[StreamConsumer]:
    wanted = {listener.caller.key.pk for listener in sockets.values() if listener.caller.key}
    held = set(Key.objects.filter(keys.valid(), pk__in=wanted).values_list("pk", flat=True))
    return [
        socket
        for socket, listener in sockets.items()
        if (listener.caller.key.pk not in held if listener.caller.key else not listener.session_holds())
    ]


class _Door:
    """Set ``scope["listener"]`` to who may listen; nobody else gets one."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            listener = await database_sync_to_async(self._listener)(scope)
        except OperationalError as problem:  # the database is away: nobody can be judged now
            log.warning("socket_not_judged", problem=type(problem).__name__)
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": CLOSE_TRY_LATER})
            return
        await self._app({**scope, "listener": listener}, receive, send)

    def _listener(self, scope: dict[str, Any]) -> Listener | None:
        raise NotImplementedError


class AgentDoor(_Door):
    """Let in the holder of a key with scope ``stream``."""

    def _listener(self, scope: dict[str, Any]) -> Listener | None:
        scheme, _, text = _header(scope, b"authorization").partition(" ")
        ticket = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("ticket", [""])[0]
        caller = None
        if scheme.lower() == "bearer":
            try:
                caller = callers.by_key(text.strip())
            except callers.Refused:
                return None
        elif ticket and (key := keys.redeem_ticket(ticket)):
            caller = callers.of_key(key)
        return Listener(caller) if caller and STREAM in caller.scopes else None


class OperatorDoor(_Door):
    """Let in a logged-in operator who may view items, from a page of ours."""

    def _listener(self, scope: dict[str, Any]) -> Listener | None:
        cookie = _header(scope, b"cookie")
        caller = callers.by_cookie(cookie) if _is_own_page(scope) else None
        return Listener(caller, cookie) if caller and caller.has_perm("reviews.view_reviewitem") else None


def _is_own_page(scope: dict[str, Any]) -> bool:
    """Say whether a page of ours opens the socket: same host *and port*, as Django judges a POST."""
    host = _header(scope, b"host")
    return _header(scope, b"origin") in (f"http://{host}", f"https://{host}", *settings.CSRF_TRUSTED_ORIGINS)


def _header(scope: dict[str, Any], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
