"""JSON Schema 2020-12: check our own bodies, and the schemas that agents bring for arguments and answers.

A schema from an agent is data from a stranger: references to other documents are refused, never fetched,
and patterns have a limited number of steps.
"""

from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from events.problems import invalid

_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=50_000, size_limit=1_000_000)
_MESSAGES_AT_MOST = 20


class SchemaError(ValueError):
    """The schema itself is not one that can be used; the message says why."""


def compile_schema(schema: Any) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of *schema*, compiled once.

    Raises:
        SchemaError: it is not a JSON Schema of draft 2020-12, or refers to another document.
    """
    return _compiled(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=1024)
def _compiled(text: bytes) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(
            orjson.loads(text), offline=True, pattern_options=_PATTERNS, validate_formats=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaError(str(getattr(error, "message", error)).splitlines()[0][:300]) from None


def errors_of(schema: Any, value: Any, at: str = "") -> dict[str, list[str]]:
    """Return ``{field: [what is wrong]}`` of *value* under *schema*, fields as dotted paths below *at*."""
    found: dict[str, list[str]] = {}
    for error in compile_schema(schema).iter_errors(value):
        kind = error.kind
        path = [at] if at else []
        path += [str(step) for step in error.instance_path]
        match kind:
            case jsonschema_rs.ValidationErrorKind.Required():
                path.append(str(kind.property))
                message = "This field is required."
            case jsonschema_rs.ValidationErrorKind.AdditionalProperties():
                for name in kind.unexpected:
                    found.setdefault(".".join([*path, name])[:200], []).append("There is no such field.")
                continue
            case _:
                message = (
                    error.message
                    if len(error.message) <= 300
                    else f"{error.message[:120]} … {error.message[-120:]}"
                )
        found.setdefault(".".join(path)[:200], []).append(message)
        if len(found) >= _MESSAGES_AT_MOST:
            break
    return found


def check(schema: Any, value: Any, at: str = "") -> None:
    """Raise a 400 problem that names each field of *value* that breaks *schema*."""
    if errors := errors_of(schema, value, at):
        raise invalid(errors)
