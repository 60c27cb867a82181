"""The real server in a process of its own, on data of its own, with people to decide.

from tests import live
server, key, ann = live.server, live.key, live.ann      # fixtures, one server for each test module
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg
import pytest

from tests.servers import free_port

ROOT = Path(__file__).parent.parent
PATIENCE = 60  # seconds for the server to come up


class LiveServer:
    """`manage.py serve` on the backend under test.

    `stop` is an orderly shutdown and `kill` a crash; after either, `start` goes on with the same data.
    """

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="hitl-live-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        paths = [str(ROOT / "client" / "src"), os.environ.get("PYTHONPATH", "")]
        self.env = {
            **os.environ,
            "HITL_DATA_DIR": self.folder.name,
            "PORT": str(self.port),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        if "DATABASE_URL" in self.env:
            self.env["DATABASE_URL"] = _database_of_its_own(self.env["DATABASE_URL"])
        self.process: subprocess.Popen[bytes] | None = None
        self.manage("migrate", "--verbosity", "0")
        self.start()

    def manage(self, *command: str) -> str:
        """Run a management command on the server's data and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=self.env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def new_key(self, name: str = "") -> str:
        """Make an agent and return its key."""
        made = json.loads(self.manage("create_agent", name or f"agent-{secrets.token_hex(4)}", "--json"))
        return str(made["key"])

    def start(self) -> None:
        with Path(self.folder.name, "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"], cwd=ROOT, env=self.env, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, Path(self.folder.name, "log").read_text()
            assert time.monotonic() < deadline, Path(self.folder.name, "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def remove(self) -> None:
        self.kill()
        self.folder.cleanup()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).is_success
        except httpx.TransportError:
            return False


class Operator:
    """A reviewer who logged in at /admin/login/ and decides through the API."""

    def __init__(self, server: LiveServer, name: str = "ann") -> None:
        password = secrets.token_urlsafe(12)
        server.manage(
            "shell",
            "-c",
            "from django.contrib.auth.models import Group, User\n"
            f"user, _ = User.objects.get_or_create(username={name!r}, is_staff=True)\n"
            f"user.set_password({password!r}); user.save()\n"
            "user.groups.set(Group.objects.filter(name='reviewer'))",
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

    def waiting(self, **filters: str) -> list[dict[str, Any]]:
        """Return what is open, newest first."""
        query = {"pending_only": "true", "limit": "200", **filters}
        answer = self.http.get("/api/v1/interrupts", params=query)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["results"]
        return found

    def wait_for(self, count: int, **filters: str) -> list[dict[str, Any]]:
        """Return what is open as soon as it is this many."""
        deadline = time.monotonic() + PATIENCE
        while len(found := self.waiting(**filters)) != count:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def decide(self, interrupt: str, verb: str = "approve", **body: Any) -> dict[str, Any]:
        """Approve, reject or respond; return the item as it then stands."""
        answer = self.http.post(
            f"/api/v1/interrupts/{interrupt}/{verb}",
            json=body,
            headers={"X-CSRFToken": self.http.cookies["csrftoken"]},
        )
        assert answer.is_success, answer.text
        item: dict[str, Any] = answer.json()
        return item


def _database_of_its_own(url: str) -> str:
    name = f"live_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    parts = httpx.URL(url)
    return str(parts.copy_with(path=f"/{name}"))


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    live = LiveServer()
    yield live
    live.remove()


@pytest.fixture(scope="module")
def key(server: LiveServer) -> str:
    """The key of an agent."""
    return server.new_key()


@pytest.fixture(scope="module")
def ann(server: LiveServer) -> Iterator[Operator]:
    with Operator(server) as operator:
        yield operator
