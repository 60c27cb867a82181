"""Expiry is never late and never wrong, with a clock, with two, or with none."""

import json
import time
from collections import Counter
from collections.abc import Callable

from tests.drills.sites import Site, eventually

SWEEP = "expire_overdue_interrupts"


def test_while_the_clock_stands_nothing_overdue_can_be_decided(new_site: Callable[..., Site]) -> None:
    site = new_site(clock=False).start()
    if site.embedded:  # its clock is in the process: somebody else holds the job
        site.hold_the_job(SWEEP)
    agent, ann = site.agent(), site.person("ann")
    ids = agent.ask_many(20)
    site.make_overdue(ids)

    for pk in ids:
        assert agent.item(pk)["status"] == "expired"
        answers = [ann.call(pk, verb) for verb in ("approve", "reject", "claim")] + [agent.call(pk, "cancel")]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "expired")] * 4
    assert agent.events(types="hitl.interrupt.expired") == []
    assert agent.http.get("/interrupts", params={"pending_only": "true"}).json()["results"] == []
    figures = agent.http.get("/statistics").json()["interrupts"]
    assert figures["by_status"].get("pending", 0) == 0


def test_two_clocks_do_each_job_once_and_in_time(new_site: Callable[..., Site]) -> None:
    site = new_site()
    site.sql("UPDATE django_celery_beat_intervalschedule SET every = 1 WHERE every = 30")
    if site.embedded:
        site.hold_the_job(SWEEP)  # a lease left by a killed process is no hindrance
    else:
        site.clock.append(site.beat())
    site.start()
    agent = site.agent()
    ids = agent.ask_many(30, expires_in=2)
    begun = time.monotonic()

    eventually(lambda: len(agent.events(types="hitl.interrupt.expired")) >= 30, within=60, pause=0.3)

    assert time.monotonic() - begun < 60
    time.sleep(1)
    endings = Counter(
        event["subject_id"] for event in agent.events() if event["type"] != "hitl.interrupt.requested"
    )
    assert endings == Counter(ids)
    assert {agent.item(pk)["resolved_by"] for pk in ids} == {"system"}
    eventually(lambda: site.ready().status_code == 200, within=40, pause=0.3)


def test_threads_of_many_clocks_do_a_job_once(site: Site) -> None:
    code = """
import json, threading
from concurrent.futures import ThreadPoolExecutor
from django.db import connection
from events import jobs
done = []
barrier = threading.Barrier(8)
def work():
    done.append(1)
    return len(done)
def once(_):
    barrier.wait()
    try:
        jobs.once("drill", work, every=60)
    finally:
        connection.close()
with ThreadPoolExecutor(8) as threads:
    list(threads.map(once, range(8)))
print(json.dumps(done))
"""
    assert json.loads(site.manage("shell", "--no-imports", "-c", code)) == [1]


def test_the_server_is_ready_soon_and_alive_at_once(new_site: Callable[..., Site]) -> None:
    site = new_site()
    begun = time.monotonic()
    site.start()
    assert site.lives()
    eventually(lambda: site.ready().status_code == 200, within=60, pause=0.3)
    assert site.ready().json() == {"status": "ok", "database": "ok", "layer": "ok", "clock": "ok"}
    assert time.monotonic() - begun < 60
