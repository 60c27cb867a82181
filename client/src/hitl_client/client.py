"""The two clients: `HITL`, and `AsyncHITL`, the same to be awaited."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeAlias, TypeVar, Unpack, overload

import httpx

from hitl_client.actions import ActionCalls
from hitl_client.calls import HOLD_SECONDS, Calls, WaitBy, next_cursor
from hitl_client.flows import Flow, Listen, Pause, log
from hitl_client.gate import Gate, GateOptions, awaitable_gate, blocking_gate
from hitl_client.models import ActionRequest, Event, Interrupt, Secrets
from hitl_client.policies import PolicyCalls
from hitl_client.review import ReviewCalls, Ruling, Running, carry_out, carry_out_async
from hitl_client.runs import session
from hitl_client.workflows import RunCalls

try:
    from hitl_client import sockets
except ImportError:  # the extra `socket` is not installed
    sockets = None  # type: ignore[assignment]  # a module, or nothing

P = ParamSpec("P")
R = TypeVar("R")
Tool: TypeAlias = Callable[..., Any]
T = TypeVar("T")


class AgentCalls(ActionCalls, ReviewCalls, RunCalls):
    """All calls of one agent."""


def blocking(flow: Callable[Concatenate[AgentCalls, P], Flow[T]]) -> Callable[Concatenate[HITL, P], T]:
    """Make a flow a method that returns its result."""

    @functools.wraps(flow)
    def method(self: HITL, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(flow(self._calls, *args, **kwargs))

    return method


def awaitable(
    flow: Callable[Concatenate[AgentCalls, P], Flow[T]],
) -> Callable[Concatenate[AsyncHITL, P], Coroutine[Any, Any, T]]:
    """Make a flow a method to be awaited for its result."""

    @functools.wraps(flow)
    async def method(self: AsyncHITL, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(flow(self._calls, *args, **kwargs))

    return method


class Client(ABC):
    """What both clients share."""

    session = staticmethod(session)
    _calls: AgentCalls

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    @property
    def base_url(self) -> str:
        """Where the server is; operators decide at `/admin/` there."""
        return self._calls.base_url

    @overload
    def gate(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def gate(
        self, fn: None = None, /, *, tool_name: str | None = None, **options: Unpack[GateOptions]
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def gate(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        tool_name: str | None = None,
        **options: Unpack[GateOptions],
    ) -> Any:
        """Have the server's policies asked before each call of a function, and a person where they say so.

        The call runs with the arguments that were approved. It raises Denied where a policy forbids it, else
        what `require_approval` raises. Where no policy speaks of the tool, or none can be asked, a person
        is; `unlisted="allow"` leaves it to the policies alone. `HITL` gates async functions too, and waits
        for them in a thread.
        """

        def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
            return self._gated(fn, Gate(self._calls, fn, tool_name, options))

        return decorate if fn is None else decorate(fn)

    @overload
    def gated(self, tools: Sequence[Tool], **options: Unpack[GateOptions]) -> list[Tool]: ...
    @overload
    def gated(self, tools: Mapping[str, Tool], **options: Unpack[GateOptions]) -> dict[str, Tool]: ...
    def gated(self, tools: Any, **options: Unpack[GateOptions]) -> Any:
        """Gate a list of functions, or a dict of them by tool name, and return the like.

        Unlike one that is gated alone, a tool that no policy speaks of then runs without asking. `redact`
        holds for the tools that have such an argument.
        """
        named = tools.items() if isinstance(tools, Mapping) else [(None, fn) for fn in tools]
        redact = options.get("redact") or ()
        asked: GateOptions = {"unlisted": "allow", **options}
        gated = []
        for name, fn in named:
            has = inspect.signature(fn).parameters
            asked["redact"] = [argument for argument in redact if argument in has]
            gated.append((name, self.gate(tool_name=name, **asked)(fn)))
        return dict(gated) if isinstance(tools, Mapping) else [fn for _, fn in gated]

    @abstractmethod
    def _gated(self, fn: Callable[..., Any], gate: Gate) -> Callable[..., Any]: ...


class HITL(Client):
    """Ask people, from synchronous code. Safe to share between threads.

    `base_url` defaults to HITL_URL, then http://127.0.0.1:8000; `api_key` to HITL_API_KEY. `http` is an
    `httpx.Client` of your own, for proxies, certificates or tests; it stays yours to close. An outage of
    the server, a restart for instance, is ridden out for `retry_for` seconds before `Unavailable` is raised;
    while a person is waited for, as long as the wait lasts. `timeout` is how many seconds an answer may take,
    besides those it is held. With `wait_by="socket"` waits and endless `events` hear by WebSocket that
    something happened (extra `socket`); where none is to be had, answers are held as with "poll".
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        http: httpx.Client | None = None,
        retry_for: float = 60.0,
        timeout: float = 30.0,
        wait_by: WaitBy = "poll",
    ) -> None:
        self._calls = AgentCalls(
            base_url,
            api_key,
            retry_for,
            timeout=timeout,
            wait_by=_to_be_had(wait_by),
            keyless=http is not None,
        )
        self._owns_http = http is None
        self._http = http or httpx.Client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._owns_http:
            self._http.close()

    require_approval = blocking(Calls.require_approval)
    require_confirmation = blocking(Calls.require_confirmation)
    require_input = blocking(Calls.require_input)
    require_feedback = blocking(Calls.require_feedback)
    get = blocking(Calls.get)
    find = blocking(Calls.find)
    status = blocking(Calls.status)
    wait = blocking(Calls.wait)
    cancel = blocking(Calls.cancel)
    revise = blocking(Calls.revise)
    batch = blocking(Calls.batch)
    comment = blocking(Calls.comment)
    statistics = blocking(Calls.statistics)
    attach = blocking(Calls.attach)
    download = blocking(Calls.download)
    evaluate = blocking(PolicyCalls.evaluate)
    consume = blocking(PolicyCalls.consume)
    report = blocking(PolicyCalls.report)
    review = blocking(ReviewCalls.review)
    request_action = blocking(ActionCalls.request_action)
    templates = blocking(ActionCalls.templates)
    get_request = blocking(ActionCalls.get_request)
    wait_request = blocking(ActionCalls.wait_request)
    reveal = blocking(ActionCalls.reveal)
    ack = blocking(ActionCalls.ack)
    start_run = blocking(RunCalls.start_run)
    get_run = blocking(RunCalls.get_run)
    wait_run = blocking(RunCalls.wait_run)
    pause_run = blocking(RunCalls.pause_run)
    resume_run = blocking(RunCalls.resume_run)
    cancel_run = blocking(RunCalls.cancel_run)
    active = blocking(RunCalls.active)
    upload = blocking(RunCalls.upload)
    download_file = blocking(RunCalls.download_file)
    request_browser_approval = blocking(RunCalls.request_browser_approval)

    def list(self, **filters: str | int | bool | None) -> Iterator[Interrupt]:
        """Yield this agent's interrupts, newest first, page by page.

        Filters: session_id, agent_name, status, type, priority, tool_name, run_id, batch_id, pending_only,
        created_after, created_before, q; `limit` is the size of a page.
        """
        return self._pages("interrupts", filters)

    def requests(self, **filters: str | int | bool | None) -> Iterator[ActionRequest]:
        """Yield this agent's requests, newest first.

        Filters: status, priority, agent_id, request_type, session_id, workflow_id, assigned_to, pending_only,
        created_after, created_before, q; `limit` is the size of a page.
        """
        return map(ActionRequest.of, self._pages("requests", filters))

    @contextlib.contextmanager
    def secrets(self, request: ActionRequest | str, wait_timeout: float = 180) -> Iterator[Secrets]:
        """Lend the secret answers to a block, and have them destroyed when it ends without an error.

        After an error they are not, so that another run can have them once the lease is over; a lease of a
        run that died is waited out for `wait_timeout` seconds. Raises as `reveal` does.
        """
        request_id = request if isinstance(request, str) else request.id
        yield self.reveal(request_id, wait_timeout)
        self.ack(request_id)

    def carry_out(
        self,
        ruling: Ruling,
        tool: Callable[[], T],
        *,
        report: bool | Literal["result"] = True,
        idempotent: bool = False,
    ) -> T:
        """Make a call that was reviewed: spend its approval, run the tool, report what came of it.

        Returns the tool's result, a person's response where there is one, or, with `report="result"`, the
        result of the time it ran before. Raises what refused it, and ApprovalSpent where it must not run: it
        has run, or nobody knows. An `idempotent` tool may run again as long as no outcome is recorded.
        """
        result: T = carry_out(self._calls, ruling, tool, Running(report, idempotent), self._run)
        return result

    def events(
        self, after: str | None = None, *, types: Sequence[str] = (), follow: bool | int = True
    ) -> Iterator[Event]:
        """Yield this agent's events, oldest first, and then each new one as it happens.

        Keep the last event's `cursor` and pass it as `after` to miss nothing. Without `follow` it ends when
        caught up; with a number, once there was nothing for so many seconds (up to 30). Raises StreamReset
        when the cursor is of another life of the server.
        """
        hold = HOLD_SECONDS if follow is True else int(follow)
        ear = self._ear() if self._calls.wait_by == "socket" else None
        try:
            while True:
                page, after = self._run(self._calls.events(after, types, hold, follow is True), ear)
                yield from page
                if not page and follow is not True:
                    return
        finally:
            if ear is not None:
                ear.close()

    def _pages(self, kind: str, filters: dict[str, Any]) -> Iterator[Interrupt]:
        while True:
            page = self._run(self._calls.page(kind, filters))
            yield from page["results"]
            filters["cursor"] = next_cursor(page)
            if filters["cursor"] is None:
                return

    def _ear(self) -> sockets.Ear:
        return sockets.Ear(self._calls.socket_url, self._calls.bearer)

    def _run(self, flow: Flow[T], ear: sockets.Ear | None = None) -> T:
        opened = ear
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                if isinstance(step, Listen):
                    opened = opened or self._ear()
                    step = flow.send(opened.listen(step))
                    continue
                try:
                    response = self._http.request(**self._calls.request(step))
                except httpx.RequestError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(response)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            if opened is not None and opened is not ear:
                opened.close()

    def _gated(self, fn: Callable[..., Any], gate: Gate) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(fn):
            return awaitable_gate(fn, gate, lambda flow: asyncio.to_thread(self._run, flow))
        return blocking_gate(fn, gate, self._run)


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
            wait_by=_to_be_had(wait_by),
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

    require_approval = awaitable(Calls.require_approval)
    require_confirmation = awaitable(Calls.require_confirmation)
    require_input = awaitable(Calls.require_input)
    require_feedback = awaitable(Calls.require_feedback)
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


def _to_be_had(wait_by: WaitBy) -> WaitBy:
    """Return how to wait, as far as it is installed."""
    if wait_by == "socket" and sockets is None:
        log.warning("No sockets without websockets (hitl-client[socket]): answers are held instead")
        return "poll"
    return wait_by
