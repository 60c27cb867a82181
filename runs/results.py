"""What a provider answered, as it can be kept: a stranger's data, in bounds.

JSON of another program may hold what a database or a reader of ours does not take. It is made fit, and what
had to be changed is said.
"""

import math
from typing import Any

import orjson

from events.http import DEPTH_LIMIT, EXACT_INTEGER
from runs.providers.provider import File

KEPT_BYTES = 100_000
TOO_DEEP = "…"


def storable(output: Any) -> dict[str, Any]:
    """Return ``{output}``, and ``{output: None, too_large: bytes}`` where it is larger than 100 kB."""
    fit = _fit(output, 0)
    size = len(orjson.dumps(fit))
    return {"output": fit} if size <= KEPT_BYTES else {"output": None, "too_large": size}


def as_file(output: Any) -> File:
    """Return what is too large to be kept beside the run."""
    return File("output.json", "application/json", orjson.dumps(_fit(output, 0)))


def _fit(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) and abs(value) <= EXACT_INTEGER else str(value)
    if depth >= DEPTH_LIMIT - 4:  # the question that shows it nests it deeper
        return TOO_DEEP
    if isinstance(value, dict):
        return {_text(str(name)): _fit(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_fit(inner, depth + 1) for inner in value]
    return _text(str(value))


def _text(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
