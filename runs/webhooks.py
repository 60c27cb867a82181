"""Let a provider say that it has finished. What it says is not believed: it makes us look.

The address holds a token that nobody else can make, so a stranger cannot even have us look.
"""

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from runs.models import Run


def url_for(run: Run) -> str:
    """Return where a provider may report on *run*; empty where it could not reach this server."""
    if not settings.HITL_PUBLIC_URL:
        return ""
    return f"{settings.HITL_PUBLIC_URL}/hooks/runs/{run.pk}/{_token_of(run.pk)}"


def is_of(run_id: str, token: str) -> bool:
    """Say whether *token* is the one of this run."""
    return constant_time_compare(token, _token_of(run_id))


def _token_of(run_id: str) -> str:
    return salted_hmac("runs.webhooks", run_id, algorithm="sha256").hexdigest()
