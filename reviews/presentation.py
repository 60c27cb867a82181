"""What a person is shown of any item: typed values, what changed, the word to type, what happened."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.untrusted import is_long, pretty, without_unseen
from reviews.models import ReviewItem

ONE_BY_ONE = 100


@dataclass(frozen=True, slots=True)
class Argument:
    """Show one value by its JSON type, so that ``"1"`` and ``1`` look different."""

    name: str
    kind: str
    text: str

    @property
    def is_long(self) -> bool:
        return is_long(self.text)


@dataclass(frozen=True, slots=True)
class Change:
    """Show what became of one argument; ``None`` where there was, or is, none."""

    name: str
    old: str | None
    new: str | None


def argument(name: str, value: Any) -> Argument:
    """Return how *value* is shown."""
    match value:
        case bool():
            return Argument(name, "boolean", "true" if value else "false")
        case None:
            return Argument(name, "null", "null")
        case int() | float():
            return Argument(name, "number", pretty(value))
        case str():
            return Argument(name, "text", value)
    return Argument(name, "JSON", pretty(value))


def arguments(values: dict[str, Any]) -> list[Argument]:
    """Return how each of *values* is shown; a crowd of them as one text, which is folded."""
    if len(values) > ONE_BY_ONE:
        return [argument(_("%(count)d values") % {"count": len(values)}, values)]
    return [argument(name, value) for name, value in values.items()]


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return what differs between two sets of arguments."""
    names = [*old, *(name for name in new if name not in old)]
    return [
        Change(name, _written(old, name), _written(new, name))
        for name in names
        if _written(old, name) != _written(new, name)
    ]


def _written(values: dict[str, Any], name: str) -> str | None:
    return pretty(values[name]) if name in values else None


def confirmation_word(item: ReviewItem) -> str:
    """Return what is typed to allow something critical: the tool's name, else the title's first word."""
    typed = without_unseen(item.tool_name).strip()
    return typed or next(iter(re.findall(r"\w+", without_unseen(item.title))), "approve")


def has_long_text(words: str, shown: Iterable[Argument]) -> bool:
    """Say whether part of the page is folded and has to be opened before something is allowed."""
    return is_long(words) or any(found.is_long for found in shown)


# -- History ------------------------------------------------------------------------------------------

ASKED = {"hitl.interrupt.requested", "hitl.request.created", "hitl.item.revised"}
_EVENTS = {
    "hitl.interrupt.requested": ("question", gettext_lazy("asked")),
    "hitl.interrupt.approved": ("check", gettext_lazy("approved")),
    "hitl.interrupt.rejected": ("cross", gettext_lazy("rejected")),
    "hitl.interrupt.responded": ("check", gettext_lazy("answered")),
    "hitl.interrupt.cancelled": ("slash", gettext_lazy("cancelled")),
    "hitl.interrupt.expired": ("hourglass", gettext_lazy("let it expire")),
    "hitl.request.created": ("question", gettext_lazy("asked")),
    "hitl.request.in_review": ("eye", gettext_lazy("started the review")),
    "hitl.request.fulfilled": ("check", gettext_lazy("fulfilled")),
    "hitl.request.rejected": ("cross", gettext_lazy("rejected")),
    "hitl.request.cancelled": ("slash", gettext_lazy("cancelled")),
    "hitl.request.expired": ("hourglass", gettext_lazy("let it expire")),
    "hitl.item.claimed": ("hand", gettext_lazy("claimed it")),
    "hitl.item.released": ("hand", gettext_lazy("released it")),
    "hitl.item.commented": ("note", gettext_lazy("commented")),
    "hitl.item.changes_requested": ("pencil", gettext_lazy("asked for changes")),
    "hitl.item.revised": ("pencil", gettext_lazy("revised it")),
    "hitl.item.progressed": ("list", gettext_lazy("noted progress")),
    "hitl.item.attachment_added": ("clip", gettext_lazy("attached a file")),
    "hitl.item.revealed": ("lock", gettext_lazy("fetched the secret answers")),
    "hitl.item.purged": ("lock", gettext_lazy("destroyed the secret answers: nobody fetched them in time")),
    "hitl.item.consumed": ("check", gettext_lazy("used the approval")),
    "hitl.item.outcome": ("note", gettext_lazy("reported the outcome")),
}
_WITH_EDITS = gettext_lazy("approved with edits")
_ACKNOWLEDGED = ("lock", gettext_lazy("acknowledged the secret answers, which are destroyed"))


def history_line(event: dict[str, Any]) -> dict[str, Any]:
    """Return what one event says to a person: who, what, when, and the words they left."""
    data = event["data"]
    icon, verb = _EVENTS.get(event["type"], ("note", event["type"]))
    if data.get("modifications") is not None:
        verb = _WITH_EDITS
    elif "destroyed" in data and event["type"] == "hitl.item.consumed":
        icon, verb = _ACKNOWLEDGED
    return {
        "id": event["id"],
        "icon": icon,
        "actor": event["actor"],
        "verb": verb,
        "note": "" if event["type"] in ASKED else _note(data).strip(),
        "at": event["occurred_at"],
    }


def _note(data: dict[str, Any]) -> str:
    """Return the words that somebody left with an event."""
    words = [
        data[name]
        for name in ("body", "comment", "rejection_reason", "reason", "notes", "name")
        if data.get(name)
    ]
    if "outcome" in data:
        words = [data["outcome"], *([pretty(data["result"])] if data.get("result") is not None else [])]
    if "checklist" in data:
        done = sum(step["done"] for step in data["checklist"])
        words.append(_("%(done)d of %(all)d steps done") % {"done": done, "all": len(data["checklist"])})
    return " ".join(words)


def since(record: list[dict[str, Any]], seen: str) -> dict[str, Any]:
    """Return what happened after the event *seen*: its lines, and what became of the content."""
    ids = [event["id"] for event in record]
    place = ids.index(seen) + 1 if seen in ids else 0
    then, now = _content(record[:place]), _content(record)
    return {
        "lines": [history_line(event) for event in record[place:]],
        "changes": changes(then.get("tool_args", {}), now.get("tool_args", {})) if then else [],
        "reason": now.get("reason", "") if then and then.get("reason") != now.get("reason") else "",
    }


def _content(record: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the data of the last event that says what is asked."""
    asked = [event["data"] for event in record if event["type"] in ASKED]
    return asked[-1] if asked else {}
