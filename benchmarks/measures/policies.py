"""Ask whether a call needs a person, of few policies and of many."""

from functools import partial

import orjson

from benchmarks.load import call, get, post
from benchmarks.measures.question import ARGUMENTS, asking
from benchmarks.measures.status import read
from benchmarks.report import Report, Row, at_least
from benchmarks.rounds import Contender, take
from benchmarks.rows import bearer
from benchmarks.scale import Scale
from benchmarks.stand import Stand

OURS, STATUS = "server", "status by id"
NUMBERS = (10, 1_000)


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Evaluate a call that the last policy matches, beside the cheapest read, with 16 connections."""
    stand.truncate()
    write = asking(list(stand.keys.values()))
    asked = write()
    pk = orjson.loads((await call(stand.wsgi.port, asked)).body)["id"]
    statuses = [get(f"/api/v1/interrupts/{pk}/status", Authorization=bearer(asked))]
    body = orjson.dumps({"tool_name": "delete_file", "tool_args": ARGUMENTS, "session_id": "session-1"})
    path = "/api/v1/policies/evaluate"
    evaluations = [post(path, body, Authorization=f"Bearer {key}") for key in stand.keys.values()]
    for number in NUMBERS:
        await stand.inside.ask_aside("policies", count=number)
        answer = orjson.loads((await call(stand.wsgi.port, evaluations[0])).body)
        assert answer["policy"] == f"Policy {number - 1}", answer
        rounds = await take(
            [
                Contender(OURS, partial(read, stand, scale, stand.wsgi, evaluations)),
                Contender(STATUS, partial(read, stand, scale, stand.wsgi, statuses)),
            ],
            scale.rounds,
        )
        wanted = at_least(rounds, OURS, STATUS, 0.5, floor=0.15)
        report.add(Row(
            f"evaluate, {number:,} policies", "requests/s", rounds, OURS, (STATUS,), first=(wanted,),
        ))  # fmt: skip
    await stand.inside.ask_aside("policies", count=0)
