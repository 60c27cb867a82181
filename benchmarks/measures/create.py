"""Ask: by the public endpoint, whole, one by one and in batches."""

import asyncio
import re
from functools import partial

import orjson

from benchmarks.machine import Meter
from benchmarks.measures.question import ARGUMENTS, DATA, REASON, asking, asking_fifty, asking_reference
from benchmarks.report import Report, Row, at_least
from benchmarks.rounds import Contender, Sample, take
from benchmarks.scale import Scale
from benchmarks.stand import ORPHANS, REFERENCES, Stand

OURS, FASTAPI, FOUR, CTE = "server", "FastAPI", "pgbench, 4 statements", "pgbench, 1 CTE"


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Create with 64 and with 16 connections, and in batches of 50."""
    for connections in (64, 16):
        contenders = [
            Contender(OURS, partial(_ours, stand, scale, connections)),
            Contender(FASTAPI, partial(_fastapi, stand, scale, connections)),
            Contender(FOUR, partial(_pgbench, stand, scale, connections, "four_statements.sql")),
            Contender(CTE, partial(_pgbench, stand, scale, connections, "one_cte.sql")),
        ]
        rounds = await take(contenders, scale.rounds)
        judged = connections == 64
        report.add(Row(
            f"create, {connections} connections", "requests/s", rounds, OURS, (FASTAPI, FOUR, CTE),
            first=(at_least(rounds, OURS, FASTAPI, 0.8, floor=0.12),) if judged else (),
            then=(at_least(rounds, OURS, FASTAPI, 1.2),) if judged else (),
        ))  # fmt: skip
    contenders = [
        Contender(OURS, partial(_batches, stand, scale)),
        Contender(FOUR, partial(_pgbench, stand, scale, 16, "four_statements.sql")),
        Contender(CTE, partial(_pgbench, stand, scale, 16, "one_cte.sql")),
    ]
    rounds = await take(contenders, scale.rounds)
    report.add(Row(
        "create in batches of 50", "items/s", rounds, OURS, (FOUR, CTE),
        first=(at_least(rounds, OURS, FOUR, 1, floor=0.25),), then=(at_least(rounds, OURS, CTE, 1),),
    ))  # fmt: skip


async def _ours(stand: Stand, scale: Scale, connections: int) -> Sample:
    stand.truncate()
    requests = asking(list(stand.keys.values()))
    sample, acknowledged = await stand.http(
        stand.wsgi, requests, connections=connections, seconds=scale.seconds
    )
    check(stand, acknowledged)
    return sample


async def _batches(stand: Stand, scale: Scale) -> Sample:
    stand.truncate()
    requests = asking_fifty(list(stand.keys.values()))
    sample, acknowledged = await stand.http(
        stand.wsgi, requests, connections=16, seconds=scale.seconds, unit=50
    )
    check(stand, acknowledged)
    return sample


async def _fastapi(stand: Stand, scale: Scale, connections: int) -> Sample:
    stand.truncate()
    requests = asking_reference(list(stand.keys))
    sample, _ = await stand.http(stand.fastapi, requests, connections=connections, seconds=scale.seconds)
    return sample


async def _pgbench(stand: Stand, scale: Scale, connections: int, script: str) -> Sample:
    stand.truncate()
    fsync = await stand.idle()
    meter = Meter({"db": stand.trees(stand.wsgi)["db"]})
    texts = {"agent": "agent-0000", "reason": REASON, "arguments": ARGUMENTS, "data": DATA}
    process = await asyncio.create_subprocess_exec(
        str(stand.postgres.binaries / "pgbench"), "--no-vacuum", "--protocol=prepared",
        f"--client={connections}", "--jobs=2", f"--time={max(1, round(scale.seconds))}",
        f"--file={REFERENCES / script}",
        *(f"--define={name}={text if isinstance(text, str) else orjson.dumps(text).decode()}"
          for name, text in texts.items()),
        stand.reference_url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output = (await process.communicate())[0].decode()
    spent, _ = meter.read()  # pgbench itself is among the others, whose share is therefore not told
    rate, count = re.search(r"^tps = ([\d.]+)", output, re.M), re.search(r"processed: (\d+)", output)
    if rate is None or count is None:
        raise RuntimeError(output)
    return Sample(float(rate[1]), int(count[1]), spent, 0.0, {"fsync": fsync})


def check(stand: Stand, acknowledged: int) -> None:
    """See to it that nothing acknowledged is missing, and that no row stands alone."""
    rows, orphans = stand.number("SELECT count(*) FROM {item}"), stand.number(ORPHANS)
    if rows < acknowledged or orphans:
        raise RuntimeError(f"{acknowledged} acknowledged, {rows} rows, {orphans} of them without the rest")
