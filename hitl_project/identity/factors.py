"""Second factors: an application that shows codes, passkeys, and recovery codes for when both are lost.

Each change is on the record, in the transaction that makes it, and never with a secret. What the server has
to keep of one is sealed.
"""

from collections.abc import Iterator
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.contrib.auth.models import User
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events import log as record
from events import sealing
from events.models import SYSTEM
from events.sealing import Sealed, Unreadable

APP, PASSKEY, CODES = Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN, Authenticator.Type.RECOVERY_CODES
SEALED = {APP: "secret", CODES: "seed"}
"""Where in what is kept of a factor its secret stands."""
BELONGS_TO = "second factor"
ADDED, REMOVED = "hitl.user.factor_added", "hitl.user.factor_removed"
DRAWN, USED = "hitl.user.recovery_codes_drawn", "hitl.user.recovery_code_used"


class Factors(DefaultMFAAdapter):  # type: ignore[misc]
    """Seal what is kept, and call things as we do."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This does not fit. A code works once, and for about a minute."),
    }

    def encrypt(self, text: str) -> str:
        return str(sealing.seal(text, BELONGS_TO))

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(Sealed.of(encrypted_text), BELONGS_TO)

    def generate_authenticator_name(self, user: User, type: Any) -> str:  # noqa: A002 - its name there
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return gettext("Passkey") if number == 1 else gettext("Passkey %(number)d") % {"number": number}

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        return {**super().get_public_key_credential_user_entity(user), "name": user.get_username()}


def of(user: Any) -> list[Authenticator]:
    """Return what *user* has set up, in the order in which they did."""
    return list(Authenticator.objects.filter(user=user).order_by("created_at", "pk"))


def called(factor: Authenticator) -> str:
    """Return what people call *factor*."""
    return _name(factor) or str({APP: _("Application with codes"), CODES: _("Recovery codes")}[factor.type])


def codes_left(factors: list[Authenticator]) -> int:
    """Return how many recovery codes are still good."""
    return sum(len(factor.wrap().get_unused_codes()) for factor in factors if factor.type == CODES)


def add_app(user: User, secret: str, code: str, *, actor: str) -> None:
    """Take codes made with *secret* from now on, but for *code*, which has shown that they fit."""
    with record.unit_of_work():
        app = TOTP.activate(user, secret)
        _tell(ADDED, user, actor, app.instance)
    app.validate_code(code)


def add_passkey(user: User, name: str, credential: dict[str, Any], *, actor: str) -> None:
    """Take the key that made *credential* from now on."""
    with record.unit_of_work():
        _tell(ADDED, user, actor, WebAuthn.add(user, name, credential).instance)


def draw_codes(user: User, *, actor: str) -> list[str]:
    """Draw recovery codes, and let no older one be good; return them, for the only time."""
    with record.unit_of_work():
        User.objects.select_for_update().get(pk=user.pk)  # two that draw at once must not both be right
        Authenticator.objects.filter(user=user, type=CODES).delete()
        drawn = RecoveryCodes.activate(user)
        _tell(DRAWN, user, actor)
    codes: list[str] = drawn.get_unused_codes()
    return codes


def remove(factor: Authenticator, *, actor: str) -> None:
    """Take *factor* no longer; with the last one go the recovery codes, which stood in for it."""
    with record.unit_of_work():
        user, name = factor.user, factor.pk
        if Authenticator.objects.filter(pk=name).delete()[0]:
            factor.pk = name
            _tell(REMOVED, user, actor, factor)
        left = Authenticator.objects.filter(user=user)
        if not left.exclude(type=CODES).exists():
            left.delete()


def remove_all(user: User, *, actor: str) -> int:
    """Take none of the factors of *user* any longer; return how many there were."""
    factors = [factor for factor in of(user) if factor.type != CODES]
    for factor in factors:
        remove(factor, actor=actor)
    return len(factors)


def note_code_used(user: User) -> None:
    """Record that a recovery code of *user* is spent."""
    with record.unit_of_work():
        _tell(USED, user, f"user:{user.get_username()}")


def outdated() -> list[int]:
    """Return which factors another key than the present one has sealed."""
    kept = Authenticator.objects.filter(type__in=SEALED).order_by("pk").values_list("pk", "type", "data")
    present = f"{sealing.present_version()}."
    return [pk for pk, kind, data in kept.iterator() if not data[SEALED[kind]].startswith(present)]


def rewrap_all() -> Iterator[tuple[int, int]]:
    """Wrap what is :func:`outdated` by the present key, one a transaction; yield (rewrapped, unreadable)."""
    for pk in outdated():
        with record.unit_of_work():
            factor = Authenticator.objects.select_for_update().filter(pk=pk).first()
            done = _rewrapped(factor) if factor else (0, 0)
        yield done


def _rewrapped(factor: Authenticator) -> tuple[int, int]:
    place = SEALED[factor.type]
    try:
        factor.data[place] = str(sealing.rewrap(Sealed.of(factor.data[place]), BELONGS_TO))
    except Unreadable:
        return 0, 1
    factor.save(update_fields=["data"])
    return 1, 0


def _tell(event_type: str, user: User, actor: str, factor: Authenticator | None = None) -> None:
    told = {} if factor is None else {"factor": str(factor.type), "name": _name(factor)}
    record.record(SYSTEM, event_type, user.get_username(), actor=actor, data=told)


def _name(factor: Authenticator) -> str:
    return str(factor.data.get("name", "")) if factor.type == PASSKEY else ""
