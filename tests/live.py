"""The real server in a process of its own, on data of its own, with people to decide.

A test module takes the fixtures it needs, and so gets a server of its own:
`server, key, ann = live.server, live.key, live.ann`.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg
import pytest

from tests.servers import GuardedFolder, Server

ROOT = Path(__file__).parent.parent
PATIENCE = 60  # seconds for a question to be there
MAKE_KEY = (
    "from django.contrib.auth.models import User\n"
    "from agents import keys\n"
    "print(keys.create_key(User.objects.get(username={!r}))[1])"
)


class LiveServer(Server):
    """`manage.py serve` on the backend under test."""

    name = "live"

    def __init__(self) -> None:
        super().__init__("manage.py serve")
        self.url = f"http://127.0.0.1:{self.port}"
        self.cwd = ROOT
        self.env = {**os.environ, "HITL_DATA_DIR": str(self.folder), "PORT": str(self.port)}
        self.key = ""

    def manage(self, *command: str) -> str:
        """Run a management command on the server's data and return what it printed."""
        return run(self.env, "manage.py", *command)

    def new_key(self) -> str:
        """Make an agent and return its key."""
        made = json.loads(self.manage("create_agent", f"agent-{secrets.token_hex(4)}", "--json"))
        return str(made["key"])

    def command(self) -> list[str | Path]:
        return [sys.executable, ROOT / "manage.py", "serve"]

    def answers(self) -> bool:
        try:  # a stranger on the same port does not know the key
            mine = {"Authorization": f"Bearer {self.key}"}
            return httpx.get(f"{self.url}/api/v1/interrupts", headers=mine, timeout=2).is_success
        except httpx.TransportError:
            return False


class Operator:
    """Somebody with a role who logged in at /admin/login/ and decides through the API."""

    def __init__(self, server: LiveServer, name: str = "ann", role: str = "reviewer") -> None:
        self.server, self.name = server, name
        password = secrets.token_urlsafe(12)
        server.manage(
            "shell",
            "-c",
            "from django.contrib.auth.models import Group, User\n"
            f"user, _ = User.objects.get_or_create(username={name!r}, is_staff=True)\n"
            f"user.set_password({password!r}); user.save()\n"
            f"user.groups.set(Group.objects.filter(name={role!r}))",
        )
        self.http = httpx.Client(base_url=server.url, timeout=30)
        self.http.get("/admin/login/")
        form = {"username": name, "password": password, "csrfmiddlewaretoken": self.http.cookies["csrftoken"]}
        answer = self.http.post("/admin/login/?next=/healthz", data=form)
        assert answer.status_code == 302, answer.text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.http.close()

    def waiting(self, kind: str = "interrupts", **filters: str) -> list[dict[str, Any]]:
        """Return what is open, newest first."""
        query = {"pending_only": "true", "limit": "200", **filters}
        answer = self.http.get(f"/api/v1/{kind}", params=query)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["results"]
        return found

    def wait_for(self, count: int, kind: str = "interrupts", **filters: str) -> list[dict[str, Any]]:
        """Return what is open as soon as it is this many."""
        deadline = time.monotonic() + PATIENCE
        while len(found := self.waiting(kind, **filters)) != count:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def decide(self, item: str, verb: str = "approve", **body: Any) -> dict[str, Any]:
        """Approve, reject, respond or fulfill; return the item as it then stands."""
        kind = "requests" if item.startswith("har_") else "interrupts"
        answer = self.http.post(
            f"/api/v1/{kind}/{item}/{verb}",
            json=body,
            headers={"X-CSRFToken": self.http.cookies["csrftoken"]},
        )
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def personal_key(self) -> str:
        """Make a key that acts for this operator."""
        made = self.server.manage("shell", "-v", "0", "-c", MAKE_KEY.format(self.name))
        return made.strip().splitlines()[-1]


def run(env: dict[str, str], *arguments: str) -> str:
    """Run Python with *arguments* in the project and return what it printed."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Beginning:
    """The data of a new server with one agent, made once for all servers of a run."""

    def __init__(self) -> None:
        self.guarded = GuardedFolder("beginning")
        self.env = {**os.environ, "HITL_DATA_DIR": str(self.guarded.path)}
        if "DATABASE_URL" in self.env:
            self.env["DATABASE_URL"] = _database_of_its_own(self.env["DATABASE_URL"])
        run(self.env, "manage.py", "migrate", "--verbosity", "0")
        made = json.loads(run(self.env, "manage.py", "create_agent", "agent-0", "--json"))
        self.key = str(made["key"])

    def copy(self, server: LiveServer) -> None:
        """Give *server* this data for a start."""
        for path in self.guarded.path.iterdir():
            if path.is_file() and path.name != "pid":
                shutil.copy(path, server.folder)
        if "DATABASE_URL" in self.env:
            name = httpx.URL(self.env["DATABASE_URL"]).path.strip("/")
            server.env["DATABASE_URL"] = _database_of_its_own(
                os.environ["DATABASE_URL"], f'TEMPLATE "{name}"'
            )
        server.key = self.key


beginning = cache(Beginning)


def _database_of_its_own(url: str, how: str = "") -> str:
    name = f"live_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" {how}')
    parts = httpx.URL(url)
    return str(parts.copy_with(path=f"/{name}"))


@contextmanager
def running(**settings: str) -> Iterator[LiveServer]:
    """Run a server, with *settings* of its own."""
    live = LiveServer()
    live.env |= settings
    try:
        beginning().copy(live)
        yield live.start()
    finally:
        live.remove()


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with running() as live:
        yield live


@pytest.fixture(scope="module")
def key(server: LiveServer) -> str:
    """The key of an agent."""
    return server.key


@pytest.fixture(scope="module")
def ann(server: LiveServer) -> Iterator[Operator]:
    with Operator(server) as operator:
        yield operator


@pytest.fixture(scope="module")
def ada(server: LiveServer) -> Iterator[Operator]:
    with Operator(server, "ada", "administrator") as operator:
        yield operator
