"""Put policies, and a person where they say so, between a caller and a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hitl_client.calls import Options, settled
from hitl_client.errors import Denied, HITLError
from hitl_client.flows import Flow, log
from hitl_client.models import Decision, PolicyAnswer
from hitl_client.policies import PolicyCalls
from hitl_client.runs import canonical

REDACTED = "[redacted]"


class GateOptions(Options, total=False):
    """What a gate may be given besides the options of its questions.

    `when`, called with the arguments, says which calls are for the gate at all (default: all). `redact`
    names arguments that are not to be shown. `unlisted` is what holds for a tool that no policy speaks of,
    `reason` what a person is told unless the policy words it. With `report`, an approval is spent before the
    call, and what came of it is told after: it runs once, also when the run is run again.
    """

    reason: str | None
    when: Callable[..., object] | None
    redact: Collection[str]
    unlisted: Literal["ask", "allow"]
    report: bool


OWN = GateOptions.__annotations__.keys() - Options.__annotations__.keys()


@dataclass(frozen=True)
class Permit:
    """A call that may be made, and the approval it is to be reported to, if any."""

    call: inspect.BoundArguments
    reports_to: str | None = None


class Gate:
    """How calls of one function become questions, and a decision becomes the call that runs.

    `self` and `cls` are passed on and never shown. Redacted arguments are shown as "[redacted]", to policies
    too; the function gets the real ones, unless the operator wrote others in their place.
    """

    def __init__(
        self, calls: PolicyCalls, fn: Callable[..., Any], tool_name: str | None, options: GateOptions
    ) -> None:
        self.calls = calls
        self.signature = inspect.signature(fn)
        self.tool_name = tool_name or str(getattr(fn, "__name__", "tool"))
        self.reason = options.get("reason") or f"Tool '{self.tool_name}' requires approval"
        self.when = options.get("when")
        self.redact = frozenset(options.get("redact") or ())
        self.unlisted = options.get("unlisted") or "ask"
        self.report = options.get("report") or False
        self.options: dict[str, Any] = {name: value for name, value in options.items() if name not in OWN}
        if unknown := self.redact - self.signature.parameters.keys():
            raise TypeError(f"{self.tool_name} has no argument {', '.join(sorted(unknown))} to redact")
        if self.unlisted not in ("ask", "allow"):
            raise ValueError(f"unlisted is ask or allow; not {self.unlisted!r}")

    def ask(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Flow[Permit]:
        """Ask the policies about a call, and a person unless they allow it; return the call to make.

        A decision of an earlier run holds, unless a policy denies the call now.
        """
        call = self.signature.bind(*args, **kwargs)
        if self.when is not None and not self.when(*args, **kwargs):
            return Permit(call)
        call.apply_defaults()
        wanted = {name: value for name, value in call.arguments.items() if name not in ("self", "cls")}
        hidden = {name: value for name, value in wanted.items() if name in self.redact}
        shown = wanted | dict.fromkeys(hidden, REDACTED)
        answer = yield from self.calls.rule(self.tool_name, shown, self.options.get("session_id") or "")
        if answer.decision == "deny":
            raise Denied(self.tool_name, answer)
        asked = {
            "type": "approval",
            "reason": answer.approval_message or self.reason,
            "tool_name": self.tool_name,
            "tool_args": shown,
            "args_schema": self._schema(wanted),
        }
        question = self.calls.compose("interrupts", asked, self.options, hidden or None)
        if self._allows(answer):
            earlier = question.key and (yield from self.calls.keyed("interrupts", question.key))
            if not earlier:
                return Permit(call)
        decision = Decision.of((yield from self.calls.pursue(question)))
        self.calls.rulings.clear()
        approved = settled(decision).arguments
        if canonical(approved) != canonical(shown):
            kept = {name: value for name, value in hidden.items() if approved.get(name) == REDACTED}
            self._replace(call, approved | kept)
        if not self.report:
            return Permit(call)
        yield from self.calls.consume(decision.id, approved, decision.receipt)
        return Permit(call, decision.id)

    def tell(self, permit: Permit, error: Exception | None = None) -> Flow[None]:
        """Report what came of an approved call: the name of its error, and nothing of its result."""
        if permit.reports_to is None:
            return
        status: Literal["succeeded", "failed"] = "failed" if error else "succeeded"
        result = {"error": type(error).__name__} if error else None
        try:
            yield from self.calls.report(permit.reports_to, status, result)
        except HITLError as trouble:  # what the call returned or raised is worth more
            log.warning("%s could not be reported as %s (%s)", permit.reports_to, status, trouble)

    def _allows(self, answer: PolicyAnswer) -> bool:
        listed = answer.policy is not None or answer.grant is not None
        return answer.decision == "allow" and (listed or self.unlisted == "allow")

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
        receiver = {name: value for name, value in call.arguments.items() if name in ("self", "cls")}
        final = {**receiver, **arguments}
        if unknown := final.keys() - self.signature.parameters.keys():
            raise TypeError(f"{self.tool_name} takes no argument {', '.join(sorted(unknown))}")
        call.arguments.clear()
        call.arguments.update((name, final[name]) for name in self.signature.parameters if name in final)
        call.apply_defaults()


def blocking_gate(fn: Callable[..., Any], gate: Gate, run: Callable[[Flow[Any]], Any]) -> Callable[..., Any]:
    """Put a gate before a function; `run` drives its flows."""

    @functools.wraps(fn)
    def gated(*args: Any, **kwargs: Any) -> Any:
        permit = run(gate.ask(args, kwargs))
        try:
            result = fn(*permit.call.args, **permit.call.kwargs)
        except Exception as error:
            run(gate.tell(permit, error))
            raise
        run(gate.tell(permit))
        return result

    return gated


def awaitable_gate(
    fn: Callable[..., Any], gate: Gate, run: Callable[[Flow[Any]], Coroutine[Any, Any, Any]]
) -> Callable[..., Any]:
    """Put a gate before an asynchronous function."""

    @functools.wraps(fn)
    async def gated(*args: Any, **kwargs: Any) -> Any:
        permit = await run(gate.ask(args, kwargs))
        try:
            result = await fn(*permit.call.args, **permit.call.kwargs)
        except Exception as error:
            await run(gate.tell(permit, error))
            raise
        await run(gate.tell(permit))
        return result

    return gated
