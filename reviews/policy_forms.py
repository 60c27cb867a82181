"""The forms of policies: grouped as people think of them, and held against the rules of the API."""

from functools import partial
from typing import Any, cast

from django import forms
from django.contrib.auth.models import Group
from django.db.models import Count, Q
from django.forms import BaseFormSet
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.schema import errors_of
from reviews import durations
from reviews import policy_bodies as bodies
from reviews.bodies import YEAR_SECONDS
from reviews.conditions import Condition, ConditionError
from reviews.fields import MISSING, JSONValueField
from reviews.models import Kind, Policy, PolicyDecision, Priority
from reviews.models.policies import ANYTHING, INTERRUPT
from reviews.policies import Call
from reviews.policy_presentation import CALLS, LABELS, SILENCE
from reviews.policy_services import fields_of
from reviews.reviewers import deciders

Choices = list[tuple[str, Any]]
EMPTY_ROWS, MOST_ROWS = 2, 8
_DECISIONS = {
    PolicyDecision.ASK: gettext_lazy("Ask: people decide each time"),
    PolicyDecision.ALLOW: gettext_lazy("Allow: the call passes without a person"),
    PolicyDecision.DENY: gettext_lazy("Deny: nobody may allow it, and it is rejected at once"),
}


_words = partial(forms.CharField, required=False, max_length=1_000, widget=forms.Textarea(attrs={"rows": 2}))


class DurationField(forms.CharField):
    """Take a duration as people type it, and give seconds; None where nothing is written."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"placeholder": "4 h", "autocomplete": "off", "class": "short"})
        super().__init__(required=False, max_length=60, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        return durations.write(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        if not (text := super().clean(value)):
            return None
        try:
            seconds = durations.parse(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
        if seconds > YEAR_SECONDS:
            raise forms.ValidationError(_("At most a year."))
        return seconds


class NamesField(forms.CharField):
    """Take names as people type them, separated by commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        names = (name.strip() for name in super().clean(value).split(","))
        return list(dict.fromkeys(name for name in names if name))


class StageForm(forms.Form):
    """Take one stage; a row in which nothing is written is none."""

    name = forms.CharField(label=gettext_lazy("Name"), required=False, max_length=60)
    reviewers = forms.MultipleChoiceField(
        label=LABELS["reviewers"], required=False, widget=forms.CheckboxSelectMultiple
    )
    required_approvals = forms.IntegerField(
        label=LABELS["required_approvals"], required=False, min_value=1, max_value=50
    )

    def __init__(self, *args: Any, groups: Choices, **options: Any) -> None:
        super().__init__(*args, **options)
        cast(forms.MultipleChoiceField, self.fields["reviewers"]).choices = groups

    def said(self) -> dict[str, Any] | None:
        """Return the stage as a policy has it; None for an empty row."""
        found = self.cleaned_data
        if not any(found.get(name) for name in ("name", "reviewers", "required_approvals")):
            return None
        named = {"name": found["name"]} if found["name"] else {}
        return {
            **named,
            "reviewers": found["reviewers"],
            "required_approvals": found["required_approvals"] or 1,
        }


class StepForm(forms.Form):
    """Take one step of an escalation; a row without a group is none."""

    to = forms.ChoiceField(label=gettext_lazy("Ask also"), required=False)
    after = DurationField(label=gettext_lazy("After"))

    def __init__(self, *args: Any, groups: Choices, **options: Any) -> None:
        super().__init__(*args, **options)
        cast(forms.ChoiceField, self.fields["to"]).choices = [("", "—"), *groups]

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if found.get("after") and not found.get("to"):
            self.add_error("to", _("Choose which group."))
        return found

    def said(self) -> dict[str, Any] | None:
        """Return the step as a policy has it; None for an empty row."""
        found = self.cleaned_data
        if not found.get("to"):
            return None
        return {"to": found["to"], **({"after": found["after"]} if found.get("after") else {})}


_ARGUMENTS = format_lazy("{} {}", gettext_lazy("As JSON:"), '{"path": "/srv/old.csv", "days": 90}')
_Stages = forms.formset_factory(StageForm, extra=EMPTY_ROWS, max_num=MOST_ROWS, absolute_max=2 * MOST_ROWS)
_Steps = forms.formset_factory(StepForm, extra=EMPTY_ROWS, max_num=MOST_ROWS, absolute_max=2 * MOST_ROWS)


class PolicyForm(forms.Form):
    """Take a whole policy. ``fields_said`` gives what :mod:`reviews.policy_services` takes.

    ``condition_error`` says where in the condition a mistake is.
    """

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(label=LABELS["name"], max_length=100)
    priority = forms.IntegerField(
        label=LABELS["priority"],
        min_value=0,
        max_value=1_000_000,
        initial=100,
        help_text=gettext_lazy("Lower numbers are tried first; the first policy that matches is in force."),
    )
    is_active = forms.BooleanField(label=LABELS["is_active"], required=False, initial=True)
    kind = forms.ChoiceField(label=LABELS["kind"], choices=list(CALLS.items()), initial=INTERRUPT)
    pattern = forms.CharField(
        label=LABELS["pattern"],
        max_length=255,
        initial=ANYTHING,
        help_text=gettext_lazy("* stands for anything: delete_*. Case does not matter."),
    )
    agent_pattern = forms.CharField(label=LABELS["agent_pattern"], max_length=255, initial=ANYTHING)
    when = forms.CharField(
        label=LABELS["when"],
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "code"}),
        help_text=gettext_lazy("CEL over args, agent and session_id: args.amount > 100. Empty: always."),
    )
    decision = forms.ChoiceField(
        label=gettext_lazy("This policy says"),
        choices=list(_DECISIONS.items()),
        initial=PolicyDecision.ASK,
        widget=forms.RadioSelect,
    )
    note = _words(label=LABELS["note"])
    approval_message = _words(
        label=LABELS["approval_message"],
        help_text=gettext_lazy("A gate asks in these words instead of its own."),
    )
    high_risk = forms.BooleanField(
        label=LABELS["high_risk"],
        required=False,
        help_text=gettext_lazy("Asked each time: nobody allows it in advance, nor do agents' owners alone."),
    )
    reviewers = forms.MultipleChoiceField(
        label=LABELS["reviewers"],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None: whoever may decide."),
    )
    required_approvals = forms.IntegerField(
        label=LABELS["required_approvals"], min_value=1, max_value=50, initial=1
    )
    expires_in = DurationField(
        label=LABELS["expires_in"], help_text=gettext_lazy("The longest it may wait for an answer.")
    )
    on_timeout = forms.ChoiceField(
        label=LABELS["on_timeout"],
        required=False,
        choices=[("", gettext_lazy("as the agent asks")), *SILENCE.items()],
    )
    remind_after = DurationField(label=LABELS["remind_after"])
    business_hours = forms.BooleanField(
        label=gettext_lazy("Count business hours only"),
        required=False,
        help_text=gettext_lazy("For reminders, due times and escalation; the deadline runs on."),
    )
    redact = NamesField(
        label=LABELS["redact"],
        required=False,
        max_length=5_000,
        help_text=gettext_lazy("Names of arguments, separated by commas: customer, iban."),
    )
    sla_low = DurationField(label=gettext_lazy("Low"))
    sla_medium = DurationField(label=gettext_lazy("Medium"))
    sla_high = DurationField(label=gettext_lazy("High"))
    sla_critical = DurationField(label=gettext_lazy("Critical"))

    def __init__(self, data: Any = None, *, initial: dict[str, Any] | None = None) -> None:
        initial = initial or {}
        super().__init__(data, initial=initial)
        groups = group_choices(_named_in(initial))
        cast(forms.MultipleChoiceField, self.fields["reviewers"]).choices = groups
        rows: dict[str, Any] = {"form_kwargs": {"groups": groups}}
        self.stages = _Stages(data, initial=initial.get("stages", []), prefix="stages", **rows)
        self.escalation = _Steps(data, initial=initial.get("escalation", []), prefix="escalation", **rows)
        for rows_typed in (self.stages, self.escalation):
            rows_typed.extra = 1 if rows_typed.initial else EMPTY_ROWS
        self.condition_error: dict[str, Any] = {}

    def clean_when(self) -> str:
        text = self.cleaned_data["when"].replace("\r\n", "\n")
        try:
            Condition(text or "true")
        except ConditionError as error:
            self.condition_error = _pointed_at(text, error)
            raise forms.ValidationError(str(error)) from None
        return cast(str, text)

    def is_valid(self) -> bool:
        """Say whether all of it could be a policy; what the schema of the API refuses is shown as well."""
        found = [super().is_valid(), self.stages.is_valid(), self.escalation.is_valid()]
        if not all(found):
            return False
        said = self.fields_said()
        del said["decision"]
        self.tell(errors_of(bodies.CHANGE, said))
        return not (self.errors or self.stages.non_form_errors() or self.escalation.non_form_errors())

    def fields_said(self) -> dict[str, Any]:
        """Return every field of the policy as it was typed."""
        typed = {name: value for name, value in self.cleaned_data.items() if not name.startswith("sla_")}
        del typed["version"]
        due = {name: self.cleaned_data[f"sla_{name}"] for name in Priority.labels}
        return {
            **typed,
            "sla": {name: seconds for name, seconds in due.items() if seconds},
            "stages": _rows(self.stages),
            "escalation": _rows(self.escalation),
        }

    def tell(self, errors: dict[str, list[str]]) -> None:
        """Show the *errors* of the service, each beside the field that it names."""
        for place, texts in errors.items():
            name = place.split(".")[0]
            if name in ("stages", "escalation"):
                getattr(self, name).non_form_errors().extend(texts)
            elif name == "sla":
                self.add_error("sla_low", texts)
            else:
                self.add_error(name if name in self.fields else None, texts)


class CallForm(forms.Form):
    """Take a call to be tried: nothing is asked, and nothing is kept."""

    kind = forms.ChoiceField(
        label=LABELS["kind"], choices=[(kind.value, CALLS[kind.value]) for kind in Kind], required=False
    )
    name = forms.CharField(label=LABELS["pattern"], max_length=255)
    agent = forms.CharField(label=LABELS["agent_pattern"], required=False, max_length=255)
    session_id = forms.CharField(label=gettext_lazy("Session"), required=False, max_length=255)
    args = JSONValueField(label=gettext_lazy("Arguments"), required=False, help_text=_ARGUMENTS)

    def clean_args(self) -> dict[str, Any]:
        found = self.cleaned_data["args"]
        if found is MISSING:
            return {}
        if not isinstance(found, dict):
            raise forms.ValidationError(_("Arguments are a JSON object."))
        return found

    def call(self) -> Call:
        """Return what was typed as a call."""
        said = self.cleaned_data
        return Call(
            said["kind"] or Kind.APPROVAL, said["name"], said["args"], said["agent"], said["session_id"]
        )


def initial_of(policy: Policy) -> dict[str, Any]:
    """Return what the form of *policy* begins with."""
    found = fields_of(policy)
    due = {f"sla_{name}": found["sla"].get(name) for name in Priority.labels}
    return {**found, **due, "version": policy.version}


def group_choices(used: set[str]) -> Choices:
    """Return the groups that can be chosen, with how many answer for each; a vanished one as such."""
    answering = Count("user", filter=Q(user__in=deciders()))
    rows = Group.objects.annotate(people=answering).order_by("name").values_list("name", "people")
    known = [(name, _("%(name)s (%(people)d)") % {"name": name, "people": people}) for name, people in rows]
    gone = sorted(used - {name for name, _word in known})
    return [*known, *((name, _("%(name)s (no such group)") % {"name": name}) for name in gone)]


def _named_in(initial: dict[str, Any]) -> set[str]:
    stages = [name for stage in initial.get("stages", ()) for name in stage["reviewers"]]
    return {*initial.get("reviewers", ()), *stages, *(step["to"] for step in initial.get("escalation", ()))}


def _rows(formset: BaseFormSet[Any]) -> list[dict[str, Any]]:
    return [said for form in formset if (said := form.said())]


def _pointed_at(text: str, error: ConditionError) -> dict[str, Any]:
    """Return the line that *error* is in, and the blanks that stand before the place."""
    lines = text.split("\n")
    line = lines[error.line - 1].replace("\t", " ") if error.line <= len(lines) else ""
    return {"line": line, "blanks": " " * (error.column - 1)}
