"""What a person is shown of an interrupt: a headline of the server's own, typed arguments, contradictions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from events.untrusted import is_long, marked, pretty, without_unseen
from interrupts.models import Interrupt
from reviews.models import Kind

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


# -- The headline -------------------------------------------------------------------------------------

_IN_HEADLINE, _VALUE_LENGTH = 2, 60


def headline(interrupt: Interrupt) -> str:
    """Say what is asked in the server's words, from the tool and its arguments alone."""
    if interrupt.tool_name:
        return _("Wants to call %(tool)s") % {"tool": marked(interrupt.tool_name)}
    match interrupt.kind:
        case Kind.INPUT:
            return _("Needs an answer")
        case Kind.FEEDBACK:
            return _("Asks for feedback")
        case Kind.CONFIRMATION:
            return _("Asks you to confirm")
    return _("Asks for approval")


def headline_arguments(interrupt: Interrupt) -> list[Argument]:
    """Return the first plain arguments, shortened: what the call is about."""
    if not interrupt.tool_name:
        return []
    plain = [found for found in arguments(interrupt.tool_args) if found.kind != "JSON"]
    return [Argument(found.name, found.kind, _shortened(found.text)) for found in plain[:_IN_HEADLINE]]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _VALUE_LENGTH else f"{line[: _VALUE_LENGTH - 1]}…"


def confirmation_word(interrupt: Interrupt) -> str:
    """Return what is typed to allow something critical: the tool's name, else the title's first word."""
    typed = without_unseen(interrupt.tool_name).strip()
    return typed or next(iter(re.findall(r"\w+", without_unseen(interrupt.title))), "approve")


def has_long_text(interrupt: Interrupt) -> bool:
    """Say whether part of the page is folded and has to be opened before something is allowed."""
    shown = [*arguments(interrupt.tool_args), *arguments(interrupt.data)]
    return is_long(interrupt.reason) or any(found.is_long for found in shown)


# -- Contradictions -----------------------------------------------------------------------------------

# A number that stands by itself: not part of a name, a date, a time or a version.
_NUMBER = re.compile(r"(?<![\w.,:/#-])(\d[\d., ']*\d|\d)(?:\s?([kKmM])(?![\w]))?(?![\w:/-]|[.,]\d)")
_FACTORS = {"k": 1_000, "m": 1_000_000}


def contradictions(interrupt: Interrupt) -> tuple[list[str], list[str]]:
    """Return the numbers that only the agent's words have, and those that only the arguments have.

    Both lists are empty where the words and the arguments may agree: a difference counts only when each
    side says something that the other does not.
    """
    said = dict(_said(without_unseen(interrupt.reason)))
    meant = {pretty(number): float(number) for number in _numbers(interrupt.tool_args)}
    known = {*meant.values()}
    inside = " ".join(_texts(interrupt.tool_args))
    only_said = [text for text, values in said.items() if values.isdisjoint(known) and text not in inside]
    all_said = {value for values in said.values() for value in values}
    only_meant = [text for text, value in meant.items() if value not in all_said]
    # 100 beside 100000 is the likeliest slip, or trick: then what else differs is noise.
    alike = {_digits(text) for text in only_said} & {_digits(text) for text in only_meant}
    if alike:
        only_said = [text for text in only_said if _digits(text) in alike]
        only_meant = [text for text in only_meant if _digits(text) in alike]
    return (only_said[:5], only_meant[:5]) if only_said and only_meant else ([], [])


def _digits(text: str) -> str:
    """Return the digits of a number without the zeros that only say how large it is."""
    return re.sub(r"\D", "", text).strip("0")


def _said(words: str) -> Iterator[tuple[str, set[float]]]:
    """Yield each number of a text with every value it may have: ``1,000`` is a thousand, or one."""
    for text, suffix in _NUMBER.findall(words):
        plain = re.sub(r"[ ']", "", text)
        readings = {plain.replace(",", ""), plain.replace(".", "").replace(",", ".")}
        values = {float(reading) for reading in readings if re.fullmatch(r"\d+(\.\d+)?", reading)}
        yield f"{text}{suffix}", {value * _FACTORS.get(suffix.lower(), 1) for value in values}


def _numbers(value: Any) -> Iterator[float]:
    match value:
        case bool() | None:
            return
        case int() | float():
            yield value
        case str():
            if re.fullmatch(r"\d{1,15}(\.\d+)?", value):
                yield float(value) if "." in value else int(value)
        case dict():
            for inner in value.values():
                yield from _numbers(inner)
        case list():
            for inner in value:
                yield from _numbers(inner)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


# -- History ------------------------------------------------------------------------------------------

_EVENTS = {
    "hitl.interrupt.requested": ("question", "asked"),
    "hitl.interrupt.approved": ("check", "approved"),
    "hitl.interrupt.rejected": ("cross", "rejected"),
    "hitl.interrupt.responded": ("check", "answered"),
    "hitl.interrupt.cancelled": ("slash", "cancelled"),
    "hitl.interrupt.expired": ("hourglass", "expired"),
    "hitl.item.claimed": ("hand", "claimed"),
    "hitl.item.released": ("hand", "released"),
    "hitl.item.commented": ("note", "commented"),
    "hitl.item.attachment_added": ("note", "attached"),
    "hitl.item.changes_requested": ("pencil", "changes"),
    "hitl.item.revised": ("pencil", "revised"),
    "hitl.item.consumed": ("check", "consumed"),
    "hitl.item.outcome": ("note", "outcome"),
}


def history_line(event: dict[str, Any]) -> dict[str, Any]:
    """Return what one event says to a person: who, what, when, and the words they left."""
    words = {
        "asked": _("asked"),
        "approved": _("approved"),
        "rejected": _("rejected"),
        "answered": _("answered"),
        "cancelled": _("cancelled"),
        "expired": _("let it expire"),
        "claimed": _("claimed it"),
        "released": _("released it"),
        "commented": _("commented"),
        "attached": _("attached a file"),
        "changes": _("asked for changes"),
        "revised": _("revised it"),
        "consumed": _("used the approval"),
        "outcome": _("reported the outcome"),
    }
    shape, name = _EVENTS.get(event["type"], ("note", ""))
    data = event["data"]
    if name == "approved" and data.get("modifications") is not None:
        words["approved"] = _("approved with edits")
    note = data.get("body") or data.get("comment") or data.get("rejection_reason") or data.get("name") or ""
    if name == "cancelled":
        note = data.get("reason", "")
    if name == "outcome":
        note = f"{data.get('outcome', '')} {pretty(data['result']) if data.get('result') is not None else ''}"
    return {
        "id": event["id"],
        "icon": shape,
        "actor": event["actor"],
        "verb": words.get(name, event["type"]),
        "note": note.strip(),
        "at": event["occurred_at"],
    }


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


ASKED = {"hitl.interrupt.requested", "hitl.item.revised"}
