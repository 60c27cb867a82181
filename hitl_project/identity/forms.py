"""The forms by which somebody shows who they are, all within one limit; and of what is set up."""

from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import validate_totp_code
from allauth.mfa.webauthn.forms import AddWebAuthnForm, AuthenticateWebAuthnForm
from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from events import log as record
from events.sealing import Unreadable
from hitl_project import logins
from hitl_project.identity import factors


class CodeField(forms.CharField):
    """Be easy to type a code into, and for a phone to fill in."""

    def __init__(self, **options: Any) -> None:
        hints = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
        super().__init__(label=_("Code"), max_length=20, widget=forms.TextInput(attrs=hints), **options)


class PasswordForm(forms.Form):
    """Take the password of who is logged in already."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        _count(self.user)
        if not self.user.check_password(password):
            raise ValidationError(_("This is not your password."))
        logins.confirmed(self.user)
        return password


class CodeForm(AuthenticateForm):  # type: ignore[misc]
    """Take a code of the application or a recovery code, each of them once."""

    code = CodeField()

    @property
    def used(self) -> Authenticator:
        return self.authenticator

    def clean_code(self) -> str:
        _count(self.user)
        try:
            with record.unit_of_work():
                code: str = super().clean_code()
                if self.authenticator.type == factors.CODES:
                    factors.note_code_used(self.user)
        except Unreadable:
            told = _("The server cannot read your second factor. Ask an administrator to remove it.")
            raise ValidationError(told) from None
        except RedisError:  # which codes are spent is not known now
            raise ValidationError(_("Codes cannot be looked at now. Try again in a moment.")) from None
        logins.confirmed(self.user)
        return code


class PasskeyForm(AuthenticateWebAuthnForm):  # type: ignore[misc]
    """Take what a passkey answers."""

    @property
    def used(self) -> Authenticator:
        return self.cleaned_data["credential"]

    def clean_credential(self) -> Authenticator:
        _count(self.user)
        found = super().clean_credential()
        logins.confirmed(self.user)
        return found


class AppForm(forms.Form):
    """Take the first code of an application: only then is it known to work."""

    code = CodeField(help_text=_("The six digits that the application shows now."))

    def __init__(self, *args: Any, user: User, secret: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user, self.secret = user, secret

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        _count(self.user)
        if not validate_totp_code(self.secret, code):
            told = _("This does not fit. Is the clock of the device right? Try the next code.")
            raise ValidationError(told)
        logins.confirmed(self.user)
        return code


class PasskeyToAddForm(AddWebAuthnForm):  # type: ignore[misc]
    """Take a new passkey and what it is called."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        required=False,
        help_text=_("To tell it from others, as in “Laptop” or “Blue key”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


def _count(user: User) -> None:
    if logins.must_pause(context.request, user):
        raise logins.too_many_tries()
