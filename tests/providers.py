"""Stand in for the services that runs call: real servers on this machine that speak their protocols.

    with HTTPService() as service:            # or ReplicateService(), OpenAIService()
        service.trouble(Trouble(503), LOST)   # the next two calls; those after them go well
        ...                                   # have service.url called
    service.calls                             # what came in, in order
    service.carried_out                       # by Idempotency-Key: how often the work itself was done

A service listens until the block ends, or from start() to stop().
"""

import json
import socket
import struct
import threading
import urllib.request
from collections import Counter, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Seen:
    """Hold one call as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key", "")


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def in_json(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), headers=headers)


@dataclass(frozen=True)
class Trouble:
    """Answer one call by *status*; or wait *seconds*, and then cut it off or answer as usual.

    What is ``cut`` was not carried out, unless it was ``done`` before. ``drips`` sends a byte at a time.
    """

    status: int = 0
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    cut: bool = False
    done: bool = False
    drips: bool = False


RESET = Trouble(cut=True)
LOST = Trouble(cut=True, done=True)
"""The work is done, and nobody hears of it."""
DRIP = Trouble(drips=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names of http.server

    def _serve(self) -> None:
        service = self.server.service
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, body)
        trouble = service.receive(seen)
        service.stopping.wait(trouble.seconds)
        if trouble.status:
            self._send(Reply(trouble.status, trouble.body, trouble.kind, trouble.headers))
        elif trouble.cut and not trouble.done:
            self._cut()
        else:
            reply = service.answer_once(seen)
            self._cut() if trouble.cut else self._send(reply, drips=trouble.drips)

    def _send(self, reply: Reply, drips: bool = False) -> None:
        self.send_response(reply.status)
        told = {"Content-Type": reply.kind, "Content-Length": str(len(reply.body)), **reply.headers}
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(reply.body), 1 if drips else max(1, len(reply.body))):
            self.wfile.write(reply.body[start : start + 1] if drips else reply.body)
            if drips and self.server.service.stopping.wait(0.1):
                return

    def _cut(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    service: "Service"

    def handle_error(self, *args: Any) -> None:
        """Let who hung up be gone."""


class Service:
    """Listen on a port of this machine, and keep what was asked."""

    def __init__(self) -> None:
        self.calls: list[Seen] = []
        self.carried_out: Counter[str] = Counter()
        self.stopping = threading.Event()
        self.lock = threading.RLock()
        self._troubles: deque[Trouble] = deque()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.service = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    __enter__ = start

    def __exit__(self, *args: object) -> None:
        self.stop()

    def trouble(self, *troubles: Trouble) -> None:
        """Have the next calls go wrong, one each."""
        self._troubles.extend(troubles)

    def receive(self, seen: Seen) -> Trouble:
        with self.lock:
            self.calls.append(seen)
            return self._troubles.popleft() if self._troubles else Trouble()

    def answer_once(self, seen: Seen) -> Reply:
        with self.lock:
            return self.answer(seen)

    def answer(self, seen: Seen) -> Reply:
        raise NotImplementedError

    def work(self, seen: Seen) -> None:
        """Count that the work was done that *seen* asked for."""
        self.carried_out[seen.key] += 1

    def to(self, path: str) -> list[Seen]:
        """Return the calls whose path begins with *path*."""
        return [seen for seen in self.calls if seen.path.startswith(path)]


class HTTPService(Service):
    """Do the work once a key, and answer a key that it knows as it did before.

    With ``polls`` it answers 202 first, and says "not yet" so often where that leads.
    """

    def __init__(
        self, *, result: Reply | None = None, polls: int | None = None, document: Any = None
    ) -> None:
        super().__init__()
        self.result, self.polls, self.document = result, polls, document
        self.accepted = Reply(202, headers={"Location": "/jobs/1"})
        self._known: dict[str, Reply] = {}

    def answer(self, seen: Seen) -> Reply:
        if seen.path == "/openapi.json":
            return in_json(self.document) if self.document else Reply(404)
        if seen.path.startswith("/jobs/"):
            return self._job()
        if seen.key not in self._known or not seen.key:
            self.work(seen)
            self._known[seen.key] = self._first(seen)
        return self._known[seen.key]

    def _first(self, seen: Seen) -> Reply:
        return self.accepted if self.polls is not None else self._result(seen)

    def _job(self) -> Reply:
        self.polls = (self.polls or 0) - 1
        return Reply(202, headers={"Retry-After": "1"}) if self.polls >= 0 else self._result(None)

    def _result(self, seen: Seen | None) -> Reply:
        if self.result:
            return self.result
        is_json = seen is not None and seen.headers.get("content-type") == "application/json"
        return in_json({"done": seen.json if seen and is_json else True})


class ReplicateService(Service):
    """Make predictions, each done after it was looked at ``polls`` times; ``outcome`` is what comes of them.

    ``models`` are documents by ``owner/name``; those in ``official`` can be called without a version.
    """

    TOKEN = "r8_a-token-of-the-tests"
    VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"

    def __init__(self, *, polls: int = 1, **outcome: Any) -> None:
        super().__init__()
        self.outcome = {"status": "succeeded", "output": ["https://replicate.delivery/out.png"], **outcome}
        self.polls = polls
        self.models: dict[str, Any] = {}
        self.official: set[str] = set()
        self.predictions: dict[str, dict[str, Any]] = {}
        self._looked: Counter[str] = Counter()

    def answer(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization") != f"Bearer {self.TOKEN}":
            return in_json({"title": "Unauthenticated", "detail": "You did not pass a valid token."}, 401)
        match seen.method, *seen.path.strip("/").split("/"):
            case ["POST", "v1", "predictions"]:
                return self._create(seen)
            case ["POST", "v1", "models", owner, name, "predictions"] if f"{owner}/{name}" in self.official:
                return self._create(seen)
            case ["GET", "v1", "predictions", handle] if handle in self.predictions:
                self._looked[handle] += 1
                return in_json(self._state(handle))
            case ["GET", "v1", "models", owner, name] if f"{owner}/{name}" in self.models:
                return in_json(self.models[f"{owner}/{name}"])
            case ["POST", "v1", "files"]:
                return in_json({"id": "file1", "urls": {"get": f"{self.url}/v1/files/file1"}}, 201)
        return in_json({"title": "Not found", "detail": "The requested resource could not be found."}, 404)

    def call_back(self, handle: str) -> None:
        """Tell the webhook of a prediction that it is done."""
        self._looked[handle] = self.polls + 1
        there = self.predictions[handle]["webhook"]
        sent = urllib.request.Request(there, json.dumps(self._state(handle)).encode())
        sent.add_header("Content-Type", "application/json")
        urllib.request.urlopen(sent, timeout=10).close()

    def _create(self, seen: Seen) -> Reply:
        self.work(seen)  # each time: Replicate knows no keys
        handle = f"p{len(self.predictions) + 1}abcdefgh"
        self.predictions[handle] = seen.json
        return in_json(self._state(handle), 201)

    def _state(self, handle: str) -> dict[str, Any]:
        is_done = self._looked[handle] > self.polls
        state = self.outcome if is_done else {"status": "processing", "output": None}
        return {"id": handle, "input": self.predictions[handle]["input"], "error": None, "logs": "", **state}


class OpenAIService(Service):
    """Answer chats with ``text``."""

    KEY = "sk-a-key-of-the-tests"

    def __init__(self, *, text: str = "Paris.", finish_reason: str = "stop") -> None:
        super().__init__()
        self.message: dict[str, Any] = {"role": "assistant", "content": text}
        self.finish_reason = finish_reason

    def answer(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization") != f"Bearer {self.KEY}":
            told = f"Incorrect API key provided: {seen.headers.get('authorization', '')}"
            return in_json({"error": {"message": told, "type": "invalid_request_error"}}, 401)
        if seen.path != "/v1/chat/completions":
            return in_json({"error": {"message": "Unknown request URL."}}, 404)
        self.work(seen)
        choice = {"index": 0, "message": self.message, "finish_reason": self.finish_reason}
        return in_json({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]})
