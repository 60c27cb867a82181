"""The pages of the models that runs call: what each needs, and which defaults people would rather have."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.callers import operator
from events import log
from events.canonical import canonical
from events.models import SYSTEM
from events.problems import Problem
from events.schema import SchemaError, admit
from events.untrusted import marked, pretty
from requests_app.template_admin import DocumentField
from reviews.bodies import Schema
from reviews.policy_services import CHANGED
from runs import corrections
from runs.inputs import unfit
from runs.models import Correction, ModelInput, RegisteredModel
from runs.registry import input_of

_NAMES: Schema = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 100},
    "maxItems": 50,
    "uniqueItems": True,
}
_RULES: Schema = {"type": "object", "properties": {"conflicts_with": _NAMES}}
_OFFERED_AT_MOST = 20
_KEPT = ("tool", "pattern", "title", "description")
_OF_INPUTS = (
    "name", "kind", "required", "label", "help", "rules", "unit", "aliases", "default", "position"
)  # fmt: skip


class DefaultField(DocumentField):
    """Take any JSON value; nothing written, and nothing shown, is none."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class InputForm(forms.ModelForm[ModelInput]):
    """Refuse rules that no JSON Schema has, and a default that is none."""

    rules = DocumentField(
        schema=_RULES,
        empty={},
        initial={},
        rows=3,
        help_text=gettext_lazy("A JSON Schema for its value; {} for none."),
    )
    aliases = DocumentField(
        schema=_NAMES,
        empty=[],
        initial=[],
        rows=3,
        help_text=gettext_lazy("Other names that people use: a JSON list."),
    )
    default = DefaultField(
        schema={},
        empty=None,
        rows=2,
        help_text=gettext_lazy("JSON, a text in quotes. It stands in where nobody said anything."),
    )

    def clean_rules(self) -> dict[str, Any]:
        rules: dict[str, Any] = self.cleaned_data["rules"]
        try:
            admit({name: rule for name, rule in rules.items() if name != "conflicts_with"})
        except SchemaError as error:
            raise forms.ValidationError(_("This is not a JSON Schema: %s") % error) from None
        return rules

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        default, known = found.get("default"), {"rules", "aliases", "default", "kind", "name"} <= set(found)
        if known and default is not None:
            said = {name: found[name] for name in _OF_INPUTS if name in found}
            if why := unfit(input_of(ModelInput(**said)), default):
                self.add_error("default", why)
        return found


class InputInline(admin.StackedInline[ModelInput, RegisteredModel]):
    model = ModelInput
    form = InputForm
    extra = 0
    verbose_name = gettext_lazy("input")
    verbose_name_plural = gettext_lazy("inputs")
    fields = (
        ("name", "kind", "required"),
        ("label", "unit", "position"),
        "help",
        ("rules", "aliases", "default"),
    )


@admin.register(RegisteredModel)
class RegisteredModelAdmin(admin.ModelAdmin[RegisteredModel]):
    """Describe models; each change is on the record, beside those of policies."""

    list_display = ("title", "tool", "pattern_shown", "number_of_inputs")
    list_filter = ("tool",)
    search_fields = ("title", "pattern", "tool")
    fields = (("tool", "pattern"), "title", "description")
    inlines: ClassVar[Any] = [InputInline]
    actions = None
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    @admin.display(description=gettext_lazy("pattern"), ordering="pattern", empty_value="—")
    def pattern_shown(self, row: RegisteredModel) -> str | None:
        return row.pattern or None

    @admin.display(description=gettext_lazy("inputs"), ordering="number_of_inputs")
    def number_of_inputs(self, row: Any) -> int:
        number: int = row.number_of_inputs
        return number

    def get_queryset(self, request: HttpRequest) -> QuerySet[RegisteredModel]:
        return super().get_queryset(request).annotate(number_of_inputs=Count("inputs"))

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **options)
        if db_field.name == "description":
            field.widget.attrs["rows"] = 3
        if db_field.name == "pattern":
            field.help_text = _(
                "A glob over the names of models, like *sdxl*. Empty: the tool has no models."
            )
        return field

    def get_urls(self) -> list[Any]:
        answer = self.admin_site.admin_view(self.answer_offer)
        name = "runs_registeredmodel_offer"
        return [path("<int:model_pk>/offers/<int:pk>/", answer, name=name), *super().get_urls()]

    # -- What people set again and again ------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        offers = self._offers(request, corrections.offers())
        return super().changelist_view(request, {**(extra_context or {}), "offers": offers})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        own = [offer for offer in corrections.offers() if str(offer.input.model_id) == object_id]
        context = {**(extra_context or {}), "offers": self._offers(request, own)}
        return super().change_view(request, object_id, form_url, context)

    def answer_offer(self, request: HttpRequest, model_pk: int, pk: int) -> HttpResponse:
        """Make what is offered the default, or offer it no more."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        is_id = max(pk, model_pk) < 2**63
        offered = Correction.objects.filter(pk=pk, input__model=model_pk).select_related("input")
        found = offered.first() if is_id else None
        answers = {"accept": corrections.accept, "dismiss": corrections.dismiss}
        answer = answers.get(request.POST.get("answer", ""))
        if found is None or answer is None or request.method != "POST":
            raise Http404(_("There is no such offer, or it was answered."))
        try:
            answer(found, operator(request))
        except Problem as problem:
            messages.error(request, problem.detail)
        else:
            told = _("%(value)s is the default of %(name)s now.")
            told = told if answer is corrections.accept else _("%(value)s is offered no more for %(name)s.")
            messages.success(request, told % {"value": marked(pretty(found.value)), "name": found.input.name})
        return HttpResponseRedirect(reverse("admin:runs_registeredmodel_change", args=[model_pk]))

    def _offers(self, request: HttpRequest, found: list[Correction]) -> list[Correction]:
        return found[:_OFFERED_AT_MOST] if self.has_change_permission(request) else []

    # -- The record ---------------------------------------------------------------------------------------

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        with log.unit_of_work():
            return super().changeform_view(request, *args, **options)

    def delete_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        with log.unit_of_work():
            return super().delete_view(request, *args, **options)

    def save_model(self, request: HttpRequest, obj: RegisteredModel, form: Any, change: bool) -> None:
        form.before = _said(obj.pk) if change else {}
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        _record(
            request, form.instance, "changed" if change else "created", form.before, _said(form.instance.pk)
        )

    def delete_model(self, request: HttpRequest, obj: RegisteredModel) -> None:
        _record(request, obj, "deleted", _said(obj.pk), {})
        super().delete_model(request, obj)


def _said(pk: int) -> dict[str, Any]:
    """Return what the tables say of a model, its inputs as ``inputs.<name>``."""
    model = RegisteredModel.objects.get(pk=pk)
    inputs = model.inputs.values(*_OF_INPUTS)
    return {
        **{name: getattr(model, name) for name in _KEPT},
        **{f"inputs.{given['name']}": given for given in inputs},
    }


def _record(
    request: HttpRequest,
    model: RegisteredModel,
    change: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    """Write what differs, where anything does."""
    names = {name for name in {*before, *after} if canonical(before.get(name)) != canonical(after.get(name))}
    if names:
        told = {
            "tool": model.tool,
            "model": model.pattern,
            "change": change,
            "before": {name: value for name, value in before.items() if name in names},
            "after": {name: value for name, value in after.items() if name in names},
        }
        log.record(SYSTEM, CHANGED, f"model_{model.pk}", actor=operator(request).actor, data=told)
