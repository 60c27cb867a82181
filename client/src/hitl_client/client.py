"""What `HITL` and `AsyncHITL` share."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeAlias, TypeVar, Unpack, overload

from hitl_client.actions import ActionCalls
from hitl_client.calls import WaitBy
from hitl_client.flows import log
from hitl_client.gate import Gate, GateOptions
from hitl_client.review import ReviewCalls
from hitl_client.runs import session
from hitl_client.workflows import RunCalls

try:
    from hitl_client import sockets as sockets
except ImportError:  # the extra `socket` is not installed
    sockets = None  # type: ignore[assignment]  # a module, or nothing

P = ParamSpec("P")
R = TypeVar("R")
Tool: TypeAlias = Callable[..., Any]
T = TypeVar("T")


class AgentCalls(ActionCalls, ReviewCalls, RunCalls):
    """All calls of one agent."""


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


def to_be_had(wait_by: WaitBy) -> WaitBy:
    """Return how to wait, as far as it is installed."""
    if wait_by == "socket" and sockets is None:
        log.warning("No sockets without websockets (hitl-client[socket]): answers are held instead")
        return "poll"
    return wait_by
