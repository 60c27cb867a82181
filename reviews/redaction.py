"""Take out of arguments what a log must not keep: what is called like a secret, or looks like one.

A log is read by more people than the record, and kept elsewhere. So what remains is short, too: enough to
know which call it was.
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson

GONE, CUT = "[redacted]", "…"
TEXT_LIMIT, COUNT_LIMIT, DEPTH_LIMIT, SIZE_LIMIT = 200, 20, 4, 2_048
_NAMES = re.compile(
    r"pass|secret|token|api.?key|private.?key|access.?key|auth|credential|cookie|session.?key|signature"
    r"|^key$|^pin$|cvv|cvc|iban|card.?number|account.?number|ssn",
    re.IGNORECASE,
)
_LOOKS = re.compile(
    r"-----BEGIN"
    r"|\b(?:Bearer|Basic)\s+\S+"
    r"|://[^/\s:@]+:[^/\s@]+@"
    r"|\beyJ[\w-]+\.[\w-]+"
    r"|\b(?=[\w+/-]*\d)(?=[\w+/-]*[A-Za-z])[\w+/-]{20,}"
)


def redacted(arguments: Any) -> Any:
    """Return *arguments* without secrets, cut to what fits a line; a mark where even that is too long."""
    found = _redacted(arguments, DEPTH_LIMIT)
    return found if len(orjson.dumps(found)) <= SIZE_LIMIT else CUT


def has_secrets(value: Any) -> bool:
    """Say whether anything in *value*, however deep, is called like a secret or looks like one."""
    match value:
        case str():
            return bool(_LOOKS.search(value))
        case dict():
            return any(_NAMES.search(name) or has_secrets([name, inner]) for name, inner in value.items())
        case list():
            return any(map(has_secrets, value))
    return False


def _redacted(value: Any, depth: int) -> Any:
    match value:
        case str():
            return GONE if _LOOKS.search(value) else _short(value)
        case dict() | list() if not depth:
            return CUT
        case dict():
            return {_short(name): _of(name, inner, depth) for name, inner in _first(value.items())}
        case list():
            return [_redacted(inner, depth - 1) for inner in _first(value)]
    return value


def _of(name: str, value: Any, depth: int) -> Any:
    return GONE if _NAMES.search(name) else _redacted(value, depth - 1)


def _short(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}{CUT}"


def _first(values: Iterable[Any]) -> list[Any]:
    return list(values)[:COUNT_LIMIT]
