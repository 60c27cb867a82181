"""The client that is awaited: `AsyncHITL`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar

import httpx

from hitl_client.actions import ActionCalls
from hitl_client.asking import QuestionCalls
from hitl_client.calls import HOLD_SECONDS, Calls, WaitBy, next_cursor
from hitl_client.client import AgentCalls, Client, sockets, to_be_had
from hitl_client.flows import Flow, Listen, Pause
from hitl_client.gate import Gate, awaitable_gate
from hitl_client.models import ActionRequest, Event, Interrupt, Secrets
from hitl_client.policies import PolicyCalls
from hitl_client.review import ReviewCalls, Ruling, Running, carry_out_async
from hitl_client.workflows import RunCalls

P = ParamSpec("P")
T = TypeVar("T")


def awaitable(
    flow: Callable[Concatenate[AgentCalls, P], Flow[T]],
) -> Callable[Concatenate[AsyncHITL, P], Coroutine[Any, Any, T]]:
    """Make a flow a method to be awaited for its result."""

    @functools.wraps(flow)
    async def method(self: AsyncHITL, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(flow(self._calls, *args, **kwargs))

    return method


class AsyncHITL(Client):
    """Ask people, from asynchronous code: `HITL` to be awaited. `http` is an `httpx.AsyncClient`."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        http: httpx.AsyncClient | None = None,
        retry_for: float = 60.0,
        timeout: float = 30.0,
        wait_by: WaitBy = "poll",
    ) -> None:
        self._calls = AgentCalls(
            base_url,
            api_key,
            retry_for,
            timeout=timeout,
            wait_by=to_be_had(wait_by),
            keyless=http is not None,
        )
        self._owns_http = http is None
        self._http = http or httpx.AsyncClient()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._owns_http:
            await self._http.aclose()

    require_approval = awaitable(QuestionCalls.require_approval)
    require_confirmation = awaitable(QuestionCalls.require_confirmation)
    require_input = awaitable(QuestionCalls.require_input)
    require_feedback = awaitable(QuestionCalls.require_feedback)
    get = awaitable(Calls.get)
    find = awaitable(Calls.find)
    status = awaitable(Calls.status)
    wait = awaitable(Calls.wait)
    cancel = awaitable(Calls.cancel)
    revise = awaitable(Calls.revise)
    batch = awaitable(Calls.batch)
    comment = awaitable(Calls.comment)
    statistics = awaitable(Calls.statistics)
    attach = awaitable(Calls.attach)
    download = awaitable(Calls.download)
    evaluate = awaitable(PolicyCalls.evaluate)
    consume = awaitable(PolicyCalls.consume)
    report = awaitable(PolicyCalls.report)
    review = awaitable(ReviewCalls.review)
    request_action = awaitable(ActionCalls.request_action)
    templates = awaitable(ActionCalls.templates)
    get_request = awaitable(ActionCalls.get_request)
    wait_request = awaitable(ActionCalls.wait_request)
    reveal = awaitable(ActionCalls.reveal)
    ack = awaitable(ActionCalls.ack)
    start_run = awaitable(RunCalls.start_run)
    get_run = awaitable(RunCalls.get_run)
    wait_run = awaitable(RunCalls.wait_run)
    pause_run = awaitable(RunCalls.pause_run)
    resume_run = awaitable(RunCalls.resume_run)
    cancel_run = awaitable(RunCalls.cancel_run)
    active = awaitable(RunCalls.active)
    upload = awaitable(RunCalls.upload)
    download_file = awaitable(RunCalls.download_file)
    request_browser_approval = awaitable(RunCalls.request_browser_approval)

    def list(self, **filters: str | int | bool | None) -> AsyncIterator[Interrupt]:
        """As `HITL.list`."""
        return self._pages("interrupts", filters)

    async def requests(self, **filters: str | int | bool | None) -> AsyncIterator[ActionRequest]:
        """As `HITL.requests`."""
        async for item in self._pages("requests", filters):
            yield ActionRequest.of(item)

    @contextlib.asynccontextmanager
    async def secrets(
        self, request: ActionRequest | str, wait_timeout: float = 180
    ) -> AsyncIterator[Secrets]:
        """As `HITL.secrets`."""
        request_id = request if isinstance(request, str) else request.id
        yield await self.reveal(request_id, wait_timeout)
        await self.ack(request_id)

    async def carry_out(
        self,
        ruling: Ruling,
        tool: Callable[[], Awaitable[T]],
        *,
        report: bool | Literal["result"] = True,
        idempotent: bool = False,
    ) -> T:
        """As `HITL.carry_out`."""
        how = Running(report, idempotent)
        result: T = await carry_out_async(self._calls, ruling, tool, how, self._run)
        return result

    async def events(
        self, after: str | None = None, *, types: Sequence[str] = (), follow: bool | int = True
    ) -> AsyncIterator[Event]:
        """As `HITL.events`."""
        hold = HOLD_SECONDS if follow is True else int(follow)
        ear = self._ear() if self._calls.wait_by == "socket" else None
        try:
            while True:
                page, after = await self._run(self._calls.events(after, types, hold, follow is True), ear)
                for event in page:
                    yield event
                if not page and follow is not True:
                    return
        finally:
            if ear is not None:
                await ear.close()

    async def _pages(self, kind: str, filters: dict[str, Any]) -> AsyncIterator[Interrupt]:
        while True:
            page = await self._run(self._calls.page(kind, filters))
            for item in page["results"]:
                yield item
            filters["cursor"] = next_cursor(page)
            if filters["cursor"] is None:
                return

    def _ear(self) -> sockets.AsyncEar:
        return sockets.AsyncEar(self._calls.socket_url, self._calls.bearer)

    async def _run(self, flow: Flow[T], ear: sockets.AsyncEar | None = None) -> T:
        opened = ear
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                if isinstance(step, Listen):
                    opened = opened or self._ear()
                    step = flow.send(await opened.listen(step))
                    continue
                try:
                    response = await self._http.request(**self._calls.request(step))
                except httpx.RequestError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(response)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            if opened is not None and opened is not ear:
                await opened.close()

    def _gated(self, fn: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
        if not inspect.iscoroutinefunction(fn):
            raise TypeError(f"{fn!r} is not async: gate it with HITL")
        return awaitable_gate(fn, gate, self._run)
