"""Run the server as its users do: real processes, real sockets, data of its own.

    site = Site(template)       # embedded: `manage.py serve`; production: gunicorn, a Celery worker, beat
    site.start()                # and .stop(), .kill(), .remove(); after a kill, start() goes on with the data
    agent, ann = site.agent(), site.person("ann")
    asked = agent.ask()
    ann.decide(asked["id"])

A template is made once a run: migrated, with agents and people. Each site begins as a copy of it.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx
import psutil
import psycopg

from tests.drills.callers import Caller
from tests.live import ROOT, run
from tests.servers import GuardedFolder, Server, free_port

DRILL = os.environ.get("HITL_DRILL") == "1"
T = TypeVar("T")


def counts(in_ci: int, in_a_drill: int) -> int:
    """Return how often to do something: a little in CI, much under HITL_DRILL=1."""
    return in_a_drill if DRILL else in_ci


def eventually(look: Callable[[], T], *, within: float = 20.0, pause: float = 0.05) -> T:
    """Return what *look* returns as soon as that is true; fail when it is not in time."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"not so within {within} s"
        time.sleep(pause)
    return found


class Program(Server):
    """One process of a site with its children, stopped by SIGTERM and killed with all of them."""

    name = "drill"

    def __init__(
        self, arguments: list[str], environment: dict[str, str], answers: Callable[[], bool]
    ) -> None:
        super().__init__(" ".join(arguments[:4]))
        self.cwd, self.env = ROOT, environment
        self.arguments, self._answers = arguments, answers
        self.ended = 0

    def command(self) -> list[str | Path]:
        return [sys.executable, *self.arguments]

    def answers(self) -> bool:
        return self._answers()

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        children = self.family()[1:]
        process = self.process
        super()._end(how)
        self.ended = process.returncode
        if how == signal.SIGKILL:
            for child in children:
                try:
                    child.kill()
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(children)

    def family(self) -> list[psutil.Process]:
        """Return the process and its children, where it runs."""
        try:
            parent = psutil.Process(self.process.pid if self.process else -1)
            return [parent, *parent.children(recursive=True)]
        except (psutil.NoSuchProcess, ValueError):
            return []

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


class Template:
    """A database as the first migration leaves it, with the cast; the sites' beginning."""

    def __init__(self) -> None:
        self.guarded = GuardedFolder("template")
        self.folder = self.guarded.path
        self.environment = environment(self.folder, _database("template"))
        run(self.environment, "manage.py", "migrate", "--verbosity", "0")
        self.cast = json.loads(run(self.environment, "-m", "tests.drills.cast"))

    def remove(self) -> None:
        _drop(self.environment)
        self.guarded.remove()


class Site:
    """The processes of one deployment. *settings* are environment variables of its own."""

    redis_numbers = iter(range(1, 1_000))

    def __init__(
        self,
        template: Template | None,
        *,
        processes: int = 2,
        clock: bool = True,
        database: str = "",
        **settings: str,
    ) -> None:
        self.guarded = GuardedFolder("site")
        self.data = self.guarded.path
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        database = database or _database("site", template)
        self.environment = environment(self.data, database) | {"PORT": str(self.port)} | settings
        self.embedded = "REDIS_URL" not in self.environment
        if not self.embedded and "REDIS_URL" not in settings:
            number = next(self.redis_numbers) % 15 + 1
            parts = urlsplit(self.environment["REDIS_URL"])
            self.environment["REDIS_URL"] = urlunsplit(parts._replace(path=f"/{number}"))
        if template is None:
            run(self.environment, "manage.py", "migrate", "--verbosity", "0")
            self.cast = json.loads(run(self.environment, "-m", "tests.drills.cast"))
        else:
            self.cast = template.cast
            for path in template.folder.iterdir():
                if path.is_file() and path.name != "pid":
                    shutil.copy(path, self.data)
        self._agents = iter(enumerate(self.cast["agents"]))
        self._callers: list[Caller] = []
        self.web = self.program("manage.py serve" if self.embedded else self._gunicorn(processes))
        self.web._answers = self.lives
        self.clock = [] if self.embedded or not clock else [self.worker(), self.beat()]

    # -- Processes ------------------------------------------------------------------------------------

    def _gunicorn(self, processes: int) -> str:
        return (
            "-m gunicorn hitl_project.asgi:application --worker-class hitl_project.server.Worker"
            f" --workers {processes} --bind 127.0.0.1:{self.port} --log-level warning"
        )

    def wsgi(self, port: int) -> Program:
        """Return a worker for REST with threads only."""
        return self.program(
            "-m gunicorn hitl_project.wsgi:application --worker-class gthread --threads 4"
            f" --bind 127.0.0.1:{port} --log-level warning",
            lambda: httpx_ok(f"http://127.0.0.1:{port}/healthz"),
        )

    def worker(self) -> Program:
        return self.program("-m celery -A hitl_project worker --concurrency 1 --loglevel warning")

    def beat(self) -> Program:
        return self.program("-m celery -A hitl_project beat --pidfile= --loglevel warning")

    def program(self, arguments: str, answers: Callable[[], bool] = lambda: True) -> Program:
        """Return a program that runs Python with *arguments*, separated by blanks."""
        return Program(arguments.split(), self.environment, answers)

    @property
    def programs(self) -> list[Program]:
        return [self.web, *self.clock]

    def start(self) -> Self:
        for program in reversed(self.programs):
            program.start()
        return self

    def stop(self) -> None:
        for program in self.programs:
            program.stop()

    def kill(self) -> None:
        for program in self.programs:
            program.kill()

    def remove(self) -> None:
        for caller in self._callers:
            caller.http.close()
        for program in self.programs:
            program.kill()
            program.remove()
        _drop(self.environment)
        self.guarded.remove()

    def lives(self) -> bool:
        return httpx_ok(f"{self.url}/healthz")

    def holds(self, sockets: Iterable[socket.socket]) -> int:
        """Count those of *sockets*, or of the connections they were, that the server has open."""
        ports = {local.getsockname()[1] for local in sockets}
        found = [each for process in self.web.family() for each in process.net_connections("tcp")]
        return len({each.raddr.port for each in found if each.raddr and each.raddr.port in ports})

    def settle(self) -> None:
        """Return when the web processes have taken up all they were sent, and only wait."""
        eventually(lambda: self._work_in(0.5) < 0.1, within=60)

    def _work_in(self, seconds: float) -> float:
        before = [sum(process.cpu_times()[:2]) for process in self.web.family()]
        time.sleep(seconds)
        after = [sum(process.cpu_times()[:2]) for process in self.web.family()]
        return float(sum(after) - sum(before))

    def ready(self) -> httpx.Response:
        return httpx.get(f"{self.url}/readyz", timeout=30)

    # -- People, programs, rows -----------------------------------------------------------------------

    def agent(self) -> Caller:
        """Return an agent that nobody has used yet."""
        number, key = next(self._agents)
        return self.as_holder_of(key, f"agent-{number:02}")

    def person(self, name: str) -> Caller:
        return self.as_holder_of(self.cast["people"][name], name)

    def as_holder_of(self, key: str, name: str = "") -> Caller:
        self._callers.append(Caller(self, key, name))
        return self._callers[-1]

    def log_in(self, name: str) -> httpx.Client:
        """Return a browser in which *name* has logged in; the caller closes it."""
        browser = httpx.Client(base_url=self.url, timeout=30)
        browser.get("/admin/login/")
        form = {
            "username": name,
            "password": f"{name}-has-a-password",
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        answer = browser.post("/admin/login/?next=/healthz", data=form)
        assert answer.status_code == 302, answer.text
        return browser

    def manage(self, *arguments: str) -> str:
        return run(self.environment, "manage.py", *arguments)

    def run(self, *arguments: str) -> str:
        """Run Python with *arguments* in the site's environment and return what it printed."""
        return run(self.environment, *arguments)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement on the site's database, behind the server's back."""
        if url := self.environment.get("DATABASE_URL"):
            with psycopg.connect(url) as postgres:
                cursor = postgres.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        sqlite = sqlite3.connect(self.data / "db.sqlite3", timeout=20)
        try:
            with sqlite:
                return sqlite.execute(statement.replace("%s", "?"), values).fetchall()
        finally:
            sqlite.close()

    def moment(self, seconds: int) -> str:
        """Return SQL for a moment *seconds* from now."""
        if "DATABASE_URL" in self.environment:
            return f"(now() + interval '{seconds} seconds')"
        return f"strftime('%Y-%m-%d %H:%M:%f', 'now', '{seconds} seconds')".replace("%", "%%")

    def make_overdue(self, ids: Iterable[str], seconds: int = 3_600) -> None:
        """Let the deadline of *ids* have passed."""
        for pk in ids:
            self.sql(f"UPDATE reviews_reviewitem SET expires_at = {self.moment(-seconds)} WHERE id = %s", pk)

    def hold_the_job(self, job: str, seconds: int = 3_600) -> None:
        """Leave the lease of *job* with somebody who never comes back."""
        self.sql("DELETE FROM events_joblease WHERE job = %s", job)
        self.sql(
            "INSERT INTO events_joblease (job, holder, held_until)"
            f" VALUES (%s, 'job_of_the_dead', {self.moment(seconds)})",
            job,
        )


def httpx_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


def environment(data: Path, database: str) -> dict[str, str]:
    """Return the environment of a site: this process's own without any setting but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HITL_")}
    kept.pop("DATABASE_URL", None)
    kept |= {
        "HITL_DATA_DIR": str(data),
        "HITL_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "hitl_project.settings",
    }
    return kept | ({"DATABASE_URL": database} if database else {})


def _database(purpose: str, template: Template | None = None) -> str:
    """Make a database on the PostgreSQL under test and return its URL; empty where the test is on SQLite."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        return ""
    name = f"drill_{purpose}_{secrets.token_hex(4)}"
    beginning = f' TEMPLATE "{_name(template.environment["DATABASE_URL"])}"' if template else ""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"{beginning}')
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _drop(environment: dict[str, str]) -> None:
    if (url := os.environ.get("DATABASE_URL")) and urlsplit(url).port == urlsplit(
        environment["DATABASE_URL"]
    ).port:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{_name(environment["DATABASE_URL"])}" WITH (FORCE)')


def _name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")
