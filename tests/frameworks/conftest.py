"""One server for all frameworks; each test has a session of its own."""

import secrets
from collections.abc import Iterator

import pytest

from tests.frameworks.harness import Agent
from tests.live import LiveServer, Operator, running


@pytest.fixture(scope="session")
def server() -> Iterator[LiveServer]:
    with running() as live:
        yield live


@pytest.fixture(scope="session")
def ann(server: LiveServer) -> Iterator[Operator]:
    with Operator(server) as operator:
        yield operator


@pytest.fixture(scope="session")
def ada(server: LiveServer) -> Iterator[Operator]:
    with Operator(server, "ada", "administrator") as operator:
        yield operator


@pytest.fixture(autouse=True)
def nobody_is_left_behind() -> Iterator[None]:
    """Kill what a test that failed has not waited for."""
    yield
    while Agent.started:
        agent = Agent.started.pop()
        if agent.process.poll() is None:
            agent.kill()


@pytest.fixture
def session() -> str:
    """The session of the agent under test, by which its questions are found."""
    return f"session-{secrets.token_hex(4)}"
