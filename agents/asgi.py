"""Answer calls that wait, in ASGI and before Django's middleware.

Waiting holds neither thread nor connection. A :class:`WaitingRoute` knows who calls, counts the call
against the limit, and then only waits. Everything that touches the database is short and runs in a thread.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from channels.db import database_sync_to_async
from django.http import QueryDict

from agents.callers import Caller
from agents.calls import Answer, Call, refused
from agents.permissions import Access
from events.http import API_PREFIXES

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[Caller, dict[str, str], QueryDict], Awaitable[tuple[bytes, dict[str, str]]]]


class WaitingRoute:
    """Serve GETs of a path by a handler, for callers that *access* admits.

    *path* is a pattern with named groups, and stands below each of the API's prefixes.
    """

    def __init__(self, path: str, access: Access, handler: Handler) -> None:
        self._path = re.compile(f"/(?:{'|'.join(API_PREFIXES)})/{path}")
        self._access, self._handler = access, handler

    def match(self, scope: Scope) -> dict[str, str] | None:
        """Return the path's groups when this route serves *scope*."""
        found = self._path.fullmatch(scope["path"]) if scope["method"] == "GET" else None
        return found and found.groupdict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, groups: dict[str, str]) -> None:
        answer = asyncio.create_task(self._answer(scope, groups))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                status, body, headers = answer.result()
                await respond(send, status, body, headers)
        finally:
            answer.cancel()
            gone.cancel()

    async def _answer(self, scope: Scope, groups: dict[str, str]) -> Answer:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        call = Call(headers, scope.get("query_string", b""))
        try:
            caller = await database_sync_to_async(call.caller)(self._access)
            body, more = await self._handler(caller, groups, call.query)
        except Exception as error:
            return refused(error, scope["path"])
        return 200, body, {"Content-Type": "application/json", "Cache-Control": "no-store", **more}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def respond(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Send a whole answer."""
    lines = {"content-length": str(len(body)), "x-content-type-options": "nosniff", **headers}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in lines.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
