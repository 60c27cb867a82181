"""A server, and an agent that is each of the two clients in turn."""

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from hitl_client import HITL, AsyncHITL
from loopback import Loopback


class Awaited:
    """An AsyncHITL whose methods are awaited at once, so that one test serves both clients."""

    def __init__(self, client: AsyncHITL) -> None:
        self.client = client
        self.runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if inspect.isasyncgen(result):
                return self.each(result)
            return self.runner.run(result) if inspect.iscoroutine(result) else result

        return call

    def each(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        while True:
            try:
                yield self.runner.run(anext(items))  # type: ignore[arg-type]  # a generator's is a coroutine
            except StopAsyncIteration:
                return

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()


@pytest.fixture
def server() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.stop()


@pytest.fixture
def hitl(server: Loopback) -> Iterator[HITL]:
    with HITL(server.url, "hitl_key", retry_for=3) as client:
        yield client


@pytest.fixture(params=["HITL", "AsyncHITL"])
def agent(request: pytest.FixtureRequest, server: Loopback) -> Iterator[Any]:
    if request.param == "HITL":
        yield request.getfixturevalue("hitl")
        return
    awaited = Awaited(AsyncHITL(server.url, "hitl_key", retry_for=3))
    yield awaited
    awaited.close()


@pytest.fixture
def gated(agent: Any) -> Callable[..., Callable[[int], int]]:
    """Return what gates a tool `pay`, by each of the two clients in turn."""

    def gate(**options: Any) -> Callable[[int], int]:
        if isinstance(agent, HITL):

            @agent.gate(**options)
            def pay(amount: int) -> int:
                return amount

            return pay

        async def apay(amount: int) -> int:
            return amount

        fn = agent.client.gate(tool_name="pay", **options)(apay)
        return lambda amount: agent.runner.run(fn(amount), context=contextvars.copy_context())

    return gate
