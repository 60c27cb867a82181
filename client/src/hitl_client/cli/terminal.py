"""Write for people in a terminal, where what agents wrote can neither act nor hide."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

UNSEEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters that look like nothing
PERHAPS_UNSEEN = re.compile(r"[^\x20-\x7e]")
COLOURS = {"bold": "1", "dim": "2", "red": "31", "yellow": "33"}
LOUD = {"critical": "red", "high": "yellow"}


def harmless(text: str, keep: str = "") -> str:
    """Return text with every character that acts or hides written as `⟦U+001B⟧`, but those to `keep`."""

    def mark(found: re.Match[str]) -> str:
        character = found[0]
        unseen = character in FILLERS or unicodedata.category(character) in UNSEEN_CATEGORIES
        return f"⟦U+{ord(character):04X}⟧" if unseen and character not in keep else character

    return PERHAPS_UNSEEN.sub(mark, text)


def pretty(value: Any) -> str:
    """Write JSON for reading."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def compact(value: Any) -> str:
    """Write JSON on one line, for programs."""
    return json.dumps(value, ensure_ascii=False)


def chat(text: str) -> None:
    """Say something beside the answer."""
    print(harmless(text, keep="\n"), file=sys.stderr, flush=True)  # noqa: T201 - a command speaks


def answer(text: str) -> None:
    """Write the answer: as it is for a program, harmless for a terminal."""
    shown = harmless(text, keep="\n\t") if sys.stdout.isatty() else text
    print(shown, flush=True)  # noqa: T201 - a command speaks


def show(text: str = "") -> None:
    """Write what was made harmless before, for people."""
    print(text, flush=True)  # noqa: T201 - a command speaks


def coloured(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Return text in a colour of COLOURS where the stream is a terminal that may have colours."""
    stream = stream or sys.stdout
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return text if plain or colour not in COLOURS else f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"


def width(text: str) -> int:
    """Return how many columns harmless text takes."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def cut(text: str, columns: int) -> str:
    """Return text that takes at most so many columns."""
    if width(text) <= columns:
        return text
    while width(text) > columns - 1:
        text = text[:-1]
    return text + "…"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], columns: dict[str, int]) -> list[str]:
    """Return the lines of a table; `columns` says what a column takes at most, by its head."""
    limits = [columns.get(name, 80) for name in head]
    cells = [[cut(harmless(cell), limit) for cell, limit in zip(row, limits, strict=True)] for row in rows]
    widths = [max(map(width, column)) for column in zip(head, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded = (cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True))
        return "  ".join(padded).rstrip()

    return [coloured(line(head), "bold"), *map(line, cells)]


def field(name: str, value: Any, indent: int = 18, stream: TextIO | None = None) -> str:
    """Return a line, or several, about one field; no line of its value can be taken for another field."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = ", ".join(value)
    text = value if isinstance(value, str) else pretty(value)
    lines = harmless(text, keep="\n").split("\n")
    label = coloured(f"{name}: ".ljust(indent), "bold", stream)
    if len(lines) == 1:
        return label + lines[0]
    return "\n".join([label.rstrip(), *(" " * 4 + "│ " + line for line in lines)])
