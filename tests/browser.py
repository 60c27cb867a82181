"""The pytest plugin that lends a real Chromium to the tests of pages: the fixtures ``browser`` and ``page``.

Chromium is the one CHROMIUM_PATH names, else one on PATH, else one that Playwright or Debian installs now.
Where there is none, these tests are skipped; with HITL_REQUIRE_SERVICES=1 the run ends instead.

Playwright's synchronous API keeps an event loop running in the main thread while the browser lives. Tests
with a browser therefore come last, after every test that is a coroutine, and look at a server in a process
of its own. Django refuses its ORM in such a thread: a test that must read the database as well asks for
the fixture ``orm_beside_browser``.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.services import REQUIRED

QUIET = [
    "--no-sandbox",  # Chromium refuses root otherwise; the only pages it sees are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = "no Chromium: set CHROMIUM_PATH or install chromium"

path_found = pytest.StashKey[str | None]()
measured = pytest.StashKey[dict[str, str]]()

Measure = Callable[[str, str], None]


def uses_browser(item: pytest.Item) -> bool:
    return "chromium_path" in getattr(item, "fixturenames", ())


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that use a browser, before any are chosen by their marks."""
    if uses_browser(item):
        item.add_marker(pytest.mark.browser)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that use a browser last."""
    items.sort(key=uses_browser)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find Chromium before the first test: an installation takes longer than a test may."""
    if session.config.option.collectonly or not any(map(uses_browser, session.items)):
        return
    session.config.stash[path_found] = path = find_chromium()
    if path is None and REQUIRED:
        raise pytest.UsageError(f"HITL_REQUIRE_SERVICES=1, but there is {MISSING}.")
    session.config.get_terminal_writer().line(f"browser: {path or f'!!! PAGES NOT TESTED, {MISSING}'}")


@pytest.fixture(scope="session")
def chromium_path(pytestconfig: pytest.Config) -> str:
    """The path of a Chromium that starts."""
    return pytestconfig.stash[path_found] or pytest.skip(MISSING)


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Browser]:
    """A headless Chromium for the whole run."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a profile of its own: no cookie, cache or storage of another test."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def measure(pytestconfig: pytest.Config) -> Measure:
    """Return a function by which a test says what it measured: it is printed at the end of the run."""
    return pytestconfig.stash.setdefault(measured, {}).__setitem__


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured of the pages."""
    found = config.stash.get(measured, {})
    if found:
        terminalreporter.section("measured in the browser")
    for what, figure in found.items():
        terminalreporter.write_line(f"{what}: {figure}")


@pytest.fixture
def orm_beside_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this test use Django's ORM although the browser's event loop runs in its thread."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")


def find_chromium() -> str | None:
    """Return the first Chromium that starts, with all the libraries it needs."""
    if chosen := os.environ.get("CHROMIUM_PATH"):
        return chosen if succeeds(chosen, "--version") else None
    with Path(tempfile.gettempdir(), "hitl-chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other backend's run may be installing it
        for find in (installed, installed_by_playwright, installed_by_debian):
            path = find()
            if path and succeeds(path, "--version"):
                return path
    return None


def installed() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def installed_by_playwright() -> str | None:
    if not succeeds(sys.executable, "-m", "playwright", "install", "chromium", "--no-shell"):
        return None
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def installed_by_debian() -> str | None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        succeeds("apt-get", "update")
        succeeds(
            "apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "chromium"
        )
    return shutil.which("chromium")


def succeeds(*command: str) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True
