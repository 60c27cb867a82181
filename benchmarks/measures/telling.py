"""Tell those who wait: from the commit of a decision to the agents' sockets."""

import asyncio
import time
from functools import partial

import orjson

from benchmarks.load import HOST, Socket, call, nth
from benchmarks.measures.question import asking
from benchmarks.report import Report, Row
from benchmarks.rounds import Contender, Sample, take
from benchmarks.scale import Scale
from benchmarks.stand import Process, Stand

DECISIONS = 30
PAUSE = 0.05


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Have many sockets follow one agent while its items are approved; the limit is a bare uvloop server."""
    rounds = await take(
        [
            Contender("server", partial(_ours, stand, scale.waiting)),
            Contender("bare uvloop", partial(_limit, stand, scale.waiting)),
        ],
        min(scale.rounds, 3),
    )
    ours, limit = (
        {key: nth([samples[name].details[key] for samples in rounds], 0.5) for key in ("p50", "p99", "kib")}
        for name in ("server", "bare uvloop")
    )
    lost = sum(samples["server"].details["lost"] for samples in rounds)
    report.add(
        Row(
            f"decision to {scale.waiting:,} sockets, ms (less is better)",
            "ms",
            rounds,
            "server",
            "bare uvloop",
            note=(
                f"commit to socket p50 {ours['p50']:.1f} ms, p99 {ours['p99']:.1f} ms"
                f" (limit {limit['p50']:.1f}, {limit['p99']:.1f});"
                f" {lost:.0f} lost; {ours['kib']:.0f} KiB a socket"
            ),
        )
    )


async def _ours(stand: Stand, waiting: int) -> Sample:
    stand.truncate()
    key = next(iter(stand.keys.values()))
    write = asking([key])
    ids = [orjson.loads((await call(stand.wsgi.port, write())).body)["id"] for _ in range(DECISIONS)]
    decide = partial(stand.inside.ask_aside, "approve", ids=ids, pause=PAUSE)
    return await _hear(stand.asgi, "/ws/agents", {"Authorization": f"Bearer {key}"}, waiting, ids, decide)


async def _limit(stand: Stand, waiting: int) -> Sample:
    ids = [f"int_{number:026}" for number in range(DECISIONS)]
    told = [[pk, "agent"] for pk in ids]
    decide = partial(stand.inside.ask_aside, "approve_reference", ids=told, pause=PAUSE)
    return await _hear(stand.fanout, "/ws/agent", {}, waiting, ids, decide)


async def _hear(
    app: Process, path: str, headers: dict[str, str], waiting: int, ids: list[str], decide: partial[object]
) -> Sample:
    heard: dict[str, list[float]] = {pk: [] for pk in ids}
    names = {pk.encode(): pk for pk in ids}

    def on_data(data: bytes) -> None:
        now = time.monotonic()
        for name, pk in names.items():
            if name in data:
                heard[pk].append(now)

    loop = asyncio.get_running_loop()
    before = app.memory()
    sockets = []
    for _ in range(waiting):
        _, socket = await loop.create_connection(
            lambda: Socket(app.port, path, headers, on_data), HOST, app.port
        )
        await socket.greeted
        sockets.append(socket)
    kib = (app.memory() - before) / waiting / 1024
    committed: dict[str, float] = await decide()  # type: ignore[assignment]
    until = time.monotonic() + 10
    while any(len(times) < waiting for times in heard.values()) and time.monotonic() < until:
        await asyncio.sleep(0.02)
    for socket in sockets:
        socket.transport.close()
    took = [(moment - committed[pk]) * 1000 for pk, times in heard.items() for moment in times]
    lost = waiting * len(ids) - len(took)
    details = {"p50": nth(took, 0.5), "p99": nth(took, 0.99), "kib": kib, "lost": float(lost)}
    return Sample(details["p50"], len(took), details=details)
