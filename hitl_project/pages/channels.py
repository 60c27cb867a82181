"""How somebody wants to hear of what waits: a part of their preferences for each channel that is there."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents import presence
from agents.callers import operator
from events.models import Channel, Subscription
from events.transports import slack
from reviews import apprising, linking, telling
from reviews.models import Priority

DIGESTS = {
    "0": gettext_lazy("at once"),
    "15": gettext_lazy("every quarter of an hour"),
    "60": gettext_lazy("every hour"),
    "480": gettext_lazy("every 8 hours"),
}


def _time(label: Any) -> forms.TimeField:
    return forms.TimeField(
        label=label, required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )


class ChannelForm(forms.ModelForm[Subscription]):
    """Take from which priority on somebody wants to hear by one channel, and what may wait how long."""

    channel: Channel
    title: Any = ""
    nothing: Any = gettext_lazy("nothing")
    can_be_tried = False
    try_label: Any = gettext_lazy("Send a test")
    arrived: Any = gettext_lazy("The test was taken. See whether it arrived.")

    lowest = forms.TypedChoiceField(
        label=gettext_lazy("Write to me about"), coerce=int, empty_value=None, required=False
    )
    digest_minutes = forms.TypedChoiceField(
        label=gettext_lazy("What is not urgent"),
        coerce=int,
        empty_value="0",
        required=False,
        choices=list(DIGESTS.items()),
        help_text=gettext_lazy("High and critical questions come at once, in quiet hours too."),
    )
    quiet_from = _time(gettext_lazy("Quiet from"))
    quiet_until = _time(gettext_lazy("Quiet until"))

    class Meta:
        model = Subscription
        fields = ["lowest", "digest_minutes", "quiet_from", "quiet_until"]

    def __init__(self, data: Any = None, *, user: Any) -> None:
        self.user = user
        self.kept = telling.of(user, self.channel)
        prefix = None if self.channel == Channel.MAIL else str(self.channel)
        super().__init__(data, instance=self.kept or Subscription(user=user), prefix=prefix)
        lowest: Any = self.fields["lowest"]
        lowest.choices = [
            ("", self.nothing),
            (Priority.CRITICAL, gettext_lazy("critical questions")),
            (Priority.HIGH, gettext_lazy("high and critical questions")),
            (Priority.MEDIUM, gettext_lazy("all but low ones")),
            (Priority.LOW, gettext_lazy("all that I am asked")),
        ]

    @property
    def where(self) -> list[forms.BoundField]:
        """Return the fields of where it goes."""
        return [field for field in self if field.name not in ChannelForm.Meta.fields]

    @property
    def what(self) -> list[forms.BoundField]:
        """Return the fields of what goes there."""
        return [field for field in self if field.name in ("lowest", "digest_minutes")]

    @property
    def when(self) -> list[forms.BoundField]:
        """Return the fields of when it does not."""
        return [field for field in self if field.name.startswith("quiet_")]

    @classmethod
    def is_offered(cls, user: Any) -> bool:
        """Say whether this server can reach *user* by the channel."""
        raise NotImplementedError

    def words(self) -> str:
        """Return what is said of the channel above its fields."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        begins, ends = cleaned.get("quiet_from"), cleaned.get("quiet_until")
        if not self.errors and (begins is None) != (ends is None):
            raise ValidationError(_("Say both when the quiet hours begin and when they end, or neither."))
        return cleaned

    def try_out(self, user: User) -> str:
        """Send a test, where it can be tried; return why it was not taken."""
        raise NotImplementedError

    def keep(self, user: User) -> None:
        """Keep what *user* chose."""
        if self.cleaned_data["lowest"] is None:
            telling.unsubscribe(user.pk, self.channel)
        else:
            telling.subscribe(user, self.channel, **self.chosen())

    def chosen(self) -> dict[str, Any]:
        """Return the columns of what was chosen."""
        return {name: self.cleaned_data[name] for name in ChannelForm.Meta.fields}


class MailForm(ChannelForm):
    channel = Channel.MAIL
    title = gettext_lazy("Mail")

    @classmethod
    def is_offered(cls, user: Any) -> bool:
        return bool(settings.HITL_EMAIL_URL and user.email)

    def words(self) -> str:
        told = _(
            "To %(address)s. A mail never says what it is about:"
            " how many questions wait, how urgent, and where."
        )
        return told % {"address": self.user.email}


class AppriseForm(ChannelForm):
    """Take the address as well. It is never shown again: who wants another writes it anew."""

    channel = Channel.APPRISE
    title = gettext_lazy("Another channel")
    nothing = gettext_lazy("nothing: forget this address")
    url = forms.CharField(
        label=gettext_lazy("Address"),
        required=False,
        max_length=apprising.ADDRESS_LIMIT,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ["url"]
    can_be_tried = True

    def __init__(self, data: Any = None, *, user: Any) -> None:
        super().__init__(data, user=user)
        if self.kept is not None:
            self.fields["url"].label = _("Another address")
        told = _("One of %(schemes)s, as Apprise writes it. It is kept sealed, and not shown again.")
        named = ", ".join(f"{scheme}://" for scheme in settings.HITL_APPRISE_SCHEMES)
        self.fields["url"].help_text = told % {"schemes": named}

    @classmethod
    def is_offered(cls, user: Any) -> bool:
        return bool(settings.HITL_APPRISE_SCHEMES)

    def words(self) -> str:
        told = _("Telegram, Pushover and others. A line says how many questions wait, and how urgent.")
        if self.kept is None:
            return told
        return _("Now to %(address)s.") % {"address": apprising.masked(self.kept)} + f" {told}"

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if url and (why := apprising.why_not(url)):
            raise ValidationError(why)
        return url

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("url") and cleaned.get("lowest") is None:
            cleaned["lowest"] = Priority.LOW  # who gives an address wants to hear
        if cleaned.get("lowest") and not cleaned.get("url") and self.kept is None and not self.errors:
            self.add_error("url", _("Write the address at which you want to hear."))
        return cleaned

    def chosen(self) -> dict[str, Any]:
        url = self.cleaned_data["url"]
        anew = {"address": apprising.sealed(url, self.user), "failures": 0, "not_before": Now()}
        return {**super().chosen(), **(anew if url else {})}

    def try_out(self, user: User) -> str:
        """Send a test to what is kept; return why it was not taken."""
        one = telling.of(user, self.channel)
        return apprising.send_test(one) if one else _("Write the address at which you want to hear.")


class SlackForm(ChannelForm):
    """Ask for the member first; what to hear of is chosen once a click of theirs has linked the two."""

    channel = Channel.SLACK
    title = "Slack"
    nothing = gettext_lazy("nothing: unlink this account")
    member = forms.CharField(
        label=gettext_lazy("Member id"),
        required=False,
        max_length=32,
        help_text=gettext_lazy("In Slack: your profile, then the three dots, then “Copy member ID”."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    can_be_tried = True
    arrived = gettext_lazy("A message is on its way to you in Slack. Press its button within 15 minutes.")

    def __init__(self, data: Any = None, *, user: Any) -> None:
        super().__init__(data, user=user)
        self.is_linked = self.kept is not None
        self.try_label = gettext_lazy("Send a test") if self.is_linked else gettext_lazy("Link it")
        for name in ["member"] if self.is_linked else ChannelForm.Meta.fields:
            del self.fields[name]
        if self.is_linked:
            self.arrived = ChannelForm.arrived

    @classmethod
    def is_offered(cls, user: Any) -> bool:
        return slack.is_on()

    def words(self) -> str:
        if self.kept is None:
            return _("Say who you are there. You get a message with a button, and pressing it links the two.")
        told = _("To %(member)s. What a click can decide is asked there, with all that it is about.")
        return told % {"member": linking.member_of(self.kept)}

    def clean_member(self) -> str:
        member: str = self.cleaned_data["member"].strip().upper()
        if member and not linking.is_member(member):
            raise ValidationError(_("A member id reads like U012AB3CD."))
        return member

    def keep(self, user: User) -> None:
        if not self.is_linked:
            return
        if self.cleaned_data["lowest"] is None:
            linking.unlink(user)
        else:
            super().keep(user)

    def try_out(self, user: User) -> str:
        if self.is_linked:
            one = telling.of(user, self.channel)
            return linking.send_test(one) if one else ""
        member = self.cleaned_data["member"]
        return linking.ask(user, member) if member else _("Write your member id first.")


FORMS: tuple[type[ChannelForm], ...] = (MailForm, SlackForm, AppriseForm)


def forms_of(user: Any, data: Any) -> list[ChannelForm]:
    """Return the forms of the channels that this server has for *user*."""
    return [form(data, user=user) for form in FORMS if form.is_offered(user)]


def try_out(request: HttpRequest, parts: list[ChannelForm]) -> None:
    """Send a test where the button for one was pressed, and say what came of it.

    Raises:
        NotRecent: who is about to link an account that then decides for them has to confirm who they are.
    """
    for part in parts:
        if part.can_be_tried and request.POST.get("try") == part.channel:
            if isinstance(part, SlackForm) and not part.is_linked:
                presence.must_be_recent(request.session)
            if why := part.try_out(operator(request).user):
                messages.error(request, _("That was not taken: %(problem)s") % {"problem": why})
            else:
                messages.success(request, part.arrived)
