"""Log in, and make guessing a password slow: so many failures a minute for each name and address."""

import hashlib
from typing import Any

import structlog
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

TRIES, SECONDS = 10, 60
log = structlog.get_logger(__name__)


class LoginForm(AdminAuthenticationForm):
    """Look at no password after ``TRIES`` wrong ones within a minute."""

    def clean(self) -> dict[str, Any]:
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        who = hashlib.sha256(f"{address} {self.cleaned_data.get('username', '')}".encode()).hexdigest()
        if _count(f"login:{who}", 1) > TRIES:
            raise ValidationError(_("Too many tries. Wait a minute, then try again."), code="too_many_tries")
        cleaned: dict[str, Any] = super().clean()
        _count(f"login:{who}", -1)
        return cleaned


def _count(key: str, step: int) -> int:
    """Count a try before it is made, and take it back when it was none of a guesser."""
    try:
        cache.add(key, 0, SECONDS)
        return cache.incr(key, step)
    except Exception as problem:  # a limiter that fails must not lock people out
        log.warning("logins_not_counted", problem=type(problem).__name__)
        return 0
