"""The part of JSON Schema that bodies, arguments and answers are checked by.

Other keywords hold nothing back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": (int, float),
}


def errors_of(schema: Any, value: Any, at: str = "") -> dict[str, list[str]]:
    """Return {field: [what is wrong]} of a value, fields as dotted paths below `at`."""
    found: dict[str, list[str]] = {}
    for path, message in _errors(schema, value, at):
        found.setdefault(path, []).append(message)
    return found


def _errors(schema: Any, value: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(schema, bool):
        if not schema:
            yield at, "This is not allowed."
        return
    wanted = schema.get("type", [])
    names = [wanted] if isinstance(wanted, str) else wanted
    if names and not any(_is(name, value) for name in names):
        yield at, f"This is not of type {', '.join(names)}."
    elif "enum" in schema and value not in schema["enum"]:
        yield at, f"This is none of {schema['enum']}."
    elif "const" in schema and value != schema["const"]:
        yield at, f"This is not {schema['const']!r}."
    elif isinstance(value, dict):
        yield from _errors_of_object(schema, value, at)
    elif isinstance(value, list):
        yield from _bounds(schema, len(value), at, "Items")
        for number, item in enumerate(value):
            yield from _errors(schema.get("items", True), item, _below(at, number))
    elif isinstance(value, str):
        yield from _bounds(schema, len(value), at, "Length")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield at, f"This does not match {schema['pattern']}."
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield at, f"This is less than {schema['minimum']}."
        if value > schema.get("maximum", value):
            yield at, f"This is more than {schema['maximum']}."


def _errors_of_object(schema: Json, value: Json, at: str) -> Iterator[tuple[str, str]]:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    yield from (
        (_below(at, name), "This field is required.")
        for name in schema.get("required", [])
        if name not in value
    )
    yield from _bounds(schema, len(value), at, "Properties")
    for name, inner in value.items():
        if name in properties or more is not False:
            yield from _errors(properties.get(name, more), inner, _below(at, name))
        else:
            yield _below(at, name), "There is no such field."


def _bounds(schema: Json, size: int, at: str, what: str) -> Iterator[tuple[str, str]]:
    if size < schema.get(f"min{what}", 0):
        yield at, f"This has less than {schema[f'min{what}']} {what.lower()}."
    if size > schema.get(f"max{what}", size):
        yield at, f"This has more than {schema[f'max{what}']} {what.lower()}."


def _is(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[name])


def _below(at: str, name: Any) -> str:
    return f"{at}.{name}" if at else str(name)
