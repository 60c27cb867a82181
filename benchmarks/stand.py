"""The test stand: PostgreSQL, Redis, the server as production runs it, and the references beside it."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import load
from benchmarks.machine import Meter, fsync_microseconds
from benchmarks.rounds import Sample
from tests.servers import (
    GuardedFolder,
    Postgres,
    free_port,
    postgres_version,
    redis_version,
    start_postgres,
    start_redis,
)

ROOT = Path(__file__).resolve().parent.parent
REFERENCES = Path(__file__).resolve().parent / "references"
AGENTS = 16
PATIENCE = 60
UNLIMITED = {
    "HITL_CALLS_PER_MINUTE": "1000000000",
    "HITL_OPEN_ITEMS_PER_AGENT": "1000000000",
    "HITL_SOCKETS_PER_CALLER": "1000000000",
}

TRUNCATE = """
    SET session_replication_role = replica;
    TRUNCATE {interrupt}, {item}, {event}, {tally} CASCADE;
    UPDATE {stream} SET position = 0, head_hash = '', open_items = 0;
"""
ORPHANS = """
    SELECT (SELECT count(*) FROM {item} p LEFT JOIN {interrupt} c
                ON c.reviewitem_ptr_id = p.id WHERE c.reviewitem_ptr_id IS NULL)
         + (SELECT count(*) FROM {item} p LEFT JOIN {event} e
                ON e.subject_id = p.id AND e.type = 'hitl.interrupt.requested' WHERE e.id IS NULL)
         + (SELECT count(*) FROM {event} e LEFT JOIN {item} p
                ON p.id = e.subject_id WHERE p.id IS NULL)
         + (SELECT count(*) FROM {stream} s WHERE position <>
                (SELECT count(*) FROM {event} e WHERE e.stream = s.name))
"""


class Process:
    """A server of the stand, in a process of its own."""

    def __init__(self, name: str, port: int, command: list[str], env: dict[str, str], folder: Path) -> None:
        self.name, self.port = name, port
        self._log = (folder / f"{name}.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    async def answers(self, path: str) -> None:
        """Wait until GET *path* is answered with 200."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if (await load.call(self.port, load.get(path))).status == 200:
                    return
            except OSError:
                await asyncio.sleep(0.1)
        raise RuntimeError(f"{self.name} does not answer: {Path(self._log.name).read_text()[-2000:]}")

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Inside:
    """A process with the project loaded, that does at once what is asked of it (see ``inside.py``)."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self._log = (folder / "inside.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.inside"],
            cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        self.pid = self._process.pid

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Have *verb* done and return what it returns."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"verb": verb, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{verb} failed: {Path(self._log.name).read_text()[-2000:]}")
        return json.loads(line)

    async def ask_aside(self, verb: str, **arguments: Any) -> Any:
        """Have *verb* done without holding the event loop."""
        return await asyncio.to_thread(self.ask, verb, **arguments)

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._log.close()


class Stand:
    """Everything that runs during a measurement; ``db`` and ``reference`` are connections of the harness."""

    def __init__(self, stack: ExitStack) -> None:
        guarded = GuardedFolder("bench")
        stack.callback(guarded.remove)
        self.folder = guarded.path
        self.postgres: Postgres = start_postgres(
            shared_buffers="512MB", max_wal_size="8GB", checkpoint_timeout="30min", autovacuum="off"
        )
        stack.callback(self.postgres.remove)
        self.redis = start_redis()
        stack.callback(self.redis.remove)
        with psycopg.connect(self.postgres.url, autocommit=True) as first:
            first.execute("CREATE DATABASE reference")
        self.reference_url = self.postgres.url_of("reference")
        self.db = stack.enter_context(psycopg.connect(self.postgres.url, autocommit=True))
        self.reference = stack.enter_context(psycopg.connect(self.reference_url, autocommit=True))
        self.reference.execute((REFERENCES / "schema.sql").read_text())
        self.env = {
            **os.environ,
            **UNLIMITED,
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "REFERENCE_URL": self.reference_url,
            "HITL_DATA_DIR": str(self.folder / "data"),
            "PYTHONPATH": str(ROOT),
        }
        self.template = ""  # the row that others are made after
        self._stack = stack
        self.manage("migrate", "--verbosity", "0", env=self.env)
        self.inside = Inside(self.env, self.folder)
        stack.callback(self.inside.end)
        self.tables: dict[str, str] = self.inside.ask("tables")
        self.keys: dict[str, str] = self.inside.ask("agents", count=AGENTS, prefix="agent")
        self.operator: str = self.inside.ask("operator_key")
        self.wsgi = self._start(
            "wsgi",
            "gunicorn hitl_project.wsgi --workers 2 --worker-class gthread --threads 8 --keep-alive 75"
            " --no-control-socket --bind 127.0.0.1:{port}",
        )
        self.asgi = self._start("asgi", "manage serve --port {port}")
        self.fastapi = self._start("fastapi", f"uvicorn benchmarks.references.rest:app {QUIET} --workers 2")
        self.fanout = self._start("fanout", "benchmarks.references.fanout {port}")

    def _start(self, name: str, command: str, **env: str) -> Process:
        port = free_port()
        process = Process(name, port, command.format(port=port).split(), self.env | env, self.folder)
        self._stack.callback(process.end)
        return process

    def start_embedded(self) -> tuple[Process, Process]:
        """Start the server as `make run` does, on SQLite, and its reference."""
        env = {name: value for name, value in self.env.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        env["HITL_DATA_DIR"] = str(self.folder / "embedded")
        self.manage("migrate", "--verbosity", "0", env=env)
        embedded_inside = Inside(env, self.folder)
        self.embedded_keys: dict[str, str] = embedded_inside.ask("agents", count=AGENTS, prefix="agent")
        embedded_inside.end()
        port = free_port()
        server = Process("embedded", port, ["manage", "serve", "--port", str(port)], env, self.folder)
        self._stack.callback(server.end)
        naive = self._start(
            "sqlite", f"uvicorn benchmarks.references.embedded:app {QUIET}",
            SQLITE_FILE=str(self.folder / "naive.sqlite3"),
        )  # fmt: skip
        return server, naive

    def manage(self, *command: str, env: dict[str, str]) -> None:
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True)

    async def ready(self) -> None:
        """Wait until every server answers."""
        await self.wsgi.answers("/healthz")
        await self.asgi.answers("/healthz")
        await self.fastapi.answers("/healthz")
        await self.fanout.answers("/healthz")

    def versions(self) -> list[str]:
        """Name the versions that are measured."""
        packages = ("Django", "psycopg", "gunicorn", "uvicorn", "uvloop", "FastAPI", "asyncpg")
        return [
            *(postgres_version(self.postgres.url), redis_version(self.redis.url)),
            *(f"{package} {version(package)}" for package in packages),
        ]

    # -- Before, during and after a sample ------------------------------------------------------------

    async def idle(self) -> float:
        """Wait until PostgreSQL has no active client; return what an fsync takes, in µs."""
        active = (
            "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        deadline = time.monotonic() + PATIENCE
        while self.db.execute(active).fetchone() != (0,) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        return fsync_microseconds(self.folder)

    def sql(self, text: str) -> psycopg.Cursor[Any]:
        """Execute *text*, which names the server's tables as ``{item}``, ``{interrupt}`` and so on."""
        return self.db.execute(text.format(**self.tables))

    def number(self, text: str) -> int:
        """Return the one number that *text* selects."""
        row = self.sql(text).fetchone()
        assert row is not None
        return int(row[0])

    def truncate(self) -> None:
        """Forget all items and events, ours and the references'."""
        self.sql(TRUNCATE)
        self.sql("VACUUM {stream}")
        self.reference.execute("TRUNCATE item, event")

    def trees(self, app: Process) -> dict[str, list[int]]:
        """Name the process trees of a measurement."""
        database = self.postgres.process
        store = self.redis.process
        assert database is not None
        assert store is not None
        return {"app": [app.pid], "db": [database.pid], "store": [store.pid], "load": [os.getpid()]}

    async def http(
        self,
        app: Process,
        requests: Any,
        *,
        connections: int,
        seconds: float,
        unit: int = 1,
        strict: bool = True,
    ) -> tuple[Sample, int]:
        """Drive *app*; return answers a second (times *unit*) with what they cost, and all it acknowledged.

        Unless *strict*, answers that are no success are counted and not an error.
        """
        warm = await load.drive(app.port, requests, connections=connections, seconds=0.3)
        fsync = await self.idle()
        meter = Meter(self._without_self(self.trees(app)))
        had = os.times()
        got = await load.drive(app.port, requests, connections=connections, seconds=seconds)
        spent, others = meter.read()
        has = os.times()
        spent["load"] = has.user + has.system - had.user - had.system
        others = max(0.0, others - spent["load"] / ((has.elapsed - had.elapsed) * (os.cpu_count() or 1)))
        refused = sum(got.statuses.values()) - got.acknowledged
        if strict and refused:
            raise RuntimeError(f"{app.name} answered {dict(got.statuses)}: {got.oddity!r}")
        details = {"p50": got.milliseconds(0.5), "p99": got.milliseconds(0.99), "fsync": fsync}
        details["refused"] = refused
        acknowledged = (warm.acknowledged + got.acknowledged) * unit
        return Sample(got.rate * unit, got.acknowledged * unit, spent, others, details), acknowledged

    @staticmethod
    def _without_self(trees: dict[str, list[int]]) -> dict[str, list[int]]:
        # The harness is the parent of all: its tree would count everything twice.
        return {name: pids for name, pids in trees.items() if name != "load"}


QUIET = "--no-access-log --log-level warning --port {port}"


@contextmanager
def standing() -> Iterator[Stand]:
    """Start the stand, and take it down."""
    with ExitStack() as stack:
        yield Stand(stack)
