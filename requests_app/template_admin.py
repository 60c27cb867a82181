"""What administrators prepare: templates of requests, and probes that say whether an answer works."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.problems import Problem
from events.schema import errors_of
from events.untrusted import pretty
from requests_app import bodies, fields, probes
from requests_app.models import Probe, RequestTemplate
from reviews.bodies import Schema
from reviews.fields import MISSING, JSONValueField
from reviews.models import Kind, Priority
from reviews.templatetags.items import KINDS, PRIORITIES


class DocumentField(JSONValueField):
    """Take a JSON document that fits *schema*; nothing written is *empty*."""

    def __init__(self, *, schema: Schema, empty: Any, rows: int, **options: Any) -> None:
        attrs = {"rows": rows, "spellcheck": "false", "class": "vLargeTextField code"}
        super().__init__(required=False, widget=forms.Textarea(attrs=attrs), **options)
        self.schema, self.empty = schema, empty

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else pretty(value)

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        if found is MISSING:
            return self.empty
        refuse(errors_of(self.schema, found))
        return found


class TemplateForm(forms.ModelForm[RequestTemplate]):
    """Hold a template against the very rules that a request without one must keep."""

    required_fields = DocumentField(
        schema=fields.SCHEMA,
        empty={},
        rows=18,
        help_text='{"api_key": {"label": "API key", "type": "secret", "help": "…", "pattern": "…"}}',
    )
    checklist = DocumentField(
        schema=bodies.STEPS, empty=[], rows=6, help_text='["First step", "Second step"]'
    )

    def clean_description(self) -> str:
        description: str = self.cleaned_data["description"]
        refuse(errors_of(bodies.DESCRIPTION, description))
        return description

    def clean_required_fields(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cleaned_data["required_fields"]
        try:
            fields.admit(found)
        except Problem as problem:
            refuse(problem.extra["errors"])
        probed = {field.name: field.check for field in fields.fields_of(found) if field.check}
        known = set(Probe.objects.filter(name__in=probed.values()).values_list("name", flat=True))
        refuse({name: [_("There is no such probe.")] for name, probe in probed.items() if probe not in known})
        return found


class ProbeForm(forms.ModelForm[Probe]):
    """Refuse an address that could not be asked."""

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if told := probes.why_not(url):
            raise forms.ValidationError(told)
        return url


class _Named(admin.ModelAdmin[Any]):
    """Show few rows, known by a name that stays."""

    show_facets = admin.ShowFacets.NEVER
    list_filter = ("is_active",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name",) if obj else ()


@admin.register(RequestTemplate)
class RequestTemplateAdmin(_Named):
    form = TemplateForm
    list_display = ("name", "type_in_words", "title", "priority_in_words", "is_active")
    search_fields = ("name", "title")

    @admin.display(description=gettext_lazy("request type"), ordering="request_type")
    def type_in_words(self, row: RequestTemplate) -> Any:
        return KINDS[Kind(row.request_type)][-1]

    @admin.display(description=gettext_lazy("priority"), ordering="priority")
    def priority_in_words(self, row: RequestTemplate) -> Any:
        return PRIORITIES[Priority(row.priority)][-1]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """Offer what the other pages call the kinds and the priorities."""
        words: Any = KINDS if db_field.name == "request_type" else PRIORITIES
        options["choices"] = [(value, words[value][-1]) for value, _label in db_field.choices]
        return super().formfield_for_choice_field(db_field, request, **options)


@admin.register(Probe)
class ProbeAdmin(_Named):
    form = ProbeForm
    list_display = ("name", "url", "expected_status", "is_active")
    search_fields = ("name", "url")


def refuse(errors: dict[str, list[str]]) -> None:
    """Raise what is wrong, each line with the place it is about."""
    told = [f"{place}: {line}" if place else line for place, lines in errors.items() for line in lines]
    if told:
        raise forms.ValidationError(told)
