"""The question that is asked in all of the measurements: about 600 bytes of JSON."""

import itertools
from collections.abc import Callable

import orjson

from benchmarks.load import post

ARGUMENTS = {"path": "/srv/shared/reports/archive/2024/q3 (copy).pdf", "recursive": False}
DATA = {
    "size": 1_048_576,
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "same_as": ["/srv/shared/reports/2026/q3.pdf"],
    "last_opened": "2024-09-30T12:00:00Z",
}
REASON = "This report is a byte-for-byte copy of another, and nobody has opened it for two years."
SHARED = {"reason": REASON, "tool_name": "delete_file", "tool_args": ARGUMENTS, "data": DATA}


def asking(keys: list[str]) -> Callable[[], bytes]:
    """Return a function that writes a new question of the next agent, with an idempotency key of its own."""
    body = orjson.dumps({
        **SHARED, "session_id": "session-1", "agent_name": "janitor", "priority": "medium",
        "metadata": {"step": "deduplicate", "attempt": 1},
    })  # fmt: skip
    count = itertools.count()

    def write() -> bytes:
        number = next(count)
        key = keys[number % len(keys)]
        return post(
            "/api/v1/interrupts", body, Authorization=f"Bearer {key}", Idempotency_Key=f"{id(count)}-{number}"
        )

    return write


def asking_fifty(keys: list[str]) -> Callable[[], bytes]:
    """Return a function that writes a batch of fifty."""
    body = orjson.dumps({"items": [{**SHARED, "session_id": "session-1"}] * 50})
    count = itertools.count()

    def write() -> bytes:
        number = next(count)
        key = keys[number % len(keys)]
        return post(
            "/api/v1/interrupts/batch", body, Authorization=f"Bearer {key}",
            Idempotency_Key=f"{id(count)}-{number}",
        )  # fmt: skip

    return write


def asking_reference(agents: list[str]) -> Callable[[], bytes]:
    """Return a function that writes the same question for the reference."""
    requests = [
        post("/interrupts", orjson.dumps({**SHARED, "session_id": "session-1", "agent": agent}))
        for agent in agents
    ]
    return itertools.cycle(requests).__next__
