"""The pytest plugin that lends Node.js to the tests of the TypeScript client: the fixture ``npm``.

Node is the one on PATH, else Debian's, installed now; what the client is built with comes by ``npm ci``,
which checks every hash of its lock. Where either cannot be had, these tests are skipped; with
HITL_REQUIRE_SERVICES=1 the run ends instead.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import succeeds
from tests.services import REQUIRED

CLIENT = Path(__file__).parent.parent / "client-ts"
MISSING = "no Node.js with npm: install nodejs and npm, 18.19 or newer"
UNBUILDABLE = "nothing to build client-ts with: `npm ci` does not succeed there"

trouble_found = pytest.StashKey[str | None]()

Npm = Callable[..., str]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find Node before the first test: an installation takes longer than a test may."""
    uses_node = any("npm" in getattr(item, "fixturenames", ()) for item in session.items)
    if session.config.option.collectonly or not uses_node:
        return
    session.config.stash[trouble_found] = trouble = provide()
    if trouble and REQUIRED:
        raise pytest.UsageError(f"HITL_REQUIRE_SERVICES=1, but there is {trouble}.")
    session.config.get_terminal_writer().line(
        f"node: {f'!!! TYPESCRIPT CLIENT NOT TESTED, {trouble}' if trouble else shutil.which('node')}"
    )


@pytest.fixture(scope="session")
def npm(pytestconfig: pytest.Config) -> Npm:
    """A function that runs a command in client-ts, which is built, and returns what it printed."""
    if trouble := pytestconfig.stash[trouble_found]:
        pytest.skip(trouble)
    run("npm", "run", "--silent", "build")
    return run


def provide() -> str | None:
    """Have Node and what the client is built with; return what is missing."""
    with Path(tempfile.gettempdir(), "hitl-node.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be installing it
        if not (is_new_enough() or (install_by_debian() and is_new_enough())):
            return MISSING
        done = CLIENT / "node_modules" / ".package-lock.json"
        if done.exists() and done.stat().st_mtime >= (CLIENT / "package-lock.json").stat().st_mtime:
            return None
        install = ("npm", "--prefix", str(CLIENT), "ci", "--no-audit", "--no-fund")
        return None if succeeds(*install) else UNBUILDABLE


def is_new_enough() -> bool:
    check = "const [a, b] = process.versions.node.split('.'); process.exit(a * 1000 + +b < 18019 ? 1 : 0)"
    return succeeds("node", "-e", check) and succeeds("npm", "--version")


def install_by_debian() -> bool:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    succeeds("apt-get", "update")
    options = ("-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
    return succeeds("apt-get", "install", *options, "nodejs", "npm")


def run(*command: str, env: dict[str, str] | None = None, send: str | None = None) -> str:
    """Run a command in client-ts; return what it printed."""
    done = subprocess.run(
        command,
        cwd=CLIENT,
        env={**os.environ, **(env or {})},
        input=send,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
