"""Requests on running processes: waits end with the answer, races have one winner, a kill loses nothing."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.drills.callers import Caller
from tests.drills.sites import Site

NEED = {
    "request_type": "api_key",
    "title": "A key for Stripe",
    "description": "To read invoices.",
    "required_fields": {"account": "Account", "key": {"label": "Key", "type": "secret"}},
}
ANSWER = {"response_data": {"account": "A-1", "key": "sk_1"}}


def need(agent: Caller, **fields: Any) -> str:
    answer = agent.http.post("/requests", json={**NEED, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_wait_brings_what_was_supplied(asker: Caller, ann: Caller) -> None:
    pk = need(asker)
    with ThreadPoolExecutor(1) as thread:
        wait = thread.submit(asker.http.get, f"/requests/{pk}/wait", params={"timeout": 30})
        time.sleep(0.3)
        decided = time.monotonic()
        assert ann.http.post(f"/requests/{pk}/fulfill", json=ANSWER).status_code == 200
        seen = wait.result().json()
    assert time.monotonic() - decided < 2
    assert (seen["status"], seen["response_data"]) == ("fulfilled", {"account": "A-1"})
    assert "sk_1" not in wait.result().text


def test_a_wait_lasts_through_review_and_ends_at_the_deadline(asker: Caller, ann: Caller) -> None:
    pk = need(asker, expires_in=3)
    assert ann.http.post(f"/requests/{pk}/start_review").status_code == 200
    begun = time.monotonic()
    seen = asker.http.get(f"/requests/{pk}/wait", params={"timeout": 30}).json()
    assert seen["status"] == "expired"
    assert 1.5 < time.monotonic() - begun < 6


def test_whoever_races_one_ends_it(asker: Caller, ann: Caller, site: Site) -> None:
    people = [ann, site.person("ada")]
    for pk in [need(asker) for _ in range(5)]:

        def end(number: int, pk: str = pk) -> int:
            if number % 8 == 0:
                return asker.http.post(f"/requests/{pk}/cancel").status_code
            verb, body = ("fulfill", ANSWER) if number % 2 else ("reject", {"reason": "No."})
            return people[number % 3 % 2].http.post(f"/requests/{pk}/{verb}", json=body).status_code

        with ThreadPoolExecutor(32) as threads:
            codes = Counter(threads.map(end, range(32)))

        assert codes == {200: 1, 409: 31}
        told = [event["type"] for event in asker.events() if event["subject_id"] == pk]
        assert len(told) == 2


def test_a_kill_loses_neither_the_answer_nor_its_secret(new_site: Callable[..., Site]) -> None:
    site = new_site().start()
    agent, ann = site.agent(), site.person("ann")
    pk = need(agent)
    assert ann.http.post(f"/requests/{pk}/fulfill", json=ANSWER).status_code == 200
    site.kill()
    site.start()

    assert agent.http.get(f"/requests/{pk}").json()["response_data"] == {"account": "A-1"}
    revealed = agent.http.post(f"/requests/{pk}/reveal")
    assert revealed.json()["values"] == {"key": "sk_1"}
    assert revealed.headers["cache-control"] == "no-store"
    site.kill()
    site.start()
    assert agent.http.post(f"/requests/{pk}/reveal").json()["code"] == "leased"
    assert agent.http.post(f"/requests/{pk}/ack").status_code == 200
    assert agent.http.post(f"/requests/{pk}/reveal").json()["code"] == "acknowledged"
