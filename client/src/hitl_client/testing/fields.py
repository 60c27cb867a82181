"""The fields that a request asks a person to fill in, and whether an answer fits one."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from hitl_client.testing.schema import Json, errors_of

REQUIRED = "This field is required."


def field_of(told: str | Json) -> Json:
    """Read a field, which may be a mere label."""
    return {"type": "text", "required": True, **({"label": told} if isinstance(told, str) else told)}


def unfit(field: Json, value: Any, files: Container[str]) -> str:
    """Say why a value is no answer to a field; an empty text when it is one.

    A file is one of the `files` of the request, or the bytes of one that is yet to be put to it.
    """
    if value is None or (isinstance(value, str) and field["required"] and not value.strip()):
        return REQUIRED if field["required"] else ""
    match field["type"]:
        case "number":
            wrong = errors_of({"type": "number", **_limits(field, "minimum", "maximum")}, value)
        case "boolean":
            wrong = errors_of({"type": "boolean"}, value)
        case "choice":
            wrong = errors_of({"enum": field["choices"]}, value)
        case "date":
            return (
                ""
                if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)
                else "Write a date as in 2030-01-31."
            )
        case "file":
            is_file = isinstance(value, bytes) or value in files
            return "" if is_file else "Attach the file, then give the attachment's id (att_…)."
        case _:
            whole = {"pattern": f"^(?:{field['pattern']})$"} if field.get("pattern") else {}
            wrong = errors_of({"type": "string", **whole, **_limits(field, "minLength", "maxLength")}, value)
    return next((said for messages in wrong.values() for said in messages), "")


def _limits(field: Json, least: str, most: str) -> Json:
    limits = {least: field.get("min"), most: field.get("max")}
    return {name: value for name, value in limits.items() if value is not None}
