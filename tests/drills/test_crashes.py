"""What was acknowledged is still there after `kill -9`, and the server starts again on what it finds."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event as Flag

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.drills.callers import Caller, positions
from tests.drills.sites import Site, counts, eventually

ROUNDS = counts(3, 200)


def test_what_was_acknowledged_survives_kill_9(new_site: Callable[..., Site]) -> None:
    site = new_site().start()
    agents = [site.agent() for _ in range(4)]
    ann = site.person("ann")
    asked: dict[str, Caller] = {}
    decided: dict[str, str] = {}
    unsure: dict[str, tuple[Caller, str]] = {}  # keys whose first call was not answered

    def work(agent: Caller, stop: Flag) -> None:
        while not stop.is_set():
            key = f"key-{random.getrandbits(64)}"
            unsure[key] = agent, ""
            try:
                pk = agent.ask(key=key, session_id="crash")["id"]
                asked[pk] = agent
                unsure[key] = agent, pk
                verb, outcome = random.choice([("approve", "approved"), ("reject", "rejected")])
                ann.decide(pk, verb)
                decided[pk] = outcome
            except httpx.TransportError:  # the server is dead
                return

    for _ in range(ROUNDS):
        stop = Flag()
        before = len(decided)
        with ThreadPoolExecutor(8) as threads:
            workers = [threads.submit(work, agent, stop) for agent in agents * 2]
            eventually(lambda before=before: len(decided) >= before + 20, pause=0.01)  # type: ignore[misc]
            time.sleep(random.random() / 5)
            site.kill()
            stop.set()
            [worker.result() for worker in workers]
        site.start()

        for pk, outcome in decided.items():
            assert asked[pk].item(pk)["status"] == outcome
        for pk in asked.keys() - decided.keys():
            assert asked[pk].item(pk)["status"] in ("pending", "approved", "rejected")
        for key, (agent, pk) in unsure.items():
            again = agent.http.post(
                "/interrupts",
                json={"reason": "May I go on?", "session_id": "crash"},
                headers={"Idempotency-Key": key},
            )
            assert again.json()["id"] == pk if pk else again.status_code in (200, 201)
        unsure.clear()
        for agent in agents:
            events = agent.events()
            assert positions(events) == list(range(1, len(events) + 1))
            told = {event["subject_id"]: event["type"].rpartition(".")[2] for event in events}
            mine = {pk: outcome for pk, outcome in decided.items() if asked[pk] is agent}
            assert told.items() >= mine.items()
        site.manage("verify_events")
    assert len(decided) >= 20 * ROUNDS


def test_sigterm_ends_waits_and_sockets_and_is_quick(new_site: Callable[..., Site]) -> None:
    site = new_site(clock=False).start()
    agent = site.agent()
    ids = agent.ask_many(10)
    with ThreadPoolExecutor(11) as threads, agent.socket() as socket:
        socket.recv(10)
        waits = [
            threads.submit(agent.http.get, f"/interrupts/{pk}/wait", params={"timeout": 60}) for pk in ids
        ]
        events = threads.submit(agent.http.get, "/events", params={"after": "", "types": "x", "wait": 60})
        time.sleep(0.5)
        site.settle()  # a call that is still on its way when the server stops is nobody's to answer
        begun = time.monotonic()

        site.stop()

        assert time.monotonic() - begun < 8
        assert site.web.ended in (0, -15, 143)
        assert [wait.result().json()["status"] for wait in waits] == ["pending"] * 10
        assert events.result().json()["results"] == []
        with pytest.raises(ConnectionClosed):
            list(iter(partial(socket.recv, 5), None))
        assert socket.protocol.close_code == 1012
