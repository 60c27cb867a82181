"""Form fields that keep JSON types: what was a number is sent on as a number, or refused.

``clean`` gives the JSON value, or ``MISSING`` where an optional field was left empty.
"""

from typing import Any

import orjson
from django import forms
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _

from events.canonical import canonical
from events.http import parse
from events.problems import Problem
from events.untrusted import has_unseen, is_unseen, marked, pretty

MISSING: Any = object()
_LONG_LINE = 60


class JSONValueField(forms.CharField):
    """Take any JSON, read as strictly as the API reads it."""

    widget: Any = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "code"})

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=True, **options)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return MISSING
        try:
            document = parse(b'{"value":' + text.encode() + b"}")
        except (Problem, UnicodeEncodeError) as problem:
            raise forms.ValidationError(_("This is not JSON: %(why)s") % {"why": _why(problem)}) from None
        if set(document) != {"value"}:
            raise forms.ValidationError(_("Write one JSON value."))
        return document["value"]

    def validate(self, value: Any) -> None:
        if value is MISSING and self.required:
            raise forms.ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        """Leave the rest to the schema."""


class NumberField(JSONValueField):
    """Take a number as JSON writes it: ``1000`` or ``12.5``, nothing that depends on a language."""

    widget: Any = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def to_python(self, value: Any) -> Any:
        try:
            number = super().to_python(value)
        except forms.ValidationError:
            number = None
        if number is not MISSING and (isinstance(number, bool) or not isinstance(number, int | float)):
            raise forms.ValidationError(_("Write a number like 1000 or 12.5."))
        return number


class PlainTextField(forms.CharField):
    """Take text as it is: no blanks are cut off, and lines end as they did."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)

    def to_python(self, value: Any) -> Any:
        return (super().to_python(value) or "").replace("\r\n", "\n")

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return MISSING if text == "" and not self.required and self.initial is None else text


class OneOfField(forms.ChoiceField):
    """Take one of some JSON values."""

    def __init__(self, *, values: list[tuple[Any, Any]], optional: bool = False, **options: Any) -> None:
        empty = [("", "—")] if optional else []
        super().__init__(choices=[*empty, *((pretty(value), word) for value, word in values)], **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return MISSING if text == "" else orjson.loads(text)


def truth_field(*, optional: bool = False, **options: Any) -> OneOfField:
    """Return a field for true or false."""
    return OneOfField(
        values=[(True, _("Yes (true)")), (False, _("No (false)"))], optional=optional, **options
    )


def field_of_value(value: Any, **options: Any) -> forms.Field:
    """Return the field in which *value* can be changed without changing its type."""
    options |= {"required": True}
    match value:
        case bool():
            return truth_field(initial=pretty(value), **options)
        case int() | float():
            return NumberField(initial=pretty(value), **options)
        case str() if not has_unseen(value) and "\r" not in value:
            widget = forms.Textarea(attrs={"rows": min(12, 2 + value.count("\n") + len(value) // 80)})
            return PlainTextField(
                initial=value,
                widget=widget if "\n" in value or len(value) > _LONG_LINE else forms.TextInput(),
                **{**options, "required": False},
            )
        case str():  # written with escapes, so that what cannot be seen can be edited
            return JSONValueField(initial=escaped(value), **options)
    rows = min(14, 2 + pretty(value).count("\n"))
    field = JSONValueField(initial=editable(value), **options)
    field.widget.attrs["rows"] = rows
    return field


def field_of_schema(schema: Any, **options: Any) -> forms.Field:
    """Return the field for an answer under *schema*; what is not flat is asked for as JSON.

    *options* are those of a form field. What the field takes is checked by the schema itself afterwards.
    """
    optional = not options.get("required", True)
    if not isinstance(schema, dict):
        return JSONValueField(**options)
    initial = schema.get("default", MISSING)
    shown = {} if initial is MISSING else {"initial": pretty(initial)}
    choices = schema.get("enum")
    if isinstance(choices, list) and choices and all(_is_scalar(choice) for choice in choices):
        values = [
            (choice, marked(choice) if isinstance(choice, str) else pretty(choice)) for choice in choices
        ]
        return OneOfField(values=values, optional=optional or len(choices) > 1, **shown, **options)
    match schema.get("type"):
        case "boolean":
            return truth_field(optional=optional or initial is MISSING, **shown, **options)
        case "integer" | "number":
            return NumberField(**_initial(initial, (int, float), pretty), **options)
        case "string":
            return _text_of_schema(schema, **_initial(initial, str, str), **options)
    return JSONValueField(**shown, **options)


def _text_of_schema(schema: dict[str, Any], **options: Any) -> forms.Field:
    longest = schema.get("maxLength")
    longest = longest if isinstance(longest, int) and 0 < longest <= 100_000 else None
    match schema.get("format"):
        case "date":
            return PlainTextField(widget=forms.TextInput(attrs={"type": "date"}), **options)
        case "email":
            return PlainTextField(
                widget=forms.EmailInput(), validators=[EmailValidator()], max_length=longest, **options
            )
        case "password":
            return PlainTextField(
                widget=forms.PasswordInput(attrs={"autocomplete": "off"}), max_length=longest, **options
            )
    if longest is not None and longest <= 120:
        return PlainTextField(widget=forms.TextInput(), max_length=longest, **options)
    return PlainTextField(widget=forms.Textarea(attrs={"rows": 4}), max_length=longest, **options)


def same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are the same; ``1`` and ``true`` are not."""
    return canonical(one) == canonical(other)


def editable(value: Any) -> str:
    """Write a JSON value for editing: what cannot be seen as its escape, so that nothing stands elsewhere."""
    text = pretty(value)
    return "".join(_ascii(one) if is_unseen(one) else one for one in text) if has_unseen(text) else text


def escaped(text: str) -> str:
    """Write *text* as a JSON string of plain ASCII."""
    return '"' + "".join(map(_ascii, text)) + '"'


def _ascii(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _initial(value: Any, types: Any, write: Any) -> dict[str, Any]:
    return {"initial": write(value)} if isinstance(value, types) and not isinstance(value, bool) else {}


def _why(problem: Exception) -> str:
    detail = str(getattr(problem, "detail", problem))
    return detail.removeprefix("The body is not valid JSON: ")
