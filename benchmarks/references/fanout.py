"""The limit of telling: one uvloop process, LISTEN, each frame encoded once and written to bare sockets.

``GET /ws/<channel>`` is a WebSocket that hears its channel, ``GET /ws/operators`` hears all of them, and
``GET /wait/<id>`` is answered when something happens to that id.
"""

import asyncio
import base64
import hashlib
import json
import os
import re
import sys
from collections import defaultdict
from typing import Any

import asyncpg
import uvloop

_KEY = re.compile(rb"sec-websocket-key: *(\S+)", re.IGNORECASE)
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
sockets: dict[str, set[asyncio.Transport]] = defaultdict(set)
waiting: dict[str, set[asyncio.Transport]] = defaultdict(set)


class Door(asyncio.Protocol):
    def __init__(self) -> None:
        self.place: set[asyncio.Transport] = set()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        path = data.split(b" ", 2)[1].decode()
        if path.startswith("/ws/") and (key := _KEY.search(data)):
            accept = base64.b64encode(hashlib.sha1(key[1] + _MAGIC).digest())
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frame(b'{"type":"hello"}')
            )
            self._stand_in(sockets[path.removeprefix("/ws/")])
        elif path.startswith("/wait/"):
            self._stand_in(waiting[path.removeprefix("/wait/")])
        else:
            self.transport.write(answer(b'{"status":"ok"}'))

    def _stand_in(self, place: set[asyncio.Transport]) -> None:
        self.place.discard(self.transport)
        self.place = place
        place.add(self.transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.place.discard(self.transport)


def frame(text: bytes) -> bytes:
    size = bytes([len(text)]) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2, "big")
    return b"\x81" + size + text


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def on_event(connection: Any, pid: int, channel: str, payload: str) -> None:
    name, _, text = payload.partition(" ")
    encoded = frame(text.encode())
    for transport in (*sockets[name], *sockets["operators"]):
        transport.write(encoded)
    for transport in waiting.pop(json.loads(text)["subject_id"], ()):
        transport.write(answer(text.encode()))


async def serve(port: int) -> None:
    connection = await asyncpg.connect(os.environ["REFERENCE_URL"])
    await connection.add_listener("events", on_event)
    server = await asyncio.get_running_loop().create_server(Door, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
