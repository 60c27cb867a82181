"""The load: HTTP/1.1 on kept connections and WebSockets, on bare protocols, so that it costs next to nothing.

A general client spends more on a request than the server does, and on a small machine that would be
measured too.
"""

import asyncio
import base64
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

HOST = "127.0.0.1"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Answer:
    """Hold one answer of the server."""

    status: int
    head: bytes
    body: bytes


@dataclass(slots=True)
class Load:
    """Sum up what a number of connections got in a time."""

    seconds: float
    answered: int = 0  # in time
    acknowledged: int = 0  # in all, with 2xx or 304
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    oddity: bytes = b""  # the body of the last answer that was no success

    @property
    def rate(self) -> float:
        return self.answered / self.seconds

    def milliseconds(self, share: float) -> float:
        """Return the latency that *share* of the answers kept."""
        return nth(self.latencies, share) * 1000


class Connection(asyncio.Protocol):
    """Send a request, hand its answer over, and go on for as long as that gives another request."""

    def __init__(self, first: bytes, on_answer: Callable[[Answer], bytes | None]) -> None:
        self._next, self._on_answer = first, on_answer
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(self._next)

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head, status = received[:end], int(received[9:12])
        length = _LENGTH.search(head)
        if length is None and status not in (204, 304):
            raise RuntimeError(f"an answer without a length: {head!r}")
        end_of_body = end + (int(length[1]) if length and status != 304 else 0)
        if len(received) < end_of_body:
            return
        self._received = b""
        request = self._on_answer(Answer(status, head, received[end:end_of_body]))
        if request is None:
            self.transport.close()
        else:
            self.transport.write(request)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def drive(port: int, requests: Callable[[], bytes], *, connections: int, seconds: float) -> Load:
    """Send *requests* one after another on each of so many connections, for so many *seconds*."""
    load = Load(seconds)
    deadline = time.perf_counter() + seconds

    def runner() -> Connection:
        sent = time.perf_counter()

        def on_answer(answer: Answer) -> bytes | None:
            nonlocal sent
            now = time.perf_counter()
            load.statuses[answer.status] += 1
            if answer.status < 400:
                load.acknowledged += 1
                load.answered += now <= deadline
                load.latencies.append(now - sent)
            else:
                load.oddity = answer.body
            sent = now
            return requests() if now < deadline else None

        return Connection(requests(), on_answer)

    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(runner, HOST, port) for _ in range(connections)]
    await asyncio.wait([asyncio.ensure_future(protocol.done) for _, protocol in opened], timeout=seconds + 30)
    return load


async def call(port: int, request: bytes) -> Answer:
    """Send one request and return its answer."""
    found: list[Answer] = []

    def keep(answer: Answer) -> None:
        found.append(answer)

    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(lambda: Connection(request, keep), HOST, port)
    await asyncio.wait_for(protocol.done, 60)
    return found[0]


def get(path: str, **headers: str) -> bytes:
    """Write a GET."""
    return _head("GET", path, headers) + b"\r\n"


def post(path: str, body: bytes, **headers: str) -> bytes:
    """Write a POST of JSON."""
    head = _head("POST", path, {"Content-Type": "application/json", **headers})
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _head(verb: str, path: str, headers: dict[str, str]) -> bytes:
    lines = [f"{verb} {path} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n").encode()


class Socket(asyncio.Protocol):
    """Be one WebSocket that only listens: *on_data* gets whatever bytes come after the handshake."""

    def __init__(
        self, port: int, path: str, headers: dict[str, str], on_data: Callable[[bytes], None]
    ) -> None:
        upgrade = {
            "Origin": f"http://{HOST}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
        }
        self._request = _head("GET", path, upgrade | headers) + b"\r\n"
        self._on_data, self._head = on_data, b""
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.greeted.done():
            self._on_data(data)
            return
        self._head += data  # the greeting is the first frame after the handshake
        head, end, frames = self._head.partition(b"\r\n\r\n")
        if end and not head.startswith(b"HTTP/1.1 101"):
            self.greeted.set_exception(ConnectionError(head.decode(errors="replace")))
        elif b"hello" in frames:
            self.greeted.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if not self.greeted.done():
            self.greeted.set_exception(ConnectionError("closed before the greeting"))


def nth(values: list[float], share: float) -> float:
    """Return the value that *share* of *values* do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
