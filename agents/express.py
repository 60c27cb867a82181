"""Answer what agents call most, before Django's middleware and REST framework: in WSGI and in ASGI.

A key, a short body and one verb need no session, no CSRF token and no negotiation, which are two thirds of
the work of such a call. Whatever is not plain (an operator's session, another content type, a body without
length, a query) goes on to the views, which serve the same paths and are what the API document describes.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from channels.db import database_sync_to_async
from django.db import close_old_connections

from agents.asgi import respond
from agents.callers import Caller
from agents.calls import Answer, Call, refused
from agents.permissions import Access
from events.http import API_PREFIXES, BODY_LIMIT

Verb = Callable[[Caller, Call, dict[str, str]], Answer]

_IN_WSGI = {
    "authorization": "HTTP_AUTHORIZATION",
    "idempotency-key": "HTTP_IDEMPOTENCY_KEY",
    "if-none-match": "HTTP_IF_NONE_MATCH",
    "content-type": "CONTENT_TYPE",
    "content-length": "CONTENT_LENGTH",
}


class ExpressRoute:
    """Serve *method* on *path* (a pattern with named groups) by *verb*, for callers that *access* admits."""

    def __init__(self, method: str, path: str, access: Access, verb: Verb) -> None:
        self.method, self._access, self._verb = method, access, verb
        self._path = re.compile(f"/(?:{'|'.join(API_PREFIXES)})/{path}", re.ASCII)

    def match(self, method: str, path: str, headers: Mapping[str, str]) -> dict[str, str] | None:
        """Return the path's groups when this route serves the call."""
        if method != self.method or (found := self._path.fullmatch(path)) is None:
            return None
        if headers.get("authorization", "")[:7].lower() != "bearer " or not _plain_body(method, headers):
            return None
        return found.groupdict()

    def answer(self, path: str, call: Call, groups: dict[str, str]) -> Answer:
        """Carry the verb out."""
        try:
            status, body, headers = self._verb(call.caller(self._access), call, groups)
        except Exception as error:
            status, body, headers = refused(error, path)
        return status, body, {"Content-Type": "application/json", **headers}


def _plain_body(method: str, headers: Mapping[str, str]) -> bool:
    if method == "GET":
        return True
    length = headers.get("content-length", "")
    json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    return json and length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= BODY_LIMIT


def wsgi(app: Any, routes: Iterable[ExpressRoute]) -> Any:
    """Put *routes* before the WSGI application *app*."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        headers = {name: environ.get(variable, "") for name, variable in _IN_WSGI.items()}
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        for route in routes if not environ.get("QUERY_STRING") else ():
            if (groups := route.match(method, path, headers)) is not None:
                break
        else:
            return app(environ, start_response)
        body = b"" if method == "GET" else environ["wsgi.input"].read(int(headers["content-length"]))
        try:
            status, content, lines = route.answer(path, Call(headers, body=body), groups)
        finally:
            close_old_connections()
        lines |= {"Content-Length": str(len(content)), "X-Content-Type-Options": "nosniff"}
        start_response(f"{status} {HTTPStatus(status).phrase}", list(lines.items()))
        return [content]

    return application


def asgi(app: Any, routes: Iterable[ExpressRoute]) -> Any:
    """Put *routes* before the ASGI application *app*."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        for route in routes if not scope.get("query_string") else ():
            if (groups := route.match(scope["method"], scope["path"], headers)) is not None:
                break
        else:
            await app(scope, receive, send)
            return
        body, more = b"", scope["method"] != "GET"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        answer = database_sync_to_async(route.answer, thread_sensitive=False)
        await respond(send, *await answer(scope["path"], Call(headers, body=body), groups))

    return application
