"""Refuse an endless body while it comes in, and a Content-Type that Django would fail on."""

import re
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import Any

from django.conf import settings
from django.utils.http import parse_header_parameters

from events.problems import CONTENT_TYPE, Problem
from interrupts.hooks import LIMIT as SLACK_LIMIT

PIECE = 64 * 1024
SLACK = "/hooks/slack"
TOO_LARGE = Problem(413, "too_large", "The body is too large.")
UNREADABLE = Problem(415, "unsupported_media_type", "This Content-Type cannot be read. Send UTF-8.")
CHARSETS = ("utf-8", "utf8", "us-ascii")
UPLOADS = re.compile(
    r"/attachments$|/sessions/.+/files$"
    r"|^/admin/(?:interrupts/interrupt|requests_app/actionrequest)/[^/]+/change/$",
    re.ASCII,
)


def limit_of(path: str) -> int:
    """Return how many bytes a body on *path* may have; only where files are taken are they many."""
    if path == SLACK:
        return SLACK_LIMIT
    if UPLOADS.search(path):
        return (settings.HITL_ATTACHMENT_MAX_MIB + 1) * 1024 * 1024
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def is_readable(content_type: str) -> bool:
    """Say whether *content_type* can be parsed, and names no charset but UTF-8, as which all is read."""
    try:
        _, parameters = parse_header_parameters(content_type)
    except (LookupError, TypeError, ValueError):  # parameters in pieces or in unknown charsets (RFC 2231)
        return False
    return parameters.get("charset", CHARSETS[0]).lower() in CHARSETS


class BodyLimit:
    """Answer 413 to a body beyond :func:`limit_of`, announced or counted; 415 to what is not readable."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        limit = limit_of(scope["path"])
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        types = [value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"]
        if not announced.isdigit() or int(announced) > limit:
            await _refuse(send, TOO_LARGE)
        elif not is_readable(",".join(types)):
            await _refuse(send, UNREADABLE)
        elif any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            with SpooledTemporaryFile(max_size=settings.DATA_UPLOAD_MAX_MEMORY_SIZE) as body:
                length = await _read(receive, limit, body)
                if length is None:
                    await _refuse(send, TOO_LARGE)
                    return
                headers = [header for header in scope["headers"] if header[0] != b"transfer-encoding"]
                headers.append((b"content-length", str(length).encode()))
                await self._app({**scope, "headers": headers}, _again(body, length, receive), send)
        else:
            await self._app(scope, receive, send)


async def _read(receive: Any, limit: int, body: Any) -> int | None:
    """Read a body whose length was not announced into *body*; None when it is too long or its sender gone.

    Django and DRF take such a body for an empty one, so it is given a length.
    """
    length, more = 0, True
    while more:
        message = await receive()
        length += body.write(message.get("body", b""))
        more = message.get("more_body", False)
        if length > limit or message["type"] == "http.disconnect":
            return None
    body.seek(0)
    return length


def _again(body: Any, length: int, receive: Any) -> Any:
    """Return a ``receive`` that first hands over *body*."""

    async def pieces() -> AsyncIterator[dict[str, Any]]:
        more = True
        while more:
            piece = body.read(PIECE)
            more = body.tell() < length
            yield {"type": "http.request", "body": piece, "more_body": more}

    waiting = pieces()

    async def receive_next() -> Any:
        return await anext(waiting, None) or await receive()

    return receive_next


def wsgi(app: Any) -> Any:
    """Put the same before the WSGI application *app*: by what is announced, before anything is read."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        announced = environ.get("CONTENT_LENGTH") or "0"
        if not announced.isdigit() or int(announced) > limit_of(environ["PATH_INFO"]):
            problem = TOO_LARGE
        elif not is_readable(environ.get("CONTENT_TYPE", "")):
            problem = UNREADABLE
        else:
            return app(environ, start_response)
        status, title = problem.status, problem.document()["title"]
        start_response(f"{status} {title}", [("Content-Type", CONTENT_TYPE), ("Connection", "close")])
        return [problem.response().content]

    return application


async def _refuse(send: Any, problem: Problem) -> None:
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.response().content})
