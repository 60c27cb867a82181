"""One input of a model and a value for it: whether the value fits, and what would."""

import re
from typing import Any
from urllib.parse import urlsplit

import orjson

from events.problems import Problem
from events.schema import SchemaError, admit, check_admitted
from runs.models.registry import InputKind
from runs.requirements import Input

_WORDS = {
    InputKind.TEXT: "a text",
    InputKind.URL: "an address, as in https://host/path",
    InputKind.NUMBER: "a number",
    InputKind.INTEGER: "a whole number",
    InputKind.BOOLEAN: "true or false",
    InputKind.CHOICE: "a choice",
    InputKind.IMAGE: "an image, attached or by its URL",
    InputKind.AUDIO: "an audio file, attached or by its URL",
    InputKind.VIDEO: "a video, attached or by its URL",
    InputKind.FILE: "a file, attached or by its URL",
    InputKind.JSON: "a JSON value",
}
_CHOICES_NAMED = 20
_HELP_CHARACTERS = 300

_PLACEHOLDER = re.compile(
    r"(?:todo|fixme)(?::.{0,60})?|tbd|x{3,}|placeholder|change ?me|lorem ipsum.*|string|\.{3}|…"
    r"|<[a-z][a-z0-9 _-]*>|\{\{.+\}\}|(?:<|\[)?(?:insert|enter|put|type|add)? ?your .{1,60}(?:here|>|\])"
    r"|(?:insert|enter|put|type|add) .{1,60} here\W?",
    re.IGNORECASE | re.DOTALL,
)
_PLACEHOLDER_CHARACTERS = 200
_EXAMPLE_HOST = re.compile(r"(?:.*\.)?(?:example(?:\.[a-z]+)?|invalid)|your-?(?:domain|site|server)\..+")


def is_blank(value: Any) -> bool:
    """Say whether *value* is as good as nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_placeholder(value: Any) -> bool:
    """Say whether *value* reads as what stands in an example until somebody writes what they mean."""
    if not isinstance(value, str) or len(value) > _PLACEHOLDER_CHARACTERS:
        return False
    text = value.strip()
    return bool(_PLACEHOLDER.fullmatch(text) or _EXAMPLE_HOST.fullmatch(host_of(text)))


def host_of(text: str) -> str:
    """Return the host of the http(s) URL *text*; empty for what is none, or names a user before the host."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        return ""
    web = parts.scheme in ("http", "https") and "@" not in parts.netloc and not re.search(r"\s", text)
    return (parts.hostname or "") if web else ""


def same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are the same; to Python 1, 1.0 and True are equal."""
    return type(one) is type(other) and bool(one == other)


def unfit(given: Input, value: Any) -> str:
    """Say why *value* is none for *given*; an empty text when it is one. It never repeats the value."""
    if not _has_kind(given, value):
        return f"This is not {_WORDS[InputKind(given.kind)].partition(',')[0]}."
    return "" if given.is_file else _broken(given.rules, value)


def wanted(given: Input) -> str:
    """Say in words what *given* takes: its own help, else its kind, its bounds and its unit."""
    if told := given.help.strip().rstrip("."):
        return told[:_HELP_CHARACTERS]
    if choices := choices_of(given):
        named = ", ".join(str(choice)[:100] for choice in choices[:_CHOICES_NAMED])
        return f"one of {named}{', …' if len(choices) > _CHOICES_NAMED else ''}"
    words = _WORDS[InputKind(given.kind)]
    return f"{words}{_bounds(given.rules)}{f' ({given.unit})' if given.unit else ''}"


def choices_of(given: Input) -> list[Any]:
    """Return the values that *given* is limited to; none where it is not."""
    found = given.rules.get("enum")
    return found if isinstance(found, list) else []


def _has_kind(given: Input, value: Any) -> bool:
    match given.kind:
        case InputKind.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case InputKind.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case InputKind.BOOLEAN:
            return isinstance(value, bool)
        case InputKind.CHOICE:
            return any(same(value, choice) for choice in choices_of(given)) or "enum" not in given.rules
        case InputKind.JSON:
            return True
    return isinstance(value, str)


def _broken(rules: dict[str, Any], value: Any) -> str:
    """Say which of *rules* a value breaks. They may be a stranger's: what they cost is bounded."""
    if not rules:
        return ""
    try:
        admit(rules)
        check_admitted(rules, value, "")
    except Problem as problem:
        return problem.detail[:300]
    except (SchemaError, RecursionError, orjson.JSONEncodeError):  # no rules that could be kept
        return ""
    return ""


def _bounds(rules: dict[str, Any]) -> str:
    least, most, step = (rules.get(name) for name in ("minimum", "maximum", "multipleOf"))
    parts = [
        f" from {least} to {most}" if least is not None and most is not None else "",
        f" of at least {least}" if least is not None and most is None else "",
        f" of at most {most}" if least is None and most is not None else "",
        f" in steps of {step}" if step is not None else "",
    ]
    return "".join(parts)[:100]
