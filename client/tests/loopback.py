"""A server to fail against: the fake server on a port, with every way a connection can go wrong."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
from hitl_client.testing import FakeServer

Json = dict[str, Any]


class Fault:
    """What goes wrong with one request. `handled` is whether the server has done the work by then."""

    def __init__(self, *, handled: bool = False) -> None:
        self.handled = handled

    def answer(self, handler: Handler, status: int, body: bytes) -> None:
        """Close the connection without an answer, as a crash does."""
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True


class Cut(Fault):
    """The answer breaks off in the middle."""

    def answer(self, handler: Handler, status: int, body: bytes) -> None:
        handler.say(status, body[: len(body) // 2], length=len(body))
        handler.close_connection = True


class Says(Fault):
    """Something else is answered."""

    def __init__(self, status: int, body: str = "", **headers: str) -> None:
        super().__init__()
        self.status, self.body = status, body
        self.headers: Json = dict(headers)

    def answer(self, handler: Handler, status: int, body: bytes) -> None:
        handler.say(self.status, self.body.encode(), **self.headers)


class Hangs(Fault):
    """The answer takes a second."""

    def __init__(self) -> None:
        super().__init__(handled=True)

    def answer(self, handler: Handler, status: int, body: bytes) -> None:
        time.sleep(1)
        handler.say(status, body)


class Loopback:
    """The server, and the hand of the operator."""

    def __init__(self) -> None:
        self.fake = FakeServer(by="ann")
        self.fake.leave()
        self.policies: dict[str, Json] = {}
        self.version = "1"
        self.max_age = 30
        self.evaluated: list[Json] = []
        self.bodies: dict[str, Json] = {}
        self.uploads: list[bytes] = []
        self.faults: deque[Fault] = deque()
        self.asked: list[tuple[str, str]] = []
        self.hosts: list[str] = []
        self.holds = True
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def interrupts(self) -> dict[str, Json]:
        """What was asked, by id, to be read and changed."""
        return {item_id: item.doc for item_id, item in self.fake.items.items()}

    @property
    def comments(self) -> list[str]:
        return [event["data"]["body"] for event in self.fake.events if event["type"] == "hitl.item.commented"]

    def start(self) -> None:
        handler = type("BoundHandler", (Handler,), {"loopback": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def decide(self, status: str = "approved", **answer: Any) -> None:
        """Have the one open item say that it was decided so."""
        (item,) = (item for item in self.fake.items.values() if item.doc["status"] == "pending")
        item.receipt = answer.pop("receipt", None)
        by = {"resolved_by": "ann", "resolved_at": "2026-11-20T12:00:00Z"}
        item.doc |= {"status": status, **by, **answer}

    def soon(self, status: str = "approved", **answer: Any) -> None:
        """Decide a little after the next question was asked."""

        def operator() -> None:
            while not any(item["status"] == "pending" for item in self.interrupts.values()):
                time.sleep(0.01)
            time.sleep(0.05)
            self.decide(status, **answer)

        threading.Thread(target=operator, daemon=True).start()

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        path, body = request.url.path.removeprefix("/api/v1/"), request.content
        if path == "policies/evaluate":
            return self.evaluate(json.loads(body), request.headers.get("if-none-match"))
        if path.endswith("/wait") and not self.holds:
            request.url = request.url.join("status")
        if path.endswith("/attachments"):
            self.uploads.append(body)
        answer = self.fake.handle_request(request)
        if answer.status_code == 200 and path.endswith("/consume"):
            self.interrupts[path.split("/")[1]]["spent_with"] = json.loads(body).get("receipt")
        if answer.status_code == 201 and path in ("interrupts", "requests"):
            self.bodies[answer.json()["id"]] = json.loads(body)
        return answer

    def evaluate(self, body: Json, known: str | None) -> httpx.Response:
        """Answer for the policies as a test wants, by whatever version."""
        headers = {"ETag": f'"{self.version}"', "Cache-Control": f"private, max-age={self.max_age}"}
        self.evaluated.append(body)
        if known == headers["ETag"]:
            return httpx.Response(304, headers=headers)
        nothing = dict.fromkeys(("policy", "grant")) | dict.fromkeys(("note", "approval_message"), "")
        answer = {"decision": "allow", **nothing, "depends_on_args": False, "version": self.version}
        return httpx.Response(200, headers=headers, json=answer | self.policies.get(body["tool_name"], {}))


class Handler(BaseHTTPRequestHandler):
    """Speak HTTP for a Loopback."""

    protocol_version = "HTTP/1.1"
    loopback: Loopback

    def do_GET(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def do_DELETE(self) -> None:
        self.serve()

    def serve(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.loopback.asked.append((self.command, urlsplit(self.path).path.removeprefix("/api/v1/")))
        fault = self.loopback.faults.popleft() if self.loopback.faults else None
        answer = httpx.Response(200)
        if fault is None or fault.handled or isinstance(fault, Cut):
            url = httpx.URL(self.loopback.url).join(self.path)  # a proxy is told the whole address
            self.loopback.hosts.append(url.host)
            request = httpx.Request(self.command, url, headers=dict(self.headers), content=sent)
            answer = self.loopback.handle(request)
        if fault is None:
            names = ("ETag", "Cache-Control", "Retry-After")
            kept: Json = {name: answer.headers[name] for name in names if name in answer.headers}
            self.say(answer.status_code, answer.content, **kept)
        else:
            fault.answer(self, answer.status_code, answer.content)

    def say(self, status: int, body: bytes, *, length: int = -1, **headers: Any) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(length if length >= 0 else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep the tests' output quiet."""
