"""Take out of arguments what a log must not keep: what is called or looks like a secret, or a policy names.

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
    r"|(?<![\w-])eyJ[\w-]+\.[\w-]+"
)
# An agent writes the text: a pattern that looks at one place twice would let a long one hold up who decides.
_RUNS, _LETTER, _DIGIT = re.compile(r"[\w+/-]{20,}"), re.compile(r"[A-Za-z]"), re.compile(r"\d")


def redacted(arguments: Any, named: Iterable[str] = ()) -> Any:
    """Return *arguments* without secrets and what is *named*, at whatever depth, cut to what fits a line.

    A mark stands where even that is too long.
    """
    found = _redacted(arguments, frozenset(name.casefold() for name in named), DEPTH_LIMIT)
    return found if len(orjson.dumps(found)) <= SIZE_LIMIT else CUT


def has_secrets(value: Any, named: Iterable[str] = ()) -> bool:
    """Say whether anything in *value*, however deep, is *named*, called like a secret, or looks like one."""
    names = frozenset(name.casefold() for name in named)
    match value:
        case str():
            return _looks_secret(value)
        case dict():
            return any(
                _is_secret(name, names) or has_secrets([name, inner], names) for name, inner in value.items()
            )
        case list():
            return any(has_secrets(inner, names) for inner in value)
    return False


def _redacted(value: Any, named: frozenset[str], depth: int) -> Any:
    match value:
        case str():
            return GONE if _looks_secret(value) else _short(value)
        case dict() | list() if not depth:
            return CUT
        case dict():
            return {
                _short(name): GONE if _is_secret(name, named) else _redacted(inner, named, depth - 1)
                for name, inner in _first(value.items())
            }
        case list():
            return [_redacted(inner, named, depth - 1) for inner in _first(value)]
    return value


def _looks_secret(text: str) -> bool:
    return _LOOKS.search(text) is not None or any(
        _LETTER.search(run) and _DIGIT.search(run) for run in _RUNS.findall(text)
    )


def _is_secret(name: str, named: frozenset[str]) -> bool:
    return name.casefold() in named or _NAMES.search(name) is not None


def _short(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}{CUT}"


def _first(values: Iterable[Any]) -> list[Any]:
    return list(values)[:COUNT_LIMIT]
