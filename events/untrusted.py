"""Show what agents wrote so that it can neither act nor hide.

Everything is escaped, and every character that a reader would not see (bidi marks, zero-width and control
characters, fillers that look like nothing) is written out as its code point.
"""

import json
import re
import unicodedata
from functools import lru_cache
from typing import Any

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

LONG_CHARACTERS, LONG_LINES = 2_000, 40
SPANS_AT_MOST = 200
_INDENTED_CHARACTERS = 50_000

_UNSEEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and symbols by category, nothing to the eye.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_PERHAPS_UNSEEN = re.compile(r"[^\x20-\x7e\n\t]")


def is_unseen(character: str) -> bool:
    """Say whether *character* would leave no trace on the page, or change the order of others."""
    if character in "\n\t":
        return False
    return character in _FILLERS or unicodedata.category(character) in _UNSEEN_CATEGORIES


def has_unseen(text: str) -> bool:
    """Say whether *text* has a character that needs to be written out."""
    return any(map(is_unseen, _PERHAPS_UNSEEN.findall(text)))


def marked(text: str) -> str:
    """Return *text* with unseen characters written as ``⟦U+202E⟧``, for places that take no markup."""
    return _PERHAPS_UNSEEN.sub(
        lambda found: _code(found[0]) if is_unseen(found[0]) else found[0], _lines(text)
    )


def without_unseen(text: str) -> str:
    """Return *text* as a person would type it."""
    return _PERHAPS_UNSEEN.sub(lambda found: "" if is_unseen(found[0]) else found[0], text)


def visible(text: str) -> SafeString:
    """Return *text* as HTML that shows everything in it and does nothing."""
    parts: list[str] = []
    start = 0
    text = _lines(text)
    for found in _PERHAPS_UNSEEN.finditer(text):
        if is_unseen(found[0]):
            parts.append(escape(text[start : found.start()]))
            # An element for each of a million would take the browser, and the page, away from its reader.
            parts.append(_span(found[0]) if len(parts) < 2 * SPANS_AT_MOST else _code(found[0]))
            start = found.end()
    parts.append(escape(text[start:]))
    return mark_safe("".join(parts))  # noqa: S308 - every part was escaped above


def is_long(text: str) -> bool:
    """Say whether *text* is too long to be read at a glance, and must be unfolded before a decision."""
    return len(text) > LONG_CHARACTERS or text.count("\n") >= LONG_LINES


def pretty(value: Any) -> str:
    """Write a JSON value for reading; indented only where that cannot make it many times as long."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value, indent=2, ensure_ascii=False) if len(text) <= _INDENTED_CHARACTERS else text


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def _code(character: str) -> str:
    return f"⟦U+{ord(character):04X}⟧"


@lru_cache(maxsize=1024)
def _span(character: str) -> SafeString:
    name = unicodedata.name(character, "control character").lower()
    return format_html('<span class="unseen" title="{}">{}</span>', name, _code(character))
