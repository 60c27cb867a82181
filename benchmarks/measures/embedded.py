"""The server as `make run` starts it, on SQLite in one process, with sixteen who write."""

from functools import partial

from benchmarks import rounds as r
from benchmarks.measures.question import asking, asking_reference
from benchmarks.report import Check, Report, Row, at_least, at_most
from benchmarks.rounds import Contender, Sample, take
from benchmarks.scale import Scale
from benchmarks.stand import Process, Stand

OURS, NAIVE = "server", "FastAPI + sqlite3"


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Create with 16 connections."""
    server, naive = stand.start_embedded()
    await server.answers("/healthz")
    await naive.answers("/healthz")
    contenders = [
        Contender(OURS, partial(_sample, stand, scale, server, asking(list(stand.embedded_keys.values())))),
        Contender(NAIVE, partial(_sample, stand, scale, naive, asking_reference(list(stand.keys)))),
    ]
    rounds = await take(contenders, scale.rounds)
    refused = int(r.detail(rounds, OURS, "refused").most)
    p99 = r.detail(rounds, OURS, "p99").median
    report.add(Row(
        "create on SQLite, 16 connections", "requests/s", rounds, OURS, (NAIVE,),
        first=(
            Check("0 locked", refused == 0, refused > 0), at_least(rounds, OURS, NAIVE, 2, floor=0.4),
            at_most("p99 ≤ 100 ms", p99, 100, ceiling=1_000),
        ),
        then=(at_least(rounds, OURS, NAIVE, 3), at_most("p99 ≤ 20 ms", p99, 20)),
        details=(
            f"p99 {p99:,.0f} ms, {refused} locked",
            f"reference p99 {r.detail(rounds, NAIVE, 'p99').median:,.0f} ms,"
            f" {r.detail(rounds, NAIVE, 'refused').most:.0f} locked",
        ),
    ))  # fmt: skip
    server.end()
    naive.end()


async def _sample(stand: Stand, scale: Scale, server: Process, requests: object) -> Sample:
    sample, _ = await stand.http(server, requests, connections=16, seconds=scale.seconds, strict=False)
    return sample
