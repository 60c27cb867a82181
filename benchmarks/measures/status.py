"""Ask how it stands, by id, and again with the ETag of the answer."""

import itertools
import re
from functools import partial

import orjson

from benchmarks.load import call, get
from benchmarks.measures.question import asking, asking_reference
from benchmarks.report import Report, Row, Target
from benchmarks.rounds import Contender, Sample, take
from benchmarks.scale import Scale
from benchmarks.stand import Stand

ITEMS = 500


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Read the status of some hundred items in turn, with 16 connections."""
    stand.truncate()
    ours, again, reference = [], [], []
    write, write_reference = asking(list(stand.keys.values())), asking_reference(list(stand.keys))
    for _ in range(ITEMS):
        request = write()
        key = {"Authorization": re.search(rb"Bearer \S+", request)[0].decode()}  # type: ignore[index]
        pk = orjson.loads((await call(stand.wsgi.port, request)).body)["id"]
        path = f"/api/v1/interrupts/{pk}/status"
        ours.append(get(path, **key))
        tag = re.search(rb"etag: (\S+)", (await call(stand.wsgi.port, ours[-1])).head, re.IGNORECASE)
        again.append(get(path, **key, If_None_Match=tag[1].decode()))  # type: ignore[index]
        pk = orjson.loads((await call(stand.fastapi.port, write_reference())).body)["id"]
        reference.append(get(f"/interrupts/{pk}/status"))
    contenders = [
        Contender("server", partial(_sample, stand, scale, "wsgi", ours)),
        Contender("server, 304", partial(_sample, stand, scale, "wsgi", again)),
        Contender("FastAPI", partial(_sample, stand, scale, "fastapi", reference)),
    ]
    rounds = await take(contenders, scale.rounds)
    target = Target(at_least=0.9, then=1.5, floor=0.4)
    report.add(Row("status by id", "requests/s", rounds, "server", "FastAPI", target))
    report.add(Row("status by id, 304", "requests/s", rounds, "server, 304", "FastAPI", target))


async def _sample(stand: Stand, scale: Scale, server: str, requests: list[bytes]) -> Sample:
    cycle = itertools.cycle(requests).__next__
    sample, _ = await stand.http(getattr(stand, server), cycle, connections=16, seconds=scale.seconds)
    return sample
