"""The forms of an interrupt's page: the arguments to edit, the answer to give."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.callers import Caller
from events.untrusted import pretty, visible
from interrupts import nested
from interrupts.models import Interrupt, one_line
from reviews import grants
from reviews.fields import (
    MISSING,
    JSONValueField,
    OneOfField,
    editable,
    field_of_schema,
    field_of_value,
    same,
)
from reviews.forms import DecisionForm, NamedFieldsForm
from reviews.grants import Reach
from reviews.presentation import ONE_BY_ONE
from reviews.times import duration

_FORM_CHARACTERS = 30_000
"""What a form sends back, perhaps twice and percent-encoded, must fit into one body."""
_HELP_CHARACTERS = 300


def fits_a_form(value: Any) -> bool:
    """Say whether *value* is small enough to be worked on in a form."""
    few = not isinstance(value, dict) or len(value) <= ONE_BY_ONE
    return few and len(pretty(value)) <= _FORM_CHARACTERS


class InterruptForm(DecisionForm):
    """Take a verb with its note, and how far an approval reaches beyond this one call.

    What a refused page keeps is never a reach: to allow more than once is chosen anew.
    """

    grant = forms.ChoiceField(label=_("Allow"), required=False, widget=forms.RadioSelect)
    upload = forms.FileField(required=False)

    def __init__(self, data: Any = None, *, item: Interrupt, by: Caller, **options: Any) -> None:
        super().__init__(data, item=item, **options)
        words = {
            Reach.SESSION: _("For this session (%(length)s)"),
            Reach.ARGUMENTS: _("Always for exactly these arguments (%(length)s)"),
        }
        choices = [(reach, word % {"length": length_of(reach)}) for reach, word in words.items()]
        field: Any = self.fields["grant"]
        field.choices = [("", _("Just this once")), *choices]
        # What cannot be allowed is not offered; who sends it all the same is told why.
        self.reaches = [reach for reach in Reach if not grants.why_not(item, reach, by)]
        field.widget.choices = [
            (value, word) for value, word in field.choices if value in ("", *self.reaches)
        ]


def length_of(reach: str) -> str:
    """Return how long a grant of *reach* holds, in words."""
    return duration(grants.lifetime(reach).total_seconds())


class ArgumentsForm(NamedFieldsForm):
    """Edit the arguments of a tool call, each in a field of its type; or all of them as JSON.

    What ``args_schema`` describes beside them can be added, what is *missing* first.
    """

    def __init__(self, *args: Any, interrupt: Interrupt, missing: Iterable[str] = (), **options: Any) -> None:
        self.original: dict[str, Any] = interrupt.tool_args
        described = nested.properties(interrupt.args_schema)
        given = nested.leaves(self.original, described)
        self.added = _added(described, self.original, list(missing), len(given))
        given = [leaf for leaf in given if leaf[0][0] not in self.added]
        self.needed = [name for name in missing if name in self.added]
        self.optional = [name for name in self.added if name not in self.needed]
        adding = {name: _field_to_add(name, rule) for name, rule in self.added.items()}
        placed: list[tuple[nested.Path, forms.Field]] = [
            *(((name,), adding[name]) for name in self.needed),
            *((path, _field_given(".".join(path), value, rule)) for path, value, rule in given),
            *(((name,), adding[name]) for name in self.optional),
        ]
        self.paths = [path for path, _field in placed]
        fields = [(".".join(path), field) for path, field in placed]
        super().__init__(*args, fields=fields, prefix="argument", **options)
        for field in self.fields.values():
            field.widget.attrs["data-original"] = field.initial or ""
        whole = JSONValueField(
            label=_("All arguments as JSON"), required=False, initial=editable(self.original)
        )
        whole.widget.attrs |= {"rows": min(20, 2 + pretty(self.original).count("\n")), "data-whole": "yes"}
        whole.widget.attrs["data-original"] = whole.initial
        self.fields["whole"] = whole

    def needed_fields(self) -> list[forms.BoundField]:
        """Return the fields of what is missing."""
        return [self[str(number)] for number in range(len(self.needed))]

    def given_fields(self) -> list[forms.BoundField]:
        """Return the fields of what the agent sent."""
        return [self[str(number)] for number in range(len(self.needed), len(self.names) - len(self.optional))]

    def optional_fields(self) -> list[forms.BoundField]:
        """Return the fields of what could be added."""
        return [self[str(number)] for number in range(len(self.names) - len(self.optional), len(self.names))]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        whole = cleaned.get("whole", MISSING)
        if whole is not MISSING and not isinstance(whole, dict):
            self.add_error("whole", _("Write a JSON object: { … }."))
        elif self._whole_is_changed() and not same(self._by_field(), self.original):
            self.add_error("whole", _("Change either the fields or the JSON, not both."))
        return cleaned

    def result(self) -> dict[str, Any]:
        """Return the arguments as they now read."""
        if self._whole_is_changed():
            found: dict[str, Any] = self.cleaned_data["whole"]
            return found
        return self._by_field()

    def is_changed(self) -> bool:
        """Say whether anything reads otherwise than the agent sent it."""
        return not same(self.result(), self.original)

    def _by_field(self) -> dict[str, Any]:
        typed = [(path, self.cleaned_data.get(str(number))) for number, path in enumerate(self.paths)]
        return nested.with_values(self.original, [each for each in typed if each[1] is not MISSING])

    def _whole_is_changed(self) -> bool:
        whole = self.cleaned_data.get("whole", MISSING)
        return whole is not MISSING and not same(whole, self.original)


def _added(
    described: dict[str, Any], given: dict[str, Any], missing: list[str], fields: int
) -> dict[str, Any]:
    """Return what could be added, those *missing* first, as far as a form has room; a blank value is none."""
    absent = [name for name in missing if given.get(name) in (None, "")]
    absent += [name for name in described if name not in given and name not in absent]
    found, room = {}, _FORM_CHARACTERS - len(pretty(given))
    for name in absent[: max(0, ONE_BY_ONE - fields)]:
        rule = described.get(name, {})
        room -= len(name) + len(pretty(rule))
        if room < 0:
            break
        found[name] = rule
    return found


def _field_to_add(name: str, rule: Any) -> forms.Field:
    """Return the field for a value that is not there yet. A default is told, never sent unasked."""
    words = (
        {word: text for word, text in rule.items() if word != "default"} if isinstance(rule, dict) else rule
    )
    told = _help(rule)
    if isinstance(rule, dict) and rule.get("default") is not None:
        told = " ".join([*told.split(), _("Left empty: %s.") % one_line(pretty(rule["default"]), 100)])
    return field_of_schema(words, required=False, label=visible(name), help_text=visible(told))


def _field_given(name: str, value: Any, rule: Any) -> forms.Field:
    options = {"label": visible(name), "help_text": visible(_help(rule))}
    choices = rule.get("enum") if isinstance(rule, dict) else None
    if isinstance(choices, list) and any(same(value, choice) for choice in choices):
        chosen = field_of_schema({"enum": choices, "default": value}, required=True, **options)
        return chosen if isinstance(chosen, OneOfField) else field_of_value(value, **options)
    return field_of_value(value, **options)


def _help(rule: Any) -> str:
    """Return what a schema says of a value, in one line."""
    text = rule.get("description") if isinstance(rule, dict) else None
    return one_line(text, _HELP_CHARACTERS) if isinstance(text, str) else ""


class AnswerForm(NamedFieldsForm):
    """Ask for what ``response_schema`` describes: in fields where flat, else as JSON; text without one."""

    def __init__(self, *args: Any, interrupt: Interrupt, **options: Any) -> None:
        schema = {"type": "string"} if interrupt.response_schema is None else interrupt.response_schema
        schema = schema if fits_a_form(schema) else {}
        self.is_object = _is_flat_object(schema)
        super().__init__(
            *args,
            fields=_object_fields(schema) if self.is_object else [("", _single_field(schema))],
            prefix="answer",
            **options,
        )

    def result(self) -> Any:
        """Return the answer as JSON."""
        return self.values() if self.is_object else self.cleaned_data["0"]

    def blame(self, path: str, messages: list[str]) -> bool:
        if self.is_object:
            return super().blame(path, messages)
        for message in messages:
            self.add_error("0", visible(f"{path}: {message}" if path else message))
        return True


def _is_flat_object(schema: Any) -> bool:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not 0 < len(properties) <= ONE_BY_ONE:
        return False
    return bool(schema.get("type") == "object")


def _object_fields(schema: dict[str, Any]) -> list[tuple[str, forms.Field]]:
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    properties = schema["properties"]
    names = sorted(properties, key=lambda name: name not in needed)
    return [(name, _described(name, properties[name], required=name in needed)) for name in names]


def _single_field(schema: Any) -> forms.Field:
    return _described(str(_("Your answer")), schema, required=True)


def _described(name: str, schema: Any, *, required: bool) -> forms.Field:
    words = schema if isinstance(schema, dict) else {}
    title, text = words.get("title"), words.get("description")
    return field_of_schema(
        schema,
        required=required,
        label=visible(title if isinstance(title, str) and title else name),
        help_text=visible(text) if isinstance(text, str) else "",
    )
