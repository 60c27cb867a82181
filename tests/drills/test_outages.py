"""Redis or PostgreSQL dies: what was acknowledged is kept, agents still hear, and all goes on by itself."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection

from agents.sockets import CLOSE_TRY_LATER
from tests.drills.callers import Caller, positions
from tests.drills.sites import Site, counts, eventually
from tests.servers import Postgres, Redis, start_postgres, start_redis
from tests.services import start_or_skip

pytestmark = pytest.mark.production


@pytest.fixture(scope="module")
def redis_of_its_own() -> Iterator[Redis]:
    server = start_or_skip(start_redis)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def postgres_of_its_own() -> Iterator[Postgres]:
    server = start_or_skip(start_postgres)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def frail(redis_of_its_own: Redis, postgres_of_its_own: Postgres) -> Iterator[Site]:
    """A site whose services may be killed."""
    site = Site(None, database=postgres_of_its_own.url, REDIS_URL=redis_of_its_own.url).start()
    yield site
    site.remove()


@pytest.fixture
def redis(redis_of_its_own: Redis) -> Iterator[Redis]:
    yield redis_of_its_own
    if redis_of_its_own.process is None:
        redis_of_its_own.start()


@pytest.fixture
def postgres(postgres_of_its_own: Postgres) -> Iterator[Postgres]:
    yield postgres_of_its_own
    if postgres_of_its_own.process is None:
        postgres_of_its_own.start()


@contextmanager
def heard_by(agent: Caller, after: str) -> Iterator[ClientConnection]:
    """Open a socket that hears; the process behind it may still be at its last try to reach the database."""
    deadline = time.monotonic() + 20
    while True:
        with agent.socket(f"/ws/agents?after={after}") as socket:
            try:
                assert json.loads(socket.recv(10))["type"] == "hello"
            except ConnectionClosedError as closed:
                if closed.rcvd is None or closed.rcvd.code != CLOSE_TRY_LATER or time.monotonic() > deadline:
                    raise
            else:
                yield socket
                return
        time.sleep(0.3)


def decide_while_waiting(agent: Caller, ann: Caller, *, within: float) -> None:
    """Let a long poll and a socket of *agent* wait for a decision, and hear it."""
    after = agent.http.get("/events", params={"limit": 1000}).json()["cursor"]
    with heard_by(agent, after) as socket, ThreadPoolExecutor(1) as thread:
        pk = agent.ask()["id"]
        wait = thread.submit(agent.http.get, f"/interrupts/{pk}/wait", params={"timeout": 50})
        time.sleep(0.3)
        begun = time.monotonic()
        ann.decide(pk)
        assert wait.result().json()["status"] == "approved"
        heard = [json.loads(socket.recv(15))["type"] for _ in range(2)]
        assert heard == ["hitl.interrupt.requested", "hitl.interrupt.approved"]
        assert time.monotonic() - begun < within


def test_agents_hear_of_decisions_while_redis_is_away_and_after_it_is_back(frail: Site, redis: Redis) -> None:
    agent, ann = frail.agent(), frail.person("ann")
    decide_while_waiting(agent, ann, within=3)
    after = agent.events()[-1]["cursor"]
    with agent.socket(f"/ws/agents?after={after}") as socket:
        assert json.loads(socket.recv(10))["type"] == "hello"
        heard = []
        for number in range(counts(2, 20)):
            redis.kill() if number % 2 else redis.stop()
            codes = {agent.http.post("/interrupts", json={"reason": "May I?"}).status_code for _ in range(10)}
            assert codes == {201}
            assert frail.lives()
            decide_while_waiting(agent, ann, within=10)
            answer = frail.ready()
            assert (answer.status_code, answer.json()["layer"][:11]) == (503, "unavailable")
            redis.start()
            redis.flush()
            eventually(lambda: frail.ready().json()["layer"] == "ok", within=30)
            decide_while_waiting(agent, ann, within=10)
            heard += [json.loads(socket.recv(15))["cursor"] for _ in range(14)]
        assert heard == [event["cursor"] for event in agent.events(after)][: len(heard)]
    nudged = 0
    for _ in range(40):  # once the subscription is back, nobody has to look again
        agent.ask()
        begun = time.monotonic()
        pk = agent.ask()["id"]
        with ThreadPoolExecutor(1) as thread:
            wait = thread.submit(agent.http.get, f"/interrupts/{pk}/wait", params={"timeout": 50})
            time.sleep(0.1)
            ann.decide(pk)
            assert wait.result().json()["status"] == "approved"
        nudged = nudged + 1 if time.monotonic() - begun < 0.9 else 0
        if nudged == 4:
            break
    assert nudged == 4
    assert '"code": 500' not in frail.web.log()


def test_a_flush_of_redis_loses_nothing(frail: Site, redis: Redis) -> None:
    agent, ann = frail.agent(), frail.person("ann")
    for _ in range(counts(3, 20)):
        redis.flush()
        decide_while_waiting(agent, ann, within=5)


def is_approved(agent: Caller, pk: str) -> bool:
    answer = agent.http.get(f"/interrupts/{pk}")
    assert answer.status_code in (200, 503), answer.text
    return answer.status_code == 200 and bool(answer.json()["status"] == "approved")


def test_what_was_acknowledged_survives_the_death_of_postgresql(frail: Site, postgres: Postgres) -> None:
    agent, ann = frail.agent(), frail.person("ann")
    decided: list[str] = []

    def work() -> None:
        while True:
            answer = agent.http.post("/interrupts", json={"reason": "May I?"})
            if answer.status_code != 201:
                return
            if ann.call(answer.json()["id"], "approve").status_code != 200:
                return
            decided.append(answer.json()["id"])

    for _ in range(counts(1, 50)):
        with ThreadPoolExecutor(4) as threads:
            workers = [threads.submit(work) for _ in range(4)]
            eventually(lambda: len(decided) >= 20)
            postgres.kill()
            assert frail.lives()
            [worker.result() for worker in workers]
        answer = frail.ready()
        assert (answer.status_code, answer.json()["database"][:11]) == (503, "unavailable")
        postgres.start()
        eventually(lambda: frail.ready().json()["database"] == "ok", within=60, pause=0.3)
        # Ready is one process; the other may still be at its last try to connect.
        for pk in decided:
            eventually(partial(is_approved, agent, pk))
        events = agent.events()
        assert positions(events) == list(range(1, len(events) + 1))
        frail.manage("verify_events")
    decide_while_waiting(agent, ann, within=5)
