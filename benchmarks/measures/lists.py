"""Turn the pages of a list of up to a million rows: the first, and one deep down."""

import base64
import itertools
from functools import partial
from urllib.parse import quote, unquote

import orjson

from benchmarks.load import call, get
from benchmarks.measures.filling import fill
from benchmarks.report import Report, Row, Target
from benchmarks.rounds import Contender, Sample, take
from benchmarks.scale import Scale
from benchmarks.stand import Stand


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Read pages of fifty with 16 connections, at each size."""
    agent, key = next(iter(stand.keys.items()))
    ours = "/api/v1/interrupts?limit=50"
    for size in scale.sizes:
        fill(stand, size)
        deep = f"int_{size // 20:026}"
        cursor = await _cursor(stand, ours, key, deep)
        contenders = {
            "server": ("wsgi", get(ours, Authorization=f"Bearer {key}")),
            "server, deep": ("wsgi", get(f"{ours}&cursor={cursor}", Authorization=f"Bearer {key}")),
            "FastAPI": ("fastapi", get(f"/interrupts?agent={agent}")),
            "FastAPI, deep": ("fastapi", get(f"/interrupts?agent={agent}&before={deep}")),
        }
        rounds = await take(
            [Contender(name, partial(_sample, stand, scale, *how)) for name, how in contenders.items()],
            scale.rounds,
        )
        target = Target(at_least=0.5, then=1.5, floor=0.2)
        report.add(Row(f"page of 50 among {size:,}", "pages/s", rounds, "server", "FastAPI", target))
        report.add(Row(f"deep page among {size:,}", "pages/s", rounds, "server, deep", "server"))


async def _cursor(stand: Stand, path: str, key: str, deep: str) -> str:
    """Return the cursor of the page that begins below *deep*, as the server itself writes cursors."""
    answer = await call(
        stand.wsgi.port, get(f"{path}&limit=1".replace("limit=50&", ""), Authorization=f"Bearer {key}")
    )
    page = orjson.loads(answer.body)
    first, found = page["results"][0]["id"], page["next"].partition("cursor=")[2].partition("&")[0]
    text = base64.urlsafe_b64decode(unquote(found)).decode()
    return quote(base64.urlsafe_b64encode(text.replace(first, deep).encode()).decode())


async def _sample(stand: Stand, scale: Scale, server: str, request: bytes) -> Sample:
    requests = itertools.repeat(request).__next__
    sample, _ = await stand.http(getattr(stand, server), requests, connections=16, seconds=scale.seconds)
    return sample
