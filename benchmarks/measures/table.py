"""What a large table does: pages, status and asking at 10 k, 100 k and 1 M rows; statistics; the sweep."""

import base64
import time
from functools import partial

from benchmarks import rounds as r
from benchmarks.load import call, get
from benchmarks.measures import sweep
from benchmarks.measures.question import asking
from benchmarks.measures.status import read
from benchmarks.report import Report, Row, at_least, at_most
from benchmarks.rounds import Contender, Sample, take
from benchmarks.rows import fill, key_of, pk
from benchmarks.scale import Scale
from benchmarks.stand import Stand

OURS, FASTAPI = "server", "FastAPI, keyset"
CALLS = 10  # one is over too soon to be measured alone


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Measure at each size; what is judged is the largest."""
    filled = 0
    for size in scale.sizes:
        await fill(stand, filled, size)
        filled = size
        await _at(stand, scale, report, size)
    await _statistics(stand, scale, report, filled)
    await sweep.measure(stand, scale, report)


async def _at(stand: Stand, scale: Scale, report: Report, size: int) -> None:
    largest = size == scale.sizes[-1]
    rounds = scale.rounds if largest else 2
    deep = size // 10  # nine tenths of the rows lie before it
    names = sorted(stand.keys)
    pages = {
        "first": (
            [get("/api/v1/interrupts", Authorization=f"Bearer {stand.keys[name]}") for name in names],
            [get(f"/interrupts?agent={name}") for name in names],
        ),
        "deep": (
            [
                get(
                    f"/api/v1/interrupts?cursor={_cursor(pk(deep))}",
                    Authorization=f"Bearer {stand.keys[name]}",
                )
                for name in names
            ],
            [get(f"/interrupts?agent={name}&before={pk(deep)}") for name in names],
        ),
    }
    rates = {}
    for depth, (ours, theirs) in pages.items():
        contenders = [
            Contender(OURS, partial(read, stand, scale, stand.wsgi, ours)),
            Contender(FASTAPI, partial(read, stand, scale, stand.fastapi, theirs)),
        ]
        taken = await take(contenders, rounds)
        rates[depth] = r.values(taken, OURS).median
        report.grew(f"page of 50, {depth}", size, rates[depth])
        if largest:
            slower = rates["first"] / rates[depth]
            first = [at_least(taken, OURS, FASTAPI, 0.5, floor=0.02)]
            if depth == "deep":
                first.append(at_most("first ≤ 1.2 of deep", slower, 1.2, ceiling=4))
            report.add(Row(
                f"{depth} page of 50 at {size:,} rows", "requests/s", taken, OURS, (FASTAPI,),
                first=tuple(first), then=(at_least(taken, OURS, FASTAPI, 1.5),),
                details=(f"first/deep {slower:.2f}",) if depth == "deep" else (),
            ))  # fmt: skip
    numbers = range(0, size, size // 200)
    ids = [
        get(f"/api/v1/interrupts/{pk(n)}/status", Authorization=f"Bearer {key_of(stand, n)}") for n in numbers
    ]
    report.grew("status by id", size, (await read(stand, scale, stand.wsgi, ids)).value)
    asked, _ = await stand.http(
        stand.wsgi, asking(list(stand.keys.values())), connections=16, seconds=scale.seconds
    )
    report.grew("create", size, asked.value)


async def _statistics(stand: Stand, scale: Scale, report: Report, size: int) -> None:
    """Compare the statistics of everything with aggregates that give the same figures."""
    request = get("/api/v1/statistics", Authorization=f"Bearer {stand.operator}")

    async def ours() -> Sample:
        started = time.perf_counter()
        for _ in range(CALLS):
            answer = await call(stand.wsgi.port, request)
            assert answer.status == 200, answer.body
        return Sample((time.perf_counter() - started) * 1000 / CALLS)

    async def theirs() -> Sample:
        return Sample(await stand.inside.ask_aside("plain_statistics") * 1000)

    rounds = await take([Contender(OURS, ours), Contender("aggregates", theirs)], min(3, scale.rounds))
    faster = 1 / r.ratio(rounds, OURS, "aggregates").median
    report.add(Row(
        f"statistics at {size:,} rows", "ms", rounds, OURS, ("aggregates",),
        first=(at_most("≥ 300 times faster", 300 / faster, 1),),
        details=(f"{faster:,.0f} times as fast",),
    ))  # fmt: skip


def _cursor(after: str) -> str:
    # What `next` of a page that ends with this row holds; walking there page by page would take an hour.
    return base64.urlsafe_b64encode(f"n:{after}".encode()).decode()
