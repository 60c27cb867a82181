"""Runs that are run again: how the same call finds its decision, and where a run may end.

    with session("refund-7"):
        hitl.require_approval("Refund order 7?", {"amount": 250}, mode="raise")

The first time this raises `InterruptSignal`. Run again after the decision, it goes on. What makes the
call the same is its key: SHA-256 over the run or session, the call's id or its ordinal among equal calls,
the tool name and the arguments. Other arguments are another question.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar, overload

from hitl_client.errors import InterruptSignal
from hitl_client.models import Interrupt

T = TypeVar("T")

Scope = tuple[str, str]
"""What a key holds within: ("run", id) or ("session", id)."""


def canonical(value: Any) -> bytes:
    """Write JSON in one way only: sorted keys, no spaces, UTF-8; 1 and 1.0 stay apart.

    Raises TypeError for what is no JSON, ValueError for NaN, infinities and lone surrogates.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def replay_key(scope: Scope, call: str | int, subject: Any) -> str:
    """Name a call so that a re-run names it alike.

    `call` is its id, or its ordinal among equal calls; `subject` is the tool's name and its arguments.
    """
    return hashlib.sha256(canonical([scope, call, subject])).hexdigest()


class Ordinals:
    """Count equal calls, so that a second one is a question of its own and a re-run finds both.

    Only equal calls are counted together: others may come, go or change their order between two runs.
    """

    def __init__(self) -> None:
        self._counts: dict[Scope, Counter[bytes]] = {}
        self._lock = Lock()

    def take(self, scope: Scope, subject: Any) -> int:
        """Return 0 for the first call about this subject, 1 for the second, …"""
        digest = hashlib.sha256(canonical(subject)).digest()
        with self._lock:
            counts = self._counts.setdefault(scope, Counter())
            counts[digest] += 1
            return counts[digest] - 1

    def restart(self, scope: Scope | None = None) -> None:
        """Begin anew, in one scope or all: the run has ended, the next calls are a re-run's."""
        with self._lock:
            if scope is None:
                self._counts.clear()
            else:
                self._counts.pop(scope, None)


@dataclass(frozen=True)
class Run:
    """One run of an agent, open in the current context."""

    session_id: str | None = None
    run_id: str | None = None
    ordinals: Ordinals = field(default_factory=Ordinals, compare=False, repr=False)


current_run: ContextVar[Run | None] = ContextVar("hitl_run", default=None)


@contextmanager
def session(session_id: str | None = None, *, run_id: str | None = None) -> Iterator[Run]:
    """Open a run: calls inside carry its ids, and their ordinals start at 0.

    Give each piece of work its own id. Entering a block with an id used before is a re-run: it finds the
    decisions of the run before instead of asking again.
    """
    if not (session_id or run_id):
        raise ValueError("a run that is to be found again needs a session_id or a run_id")
    run = Run(session_id, run_id)
    with _entered(run):
        yield run


@contextmanager
def _entered(run: Run | None) -> Iterator[None]:
    token = current_run.set(run)
    try:
        yield
    finally:
        current_run.reset(token)


@dataclass(frozen=True)
class Completed(Generic[T]):
    """The run came to its end."""

    result: T


@dataclass(frozen=True)
class Pending:
    """The run stopped at a question; run it again once that is decided."""

    interrupt_id: str
    reason: str
    data: dict[str, Any]
    interrupt: Interrupt = field(repr=False)

    @classmethod
    def of(cls, stop: InterruptSignal) -> Pending:
        """Keep what an application needs to tell its user."""
        return cls(stop.interrupt_id, stop.reason, stop.data, stop.interrupt)


@overload
def durable(  # type: ignore[overload-overlap]  # T may be awaitable too: then the first one holds
    fn: Callable[[], Awaitable[T]], *, session_id: str | None = None, run_id: str | None = None
) -> Awaitable[Completed[T] | Pending]: ...
@overload
def durable(
    fn: Callable[[], T], *, session_id: str | None = None, run_id: str | None = None
) -> Completed[T] | Pending: ...
def durable(fn: Callable[[], Any], *, session_id: str | None = None, run_id: str | None = None) -> Any:
    """Run `fn` up to its end or its first undecided question: the process boundary of raise-and-re-run.

    Returns Completed(result) or Pending(interrupt_id, reason, data, interrupt). A task queue, cron job or
    command calls it again later with the same ids; nothing else needs to be kept. Awaitable if `fn` is.
    """
    run = Run(session_id, run_id) if session_id or run_id else current_run.get()
    try:
        with _entered(run):
            result = fn()
    except InterruptSignal as stop:
        return _pending(stop, run)
    return _finish(result, run) if inspect.isawaitable(result) else Completed(result)


async def _finish(result: Awaitable[T], run: Run | None) -> Completed[T] | Pending:
    try:
        with _entered(run):
            return Completed(await result)
    except InterruptSignal as stop:
        return _pending(stop, run)


def _pending(stop: InterruptSignal, run: Run | None) -> Pending:
    if run:
        run.ordinals.restart()
    return Pending.of(stop)
