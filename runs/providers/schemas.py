"""Read the inputs of a model from the JSON Schema that its provider publishes.

The schema is a stranger's: what is taken from it is bounded, references go no further than its own document,
and patterns stay behind.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from events import untrusted
from runs.models.registry import InputKind
from runs.requirements import Input

INPUTS_AT_MOST = 100
CHOICES_AT_MOST = 200
REFERENCES_AT_MOST = 8
PARTS_AT_MOST = 100
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_KINDS = {
    "string": InputKind.TEXT,
    "number": InputKind.NUMBER,
    "integer": InputKind.INTEGER,
    "boolean": InputKind.BOOLEAN,
}
_MEDIA = {
    InputKind.IMAGE: ("image", "img", "mask", "photo", "picture"),
    InputKind.AUDIO: ("audio", "speech", "voice", "song", "music"),
    InputKind.VIDEO: ("video", "movie", "clip"),
}


def inputs_of(schema: Any, document: Any, file_formats: frozenset[str]) -> tuple[Input, ...]:
    """Return the properties of *schema*, a part of *document*; a text of *file_formats* is a file."""
    whole = resolved(schema, document)
    required = whole.get("required")
    names = required if isinstance(required, list) else []
    found = [
        _input(name, resolved(part, document), name in names, file_formats)
        for name, part in _ordered(whole.get("properties"), document)
    ]
    return tuple(found[:INPUTS_AT_MOST])


def resolved(schema: Any, document: Any) -> dict[str, Any]:
    """Return *schema* with what it refers to, is made of, or is where it is not null."""
    found = schema if isinstance(schema, dict) else {}
    for _ in range(REFERENCES_AT_MOST):
        inner = list(_parts(found, document))
        if not inner:
            break
        own = {name: part for name, part in found.items() if name not in ("$ref", "allOf", "anyOf", "oneOf")}
        found = {}
        for part in (*inner, own):
            found |= _joined(found, part)
    return found


def _parts(schema: dict[str, Any], document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema.get("$ref"), str):
        yield _at(document, schema["$ref"])
    yield from islice(_objects(schema.get("allOf")), PARTS_AT_MOST)
    for name in ("anyOf", "oneOf"):
        real = [part for part in _objects(schema.get(name)) if part.get("type") != "null"]
        if len(real) == 1:
            yield real[0]


def _joined(first: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """Return *then*, with the properties and the required names of both."""
    both = dict(then)
    for name, kind in (("properties", dict), ("required", list)):
        if isinstance(first.get(name), kind) and isinstance(then.get(name), kind):
            both[name] = {**first[name], **then[name]} if kind is dict else [*first[name], *then[name]]
    return both


def _at(document: Any, reference: str) -> dict[str, Any]:
    """Return what *reference* names inside *document*; nothing of any other is ever fetched."""
    if not reference.startswith("#/"):
        return {}
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _ordered(properties: Any, document: Any) -> list[tuple[str, Any]]:
    """Return the properties with a name that can be shown, in the order their publisher wants."""

    def place(pair: tuple[str, Any]) -> float:
        order = resolved(pair[1], document).get("x-order")
        return order if isinstance(order, int) else math.inf

    pairs = list(properties.items())[: 2 * INPUTS_AT_MOST] if isinstance(properties, dict) else []
    return sorted((pair for pair in pairs if pair[0].isprintable() and 0 < len(pair[0]) <= 100), key=place)


def _input(name: str, schema: Mapping[str, Any], required: bool, file_formats: frozenset[str]) -> Input:
    rules = dict(_rules(schema))
    label, text = (_text(schema.get(key), most) for key, most in (("title", 200), ("description", 500)))
    kind = _kind(name, text, schema, file_formats, is_choice="enum" in rules)
    return Input(name=name, kind=kind, required=required, label=label, help=text, rules=rules)


def _kind(
    name: str, text: str, schema: Mapping[str, Any], file_formats: frozenset[str], is_choice: bool
) -> InputKind:
    if is_choice:
        return InputKind.CHOICE
    type_ = schema.get("type")
    if isinstance(type_, list):  # OpenAPI 3.1 writes "or null" so
        type_ = next((one for one in type_ if one != "null"), None)
    is_binary = "contentMediaType" in schema and "binary" in file_formats
    form = schema.get("format")
    if type_ == "string" and ((isinstance(form, str) and form in file_formats) or is_binary):
        return _media(name) or _media(text) or InputKind.FILE
    return _KINDS.get(type_, InputKind.JSON) if isinstance(type_, str) else InputKind.JSON


def _media(text: str) -> InputKind | None:
    said = text.lower()
    return next((kind for kind, words in _MEDIA.items() if any(word in said for word in words)), None)


def _rules(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in _NUMBERS:
        value = schema.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if math.isfinite(value) and (name != "multipleOf" or value > 0):
            yield name, value
    for name in _COUNTS:
        value = schema.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            yield name, value
    choices = schema.get("enum")
    if isinstance(choices, list) and 0 < len(choices) <= CHOICES_AT_MOST and all(map(_is_plain, choices)):
        yield "enum", choices


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 255 and value.isprintable()
    return value is None or isinstance(value, int | float)


def _text(value: Any, most: int) -> str:
    return untrusted.without_unseen(value[: 2 * most])[:most] if isinstance(value, str) else ""


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
