"""JSON Schema 2020-12: check our own bodies, and the schemas that agents bring for arguments and answers.

A schema from an agent is data from a stranger: references to other documents are refused, never fetched;
patterns must do without looking ahead or back; and what a check may cost is bounded (see `schema_cost`).
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson
from django.utils.translation import gettext

from events.problems import invalid
from events.schema_cost import TooCostly, check_cost, parts_of

_PATTERNS = jsonschema_rs.RegexOptions(size_limit=1_000_000)  # no backtracking: their time is linear
_PATTERNS_AT_MOST = 50
_KEPT_BYTES = 4096
_MESSAGES_AT_MOST = 20
_CHECKS_TO_NAME_ALL = 50_000


class SchemaError(ValueError):
    """The schema itself is not one that can be used; the message says why."""


def compile_schema(schema: Any) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of *schema*, compiled once.

    Raises:
        SchemaError: it is not a JSON Schema of draft 2020-12, or refers to another document.
    """
    return _compiled(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))


def _compile_strangers(schema: Any) -> jsonschema_rs.Draft202012Validator:
    """Compile *schema* in bounded memory: few patterns (a megabyte each), and only what is small is kept."""
    patterns = _count_patterns(schema)
    if patterns > _PATTERNS_AT_MOST:
        raise SchemaError(f"It has more than {_PATTERNS_AT_MOST} patterns.")
    text = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    small = not patterns and len(text) <= _KEPT_BYTES
    return _compiled(text) if small else _compiled.__wrapped__(text)


def _count_patterns(node: Any) -> int:
    if isinstance(node, list):
        return sum(map(_count_patterns, node))
    if not isinstance(node, dict):
        return 0
    several = node.get("patternProperties")
    own = ("pattern" in node) + (len(several) if isinstance(several, dict) else 0)
    return own + sum(map(_count_patterns, node.values()))


@lru_cache(maxsize=1024)
def _compiled(text: bytes) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(
            orjson.loads(text),
            offline=True,
            pattern_options=_PATTERNS,
            validate_formats=True,
            mask="This",  # no message may repeat what was sent: it may be a secret
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaError(str(getattr(error, "message", error)).splitlines()[0][:300]) from None


def errors_of(schema: Any, value: Any, at: str = "") -> dict[str, list[str]]:
    """Return ``{field: [what is wrong]}`` of *value* under *schema*, fields as dotted paths below *at*."""
    return _told(compile_schema(schema).iter_errors(value), at)


def _told(errors: Iterable[jsonschema_rs.ValidationError], at: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for error in errors:
        kind = error.kind
        path = [at] if at else []
        path += [str(step) for step in error.instance_path]
        match kind:
            case jsonschema_rs.ValidationErrorKind.Required():
                path.append(str(kind.property))
                message = gettext("This field is required.")
            case jsonschema_rs.ValidationErrorKind.AdditionalProperties():
                for name in kind.unexpected:
                    found.setdefault(".".join([*path, name])[:200], []).append(
                        gettext("There is no such field.")
                    )
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


def admit(schema: Any) -> None:
    """Look at a schema that a stranger brings.

    Raises:
        SchemaError: it is none, or checking against it could take too long.
    """
    _compile_strangers(schema)
    try:
        parts_of(schema)
    except TooCostly as error:
        raise SchemaError(str(error)) from None


def check_admitted(schema: Any, value: Any, at: str) -> None:
    """Do as :func:`check` does, in bounded time, against an admitted schema."""
    validator = _compile_strangers(schema)
    try:
        checks = check_cost(parts_of(schema), value)
    except TooCostly as error:
        raise invalid({at: [str(error)]}) from None
    if not validator.is_valid(value):
        raise invalid(_told(_errors(validator, value, every=checks <= _CHECKS_TO_NAME_ALL), at))


def compile_pattern(pattern: str) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of texts that match a stranger's *pattern* from end to end.

    Raises:
        SchemaError: it is none, or one that looks ahead or back.
    """
    _compile_strangers({"pattern": pattern})  # by itself: a bracket too many must not close ours
    return _compile_strangers({"pattern": f"^(?:{pattern})$"})


def matches(pattern: str, text: str) -> bool:
    """Say whether all of *text* matches *pattern*, in linear time."""
    return bool(compile_pattern(pattern).is_valid(text))


def _errors(
    validator: jsonschema_rs.Draft202012Validator, value: Any, *, every: bool
) -> Iterable[jsonschema_rs.ValidationError]:
    if every:
        return validator.iter_errors(value)
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as first:
        return [first]
    return []
