"""A model for Claude Code without a network: Anthropic's Messages API, saying what it is told to say."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

Block = dict[str, Any]


def call(call_id: str, name: str, **arguments: Any) -> Block:
    """Write a tool call as the model does."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


class ScriptedModel(ThreadingHTTPServer):
    """Makes *calls* in its first turn, and ends in its second; `told` is what it was told of each call."""

    daemon_threads = True

    def __init__(self, *calls: Block) -> None:
        super().__init__(("127.0.0.1", 0), Turn)
        self.calls = calls
        self.told: dict[str, str] = {}

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self.server_close()

    def say(self, asked: dict[str, Any]) -> list[Block]:
        """Answer a request."""
        results = [
            block
            for message in asked["messages"]
            if isinstance(message["content"], list)
            for block in message["content"]
            if block["type"] == "tool_result"
        ]
        self.told |= {block["tool_use_id"]: text_of(block["content"]) for block in results}
        if results or not asked.get("tools"):
            return [{"type": "text", "text": "All is done."}]
        return list(self.calls)

    def configure(self, environment: pytest.MonkeyPatch, home: Path) -> None:
        """Have the Claude Code that is started from here speak to this model, and know nothing else."""
        url = f"http://127.0.0.1:{self.server_port}"
        environment.setenv("ANTHROPIC_BASE_URL", url)
        environment.setenv("ANTHROPIC_API_KEY", "none")
        environment.setenv("HOME", str(home))
        environment.setenv("CLAUDE_CONFIG_DIR", str(home / "claude"))
        environment.setenv("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")


class Turn(BaseHTTPRequestHandler):
    """One request to the model."""

    protocol_version = "HTTP/1.1"
    server: ScriptedModel

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.partition("?")[0] != "/v1/messages":
            return self._answer(404, "application/json", "{}")
        said = self.server.say(asked)
        stop = "tool_use" if said[0]["type"] == "tool_use" else "end_turn"
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": asked["model"],
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        if not asked.get("stream"):
            return self._answer(
                200, "application/json", json.dumps({**message, "content": said, "stop_reason": stop})
            )
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
        ]
        for index, block in enumerate(said):
            if block["type"] == "tool_use":
                opened = {**block, "input": {}}
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            else:
                opened = {"type": "text", "text": ""}
                delta = {"type": "text_delta", "text": block["text"]}
            events += [
                {"type": "content_block_start", "index": index, "content_block": opened},
                {"type": "content_block_delta", "index": index, "delta": delta},
                {"type": "content_block_stop", "index": index},
            ]
        ended = {"stop_reason": stop, "stop_sequence": None}
        events += [{"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}}]
        events += [{"type": "message_stop"}]
        stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        return self._answer(200, "text/event-stream", stream)

    def _answer(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *said: Any) -> None:
        """Say nothing."""


def text_of(content: Any) -> str:
    """Return what a tool result says."""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
