"""Put a person between a caller and a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hitl_client.calls import Calls, Options, settled
from hitl_client.flows import Flow
from hitl_client.runs import canonical

REDACTED = "[redacted]"


class Gate:
    """How calls of one function become questions, and a decision becomes the call that runs.

    `self` and `cls` are passed on and never shown. Redacted arguments are shown as "[redacted]"; the
    function gets the real ones, unless the operator wrote others in their place.
    """

    def __init__(
        self,
        calls: Calls,
        fn: Callable[..., Any],
        tool_name: str | None,
        reason: str | None,
        when: Callable[..., object] | None,
        redact: frozenset[str],
        options: Options,
    ) -> None:
        self.calls = calls
        self.signature = inspect.signature(fn)
        self.tool_name = tool_name or getattr(fn, "__name__", "tool")
        self.reason = reason or f"Tool '{self.tool_name}' requires approval"
        self.when = when
        self.redact = redact
        self.options = options
        if unknown := redact - self.signature.parameters.keys():
            raise TypeError(f"{self.tool_name} has no argument {', '.join(sorted(unknown))} to redact")

    def ask(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Flow[inspect.BoundArguments]:
        """Ask about a call unless `when` lets it pass; return the call to make."""
        call = self.signature.bind(*args, **kwargs)
        if self.when is not None and not self.when(*args, **kwargs):
            return call
        call.apply_defaults()
        wanted = {name: value for name, value in call.arguments.items() if name not in ("self", "cls")}
        hidden = {name: value for name, value in wanted.items() if name in self.redact}
        asked = {
            "tool_name": self.tool_name,
            "tool_args": wanted | dict.fromkeys(hidden, REDACTED),
            "args_schema": self._schema(wanted),
        }
        decision = yield from self.calls.ask(
            "approval", self.reason, None, self.options, asked, hidden=hidden or None
        )
        approved = settled(decision).arguments
        if canonical(approved) != canonical(asked["tool_args"]):
            kept = {name: value for name, value in hidden.items() if approved.get(name) == REDACTED}
            self._replace(call, approved | kept)
        return call

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
