"""Refuse an endless body while it comes in, before anything is kept of it."""

from typing import Any

from django.conf import settings

from events.problems import CONTENT_TYPE, Problem


class BodyLimit:
    """Answer 413 to a body beyond ``DATA_UPLOAD_MAX_MEMORY_SIZE``, announced or counted."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not announced.isdigit() or int(announced) > limit:
            await _refuse(send)
            return
        if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            body = await _read(receive, limit)
            if body is None:
                await _refuse(send)
                return
            length = (b"content-length", str(len(body)).encode())
            headers = [header for header in scope["headers"] if header[0] != b"transfer-encoding"]
            scope, receive = {**scope, "headers": [*headers, length]}, _again(body, receive)
        await self._app(scope, receive, send)


async def _read(receive: Any, limit: int) -> bytes | None:
    """Read a body whose length was not announced; None when it is beyond *limit* or its sender gone.

    Django and DRF take such a body for an empty one, so it is given a length.
    """
    pieces, length, more = [], 0, True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        length += len(pieces[-1])
        more = message.get("more_body", False)
        if length > limit or message["type"] == "http.disconnect":
            return None
    return b"".join(pieces)


def _again(body: bytes, receive: Any) -> Any:
    """Return a ``receive`` that first hands over *body*."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_next() -> Any:
        return waiting.pop() if waiting else await receive()

    return receive_next


async def _refuse(send: Any) -> None:
    answer = Problem(413, "too_large", "The body is too large.").response()
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
