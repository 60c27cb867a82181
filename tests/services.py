"""The pytest plugin that chooses the backend: SQLite in one process, or real PostgreSQL and Redis.

It has to be early (``-p tests.services``): once pytest-django has read the settings it is too late.

    HITL_TEST_BACKEND=sqlite          the default
    HITL_TEST_BACKEND=production      DATABASE_URL and REDIS_URL where set, else servers started for the run
    HITL_REQUIRE_SERVICES=1           no falling back to SQLite: what cannot be had ends the run
"""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from types import FrameType

import psycopg
import pytest
import redis

from tests.servers import (
    GuardedFolder,
    Postgres,
    Redis,
    S,
    Unavailable,
    postgres_version,
    redis_version,
    start_postgres,
    start_redis,
)

REQUIRED = os.environ.get("HITL_REQUIRE_SERVICES") == "1"
OF_THE_SUITE = {"HITL_TEST_BACKEND", "HITL_REQUIRE_SERVICES", "HITL_LOG_LEVEL", "HITL_DRILL"}

header = pytest.StashKey[str]()
warning = pytest.StashKey[str]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Choose the backend before any other plugin or conftest can read the settings."""
    use_neutral_settings(early_config)
    backend = os.environ.get("HITL_TEST_BACKEND", "sqlite")
    if backend not in {"sqlite", "production"}:
        raise pytest.UsageError(f"HITL_TEST_BACKEND is 'sqlite' or 'production', not {backend!r}.")
    try:
        described = use_production(early_config) if backend == "production" else use_sqlite()
    except Unavailable as reason:
        if REQUIRED:
            raise pytest.UsageError(f"HITL_REQUIRE_SERVICES=1, but there is {reason}.") from reason
        described = use_sqlite()
        early_config.stash[warning] = f"NOT TESTED ON POSTGRESQL AND REDIS: {reason}"
    early_config.stash[header] = described
    return (yield)


def use_neutral_settings(config: pytest.Config) -> None:
    """Keep the developer's own settings and data out of the tests."""
    for name in [name for name in os.environ if name.startswith("HITL_") and name not in OF_THE_SUITE]:
        del os.environ[name]
    data = GuardedFolder("data")
    config.add_cleanup(data.remove)
    os.environ["HITL_DATA_DIR"] = str(data.path)


def use_sqlite() -> str:
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    return "SQLite, in one process"


def use_production(config: pytest.Config) -> str:
    os.environ |= {
        "HITL_DEPLOYMENT_ID": "tests",
        "HITL_SECRETS_KEYS": f"1:{'c2VhbHM' * 6}g=",
        "HITL_RECEIPT_KEYS": f"1:{'c2lnbnM' * 6}g=",
        "HITL_PUSH_KEY": f"{'cHVzaGVz' * 5}cHU=",
    }
    database = provide(config, "DATABASE_URL", start_postgres, postgres_version)
    store = provide(config, "REDIS_URL", start_redis, redis_version)
    return f"{database}, {store}"


def provide(
    config: pytest.Config, variable: str, start: Callable[[], Postgres | Redis], version: Callable[[str], str]
) -> str:
    """Make sure that *variable* names a server that answers, and describe it."""
    origin = variable
    if not os.environ.get(variable):
        server = start()
        config.add_cleanup(server.remove)
        os.environ[variable] = server.url
        origin = server.origin
    try:
        return f"{version(os.environ[variable])} ({origin})"
    except (psycopg.Error, redis.RedisError, ValueError) as problem:
        raise pytest.UsageError(f"{variable} names a server that does not answer: {problem}") from problem


def pytest_configure() -> None:
    """End in an orderly way on SIGTERM too, so that every server a test started is stopped."""

    def stop(number: int, frame: FrameType | None) -> None:
        pytest.exit("terminated", returncode=128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)


def pytest_report_header(config: pytest.Config) -> list[str]:
    loud = [f"!!! {config.stash[warning]}"] if warning in config.stash else []
    return [*loud, f"backend: {config.stash[header]}"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if warning in config.stash:
        terminalreporter.write_line(f"!!! {config.stash[warning]}", yellow=True, bold=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("REDIS_URL"):
        for item in items:
            if item.get_closest_marker("production"):
                item.add_marker(pytest.mark.skip(reason="needs PostgreSQL and Redis"))


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    """A Redis for this test alone, to stop, kill, start and flush."""
    server = start_or_skip(start_redis)
    yield server
    server.remove()


@pytest.fixture
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL for this test alone, to stop, kill and start."""
    server = start_or_skip(start_postgres)
    yield server
    server.remove()


def start_or_skip(start: Callable[[], S]) -> S:
    try:
        return start()
    except Unavailable as reason:
        if REQUIRED:
            raise
        pytest.skip(str(reason))
