"""What the stories of the client share: a client, a session, and ann who decides its next question."""

import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hitl_client import (
    HITL,
)

from tests.live import LiveServer, Operator


@pytest.fixture
def hitl(server: LiveServer, key: str) -> Iterator[HITL]:
    with HITL(server.url, key) as client:
        yield client


@pytest.fixture
def session() -> str:
    return f"session-{secrets.token_hex(4)}"


@pytest.fixture
def soon(ann: Operator, session: str) -> Iterator[Callable[..., None]]:
    """Return a function that lets ann decide the session's next question as soon as it is there."""
    deciding: list[threading.Thread] = []

    def decide(verb: str = "approve", kind: str = "interrupts", **body: Any) -> None:
        def operator() -> None:
            (asked,) = ann.wait_for(1, kind, session_id=session)
            ann.decide(asked["id"], verb, **body)

        deciding.append(threading.Thread(target=operator))
        deciding[-1].start()

    yield decide
    for operator in deciding:
        operator.join()
