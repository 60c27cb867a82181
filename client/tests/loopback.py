"""A server to fail against: the few routes the client uses, and every way a connection can go wrong.

It keeps to the contract where it answers at all; how the real server behaves is tested against that.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

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
        self.interrupts: dict[str, Json] = {}
        self.bodies: dict[str, Json] = {}
        self.secrets: dict[str, str] = {}
        self.leased = False
        self.policies: dict[str, Json] = {}
        self.version = "1"
        self.max_age = 30
        self.evaluated: list[Json] = []
        self.comments: list[str] = []
        self.uploads: list[bytes] = []
        self.events: list[Json] = []
        self.faults: deque[Fault] = deque()
        self.asked: list[tuple[str, str]] = []
        self.holds = True
        self.changed = threading.Condition()
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

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
        """Decide the one open item."""
        with self.changed:
            (item,) = (item for item in self.interrupts.values() if item["status"] == "pending")
            item |= {"status": status, "resolved_by": "ann", "resolved_at": "2026-11-20T12:00:00Z", **answer}
            self.changed.notify_all()

    def soon(self, status: str = "approved", **answer: Any) -> None:
        """Decide a little after the next question was asked."""

        def operator() -> None:
            while not any(item["status"] == "pending" for item in list(self.interrupts.values())):
                time.sleep(0.01)
            time.sleep(0.05)
            self.decide(status, **answer)

        threading.Thread(target=operator, daemon=True).start()

    # -- The routes -----------------------------------------------------------------------------------

    def handle(self, method: str, path: str, query: Json, key: str, body: Json) -> tuple[int, Any]:
        match method, path.removeprefix("/api/v1/").split("/"):
            case "POST", ["interrupts" | "requests" as kind]:
                return self.create(kind, key, body)
            case "GET", ["interrupts" | "requests" as kind]:
                return self.list(kind, query)
            case "GET", ["events"]:
                return self.stream(query)
            case "GET", ["interrupts" | "requests", pk] if pk in self.interrupts:
                return 200, self.interrupts[pk]
            case "GET", ["interrupts", pk, "status"]:
                return 200, self.status(pk)
            case "GET", ["interrupts" | "requests" as kind, pk, "wait"]:
                if self.holds:
                    with self.changed:
                        held = float(query["timeout"])
                        self.changed.wait_for(lambda: self.interrupts[pk]["status"] != "pending", held)
                return 200, self.status(pk) if kind == "interrupts" else self.interrupts[pk]
            case "POST", ["policies", "evaluate"]:
                return self.evaluate(body)
            case "POST", ["interrupts", pk, "consume"]:
                return self.consume(self.interrupts[pk], body)
            case "POST", ["interrupts", pk, "outcome"]:
                return self.report(self.interrupts[pk], body)
            case "POST", ["requests", pk, "reveal" | "ack" as verb]:
                return self.handle_secrets(pk, verb)
            case "POST", ["interrupts" | "requests", pk, "cancel"]:
                if self.interrupts[pk]["status"] != "pending":
                    current = self.interrupts[pk]
                    return 409, {"title": "Conflict", "code": current["status"], "current": current}
                self.decide("cancelled")
                return 200, self.interrupts[pk]
            case "POST", ["interrupts" | "requests", _, "attachments"]:
                self.uploads.append(body["upload"])
                return 201, {"attachment": {"id": f"att_{len(self.uploads)}"}}
            case "GET", ["interrupts" | "requests", _, "attachments", "att_1"]:
                return 200, "the bytes"
            case "POST", ["interrupts" | "requests", _, "comments"]:
                self.comments.append(body["body"])
                return 201, {}
        return 404, {
            "title": "Not Found",
            "status": 404,
            "code": "not_found",
            "detail": "There is nothing here.",
        }

    def evaluate(self, body: Json) -> tuple[int, Json]:
        self.evaluated.append(body)
        nothing = {
            "policy": None,
            "note": "",
            "approval_message": "",
            "grant": None,
            "depends_on_args": False,
        }
        ruling = self.policies.get(body["tool_name"], {})
        return 200, {"decision": "allow", **nothing, "version": self.version, **ruling}

    def consume(self, item: Json, body: Json) -> tuple[int, Json]:
        if item.get("consumed_at") and item["attempt"] == body["attempt"] and not item.get("outcome"):
            return 200, item
        if item["status"] != "approved" or item.get("consumed_at"):
            code = "spent" if item.get("consumed_at") else "not_approved"
            return 409, {"title": "Conflict", "code": code, "current": item}
        if body["tool_args"] != (item.get("modifications") or item["tool_args"]):
            return 412, {"title": "Precondition Failed", "code": "arguments_differ", "current": item}
        item |= {"consumed_at": "2026-11-20T12:01:00Z", "spent_with": body.get("receipt")}
        item["attempt"] = body["attempt"]
        return 200, item

    def report(self, item: Json, body: Json) -> tuple[int, Json]:
        if item.get("outcome"):
            return 409, {"title": "Conflict", "code": "reported", "current": item}
        item |= {"outcome": body["status"], "outcome_result": body.get("result")}
        return 200, item

    def handle_secrets(self, pk: str, verb: str) -> tuple[int, Json]:
        item = self.interrupts[pk]
        code = item["secrets"]["state"] if item["secrets"]["state"] in ("acknowledged", "purged") else ""
        if code or (verb == "reveal" and self.leased):
            return 410, {"title": "Gone", "code": code or "leased", "current": item}
        self.leased = verb == "reveal"
        item["secrets"] |= {"state": f"{verb}ed" if verb == "reveal" else "acknowledged"}
        item["secrets"] |= {"lease_expires_at": "2026-11-20T12:02:00Z"}
        if verb == "ack":
            return 200, item
        return 200, {"values": self.secrets, "lease_expires_at": "2026-11-20T12:02:00Z"}

    def create(self, kind: str, key: str, body: Json) -> tuple[int, Json]:
        if kind == "interrupts" and not str(body.get("reason", "")).strip():
            return 400, {"title": "Bad Request", "code": "invalid", "errors": {"reason": ["Say why."]}}
        with self.changed:
            for item in self.interrupts.values():
                if item["key"] == key:
                    return (200, item) if self.bodies[item["id"]] == body else (422, {"code": "key_reused"})
            item = {
                "id": f"{'int' if kind == 'interrupts' else 'har'}_{len(self.interrupts)}",
                "status": "pending",
                "key": key,
                **({"tool_args": {}} if kind == "interrupts" else {"secrets": None}),
                **body,
            }
            self.interrupts[item["id"]], self.bodies[item["id"]] = item, body
            return 201, item

    def list(self, kind: str, query: Json) -> tuple[int, Json]:
        found = [
            item
            for item in reversed(self.interrupts.values())
            if item["key"] == query.get("key", item["key"])
            and item["id"].startswith("int" if kind == "interrupts" else "har")
        ]
        start, limit = int(query.get("cursor", 0)), int(query.get("limit", 50))
        more = (
            f"https://elsewhere.example/interrupts?cursor={start + limit}" if found[start + limit :] else None
        )
        return 200, {"results": found[start : start + limit], "next": more, "previous": None}

    def status(self, pk: str) -> Json:
        item = self.interrupts[pk]
        asked = (
            "status",
            "modifications",
            "response",
            "rejection_reason",
            "resolved_by",
            "resolved_at",
            "receipt",
        )
        return {"approved": item["status"] == "approved", **{name: item.get(name) for name in asked}}

    def stream(self, query: Json) -> tuple[int, Json]:
        epoch, _, position = query.get("after", "a:0").partition(":")
        if epoch != "a":
            return 409, {"title": "Conflict", "status": 409, "code": "reset", "cursor": "a:0"}
        page = self.events[int(position) :][:2]
        return 200, {"results": page, "cursor": page[-1]["cursor"] if page else f"a:{position}"}


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
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}"
        is_file = self.headers.get("Content-Type", "").startswith("multipart/form-data; boundary=")
        body = {"upload": sent} if is_file else json.loads(sent)
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        key = self.headers.get("Idempotency-Key", "")
        self.loopback.asked.append((self.command, url.path.removeprefix("/api/v1/")))
        fault = self.loopback.faults.popleft() if self.loopback.faults else None
        status, document = 0, None
        if fault is None or fault.handled or isinstance(fault, Cut):
            status, document = self.loopback.handle(self.command, url.path, query, key, body)
        text = json.dumps(document).encode()
        headers: Json = {}
        if url.path.endswith("policies/evaluate"):
            tag = f'"{self.loopback.version}"'
            headers = {"ETag": tag, "Cache_Control": f"private, max-age={self.loopback.max_age}"}
            if self.headers.get("If-None-Match") == tag:
                status, text = 304, b""
        if fault is None:
            self.say(status, text, **headers)
        else:
            fault.answer(self, status, text)

    def say(self, status: int, body: bytes, *, length: int = -1, **headers: Any) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(length if length >= 0 else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep the tests' output quiet."""
