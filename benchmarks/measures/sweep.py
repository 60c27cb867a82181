"""The sweep of what is overdue, while a person decides."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from benchmarks import rounds as r
from benchmarks.load import HOST, Answer, Connection, post
from benchmarks.report import Report, Row, at_least, at_most
from benchmarks.rounds import Contender, Sample, take
from benchmarks.rows import OPEN_SHARE, pk
from benchmarks.scale import Scale
from benchmarks.stand import Stand

OURS, STATEMENT = "server", "one statement"

# All at once, with its events in their streams, but without a chain of hashes.
AT_ONCE = """
    WITH moved AS (
        UPDATE {item}
        SET status = 'expired', resolved_at = now(), resolved_by = 'system', version = version + 1
        WHERE status IN ('in_review', 'pending') AND expires_at <= now() AND on_timeout = 'expire'
        RETURNING id, agent_id, session_id
    ), told AS (
        INSERT INTO {event}
            (id, stream, position, type, subject_id, session_id, actor, occurred_at, data, hash)
        SELECT 'evt_' || substr(md5(id), 1, 26), agent_id,
            s.position + row_number() OVER (PARTITION BY agent_id ORDER BY id), 'hitl.interrupt.expired', id,
            session_id, 'system', now(), '{{"status":"expired"}}', md5(id) || md5(agent_id)
        FROM moved JOIN {stream} s ON s.name = agent_id RETURNING stream
    )
    UPDATE {stream} SET position = position + n FROM (SELECT stream, count(*) n FROM told GROUP BY 1) t
    WHERE name = t.stream
"""


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Sweep what is overdue among all rows."""
    pending = (pk(number) for number in range(scale.overdue, scale.sizes[-1]) if number % OPEN_SHARE == 0)
    contenders = [
        Contender(OURS, partial(_sample, stand, scale, pending, partial(stand.inside.ask_aside, "sweep"))),
        Contender(STATEMENT, partial(_sample, stand, scale, pending, partial(_at_once, stand))),
    ]
    rounds = await take(contenders, min(3, scale.rounds))
    longest = r.detail(rounds, OURS, "longest").most
    report.add(Row(
        f"sweep of {scale.overdue:,} overdue among {scale.sizes[-1]:,}",
        "items/s", rounds, OURS, (STATEMENT,),
        first=(
            at_least(rounds, OURS, STATEMENT, 0.6, floor=0.05),
            at_most("nobody waits > 150 ms", longest, 150, ceiling=2_000),
        ),
        then=(at_least(rounds, OURS, STATEMENT, 0.9), at_most("nobody waits > 75 ms", longest, 75)),
        details=(
            f"a person who decides meanwhile waits at most {longest:,.0f} ms,"
            f" with the statement {r.detail(rounds, STATEMENT, 'longest').most:,.0f} ms",
        ),
    ))  # fmt: skip


async def _sample(
    stand: Stand, scale: Scale, pending: Any, sweep: Callable[[], Awaitable[dict[str, float]]]
) -> Sample:
    stand.sql("TRUNCATE {event}")
    stand.sql("UPDATE {stream} SET position = 0, head_hash = '', open_items = 1000000")
    stand.sql(
        "UPDATE {item} SET status = 'pending', version = 1, resolved_at = NULL, resolved_by = '',"
        f" expires_at = now() - interval '1 minute' WHERE id < '{pk(scale.overdue)}'"
    )
    stand.sql("VACUUM ANALYZE {item}")
    stand.db.execute("CHECKPOINT")
    fsync = await stand.idle()
    waits: list[float] = []
    over = asyncio.Event()
    person = asyncio.create_task(_decide(stand, pending, waits, over))
    await asyncio.sleep(0.3)
    waits.clear()
    done = await sweep()
    over.set()
    await person
    if done["moved"] != scale.overdue:
        raise RuntimeError(f"{done['moved']} of {scale.overdue} overdue items were swept")
    details = {"longest": max(waits, default=done["seconds"]) * 1000, "fsync": fsync}
    return Sample(done["moved"] / done["seconds"], int(done["moved"]), {}, 0.0, details)


async def _decide(stand: Stand, pending: Any, waits: list[float], over: asyncio.Event) -> None:
    """Approve one item after another until the sweep is over."""
    sent = time.perf_counter()

    def request() -> bytes:
        return post(
            f"/api/v1/interrupts/{next(pending)}/approve", b"{}", Authorization=f"Bearer {stand.operator}"
        )

    def on_answer(answer: Answer) -> bytes | None:
        nonlocal sent
        now = time.perf_counter()
        if answer.status != 200:
            raise RuntimeError(answer.body.decode())
        waits.append(now - sent)
        sent = now
        return None if over.is_set() else request()

    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(
        lambda: Connection(request(), on_answer), HOST, stand.wsgi.port
    )
    await asyncio.wait_for(protocol.done, 120)


async def _at_once(stand: Stand) -> dict[str, float]:
    started = time.perf_counter()
    with stand.db.transaction():
        await asyncio.to_thread(stand.sql, "LOCK {stream} IN EXCLUSIVE MODE")
        await asyncio.to_thread(stand.sql, AT_ONCE)
    seconds = time.perf_counter() - started
    return {
        "moved": stand.number("SELECT count(*) FROM {event} WHERE type LIKE '%%expired'"),
        "seconds": seconds,
    }
