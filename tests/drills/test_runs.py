"""Runs outlive whatever stops the server: each ends once, and what it calls is done once."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event as Flag
from typing import Any

import httpx
import pytest

from runs.lifecycle import Step
from tests.drills.callers import API, Caller, positions
from tests.drills.sites import Site, counts, eventually
from tests.providers import HTTPService, Trouble
from tests.servers import Postgres, start_postgres
from tests.services import start_or_skip

RUNS = counts(8, 20)
ROUNDS = counts(1, 15)
ONCE_EACH = [(number, step.value, "completed") for number, step in enumerate(Step, 1)]
ENDED = ("completed", "failed", "cancelled")


@pytest.fixture
def service() -> Iterator[HTTPService]:
    with HTTPService() as found:
        yield found


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that may be killed."""
    server = start_or_skip(start_postgres)
    yield server
    server.remove()


def start_runs(
    agents: list[Caller], service: HTTPService, numbers: Iterable[int] = range(RUNS), **config: Any
) -> dict[str, Caller]:
    """Start a run for each number, with an input of its own; return whose each is."""
    found = {}
    for number in numbers:
        agent = agents[number % len(agents)]
        inputs = {"url": f"{service.url}/work/{number}", "number": number, "text": f"Łódź {number}"}
        body = {"run_input": {"tool": "http", "inputs": inputs}, "hitl_config": config}
        key = {"Idempotency-Key": f"job-{number}"}

        def call(agent: Caller = agent, body: Any = body, key: dict[str, str] = key) -> httpx.Response | None:
            return tried(lambda: agent.http.post("/run", json=body, headers=key))

        answer = eventually(call)
        assert answer
        assert answer.status_code == 202, answer.text
        found[answer.json()["run_id"]] = agent
    return found


def tried(call: Callable[[], httpx.Response]) -> httpx.Response | None:
    """Return the answer; None while the server is away."""
    try:
        answer = call()
    except httpx.TransportError:
        return None
    return None if answer.status_code == 503 else answer


class Desk:
    """Somebody who logged in and answers what runs ask, in any order, until told to stop."""

    def __init__(self, site: Site, name: str) -> None:
        self.http = site.log_in(name)
        self.token = {"X-CSRFToken": self.http.cookies["csrftoken"]}

    def work(self, stop: Flag) -> Counter[str]:
        done: Counter[str] = Counter()
        while not stop.wait(0.05):
            found = tried(lambda: self.http.get(f"{API}/approvals/pending"))
            if found is None:
                continue
            asked = found.raise_for_status().json()["results"]
            for question in random.sample(asked, min(3, len(asked))):
                done[question["checkpoint"]] += self.approve(question)
        self.http.close()
        return done

    def approve(self, question: dict[str, Any]) -> bool:
        path = random.choice([f"/runs/{question['run_id']}/approve", f"/interrupts/{question['id']}/approve"])
        by_run = {"approval_id": question["id"], "action": "approve"}
        body = by_run if path.startswith("/runs") else {}
        answer = tried(lambda: self.http.post(f"{API}{path}", json=body, headers=self.token))
        assert answer is None or answer.status_code in (200, 409), answer.text
        return answer is not None and answer.status_code == 200


@contextmanager
def people_at_their_desks(site: Site) -> Iterator[None]:
    """Have two people answer while the block works."""
    stop = Flag()
    desks = [Desk(site, name) for name in ("ann", "bob")]
    with ThreadPoolExecutor(2) as threads:
        working: list[Future[Counter[str]]] = [threads.submit(desk.work, stop) for desk in desks]
        try:
            yield
        finally:
            stop.set()
        assert sum(found.result().total() for found in working)


def resume(agent: Caller, run_id: str) -> bool:
    answer = tried(lambda: agent.http.post(f"/runs/{run_id}/resume", json={}))
    assert answer is None or answer.status_code == 200, answer.text
    return answer is not None


def status_of(agent: Caller, run_id: str) -> str:
    answer = tried(lambda: agent.http.get(f"/runs/{run_id}/status"))
    return "" if answer is None else str(answer.json()["status"])


def wait_for_the_end(runs: dict[str, Caller], *, within: float) -> None:
    def all_ended() -> bool:
        return all(status_of(agent, run_id) in ENDED for run_id, agent in runs.items())

    eventually(all_ended, within=within, pause=0.3)


def check_each_ended_once(site: Site, service: HTTPService, runs: dict[str, Caller]) -> None:
    """Hold what the runs, the record and the service say against each other."""
    for run_id, agent in runs.items():
        state = agent.http.get(f"/runs/{run_id}/state").json()
        assert state["status"] == "completed", state["error"]
        history = [(row["number"], row["step"], row["status"]) for row in state["step_history"]]
        assert history == ONCE_EACH
        told = [event for event in agent.events() if event["subject_id"] == run_id]
        types = Counter(event["type"] for event in told)
        assert types["hitl.run.started"] == types["hitl.run.completed"] == 1
        number = state["run_input"]["inputs"]["number"]
        sent = [seen for seen in service.to(f"/work/{number}") if seen.path == f"/work/{number}"]
        assert {seen.key for seen in sent} == {sent[0].key}
        assert all(seen.json == {"number": number, "text": f"Łódź {number}"} for seen in sent)
        assert state["result"] == {"done": sent[0].json}
    for agent in set(runs.values()):
        events = agent.events()
        assert positions(events) == list(range(1, len(events) + 1))
    done = {key: times for key, times in service.carried_out.items() if key}  # who only looks has no key
    assert (len(done), set(done.values())) == (len(runs), {1})
    site.manage("verify_events")


def test_each_run_ends_once_whatever_is_killed_at_whatever_moment(
    new_site: Callable[..., Site], service: HTTPService
) -> None:
    site = new_site(HITL_RUN_HOSTS="127.0.0.1").start()
    runs = start_runs([site.agent(), site.agent()], service)
    service.trouble(*[Trouble(seconds=random.random() * 2) for _ in range(RUNS)])  # be killed amid a call

    with people_at_their_desks(site):
        victims = site.programs * (ROUNDS if len(site.programs) > 1 else ROUNDS * 3)
        for program in random.sample(victims, len(victims)):
            time.sleep(random.random() * 1.5)
            program.kill()
            program.start()
        wait_for_the_end(runs, within=60)

    check_each_ended_once(site, service, runs)


@pytest.mark.production
def test_runs_that_wait_or_are_paused_or_amid_a_call_outlive_postgresql(
    postgres: Postgres, service: HTTPService
) -> None:
    site = Site(None, database=postgres.url, HITL_RUN_HOSTS="127.0.0.1").start()
    try:
        agent, ann = site.agent(), site.person("ann")
        runs = start_runs([agent], service)
        eventually(lambda: {status_of(agent, run_id) for run_id in runs} == {"awaiting_human"}, within=60)
        paused = random.sample(sorted(runs), 3)
        for run_id in paused:
            assert agent.http.post(f"/runs/{run_id}/pause", json={}).json()["status"] == "paused"
        question = agent.http.get(f"/runs/{paused[0]}/status").json()["approval_id"]
        ann.decide(question)
        service.trouble(Trouble(seconds=1.5))
        runs |= start_runs([agent], service, [RUNS], policy="auto")
        eventually(lambda: service.to(f"/work/{RUNS}"))

        postgres.kill()
        time.sleep(2)  # the call ends, and there is nowhere to write its answer
        postgres.start()

        eventually(lambda: site.ready().json()["database"] == "ok", within=60, pause=0.3)
        assert {status_of(agent, run_id) for run_id in paused} <= {"paused", ""}
        for run_id in paused:
            eventually(partial(resume, agent, run_id))
        with people_at_their_desks(site):
            wait_for_the_end(runs, within=60)

        check_each_ended_once(site, service, runs)
    finally:
        site.remove()
