"""Waits and events by WebSocket: nothing is asked again and again, and a crash loses nothing."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hitl_client import HITL, AsyncHITL, Decision, ProblemError

from tests import agent_side, live
from tests.live import LiveServer, Operator

pytestmark = pytest.mark.sqlite

server, key, ann = live.server, live.key, live.ann
session = agent_side.session


class Watched(httpx.Client):
    """A client that keeps what it sent."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        super().__init__(event_hooks={"request": [lambda request: self.paths.append(request.url.path)]})


@pytest.fixture
def http() -> Iterator[Watched]:
    with Watched() as client:
        yield client


def deciding(ann: Operator, session: str) -> threading.Thread:
    """Let ann approve the session's question as soon as it is there."""
    thread = threading.Thread(target=lambda: ann.decide(ann.wait_for(1, session_id=session)[0]["id"]))
    thread.start()
    return thread


def test_a_decision_is_heard(
    server: LiveServer, key: str, ann: Operator, session: str, http: Watched
) -> None:
    operator = deciding(ann, session)
    decision = HITL(server.url, key, http=http, wait_by="socket").require_approval(
        "Deploy?", session_id=session
    )
    operator.join()
    assert decision.resolved_by == "ann"
    assert not [path for path in http.paths if path.endswith("/wait")]


def test_what_was_decided_before_anybody_listened_is_seen(
    server: LiveServer, key: str, ann: Operator, http: Watched
) -> None:
    hitl = HITL(server.url, key, http=http, wait_by="socket")
    item = hitl.batch([{"reason": "Deploy?"}])[0]
    ann.decide(item["id"], "reject", reason="Not today")
    assert hitl.wait(item["id"]).rejection_reason == "Not today"
    assert hitl.wait(hitl.batch([{"reason": "Deploy?"}])[0]["id"], timeout=1.5) is None
    assert not [path for path in http.paths if path.endswith("/wait")]


async def test_many_waits_at_once_hear_their_own(
    server: LiveServer, key: str, ann: Operator, session: str
) -> None:
    async with AsyncHITL(server.url, key, wait_by="socket") as hitl:
        items = await hitl.batch([{"reason": f"Number {n}?", "session_id": session} for n in range(5)])
        waits = [asyncio.create_task(hitl.wait(item["id"])) for item in items]
        for item in reversed(items):
            await asyncio.to_thread(ann.decide, item["id"], "approve", comment=item["reason"])
        assert [decision.id for decision in await asyncio.gather(*waits)] == [item["id"] for item in items]


def test_a_wait_and_a_reader_outlast_a_crash(
    server: LiveServer, ann: Operator, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    key = server.new_key()
    decided: list[Decision] = []
    seen: list[Any] = []

    def read() -> None:
        with HITL(server.url, key, wait_by="socket") as reader:
            for event in reader.events():
                seen.append(event.type)
                if event.type == "hitl.interrupt.approved":
                    return

    def ask() -> None:
        with HITL(server.url, key, wait_by="socket") as hitl:
            decided.append(hitl.require_approval("Deploy?", session_id=session))

    threads = [threading.Thread(target=read), threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    (asked,) = ann.wait_for(1, session_id=session)
    server.kill()
    server.start()
    ann.decide(asked["id"])
    for thread in threads:
        thread.join(timeout=60)
    assert [decision.id for decision in decided] == [asked["id"]]
    assert seen == ["hitl.interrupt.requested", "hitl.interrupt.approved"]
    assert "No socket" in caplog.text


def test_who_has_no_key_for_it_is_told_as_ever(server: LiveServer) -> None:
    with HITL(server.url, "hitl_0_wrong", wait_by="socket") as hitl, pytest.raises(ProblemError, match="401"):
        hitl.wait("int_0")
