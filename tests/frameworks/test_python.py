"""Plain Python through the gate, and Celery's tasks by `durable`: real workers, killed where it hurts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.frameworks.gated import items_of, killed_and_resumed, outcomes_of
from tests.frameworks.harness import PROGRAMS, written
from tests.live import PATIENCE, LiveServer, Operator
from tests.servers import Redis, start_redis
from tests.services import start_or_skip

pytestmark = pytest.mark.sqlite
GUIDE = "python.md"


def test_a_killed_program_of_the_guide_goes_on_in_another_process(
    server: LiveServer, ann: Operator, session: str, tmp_path: Path
) -> None:
    first, second, third = killed_and_resumed(server, ann, session, written(tmp_path, GUIDE))
    assert first == second == third == "refunded 20 for 7"
    assert (tmp_path / "payments.txt").read_text() == "7 20\n"


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    server = start_or_skip(start_redis)
    yield server
    server.remove()


class Shop:
    """A worker and a listener of the guide's tasks, on an agent and a broker of their own."""

    def __init__(self, server: LiveServer, redis: Redis, folder: Path) -> None:
        self.folder = folder
        written(folder, GUIDE, 1).rename(folder / "tasks.py")
        ours = {"DJANGO_SETTINGS_MODULE"}  # Celery would take the tasks for those of a Django project
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in ours},
            "HITL_URL": server.url,
            "HITL_API_KEY": server.new_key(),
            "REDIS_URL": redis.url,
            "SHOP": str(folder),
            "PYTHONPATH": str(PROGRAMS),
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *commands: str) -> None:
        for command in commands:
            process = subprocess.Popen(
                [sys.executable, *command.split()], cwd=self.folder, env=self.env, start_new_session=True
            )
            self.running.append(process)

    def tell(self, *orders: str) -> None:
        """Enqueue the task of each order."""
        line = "import sys, tasks; [tasks.handle.delay(order) for order in sys.argv[1:]]"
        subprocess.run(
            [sys.executable, "-c", line, *orders], cwd=self.folder, env=self.env, check=True, timeout=PATIENCE
        )

    def asked(self) -> list[list[str]]:
        """Return each payment that was asked for: order, amount, key."""
        file = self.folder / "asked"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def kill(self) -> None:
        for process in self.running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.running.clear()


@pytest.fixture
def shop(server: LiveServer, redis: Redis, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(server, redis, tmp_path)
    yield shop
    shop.kill()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_tasks_end_while_people_think_and_go_on_over_killed_workers(
    shop: Shop, redis: Redis, ann: Operator
) -> None:
    worker, listener = "-m celery --app tasks worker --concurrency 1 --loglevel warning", "tasks.py"
    sessions = [f"order-{number}" for number in (1, 2, 3)]
    shop.start(worker)
    shop.tell(*sessions, "order-1")
    asked = {session: ann.wait_for(1, session_id=session)[0]["id"] for session in sessions}  # one slot did it
    shop.kill()

    ann.decide(asked["order-1"], modifications={"order": "order-1", "amount": 7.5})
    ann.decide(asked["order-2"], "reject", reason="Too much")
    (shop.folder / "hang").touch()
    shop.start(worker, listener)
    until(shop.asked)
    shop.kill()  # in the middle of the payment: the approval is spent, and nobody knows the outcome
    assert outcomes_of(ann, "order-1") == {"order-1": None}

    (shop.folder / "hang").unlink()
    ann.decide(asked["order-3"])
    shop.start(worker, listener)
    shop.tell(*sessions, *sessions)  # as a sweep would, and told twice
    for session in ("order-1", "order-3"):
        until(lambda session=session: items_of(ann, session)[0]["outcome"] == "succeeded")  # type: ignore[misc]
    shop.tell(*sessions)
    time.sleep(1)

    paid = sorted(note.read_text() for note in shop.folder.glob("paid-*"))
    assert paid == ["order-1 7.5", "order-3 30"]
    assert {key for _, _, key in shop.asked()} == {asked["order-1"], asked["order-3"]}
    assert sum(order == "order-3" for order, _, _ in shop.asked()) == 1
    assert outcomes_of(ann, "order-2") == {"order-2": None}
