"""Whoever races, an item is decided once: one winner, one ending, one event."""

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx

from tests.drills.callers import Caller
from tests.drills.sites import Site, counts

THREADS = 64
ENDINGS = {f"hitl.interrupt.{verb}" for verb in ("approved", "rejected", "cancelled", "expired")}


def race(contests: list[list[tuple[Caller, str, str]]]) -> list[list[int]]:
    """Let all contenders of a contest call at the same moment; return the answers, contest by contest."""
    results = []
    with ThreadPoolExecutor(THREADS) as threads:
        for contenders in contests:
            start = Barrier(len(contenders))

            def contend(who: Caller, pk: str, verb: str, start: Barrier = start) -> int:
                start.wait(30)
                answer = who.call(pk, verb)
                if answer.status_code == 409:
                    assert answer.json()["current"]["id"] == pk
                    assert answer.json()["current"]["status"] != "pending"
                return answer.status_code

            results.append([call.result() for call in [threads.submit(contend, *one) for one in contenders]])
    return results


def test_64_callers_at_one_item_make_one_decision(
    site: Site, asker: Caller, ann: Caller, bob: Caller
) -> None:
    everybody = [(ann, "approve"), (bob, "reject"), (bob, "approve"), (asker, "cancel")]
    crowded = asker.ask_many(counts(4, 1_000))
    ids = [*crowded, *asker.ask_many(counts(100, 0))]
    contests = [
        [(who, pk, verb) for who, verb in random.choices(everybody, k=THREADS if pk in crowded else 8)]
        for pk in ids
    ]

    answers = race(contests)

    assert all(Counter(codes) == {200: 1, 409: len(codes) - 1} for codes in answers), answers
    endings = Counter(event["subject_id"] for event in asker.events() if event["type"] in ENDINGS)
    assert endings == Counter(ids)


def test_a_decision_at_the_deadline_is_in_time_or_refused(site: Site, asker: Caller, ann: Caller) -> None:
    pk = asker.ask(expires_in=1)["id"]
    answers: list[httpx.Response] = []
    while not answers or answers[-1].status_code != 409:
        answers.append(ann.call(pk, "claim"))

    assert answers[-1].json()["code"] == "expired"
    assert {answer.status_code for answer in answers[:-1]} == {200}
    assert [ann.call(pk, verb).status_code for verb in ("approve", "reject", "cancel")] == [409] * 3
    assert asker.http.get(f"/interrupts/{pk}/status").json()["status"] == "expired"


def test_deciders_and_the_sweep_in_one_process_end_each_item_once(site: Site) -> None:
    told = json.loads(
        site.run("-m", "tests.drills.races", "decide", site.agent().name, str(counts(100, 5_000)))
    )

    assert told["winners"] == {"1": told["items"]}, told
    assert told["events"] == {"1": told["items"]}, told
    assert set(told["verbs"]) == {"approve", "reject", "cancel", "expire"}
