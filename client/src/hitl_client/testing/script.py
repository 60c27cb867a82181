"""Who decides what in a test: rules, of which the first that fits decides."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from hitl_client.testing.documents import Item
from hitl_client.testing.schema import Json

Verb = Literal["approve", "reject", "respond", "fulfill", "expire", "leave"]


class Unscripted(AssertionError):
    """A wait would never end, because no rule decides what is asked; or a rule decides what nobody could."""


class Match(TypedDict, total=False):
    """What a rule is about, and how often it decides; all that is given has to fit.

    `tool_name` and `about` (the reason, or the title of a request) are globs. `type` is that of the question
    or request. `where` is called with the item and says whether the rule fits. `times` is how often it
    decides before it is used up, `by` the person who does.
    """

    tool_name: str
    about: str
    type: str
    where: Callable[[Json], object]
    times: int
    by: str


@dataclass
class Rule:
    """What is decided about the items it fits."""

    verb: Verb
    said: Json
    match: Match
    used: int = field(default=0, compare=False)

    def fits(self, item: Item) -> bool:
        """Say whether it decides this item."""
        match, doc = self.match, item.doc
        return (
            self.used < match.get("times", self.used + 1)
            and self._is_taken_by(item)
            and fnmatch.fnmatchcase(str(doc.get("tool_name", "")), match.get("tool_name", "*"))
            and fnmatch.fnmatchcase(str(doc.get("reason", doc["title"])), match.get("about", "*"))
            and match.get("type", item.kind) == item.kind
            and bool(match.get("where", bool)(doc))
        )

    def _is_taken_by(self, item: Item) -> bool:
        match self.verb:
            case "approve":
                wanted = "edit" if self.said.get("modifications") is not None else "approve"
            case "reject" | "respond":
                wanted = self.verb
            case "fulfill":
                return not item.is_interrupt
            case _:
                return True
        if not item.is_interrupt:
            return self.verb == "reject"
        return wanted in item.doc["allowed_decisions"]

    def __str__(self) -> str:
        told: dict[str, Any] = {**self.said, **self.match}
        return f"{self.verb}({', '.join(f'{name}={value!r}' for name, value in told.items())})"
