"""Put policies, and a person where they say so, between a caller and a function."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hitl_client.errors import ApprovalSpent, NotApproved
from hitl_client.flows import Flow
from hitl_client.review import (
    ReviewCalls,
    ReviewOptions,
    Ruling,
    Running,
    ToolCall,
    carry_out,
    carry_out_async,
    told,
)
from hitl_client.runs import canonical

REDACTED = "[redacted]"


class GateOptions(ReviewOptions, total=False):
    """What a gate may be given besides the options of a review.

    `when`, called with the arguments, says which calls are for the gate at all (default: all). `redact`
    names arguments that are not to be shown. `report` and `idempotent` are those of `Running`.
    `on_refusal="return"` has a call that may not run return why, for a model to read; an error by default.
    """

    when: Callable[..., object] | None
    redact: Collection[str]
    report: bool | Literal["result"]
    idempotent: bool
    on_refusal: Literal["raise", "return"]


OWN = GateOptions.__annotations__.keys() - ReviewOptions.__annotations__.keys()


@dataclass(frozen=True)
class Permit:
    """A call that may be made, as it may be made, and why."""

    call: inspect.BoundArguments
    ruling: Ruling

    def make(self, fn: Callable[..., Any]) -> Any:
        """Make the call."""
        return fn(*self.call.args, **self.call.kwargs)


class Gate:
    """How calls of one function become questions, and a decision becomes the call that runs.

    The object of a method is passed on and never shown. Redacted arguments are shown as "[redacted]", to
    policies too; the function gets the real ones, unless the operator wrote others in their place. Of the
    arguments that are shown it gets copies, which nobody can change between the approval and the call.
    """

    def __init__(
        self, calls: ReviewCalls, fn: Callable[..., Any], tool_name: str | None, options: GateOptions
    ) -> None:
        self.calls = calls
        self.signature = inspect.signature(fn)
        self.tool_name = tool_name or str(getattr(fn, "__name__", "tool"))
        self.when = options.get("when")
        self.redact = frozenset(options.get("redact") or ())
        self.how = Running(options.get("report") or False, options.get("idempotent") or False)
        self.on_refusal = options.get("on_refusal") or "raise"
        self.receiver = _receiver(fn, self.signature)
        self.options: Any = {name: value for name, value in options.items() if name not in OWN}
        if unknown := self.redact - self.signature.parameters.keys():
            raise TypeError(f"{self.tool_name} has no argument {', '.join(sorted(unknown))} to redact")
        if options.get("unlisted") not in (None, "ask", "allow"):
            raise ValueError(f"unlisted is ask or allow; not {options.get('unlisted')!r}")
        if self.how.report not in (True, False, "result"):
            raise ValueError(f'report is True, False or "result"; not {self.how.report!r}')
        if self.on_refusal not in ("raise", "return"):
            raise ValueError(f"on_refusal is raise or return; not {self.on_refusal!r}")
        if self.how.idempotent and not self.how.report:
            raise ValueError('idempotent is about calls that are reported: pass report=True or "result" too')

    def ask(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Flow[Permit]:
        """Have a call reviewed; return the call to make. Raises what refuses it."""
        call = self.signature.bind(*args, **kwargs)
        if self.when is not None and not self.when(*args, **kwargs):
            return Permit(call, Ruling(ToolCall(self.tool_name, {}), "approve", {}))
        call.apply_defaults()
        wanted = {name: value for name, value in call.arguments.items() if name not in self.receiver}
        hidden = {name: value for name, value in wanted.items() if name in self.redact}
        shown = wanted | dict.fromkeys(hidden, REDACTED)
        canonical(shown)
        shown = copy.deepcopy(shown)
        call.arguments.update((name, copy.deepcopy(shown[name])) for name in shown.keys() - hidden.keys())
        asked = ToolCall(self.tool_name, shown, schema=self._schema(wanted), hidden=hidden or None)
        [ruling] = yield from self.calls.review([asked], **self.options)
        if ruling.refusal is not None:
            raise ruling.refusal
        if ruling.runs and canonical(ruling.arguments) != canonical(shown):
            kept = {name: value for name, value in hidden.items() if ruling.arguments.get(name) == REDACTED}
            self._replace(call, ruling.arguments | kept)
        return Permit(call, ruling)

    def _schema(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Name the arguments there are, so that the server refuses an edit the function could not take."""
        empty = inspect.Parameter.empty
        return {
            "type": "object",
            "properties": {name: {} for name in wanted},
            "required": [name for name in wanted if self.signature.parameters[name].default is empty],
            "additionalProperties": False,
        }

    def _replace(self, call: inspect.BoundArguments, arguments: Mapping[str, Any]) -> None:
        """Put the approved arguments in place of those asked for; one left out takes its default."""
        receiver = {name: value for name, value in call.arguments.items() if name in self.receiver}
        final = {**arguments, **receiver}
        if unknown := final.keys() - self.signature.parameters.keys():
            raise TypeError(f"{self.tool_name} takes no argument {', '.join(sorted(unknown))}")
        call.arguments.clear()
        call.arguments.update((name, final[name]) for name in self.signature.parameters if name in final)
        call.apply_defaults()

    def refuse(self, refusal: NotApproved | ApprovalSpent) -> str:
        """Raise what refuses a call, or return what a model is told of it."""
        if self.on_refusal == "raise":
            raise refusal
        return told(refusal)


def _receiver(fn: Callable[..., Any], signature: inspect.Signature) -> frozenset[str]:
    """Name the parameter that is the object of a method; elsewhere a model may fill in a `self` too."""
    home = getattr(fn, "__qualname__", "").rpartition(".")[0]
    first = next(iter(signature.parameters), "")
    is_method = bool(home) and not home.endswith("<locals>") and first in ("self", "cls")
    return frozenset([first] if is_method else [])


def blocking_gate(fn: Callable[..., Any], gate: Gate, run: Callable[[Flow[Any]], Any]) -> Callable[..., Any]:
    """Put a gate before a function; `run` drives its flows."""

    @functools.wraps(fn)
    def gated(*args: Any, **kwargs: Any) -> Any:
        try:
            permit = run(gate.ask(args, kwargs))
            return carry_out(gate.calls, permit.ruling, lambda: permit.make(fn), gate.how, run)
        except (NotApproved, ApprovalSpent) as refusal:
            return gate.refuse(refusal)

    return gated


def awaitable_gate(
    fn: Callable[..., Any], gate: Gate, run: Callable[[Flow[Any]], Coroutine[Any, Any, Any]]
) -> Callable[..., Any]:
    """Put a gate before an asynchronous function."""

    @functools.wraps(fn)
    async def gated(*args: Any, **kwargs: Any) -> Any:
        try:
            permit = await run(gate.ask(args, kwargs))
            return await carry_out_async(gate.calls, permit.ruling, lambda: permit.make(fn), gate.how, run)
        except (NotApproved, ApprovalSpent) as refusal:
            return gate.refuse(refusal)

    return gated
