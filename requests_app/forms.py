"""The forms of a request's page: the answers that are asked for, and the verb with its reason and its steps.

What an answer may be is said once, in :mod:`requests_app.fields`; here it is only read into its JSON type.
"""

from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from events.problems import Problem
from events.untrusted import marked, visible
from requests_app.fields import Field, answered
from requests_app.models import ActionRequest, RejectionCode
from reviews.fields import NumberField, PlainTextField
from reviews.forms import DecisionForm, NamedFieldsForm
from reviews.services import COMMENT_LIMIT

RADIOS = 5
TYPE_AGAIN = _("Type it again: a secret is never sent back to the page.")
PLAIN: dict[str, Any] = {"autocomplete": "off", "spellcheck": "false"}
CODES = {
    RejectionCode.OTHER: _("Another reason"),
    RejectionCode.CANNOT_BE_DONE: _("It cannot be done"),
    RejectionCode.NOT_ALLOWED: _("It is not allowed"),
    RejectionCode.UNCLEAR: _("It is unclear"),
    RejectionCode.DUPLICATE: _("It was asked before"),
}


class FileInput(forms.FileInput):
    """Upload a file. What is answered is the id of the attachment that it became."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return data.get(name)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data


class FileField(PlainTextField):
    """Take a file, or the one that was attached before: its id and its name."""

    widget = FileInput
    kept: tuple[str, str] | None = None


class RequestForm(DecisionForm):
    """Take a verb with its note; why something is turned down; how far its checklist is."""

    code = forms.ChoiceField(label=_("Why not"), choices=list(CODES.items()), required=False)
    progress = forms.CharField(
        label=_("How far is it?"),
        required=False,
        max_length=COMMENT_LIMIT,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    steps = forms.TypedMultipleChoiceField(
        label=_("Steps"), required=False, coerce=int, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any = None, *, item: ActionRequest, **options: Any) -> None:
        super().__init__(data, item=item, **options)
        steps: Any = self.fields["steps"]
        steps.choices = [(number, visible(step["step"])) for number, step in enumerate(item.checklist)]
        steps.initial = [number for number, step in enumerate(item.checklist) if step["done"]]

    def kept(self) -> dict[str, Any]:
        return {**super().kept(), "code": self.data.get("code") or RejectionCode.OTHER}


class AnswersForm(NamedFieldsForm):
    """Ask for what the request says is needed. A secret that was *typed* is not shown again, ever."""

    def __init__(self, data: Any = None, *, item: ActionRequest, typed: MultiValueDict[str, Any]) -> None:
        self.asked = item.fields
        super().__init__(
            data, prefix="answer", fields=[(field.name, form_field(field)) for field in self.asked]
        )
        for number, field in enumerate(self.asked):
            made, was_typed = self.fields[str(number)], typed.get(self.add_prefix(str(number)), "")
            if field.type != "secret":
                made.initial = was_typed
            elif was_typed:
                made.help_text = format_html('<b class="again">{}</b> {}', TYPE_AGAIN, made.help_text)

        for name, place in self.file_fields().items():
            file: Any = self.fields[str(self.names.index(name))]
            file.kept = item.attachments.filter(pk=typed.get(place, "")).values_list("pk", "name").first()

    def file_fields(self) -> dict[str, str]:
        """Return under which name each file is uploaded, by the name of its field."""
        files = [number for number, field in enumerate(self.asked) if field.type == "file"]
        return {self.names[number]: self.add_prefix(str(number)) for number in files}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        try:
            self.answers = answered(self.asked, self.values())
        except Problem as problem:
            for path, why in problem.extra["errors"].items():
                name = path.removeprefix("response_data.")
                if str(self.names.index(name)) not in self.errors:
                    self.blame(name, why)
        return cleaned


def form_field(field: Field) -> forms.Field:
    """Return the form field in which *field* is answered."""
    options = {"label": visible(field.label), "help_text": visible(field.help), "required": field.required}
    if field.type == "number":
        return NumberField(**options)
    if field.type == "boolean":
        return PickField(picks={"true": (True, _("Yes")), "false": (False, _("No"))}, **options)
    if field.type == "choice":
        return PickField(picks={str(n): (one, marked(one)) for n, one in enumerate(field.choices)}, **options)
    if field.type == "file":
        return FileField(**options)
    return PlainTextField(widget=_widget(field), **options)


class PickField(PlainTextField):
    """Take one of some values, each under a name of our own: a stranger's may hold anything."""

    def __init__(self, *, picks: dict[str, tuple[Any, Any]], **options: Any) -> None:
        self.picked = {name: value for name, (value, _word) in picks.items()}
        choices = [(name, word) for name, (_value, word) in picks.items()]
        few = len(choices) <= RADIOS
        widget = forms.RadioSelect(choices=choices) if few else forms.Select(choices=[("", "—"), *choices])
        super().__init__(widget=widget, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return self.picked.get(text, text)


def _widget(field: Field) -> forms.Widget:
    match field.type:
        case "secret":
            return forms.PasswordInput(attrs=PLAIN)
        case "textarea":
            return forms.Textarea(attrs={"rows": 5})
        case "email":
            return forms.EmailInput(attrs=PLAIN)
        case "url":
            return forms.URLInput(attrs={**PLAIN, "placeholder": "https://"})
        case "date":
            bounds = {name: bound for name in ("min", "max") if (bound := getattr(field, name)) is not None}
            return forms.TextInput(attrs={"type": "date", **bounds})
    return forms.TextInput(attrs=PLAIN)
