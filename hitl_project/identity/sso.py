"""Single sign-on, by an identity provider that speaks OpenID Connect."""

from typing import Any


def name() -> str:
    """Return what the button says; empty where there is no provider."""
    return ""


def is_bound(user: Any) -> bool:
    """Say whether *user* comes in by the provider."""
    return False
