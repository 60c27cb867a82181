"""The examples of action requests: the nine steps, and an errand that outlives its workers."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import live
from tests.live import PATIENCE, ROOT, LiveServer, Operator

pytestmark = pytest.mark.sqlite

key, ann = live.key, live.ann
REDIS = os.environ.get("REDIS_URL")
WORKER = ["-m", "celery", "--app", "stripe_errand", "--workdir", "examples", "worker", "--concurrency", "1"]
LISTENER = ["examples/stripe_errand.py", "listen"]


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live.running(HITL_REVEAL_SECONDS="2") as server:
        yield server


class Stripe(ThreadingHTTPServer):
    """A service that keeps its first caller waiting for ever, and answers those after it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StripeHandler)
        self.asked: list[str] = []
        self.over = threading.Event()


class StripeHandler(BaseHTTPRequestHandler):
    server: Stripe

    def do_GET(self) -> None:
        self.server.asked.append(self.headers["Authorization"])
        if len(self.server.asked) == 1:
            self.server.over.wait()
            return
        body = json.dumps({"id": "acct_1"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the tests' output quiet."""


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    with Stripe() as stripe:
        threading.Thread(target=stripe.serve_forever, args=(0.01,)).start()
        yield stripe
        stripe.over.set()
        stripe.shutdown()


class Errands:
    """The processes of the example, on a file of their own."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.running: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> str:
        command = [sys.executable, "examples/stripe_errand.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *commands: list[str]) -> None:
        for command in commands:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.env, start_new_session=True
            )
            self.running.append(process)

    def kill(self) -> None:
        for process in self.running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.running.clear()


@pytest.fixture
def errands(server: LiveServer, key: str, stripe: Stripe, tmp_path: Path) -> Iterator[Errands]:
    errands = Errands(
        {
            **server.env,
            "HITL_URL": server.url,
            "HITL_API_KEY": key,
            "STRIPE_URL": f"http://127.0.0.1:{stripe.server_port}",
            "ERRAND_DB": str(tmp_path / "errand.sqlite"),
        }
    )
    yield errands
    errands.kill()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_errand_goes_on_with_what_was_supplied_though_its_workers_are_killed(
    errands: Errands, ann: Operator, stripe: Stripe
) -> None:
    """With Redis, real workers of one slot each; without, the commands do the work."""
    everything = [WORKER, LISTENER] if REDIS else [LISTENER]
    errands.start(*everything[:-1])
    errands.run("start", "billing-1")
    errands.run("start", "billing-2")
    asked = {request["workflow_id"]: request for request in ann.wait_for(2, "requests")}  # the slot was freed
    errands.kill()

    answers = {"contact": "ann@example.com", "api_key": "rk_canary"}
    ann.decide(asked["billing-1"]["id"], "fulfill", response_data=answers)
    ann.decide(asked["billing-2"]["id"], "reject", reason="One is enough")
    errands.start(*everything)
    until(lambda: stripe.asked)
    errands.kill()
    assert "billing-1: under way" in errands.run("show")

    errands.start(*everything)
    until(lambda: "under way" not in errands.run("show"))
    first, second = errands.run("show").splitlines()
    assert first == "billing-1: acct_1, looked after by ann@example.com"
    assert re.fullmatch(r"billing-2: given up: har_\w+ was rejected by ann: One is enough", second)
    assert len(set(stripe.asked)) == 1
    until(lambda: state_of(ann, asked["billing-1"]["id"]) == "acknowledged")
    assert len(ann.http.get("/api/v1/requests").json()["results"]) == 2


def state_of(ann: Operator, request: str) -> str:
    return str(ann.http.get(f"/api/v1/requests/{request}").json()["secrets"]["state"])


def test_the_nine_steps_are_taken(server: LiveServer, ann: Operator) -> None:
    env = {
        **server.env,
        "HITL_URL": server.url,
        "HITL_API_KEY": server.new_key(),
        "OPERATOR_KEY": ann.personal_key(),
    }
    command = [sys.executable, "examples/action_requests.py"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr
    shown = re.sub(r"har_\w+", "har_…", done.stdout).splitlines()
    assert shown == [
        "1. The server is up.",
        "2. Asked: har_… is pending.",
        "3. There are 2 requests.",
        "4. 2 of them wait for a person.",
        "5. Read: Stripe API key required.",
        "6. Fulfilled by ann: From the Stripe dashboard.",
        "7. Of 2: 1 fulfilled, 1 pending; 1 pending.",
        "8. Rejected by ann: One account is enough.",
        "9. Of 2: 1 fulfilled, 1 rejected; 0 pending.",
    ]
