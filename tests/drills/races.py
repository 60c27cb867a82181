"""Races of threads in one process, on a site's own database; what came of them is printed as JSON.

python -m tests.drills.races decide AGENT ITEMS
python -m tests.drills.races write AGENT EVENTS
"""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event as Flag
from typing import Any

import django

THREADS = 64
WRITERS = 16


def decide(agent: str, items: int) -> dict[str, Any]:
    """Let 64 threads approve, reject, cancel and expire each of *items* at once; some are just due."""
    ann = callers.of_user(User.objects.get(username="ann"))
    asker = callers.of_key(Key.objects.get(agent_id=agent))
    asked = [asking.ask(asker, {"reason": "May I?"})[0].pk for _ in range(items)]
    verbs: dict[str, Callable[[Interrupt], None]] = {
        "approve": partial(services.approve, by=ann),
        "reject": partial(services.reject, by=ann),
        "cancel": partial(services.cancel, by=asker),
    }

    def attempt(pk: str, verb: str) -> str | None:
        try:
            if verb == "expire":
                services.expire_overdue()
                return None
            verbs[verb](Interrupt.objects.get(pk=pk))
        except TransitionConflict:
            return None
        finally:
            connection.close()
        return verb

    winners: dict[str, list[str]] = {}
    with ThreadPoolExecutor(THREADS) as threads:
        for pk in asked:
            contenders = random.choices([*verbs, "expire"], k=THREADS)
            due = Now() + dt.timedelta(milliseconds=random.choice([-1, 15, 60_000]))
            ReviewItem.objects.filter(pk=pk).update(expires_at=due)
            calls = [threads.submit(attempt, pk, verb) for verb in contenders]
            winners[pk] = [verb for call in calls if (verb := call.result())]
            if not winners[pk]:
                services.expire_overdue()  # nobody was in time, and the sweeps came too early
            if ReviewItem.objects.get(pk=pk).status == "expired":
                winners[pk].append("expire")
    endings = Counter(
        Event.objects.filter(subject_id__in=asked)
        .exclude(type="hitl.interrupt.requested")
        .values_list("subject_id", flat=True)
    )
    return {
        "items": items,
        "winners": Counter(len(found) for found in winners.values()),
        "events": Counter(endings[pk] for pk in asked),
        "verbs": Counter(verb for found in winners.values() for verb in found),
    }


def write(agent: str, events: int) -> dict[str, Any]:
    """Let writers commit late, in any order and sometimes not at all, while readers follow by cursor."""
    stream = selectors.stream_of(agent)
    beginning = stream.position
    done = Flag()

    def writer(count: int) -> int:
        written = 0
        for _ in range(count):
            try:
                with transaction.atomic():
                    with log.unit_of_work():
                        several = random.choice([1, 1, 1, 3])
                        for _ in range(several):
                            log.record(agent, "hitl.item.commented", "int_drill", actor="drill")
                        time.sleep(random.random() * 0.002)
                    time.sleep(
                        random.random() * random.choice([0, 0, 0.004])
                    )  # the position is taken: commit late
                    if random.random() < 0.05:
                        raise ZeroDivisionError
                written += several
            except ZeroDivisionError:
                continue
        connection.close()
        return written

    def reader() -> list[int]:
        found, position = [], beginning
        while True:
            last = done.is_set()
            frames = selectors.frames_after(agent, stream.epoch, position, random.choice([1, 7, 500]))
            found += [frame.position for frame in frames]
            position = found[-1] if found else beginning
            if last and not frames:
                connection.close()
                return found

    with ThreadPoolExecutor(WRITERS + 4) as threads:
        readers = [threads.submit(reader) for _ in range(4)]
        writers = [threads.submit(writer, events // WRITERS) for _ in range(WRITERS)]
        try:
            written = sum(call.result() for call in writers)
        finally:
            done.set()
        read = [call.result() for call in readers]
    texts = [frame.text for frame in selectors.frames_after(agent, stream.epoch, beginning, 10**9)]
    replays = [
        [frame.text for frame in selectors.frames_after(agent, stream.epoch, beginning + start, 10**9)]
        == texts[start:]
        for start in random.sample(range(len(texts)), 20)
    ]
    return {
        "written": written,
        "gapless": [found == list(range(beginning + 1, beginning + written + 1)) for found in read],
        "replays": all(replays),
    }


if __name__ == "__main__":
    django.setup()
    import datetime as dt

    from django.contrib.auth.models import User
    from django.db import connection, transaction
    from django.db.models.functions import Now

    from agents import callers
    from agents.models import Key
    from events import log, selectors
    from events.models import Event
    from events.transitions import TransitionConflict
    from interrupts import asking, services
    from interrupts.models import Interrupt
    from reviews.models import ReviewItem

    race = {"decide": decide, "write": write}[sys.argv[1]]
    sys.stdout.write(json.dumps(race(sys.argv[2], int(sys.argv[3]))))
