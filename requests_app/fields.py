"""The fields that a request asks a person to fill in: what they may be, and whether an answer fits.

``required_fields`` maps a name to a label, or to an object that says more (contract). No message here ever
repeats an answer: it may be a secret.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, URLValidator
from django.utils.translation import gettext as _

from events.problems import invalid
from events.schema import SchemaError, compile_pattern, matches

TEXTS = ("text", "textarea", "secret", "email", "url")
TYPES = (*TEXTS, "number", "boolean", "date", "choice", "file")
TEXT_LIMIT = 20_000
FIELDS_LIMIT = 50

_name: dict[str, Any] = {"minLength": 1, "maxLength": 100, "pattern": r"^[^\x00-\x1f\x7f]+$"}
_bound: dict[str, Any] = {"type": ["number", "string"], "maxLength": 10}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What a person fills in: `{name: label}`, or `{name: {label, type, …}}`.",
    "maxProperties": FIELDS_LIMIT,
    "propertyNames": _name,
    "additionalProperties": {
        "type": ["string", "object"],
        "maxLength": 500,
        "required": ["label"],
        "properties": {
            "label": {"type": "string", "minLength": 1, "maxLength": 500},
            "type": {"enum": list(TYPES), "default": "text"},
            "required": {"type": "boolean", "default": True},
            "help": {"type": "string", "maxLength": 2000},
            "pattern": {"type": "string", "maxLength": 500, "description": "The whole text must match it."},
            "choices": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 200},
                "minItems": 1,
                "maxItems": 100,
                "uniqueItems": True,
            },
            "min": {**_bound, "description": "Least number, length, or date (`2030-01-31`)."},
            "max": {**_bound, "description": "Greatest number, length, or date."},
            "check": {
                "type": "string",
                "maxLength": 64,
                "description": "Only in a template: a probe's name.",
            },
        },
        "additionalProperties": False,
    },
}


@dataclass(frozen=True, slots=True)
class Field:
    """Describe one field of the form a person fills in."""

    name: str
    label: str
    type: str = "text"
    required: bool = True
    help: str = ""
    pattern: str = ""
    choices: tuple[str, ...] = ()
    min: Any = None
    max: Any = None
    check: str = ""


def fields_of(required_fields: dict[str, Any]) -> list[Field]:
    """Read ``required_fields``, in the order in which they were sent."""
    return [
        Field(name, told or name)
        if isinstance(told, str)
        else Field(name, **{**told, "choices": tuple(told.get("choices", ()))})
        for name, told in required_fields.items()
    ]


def admit(required_fields: dict[str, Any], *, at: str = "required_fields") -> None:
    """Check what ``SCHEMA`` cannot: that patterns are ones, and that each option suits the type.

    Raises:
        Problem: 400 that names each field.
    """
    found = {f"{at}.{field.name}": told for field in fields_of(required_fields) if (told := _unfit(field))}
    if found:
        raise invalid(found)


def answered(fields: list[Field], answers: dict[str, Any]) -> dict[str, Any]:
    """Return *answers* without what was left empty, each of them fit for its field.

    Raises:
        Problem: 400 that names every field that is missing, does not fit or was not asked for.
    """
    given = {name: value for name, value in answers.items() if value is not None and value != ""}
    asked = {field.name for field in fields}
    errors = {name: [_("This was not asked for.")] for name in answers if name not in asked}
    for field in fields:
        if field.name not in given:
            if field.required:
                errors[field.name] = [_("This field is required.")]
        elif told := unfit(field, given[field.name]):
            errors[field.name] = [told]
    if errors:
        raise invalid({f"response_data.{name}": told for name, told in errors.items()})
    return given


def unfit(field: Field, value: Any) -> str:
    """Say why *value* is no answer to *field*; an empty text when it is one."""
    match field.type:
        case "number":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return _out_of_bounds(field, value) if number else _("Give a number.")
        case "boolean":
            return "" if isinstance(value, bool) else _("Give true or false.")
        case "choice":
            return (
                ""
                if value in field.choices
                else _("Choose one of: %(choices)s.") % {"choices": ", ".join(field.choices)}
            )
        case "date":
            date = isinstance(value, str) and _is_date(value)
            return _out_of_bounds(field, value) if date else _("Write a date as in 2030-01-31.")
        case "file":
            attached = isinstance(value, str) and value.startswith("att_")
            return "" if attached else _("Attach the file, then give the attachment's id (att_…).")
    if not isinstance(value, str):
        return _("Give a text.")
    if field.required and not value.strip():
        return _("This field is required.")
    if len(value) > TEXT_LIMIT:
        return _("Write at most %(number)s characters.") % {"number": f"{TEXT_LIMIT:,}"}
    return _unfit_text(field, value)


def _unfit_text(field: Field, value: str) -> str:
    try:
        if field.type == "email":
            EmailValidator()(value)
        if field.type == "url":
            URLValidator(schemes=["http", "https"])(value)
    except ValidationError:
        return (
            _("Write an e-mail address.") if field.type == "email" else _("Write an address like https://…")
        )
    if field.pattern and not matches(field.pattern, value):
        return field.help or _("This must match %(pattern)s") % {"pattern": field.pattern}
    return _too_short_or_long(field, len(value))


def _out_of_bounds(field: Field, value: Any) -> str:
    if field.min is not None and value < field.min:
        return _("Not less than %(least)s.") % {"least": field.min}
    if field.max is not None and value > field.max:
        return _("Not more than %(most)s.") % {"most": field.max}
    return ""


def _too_short_or_long(field: Field, length: int) -> str:
    if field.min is not None and length < field.min:
        return _("Not less than %(least)s characters.") % {"least": field.min}
    if field.max is not None and length > field.max:
        return _("Not more than %(most)s characters.") % {"most": field.max}
    return ""


def _unfit(field: Field) -> list[str]:
    """Say what is wrong with how a field is described."""
    found = []
    if (field.type == "choice") != bool(field.choices):
        found.append(_("A choice needs `choices`, and nothing else takes them."))
    if field.pattern and field.type not in TEXTS:
        found.append(_("Only texts take a `pattern`."))
    elif field.pattern:
        try:
            compile_pattern(field.pattern)
        except SchemaError as error:
            found.append(_("`pattern` is not a pattern that can be used: %(why)s") % {"why": error})
    bounds = [bound for bound in (field.min, field.max) if bound is not None]
    if field.type in ("boolean", "choice", "file") and bounds:
        found.append(_("A %(type)s takes no `min` or `max`.") % {"type": field.type})
    elif field.type == "date" and not all(isinstance(bound, str) and _is_date(bound) for bound in bounds):
        found.append(_("Write `min` and `max` of a date as in 2030-01-31."))
    elif field.type != "date" and any(isinstance(bound, str) for bound in bounds):
        found.append(_("Write `min` and `max` as numbers."))
    elif len(bounds) == 2 and bounds[0] > bounds[1]:
        found.append(_("`min` is greater than `max`."))
    return found


def _is_date(text: str) -> bool:
    try:
        # A week (2030-W05-4) is another way to write it.
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
