"""Asking twice asks once, however fast, and whatever dies in between."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.drills.callers import Caller
from tests.drills.sites import counts

THREADS = 32


def test_32_calls_with_one_key_make_one_interrupt(asker: Caller) -> None:
    start = Barrier(THREADS)

    def ask(key: str) -> tuple[int, str]:
        start.wait(30)
        answer = asker.http.post("/interrupts", json={"reason": "Once?"}, headers={"Idempotency-Key": key})
        return answer.status_code, answer.json()["id"]

    keys = [f"key-{number}" for number in range(counts(12, 5_000))]
    with ThreadPoolExecutor(THREADS) as threads:
        for key in keys:
            answers = list(threads.map(ask, [key] * THREADS))
            assert len({pk for _, pk in answers}) == 1, answers
            assert Counter(status for status, _ in answers) == {201: 1, 200: THREADS - 1}
    assert [event["type"] for event in asker.events()] == ["hitl.interrupt.requested"] * len(keys)
