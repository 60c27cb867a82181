"""From the commit of a decision to the agent that waits for it, while many wait."""

import asyncio
import itertools
import re
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import orjson

from benchmarks import rounds as r
from benchmarks.load import HOST, Answer, Connection, Socket, get, nth, post
from benchmarks.machine import Meter, resident_kib
from benchmarks.measures.question import SHARED
from benchmarks.report import Check, Report, Row, at_most
from benchmarks.rounds import Contender, Sample, take
from benchmarks.scale import Scale
from benchmarks.stand import Process, Stand

OURS, LIMIT = "server", "bare uvloop"
PAUSE = 0.01  # between two decisions
DECISIONS = 150
FIRST_FEW = 50  # connect before memory is measured: pools and threads are not what a socket costs
_TOLD = re.compile(rb'interrupt\.approved.{0,200}?"(?:item|subject_id)":"(\w+)"')


class Crowd:
    """Hold many who wait at one server, and note when each was told what."""

    def __init__(self, server: Process) -> None:
        self.server = server
        self.told: dict[str, list[float]] = defaultdict(list)
        self.sockets: list[Socket] = []
        self.kib_each = 0.0

    async def connect(self, calls: list[tuple[str, dict[str, str]]]) -> None:
        """Open a socket for each path with headers, a few at a time."""
        await self._open(calls[:FIRST_FEW])
        before = resident_kib(self.server.pid)
        for start in range(FIRST_FEW, len(calls), FIRST_FEW):
            await self._open(calls[start : start + FIRST_FEW])
        self.kib_each = (resident_kib(self.server.pid) - before) / (len(calls) - FIRST_FEW)

    async def _open(self, calls: list[tuple[str, dict[str, str]]]) -> None:
        loop = asyncio.get_running_loop()
        fresh = []
        for path, headers in calls:
            make = partial(Socket, self.server.port, path, headers, self.note)
            fresh.append((await loop.create_connection(make, HOST, self.server.port))[1])
        await asyncio.wait_for(asyncio.gather(*(socket.greeted for socket in fresh)), 60)
        self.sockets += fresh

    def note(self, data: bytes) -> None:
        now = time.monotonic()
        for found in _TOLD.finditer(data):
            self.told[found[1].decode()].append(now)

    def close(self) -> None:
        for socket in self.sockets:
            socket.transport.close()


async def measure(stand: Stand, scale: Scale, report: Report) -> None:
    """Tell one of many agents by socket and by long poll, and tell many operators the same."""
    names = [f"waiter-{number:04}" for number in range(scale.waiting)]
    keys: dict[str, str] = await stand.inside.ask_aside("agents", count=scale.waiting, prefix="waiter")
    await _sockets(stand, scale, report, names, keys)
    await _long_polls(stand, scale, report, names, keys)
    await _operators(stand, scale, report, names, keys)


async def _sockets(
    stand: Stand, scale: Scale, report: Report, names: list[str], keys: dict[str, str]
) -> None:
    ours, limit = Crowd(stand.asgi), Crowd(stand.fanout)
    await ours.connect([("/ws/agents", {"Authorization": f"Bearer {keys[name]}"}) for name in names])
    await limit.connect([(f"/ws/{name}", {}) for name in names])
    chosen = itertools.cycle(names)
    contenders = [
        Contender(OURS, partial(_decided, stand, ours, keys, chosen, copies=1)),
        Contender(LIMIT, partial(_decided_at_the_limit, stand, limit, chosen, copies=1)),
    ]
    rounds = await take(contenders, scale.rounds)
    ours.close()
    limit.close()
    _judge(report, rounds, f"decision → agent by socket, {scale.waiting:,} waiting", (ours, limit))


def _judge(report: Report, rounds: r.Rounds, work: str, crowds: tuple[Crowd, Crowd]) -> None:
    p50, bare = r.values(rounds, OURS).median, r.values(rounds, LIMIT).median
    p99, lost = r.detail(rounds, OURS, "p99").median, int(r.detail(rounds, OURS, "lost").most)
    each = crowds[0].kib_each
    report.add(Row(
        work, "ms, p50", rounds, OURS, (LIMIT,),
        first=(
            at_most("p50 ≤ 2 limits + 1 ms", p50, 2 * bare + 1, ceiling=30),
            at_most("p99 ≤ 50 ms", p99, 50, ceiling=800),
            Check("none lost", lost == 0, lost > 0), at_most("≤ 45 KiB each", each, 45, ceiling=120),
        ),
        then=(at_most("p50 ≤ 1.5 limits", p50, 1.5 * bare), at_most("≤ 25 KiB each", each, 25)),
        details=(
            f"p99 {p99:.1f} ms, {lost} lost, {each:.0f} KiB each",
            f"limit p99 {r.detail(rounds, LIMIT, 'p99').median:.1f} ms, {crowds[1].kib_each:.0f} KiB each",
        ),
    ))  # fmt: skip


async def _long_polls(
    stand: Stand, scale: Scale, report: Report, names: list[str], keys: dict[str, str]
) -> None:
    ours, limit = Polls(stand.asgi), Polls(stand.fanout)
    asked = await _ask(stand, keys, names)
    bare = _rows(stand, names)
    before = resident_kib(stand.asgi.pid)
    for name, pk in asked.items():
        path = f"/api/v1/interrupts/{pk}/wait?timeout=60"
        await ours.open(pk, get(path, Authorization=f"Bearer {keys[name]}"))
    await asyncio.sleep(scale.waiting / 500)  # until the last of them has looked
    ours.kib_each = (resident_kib(stand.asgi.pid) - before) / len(asked)
    before = resident_kib(stand.fanout.pid)
    for pk, _ in bare:
        await limit.open(pk, get(f"/wait/{pk}"))
    limit.kib_each = (resident_kib(stand.fanout.pid) - before) / len(bare)
    number = min(DECISIONS, len(asked) // scale.rounds)
    ids, pairs = iter(asked.values()), iter(bare)

    async def mine() -> Sample:
        chosen = list(itertools.islice(ids, number))
        return await _timed(
            stand, ours, partial(stand.inside.ask_aside, "approve", ids=chosen, pause=PAUSE), 1
        )

    async def theirs() -> Sample:
        chosen = list(itertools.islice(pairs, number))
        decide = partial(stand.inside.ask_aside, "approve_reference", ids=chosen, pause=PAUSE)
        return await _timed(stand, limit, decide, 1)

    # Repeating a sample would use up the items: a long poll is answered once.
    rounds = [{OURS: await mine(), LIMIT: await theirs()} for _ in range(scale.rounds)]
    ours.close()
    limit.close()
    _judge(report, rounds, f"decision → agent by long poll, {scale.waiting:,} waiting", (ours, limit))


class Polls(Crowd):
    """Hold many long polls."""

    def __init__(self, server: Process) -> None:
        super().__init__(server)
        self._open_ones: list[Connection] = []

    async def open(self, pk: str, request: bytes) -> None:
        def on_answer(answer: Answer) -> bytes | None:
            if b"approved" in answer.body and b'"pending"' not in answer.body:
                self.told[pk].append(time.monotonic())
                return None
            return request

        loop = asyncio.get_running_loop()
        make: Callable[[], Connection] = lambda: Connection(request, on_answer)  # noqa: E731
        self._open_ones.append((await loop.create_connection(make, HOST, self.server.port))[1])

    def close(self) -> None:
        for protocol in self._open_ones:
            protocol.transport.close()


async def _operators(
    stand: Stand, scale: Scale, report: Report, names: list[str], keys: dict[str, str]
) -> None:
    ours, limit = Crowd(stand.asgi), Crowd(stand.fanout)
    cookie: str = await stand.inside.ask_aside("operator_cookie")
    await ours.connect([("/ws/operators", {"Cookie": cookie})] * scale.waiting)
    await limit.connect([("/ws/operators", {})] * scale.waiting)
    chosen = itertools.cycle(names)
    contenders = [
        Contender(OURS, partial(_decided, stand, ours, keys, chosen, copies=scale.waiting, pause=0.1)),
        Contender(
            LIMIT, partial(_decided_at_the_limit, stand, limit, chosen, copies=scale.waiting, pause=0.1)
        ),
    ]
    rounds = await take(contenders, scale.rounds)
    ours.close()
    limit.close()
    last, bare = r.values(rounds, OURS).median, r.values(rounds, LIMIT).median
    lost = int(r.detail(rounds, OURS, "lost").most)
    report.add(Row(
        f"one event → {scale.waiting:,} operators, the last", "ms", rounds, OURS, (LIMIT,),
        first=(
            at_most("last ≤ 4 limits", last, 4 * bare, ceiling=25 * bare),
            Check("none lost", lost == 0, lost > 0),
        ),
        then=(at_most("last ≤ 2.5 limits", last, 2.5 * bare),),
        details=(f"{lost} lost, {ours.kib_each:.0f} KiB each, limit {limit.kib_each:.0f} KiB",),
    ))  # fmt: skip


# -- Decisions ----------------------------------------------------------------------------------------


async def _decided(
    stand: Stand, crowd: Crowd, keys: dict[str, str], names: "itertools.cycle[str]", copies: int,
    pause: float = PAUSE,
) -> Sample:  # fmt: skip
    """Have questions of the next agents asked, then approved one by one."""
    asked = await _ask(stand, keys, list(itertools.islice(names, _number(pause))))
    decide = partial(stand.inside.ask_aside, "approve", ids=list(asked.values()), pause=pause)
    return await _timed(stand, crowd, decide, copies)


async def _decided_at_the_limit(
    stand: Stand, crowd: Crowd, names: "itertools.cycle[str]", copies: int, pause: float = PAUSE
) -> Sample:
    pairs = _rows(stand, list(itertools.islice(names, _number(pause))))
    decide = partial(stand.inside.ask_aside, "approve_reference", ids=pairs, pause=pause)
    return await _timed(stand, crowd, decide, copies)


def _number(pause: float) -> int:
    return DECISIONS if pause == PAUSE else 15


async def _timed(stand: Stand, crowd: Crowd, decide: Callable[[], object], copies: int) -> Sample:
    """Decide, and return the median latency: of each who is told one, of the last who is told all."""
    fsync = await stand.idle()
    meter = Meter(
        {"app": [crowd.server.pid], "db": stand.trees(stand.asgi)["db"], "inside": [stand.inside.pid]}
    )
    own = time.process_time()
    committed: dict[str, float] = await decide()  # type: ignore[misc]
    spent, others = meter.read()
    others = max(0.0, others - (time.process_time() - own) / (len(committed) * PAUSE * 2))
    deadline = time.monotonic() + 5
    while any(len(crowd.told[pk]) < copies for pk in committed) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    lost = sum(max(0, copies - len(crowd.told[pk])) for pk in committed)
    latencies = [max(crowd.told[pk]) - moment for pk, moment in committed.items() if crowd.told[pk]]
    details = {"p99": nth(latencies, 0.99) * 1000, "lost": lost, "fsync": fsync}
    return Sample(max(nth(latencies, 0.5) * 1000, 0.01), len(committed), spent, others, details)


async def _ask(stand: Stand, keys: dict[str, str], names: list[str]) -> dict[str, str]:
    """Have each of the agents *names* ask a question; return the ids."""
    body = orjson.dumps(SHARED)
    asked: dict[str, str] = {}
    waiting = iter(names)

    def runner() -> Connection:
        current = next(waiting)

        def on_answer(answer: Answer) -> bytes | None:
            nonlocal current
            asked[current] = orjson.loads(answer.body)["id"]
            current = next(waiting, "")
            return ask(current) if current else None

        return Connection(ask(current), on_answer)

    def ask(name: str) -> bytes:
        return post("/api/v1/interrupts", body, Authorization=f"Bearer {keys[name]}")

    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(runner, HOST, stand.wsgi.port) for _ in range(min(8, len(names)))]
    await asyncio.gather(*(protocol.done for _, protocol in opened))
    return asked


def _rows(stand: Stand, names: list[str]) -> list[list[str]]:
    """Add a row for each of *names* at the reference; return ``[id, channel]`` of each."""
    pairs = [[f"int_{time.time_ns()}{number}", name] for number, name in enumerate(names)]
    with stand.reference.cursor() as cursor:
        cursor.executemany("INSERT INTO item (id, agent, reason) VALUES (%s, %s, '')", pairs)
    return pairs
