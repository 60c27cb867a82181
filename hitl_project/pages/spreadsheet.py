"""Write lines for spreadsheets, and let none of them take what a stranger wrote for a formula."""

import csv
import re
from collections.abc import Iterable
from io import StringIO
from typing import Any

MARK = "\ufeff".encode()
"""What spreadsheets know UTF-8 by."""
# What a spreadsheet would take for a formula, in the wide forms of East Asian scripts as well.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
# Where the comma is a decimal sign, a spreadsheet ends a cell at a semicolon, whatever the quotes say.
_ENDS_OF_CELLS = re.compile(r"([;\t\r\n])")


def written(lines: Iterable[Iterable[Any]]) -> bytes:
    """Return *lines* as CSV."""
    text = StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


def cell(value: Any) -> Any:
    """Defuse what a spreadsheet would carry out, in whatever it takes for a cell of its own."""
    if not isinstance(value, str):
        return value
    pieces = _ENDS_OF_CELLS.split(value)
    return "".join(f"'{piece}" if _FORMULA.match(piece) else piece for piece in pieces)
