"""Answer calls that wait, in ASGI and before Django's middleware.

Waiting holds neither thread nor connection. A :class:`WaitingRoute` knows who calls, counts the call
against the limit, and then only waits. Everything that touches the database is short and runs in a thread.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from channels.db import database_sync_to_async
from django.http import QueryDict

from agents import callers, throttles
from agents.callers import Caller
from agents.permissions import Access
from events.http import API_PREFIXES
from events.problems import CONTENT_TYPE, Problem, from_exception, server_error

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[Caller, dict[str, str], QueryDict], Awaitable[tuple[bytes, dict[str, str]]]]

log = structlog.get_logger(__name__)


class Call:
    """Hold what the headers of one GET say."""

    def __init__(self, scope: Scope) -> None:
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.query = QueryDict(scope.get("query_string", b""))

    def caller(self) -> Caller:
        """Return who calls, within the limit of calls.

        Raises:
            Problem: 401 without a key or session that holds, 429 beyond the limit.
        """
        scheme, _, text = self.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() == "bearer":
                found: Caller | None = callers.by_key(text.strip())
            else:
                found = callers.by_cookie(self.headers.get("cookie", ""))
        except callers.Refused as refusal:
            raise _unauthenticated(str(refusal)) from None
        if found is None:
            raise _unauthenticated("Send `Authorization: Bearer hitl_…`, or log in at /admin/login/.")
        if not throttles.allow(found):
            seconds = str(int(throttles.seconds_left()) + 1)
            raise Problem(
                429,
                "throttled",
                f"Too many calls. Try again in {seconds} s.",
                headers={"Retry-After": seconds},
            )
        return found


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
                await _respond(send, status, body, headers)
        finally:
            answer.cancel()
            gone.cancel()

    async def _answer(self, scope: Scope, groups: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        try:
            call = Call(scope)
            caller = await database_sync_to_async(self._admit)(call)
            body, headers = await self._handler(caller, groups, call.query)
        except Exception as error:
            problem = from_exception(error)
            if problem is None:
                log.exception("waiting_route_failed", path=scope["path"])
                return 500, server_error().content, {"content-type": CONTENT_TYPE}
            return (
                problem.status,
                orjson.dumps(problem.document()),
                {"content-type": CONTENT_TYPE, **problem.headers},
            )
        return 200, body, {"content-type": "application/json", "cache-control": "no-store", **headers}

    def _admit(self, call: Call) -> Caller:
        caller = call.caller()
        self._access.check(caller)
        return caller


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _respond(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    lines = {"content-length": str(len(body)), "x-content-type-options": "nosniff", **headers}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in lines.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="hitl"'})
