"""JSON over HTTP, strictly: what two programs could read differently is refused (contract: Errors)."""

import json
import math
from collections import Counter
from typing import Any

import orjson
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from events.problems import Problem, invalid

API_PREFIXES = ("api/v1", "hitl", "api/hitl", "api/vizra-adk", "api")
"""The native prefix, then the seeds' own: aliases of the same routes."""

BODY_LIMIT = 256 * 1024
DEPTH_LIMIT = 32
EXACT_INTEGER = 2**53


def parse(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in *raw*.

    Raises:
        Problem: 413 beyond 256 KiB; 400 for anything that is not one JSON object in UTF-8, has a name
            twice, a NUL, a lone surrogate, a number that not every program reads alike, or nests past 32.
    """
    if len(raw) > BODY_LIMIT:
        raise Problem(413, "too_large", f"A body may have {BODY_LIMIT // 1024} KiB; this one is larger.")
    if raw.count(b"{") + raw.count(b"[") > DEPTH_LIMIT:
        _check_depth(raw)
    try:
        document = json.loads(
            raw.decode("utf-8") or "{}",
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        raise invalid({"": [f"The body is not valid JSON: {error}"]}) from None
    if not isinstance(document, dict):
        raise invalid({"": ["The body must be a JSON object."]})
    if b"\\u" in raw or b"\x00" in raw:
        _check_text(document, "")
    return document


def _check_depth(raw: bytes) -> None:
    """Refuse deep nesting before the parser, whose own stack is not ours to spend."""
    depth, quoted, escaped = 0, False, False
    for byte in raw:
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte in b"{[":
            depth += 1
            if depth > DEPTH_LIMIT:
                raise invalid({"": [f"The body nests deeper than {DEPTH_LIMIT} levels."]})
        elif byte in b"}]":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise invalid({_printable(twice): ["This name stands twice in one object."]})
    return found


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > EXACT_INTEGER:
        raise ValueError("a number is beyond ±2^53; send it as a string")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is beyond the range of a double")
    if abs(number) > EXACT_INTEGER:  # a whole number: PostgreSQL gives 1e20 back with all of its digits
        raise ValueError("a number is beyond ±2^53; send it as a string")
    return number


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _check_text(value: Any, path: str) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise invalid({path: ["NUL characters are not accepted."]})
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise invalid({path: ["Lone surrogates are not accepted: they are not text."]})
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name, _printable(name))
            _check_text(inner, f"{path}.{_printable(name)}" if path else _printable(name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_text(inner, f"{path}.{index}")


def _printable(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode()[:100]


class StrictJSONParser(BaseParser):
    """Read JSON bodies with :func:`parse`."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        return parse(stream.read(BODY_LIMIT + 1))


class JSONRenderer(BaseRenderer):
    """Write JSON with orjson."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data)


class AlwaysJSON(BaseContentNegotiation):
    """Speak JSON whatever the caller says it accepts, and take what the view's parsers take."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        media_type = request.content_type.partition(";")[0].strip().lower()
        for parser in parsers:
            if parser.media_type == media_type:
                return parser
        accepted = " or ".join(parser.media_type for parser in parsers)
        raise UnsupportedMediaType(media_type, f"Send the body as {accepted}.")

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
