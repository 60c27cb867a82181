"""What is asked for, and what of it a decision is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hitl_client.runs import Scope

Json = Mapping[str, Any]
MODES = {
    "interrupts": ("wait", "raise"),
    "requests": ("wait", "raise", "ask"),
    "browser_approvals": ("wait", "raise"),
}


@dataclass(frozen=True)
class Question:
    """An item as it is to be sent. `key` finds it again; None where no later call could."""

    kind: str
    body: dict[str, Any]
    options: Json
    scope: Scope
    key: str | None

    @property
    def mode(self) -> Literal["wait", "raise", "ask"]:
        """What to do while it is undecided."""
        return mode_of(self.kind, self.options)


def mode_of(kind: str, options: Json) -> Literal["wait", "raise", "ask"]:
    """Read the mode. Raises ValueError for one that this kind of item does not know."""
    mode: Literal["wait", "raise", "ask"] = options.get("mode") or "wait"
    if mode not in MODES[kind]:
        raise ValueError(f"mode is one of {', '.join(MODES[kind])}; not {mode!r}")
    return mode


def _question(interrupt: Json) -> list[Any]:
    """What a decision is about: the tool call, or the words where there is none."""
    about = [interrupt["type"], interrupt.get("tool_name") or None]
    arguments = interrupt.get("tool_args") or {}
    if arguments or interrupt.get("args_schema"):
        return [*about, arguments]
    return [*about, interrupt["reason"], interrupt.get("data") or {}]


def _errand(request: Json) -> list[Any]:
    """What a request is about; where a template says it, the server has filled in the rest."""
    if template := request.get("template"):
        return ["template", template, request.get("context") or {}]
    words = [request.get("request_type"), request.get("title")]
    return [*words, request.get("required_fields") or {}, request.get("context") or {}]


def _browser_action(asked: Json) -> list[Any]:
    """What an agent is about to do in a browser, read from what is sent or from the interrupt it became."""
    action = asked.get("action_description") or (asked.get("data") or {}).get("action")
    return ["browser", action, asked.get("browser_context") or asked.get("tool_args") or {}]


SUBJECTS = {"interrupts": _question, "requests": _errand, "browser_approvals": _browser_action}
