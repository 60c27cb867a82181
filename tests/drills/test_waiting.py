"""A long poll answers when the decision falls, or at the deadline, and costs nothing in between."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.drills.callers import Caller
from tests.drills.sites import Site, eventually


def timed(agent: Caller, pk: str, timeout: int) -> tuple[float, dict[str, Any]]:
    begun = time.monotonic()
    answer = agent.http.get(f"/interrupts/{pk}/wait", params={"timeout": timeout})
    assert answer.status_code == 200, answer.text
    return time.monotonic() - begun, answer.json()


@pytest.mark.parametrize(
    ("verb", "status"), [("approve", "approved"), ("reject", "rejected"), ("cancel", "cancelled")]
)
def test_a_wait_ends_with_the_decision(asker: Caller, ann: Caller, verb: str, status: str) -> None:
    pk = asker.ask()["id"]
    with ThreadPoolExecutor(1) as thread:
        wait = thread.submit(timed, asker, pk, 30)
        time.sleep(0.3)
        decided = time.monotonic()
        ann.decide(pk, verb)
        _, seen = wait.result()
    assert seen["status"] == status
    assert time.monotonic() - decided < 2


def test_a_wait_ends_at_the_deadline_of_the_item(asker: Caller) -> None:
    took, seen = timed(asker, asker.ask(expires_in=2)["id"], 30)
    assert seen["status"] == "expired"
    assert 1.5 < took < 5


def test_a_wait_ends_when_its_own_time_is_up(asker: Caller) -> None:
    took, seen = timed(asker, asker.ask()["id"], 1)
    assert seen["status"] == "pending"
    assert 0.9 < took < 4


@pytest.mark.parametrize("timeout", ["0", "61", "-1", "1.5", "", "ten", "٣"])
def test_a_wait_lasts_1_to_60_seconds(asker: Caller, timeout: str) -> None:
    answer = asker.http.get("/interrupts/int_1/wait", params={"timeout": timeout})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["timeout"])


def test_a_wait_for_what_is_not_ones_own_is_404(site: Site, asker: Caller) -> None:
    pk = site.agent().ask()["id"]
    assert asker.http.get(f"/interrupts/{pk}/wait").status_code == 404


def test_a_body_with_a_wait_is_harmless(asker: Caller) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 65_536

    answer = asker.http.request("GET", "/interrupts/int_1/wait", content=endless())
    assert answer.status_code in (404, 413)


def test_300_waits_hold_no_threads_and_no_connections_and_all_answer(new_site: Callable[..., Site]) -> None:
    site = new_site(processes=1, clock=False).start()
    agent, ann = site.agent(), site.person("ann")
    ids = agent.ask_many(300)
    agent.item(ids[0])
    server = site.web.family()[-1]
    threads_before = server.num_threads()

    with ThreadPoolExecutor(300) as threads:
        waits = [threads.submit(timed, agent, pk, 60) for pk in ids]
        eventually(lambda: len(server.net_connections()) >= 300, within=30)
        time.sleep(2)

        assert server.num_threads() <= threads_before + 8
        if not site.embedded:
            assert len(site.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database()")) < 12
        with ThreadPoolExecutor(4) as deciders:
            decided = list(deciders.map(lambda pk: ann.call(pk, "approve").status_code, ids))
        last = time.monotonic()
        seen = [wait.result()[1]["status"] for wait in waits]
        assert time.monotonic() - last < 5

    assert set(decided) == {200}
    assert set(seen) == {"approved"}


def test_a_caller_who_hangs_up_leaves_nothing_behind(site: Site, asker: Caller) -> None:
    pk = asker.ask()["id"]
    request = (
        f"GET /api/v1/interrupts/{pk}/wait?timeout=60 HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {asker.key}\r\n\r\n"
    )

    calls = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(50)]
    for call in calls:
        call.sendall(request.encode())
    eventually(lambda: site.holds(calls) == 50)
    for call in calls:
        call.shutdown(socket.SHUT_RDWR)
    eventually(lambda: site.holds(calls) == 0)
    for call in calls:
        call.close()
    assert asker.item(pk)["status"] == "pending"
