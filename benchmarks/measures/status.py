"""Ask how it stands, by id, and again with the ETag of the answer."""

import itertools
import re
from functools import partial

import orjson

from benchmarks.load import call, get
from benchmarks.measures.question import asking, asking_reference
from benchmarks.report import Report, Row, at_least
from benchmarks.rounds import Contender, Sample, take
from benchmarks.rows import bearer
from benchmarks.scale import Scale
from benchmarks.stand import Process, Stand

ITEMS = 300
OURS, AGAIN, FASTAPI = "server", "server, 304", "FastAPI"


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Read the status of some hundred items in turn, with 16 connections."""
    stand.truncate()
    ours, again, reference = [], [], []
    write, write_reference = asking(list(stand.keys.values())), asking_reference(list(stand.keys))
    for _ in range(ITEMS):
        request = write()
        pk = orjson.loads((await call(stand.wsgi.port, request)).body)["id"]
        path, key = f"/api/v1/interrupts/{pk}/status", bearer(request)
        ours.append(get(path, Authorization=key))
        answer = await call(stand.wsgi.port, ours[-1])
        tag = re.search(rb"\r\netag: (\S+)", answer.head, re.IGNORECASE)
        assert tag is not None
        again.append(get(path, Authorization=key, If_None_Match=tag[1].decode()))
        pk = orjson.loads((await call(stand.fastapi.port, write_reference())).body)["id"]
        reference.append(get(f"/interrupts/{pk}/status"))
    contenders = [
        Contender(OURS, partial(read, stand, scale, stand.wsgi, ours)),
        Contender(AGAIN, partial(read, stand, scale, stand.wsgi, again)),
        Contender(FASTAPI, partial(read, stand, scale, stand.fastapi, reference)),
    ]
    rounds = await take(contenders, scale.rounds)
    for work, name in (("status by id", OURS), ("status by id, 304", AGAIN)):
        report.add(Row(
            work, "requests/s", rounds, name, (FASTAPI,),
            first=(at_least(rounds, name, FASTAPI, 0.9, floor=0.15),),
            then=(at_least(rounds, name, FASTAPI, 1.5),),
        ))  # fmt: skip


async def read(stand: Stand, scale: Scale, server: Process, requests: list[bytes]) -> Sample:
    """Send *requests* in turn with 16 connections."""
    cycle = itertools.cycle(requests).__next__
    sample, _ = await stand.http(server, cycle, connections=16, seconds=scale.seconds)
    return sample
