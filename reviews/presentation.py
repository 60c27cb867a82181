"""What a person is shown of any item: typed values, what changed, the word to type, what happened."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.models import SYSTEM
from events.untrusted import is_long, pretty, visible, without_unseen
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

CHANGES_WANTED = "hitl.item.changes_requested"
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
    "hitl.item.voted": ("check", gettext_lazy("approved (%(approvals)d of %(required_approvals)d)")),
    "hitl.item.reassigned": ("swap", gettext_lazy("handed it to %(to)s")),
    "hitl.item.reminded": ("bell", gettext_lazy("reminded everybody who is asked: nobody answered")),
    "hitl.item.escalated": ("bell", gettext_lazy("asked %(to)s as well: nobody answered")),
    "hitl.grant.created": ("key", gettext_lazy("allowed %(tool_name)s in advance")),
    "hitl.grant.revoked": ("slash", gettext_lazy("took back what was allowed in advance")),
}
_ASKED_BESIDES = gettext_lazy("asked %(to)s as well")
_NOBODY_TO_ASK = gettext_lazy("found nobody else to ask")
_BY_GRANT = gettext_lazy("let it pass: %(resolved_by)s has allowed this in advance")
_IN_PLACE = gettext_lazy("approved for %(seat)s (%(approvals)d of %(required_approvals)d)")
_REACHES = {
    "session": gettext_lazy("Every call in this session."),
    "arguments": gettext_lazy("Every call with exactly these arguments."),
}
_WITH_EDITS = gettext_lazy("approved with edits")
_ACKNOWLEDGED = ("lock", gettext_lazy("acknowledged the secret answers, which are destroyed"))


def history_lines(record: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each event of *record* says to a person; of a comment also which one it answers."""
    called = dict(comments(record))
    return [
        {**history_line(event), "answers": called.get(event["data"].get("reply_to", ""), "")}
        for event in record
    ]


def comments(record: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the id of each comment in *record*, and its author with the first words."""
    written = [event["data"] for event in record if event["type"] == "hitl.item.commented"]
    return [
        (data["comment_id"], visible(f"{data['author']}: {Truncator(data['body']).chars(60)}"))
        for data in written
    ]


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
        "verb": _worded(event["type"], verb, data, by_clock=event["actor"] == SYSTEM),
        "note": "" if event["type"] in ASKED else _note(data).strip(),
        "at": event["occurred_at"],
    }


def _worded(kind: str, verb: Any, data: dict[str, Any], *, by_clock: bool) -> str:
    """Return *verb* with the names and numbers of its event."""
    vote = data.get("vote") or {}
    if kind == "hitl.interrupt.approved" and data.get("grant"):
        verb = _BY_GRANT
    elif kind == "hitl.item.escalated" and "to" not in data:
        verb = _NOBODY_TO_ASK
    elif kind == "hitl.item.escalated" and not by_clock:
        verb = _ASKED_BESIDES
    elif vote and vote["seat"] != vote["by"]:
        verb = _IN_PLACE
    return str(verb) % {**data, **vote} if "%(" in str(verb) else str(verb)


def _note(data: dict[str, Any]) -> str:
    """Return the words that somebody left with an event."""
    words = [
        data[name]
        for name in ("body", "comment", "rejection_reason", "reason", "notes", "name")
        if data.get(name)
    ]
    if "reach" in data:
        words.append(str(_REACHES.get(data["reach"], "")))
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


def revised(record: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is to be said of changes that were asked for: what for, and what the agent made of it.

    ``wanted`` is who asked last and for what. While this ``waits`` for the agent there is no more; else
    ``changes`` and ``reason`` are what its last revision made of it, and ``lapsed`` says that it cost votes.
    """
    wanted = [n for n, event in enumerate(record) if event["type"] == CHANGES_WANTED]
    asked = [n for n, event in enumerate(record) if event["type"] in ASKED]
    if not wanted or not asked:
        return {}
    line = history_line(record[wanted[-1]])
    if wanted[-1] > asked[-1]:
        return {"wanted": line, "waits": True}
    then, now = (record[number]["data"] for number in asked[-2:])
    between = record[asked[-2] : asked[-1]]
    return {
        "wanted": line,
        "made_at": record[asked[-1]]["occurred_at"],
        "changes": [
            change
            for name in ("tool_args", "data")
            for change in changes(then.get(name, {}), now.get(name, {}))
        ],
        "reason": None
        if then.get("reason") == now.get("reason")
        else Change("", then.get("reason"), now.get("reason")),
        "lapsed": any(event["type"] == "hitl.item.voted" for event in between),
    }


def _content(record: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the data of the last event that says what is asked."""
    asked = [event["data"] for event in record if event["type"] in ASKED]
    return asked[-1] if asked else {}
