"""Make the timeout of many overdue items permanent, while a person decides."""

import asyncio
import time

import orjson

from benchmarks.load import call, post
from benchmarks.measures.filling import fill
from benchmarks.report import Report, Row, Target
from benchmarks.rounds import Contender, Sample, take
from benchmarks.scale import Scale
from benchmarks.stand import Stand

STATEMENT = """
    WITH moved AS (
        UPDATE item SET status = 'expired', resolved_at = NOW()
        WHERE status = 'pending' AND expires_at <= NOW() RETURNING id
    )
    INSERT INTO event (item, type, data) SELECT id, 'expired', '{}' FROM moved
"""


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Sweep the overdue among ten times as many rows; the reference is one statement."""
    size = scale.overdue * 10

    async def ours() -> Sample:
        fill(stand, size, overdue=scale.overdue)
        sweeping = asyncio.create_task(stand.inside.ask_aside("sweep"))
        waits = await _decide_meanwhile(stand, size, sweeping)
        swept = sweeping.result()
        if swept["moved"] != scale.overdue:
            raise RuntimeError(f"{swept['moved']} of {scale.overdue} were swept")
        longest = max(waits, default=0.0) * 1000
        return Sample(swept["moved"] / swept["seconds"], int(swept["moved"]), details={"longest": longest})

    async def statement() -> Sample:  # the reference was filled with ours
        began = time.monotonic()
        await asyncio.to_thread(stand.reference.execute, STATEMENT)
        return Sample(scale.overdue / (time.monotonic() - began), scale.overdue)

    rounds = await take(
        [Contender("server", ours), Contender("one statement", statement)], min(scale.rounds, 3)
    )
    longest = max(samples["server"].details["longest"] for samples in rounds)
    report.add(
        Row(
            f"sweep of {scale.overdue:,} among {size:,}",
            "items/s",
            rounds,
            "server",
            "one statement",
            Target(at_least=0.6, then=0.9, floor=0.1),
            note=f"who decides meanwhile waits {longest:.0f} ms at most",
        )
    )


async def _decide_meanwhile(stand: Stand, size: int, sweeping: asyncio.Task[object]) -> list[float]:
    waits = []
    for number in range(size, 0, -100):  # the open items that are not overdue
        if sweeping.done():
            break
        path = f"/api/v1/interrupts/int_{number // 100 * 100:026}/reject"
        began = time.monotonic()
        answer = await call(
            stand.wsgi.port, post(path, orjson.dumps({}), Authorization=f"Bearer {stand.operator}")
        )
        waits.append(time.monotonic() - began)
        if answer.status not in (200, 412):  # the filling has no true content hash: what counts is the wait
            raise RuntimeError(answer.body.decode())
        await asyncio.sleep(0.02)
    return waits
