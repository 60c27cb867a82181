"""The forms for keys: whose, what it may do, how long, how long an old one goes on; and for preferences."""

import datetime as dt
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agents import keys, preferences
from agents.models import CANCEL as CANCEL_SCOPE
from agents.models import CREATE, DEFAULT_SCOPES, ON_BEHALF, READ, SECRETS, STREAM, Agent, Preferences

SCOPE_WORDS = {
    CREATE: _("create: ask people"),
    READ: _("read: see its own items and their answers"),
    CANCEL_SCOPE: _("cancel: take its own questions back"),
    STREAM: _("stream: follow its own events"),
    SECRETS: _("secrets: reveal secret answers to its own questions"),
    ON_BEHALF: _(
        "on_behalf: decide for users that a trusted back end has authenticated (never together with create)"
    ),
}
LIFETIMES = {"30": _("30 days"), "90": _("90 days"), "365": _("1 year"), "": _("never")}
OVERLAPS = {"1": _("1 hour"), "24": _("24 hours")}


class KeyForm(forms.Form):
    """Take what a new key needs. Without permission for agents' keys it can only be one's own."""

    holder = forms.ChoiceField(label=_("For"))
    label = forms.CharField(
        label=_("Label"), max_length=100, required=False, help_text=_("Where it is used, to find it again.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("May"),
        choices=list(SCOPE_WORDS.items()),
        initial=list(DEFAULT_SCOPES),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "An agent's key can never decide. A personal key may do what you may do, whatever is ticked."
        ),
    )
    days = forms.ChoiceField(
        label=_("Expires after"), choices=list(LIFETIMES.items()), required=False, initial="90"
    )

    MINE = "mine"

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user
        holders: list[tuple[str, Any]] = []
        if user.has_perm("agents.add_key"):
            names = Agent.objects.filter(is_active=True).values_list("name", flat=True)
            holders += [(f"agent:{name}", _("agent %(name)s") % {"name": name}) for name in names]
        holders.append((self.MINE, _("me, %(name)s (personal)") % {"name": user.get_username()}))
        cast(forms.ChoiceField, self.fields["holder"]).choices = holders
        if len(holders) == 1:
            del self.fields["scopes"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.is_for_agent() and "scopes" in cleaned:
            try:
                cleaned["scopes"] = keys.check_scopes(cleaned["scopes"])
            except ValidationError as problem:
                self.add_error("scopes", problem)
            else:
                if not cleaned["scopes"]:
                    self.add_error("scopes", _("Choose at least one."))
        return cleaned

    def is_for_agent(self) -> bool:
        return str(self.cleaned_data.get("holder", "")).startswith("agent:")

    def expires_at(self) -> dt.datetime | None:
        """Return the moment the key ends, or None."""
        days = self.cleaned_data["days"]
        return timezone.now() + dt.timedelta(days=int(days)) if days else None


class RotationForm(forms.Form):
    hours = forms.ChoiceField(
        label=_("The old key goes on for"),
        choices=list(OVERLAPS.items()),
        initial="24",
        widget=forms.RadioSelect,
        help_text=_("Time to bring the new key to where the old one is used."),
    )

    def overlap(self) -> dt.timedelta:
        return dt.timedelta(hours=int(self.cleaned_data["hours"]))


class PreferencesForm(forms.ModelForm[Preferences]):
    """Take in which language and time zone somebody reads, and whether single keys do anything."""

    language = forms.ChoiceField(
        label=_("Language"),
        choices=[("", _("The browser's")), *settings.LANGUAGES],
        required=False,
        error_messages={"invalid_choice": _("Choose one of the languages listed here.")},
    )
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        required=False,
        help_text=_("Begin to type a place, as in Europe/Berlin. Empty: the browser's."),
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off", "spellcheck": "false"}),
    )
    shortcuts = forms.BooleanField(
        label=_("Keyboard shortcuts"),
        required=False,
        help_text=_("Single keys move through lists and open things; none of them ever decides."),
    )

    class Meta:
        model = Preferences
        fields = ["language", "time_zone", "shortcuts"]

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name and name not in preferences.zones():
            refusal = _("There is no time zone %(name)s. Choose one of the list, or leave this empty.")
            raise ValidationError(refusal, params={"name": name})
        return name
