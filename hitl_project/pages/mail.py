"""Which mails somebody wants: chosen among their preferences, and stopped from within any of them."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from events.models import MailSubscription
from reviews import mailing
from reviews.models import Priority

DIGESTS = {
    "0": _("at once"),
    "15": _("every quarter of an hour"),
    "60": _("every hour"),
    "480": _("every 8 hours"),
}


def _time(label: Any) -> forms.TimeField:
    return forms.TimeField(
        label=label, required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )


class MailForm(forms.ModelForm[MailSubscription]):
    """Take from which priority on somebody wants mail, and what may wait how long."""

    lowest = forms.TypedChoiceField(
        label=_("Write to me about"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[
            ("", _("nothing")),
            (Priority.CRITICAL, _("critical questions")),
            (Priority.HIGH, _("high and critical questions")),
            (Priority.MEDIUM, _("all but low ones")),
            (Priority.LOW, _("all that I am asked")),
        ],
    )
    digest_minutes = forms.TypedChoiceField(
        label=_("What is not urgent"),
        coerce=int,
        empty_value="0",
        required=False,
        choices=list(DIGESTS.items()),
        help_text=_("High and critical questions come at once, in quiet hours too."),
    )
    quiet_from = _time(_("Quiet from"))
    quiet_until = _time(_("Quiet until"))

    class Meta:
        model = MailSubscription
        fields = ["lowest", "digest_minutes", "quiet_from", "quiet_until"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        begins, ends = cleaned.get("quiet_from"), cleaned.get("quiet_until")
        if not self.errors and (begins is None) != (ends is None):
            raise ValidationError(_("Say both when the quiet hours begin and when they end, or neither."))
        return cleaned

    def keep(self, user: User) -> None:
        """Keep what *user* chose."""
        if self.cleaned_data["lowest"] is None:
            mailing.unsubscribe(user.pk)
        else:
            mailing.subscribe(user, **self.cleaned_data)


def form_of(user: Any, data: Any) -> MailForm | None:
    """Return the form of *user*; None where this server sends no mail, or knows no address of theirs."""
    if not (settings.HITL_EMAIL_URL and user.email):
        return None
    return MailForm(
        data, instance=MailSubscription.objects.filter(user=user).first() or MailSubscription(user=user)
    )


@csrf_exempt  # a mail program posts here without a page (RFC 8058); the token says whose mails they are
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, which scanners of mails follow, and stop the mails on POST."""
    whose = mailing.read_stop(token)
    if whose is not None and request.method == "POST":
        mailing.unsubscribe(whose)
    context = {
        **admin.site.each_context(request),
        "title": _("Mails"),
        "has_permission": False,
        "is_known": whose is not None,
        "is_stopped": request.method == "POST",
    }
    return TemplateResponse(request, "hitl/mail/stop.html", context, status=200 if whose is not None else 404)
