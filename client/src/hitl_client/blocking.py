"""The client that waits: `HITL`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar

import httpx

from hitl_client.actions import ActionCalls
from hitl_client.asking import QuestionCalls
from hitl_client.calls import HOLD_SECONDS, Calls, WaitBy, next_cursor
from hitl_client.client import AgentCalls, Client, sockets, to_be_had
from hitl_client.flows import Flow, Listen, Pause
from hitl_client.gate import Gate, awaitable_gate, blocking_gate
from hitl_client.models import ActionRequest, Event, Interrupt, Secrets
from hitl_client.policies import PolicyCalls
from hitl_client.review import ReviewCalls, Ruling, Running, carry_out
from hitl_client.workflows import RunCalls

P = ParamSpec("P")
T = TypeVar("T")


def blocking(flow: Callable[Concatenate[AgentCalls, P], Flow[T]]) -> Callable[Concatenate[HITL, P], T]:
    """Make a flow a method that returns its result."""

    @functools.wraps(flow)
    def method(self: HITL, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(flow(self._calls, *args, **kwargs))

    return method


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
            wait_by=to_be_had(wait_by),
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

    require_approval = blocking(QuestionCalls.require_approval)
    require_confirmation = blocking(QuestionCalls.require_confirmation)
    require_input = blocking(QuestionCalls.require_input)
    require_feedback = blocking(QuestionCalls.require_feedback)
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
