"""What the HTTP routes of every kind of item share."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.callers import Caller
from agents.models import CREATE, ON_BEHALF
from agents.permissions import Access
from agents.viewsets import CallerViewSet
from events.models import SYSTEM
from events.openapi import describe, ref
from events.problems import invalid
from events.schema import check
from events.transitions import TransitionConflict
from reviews.bodies import Schema
from reviews.conflicts import conflict
from reviews.statistics import statistics

VIEW, DECIDE = "reviews.view_reviewitem", "reviews.decide_reviewitem"
ASKS = Access(scope=CREATE)
READS = Access(scope="read", permission=VIEW)
DECIDES = Access(scope=ON_BEHALF, permission=DECIDE)
OPERATES = Access(permission=DECIDE)

KEY_LIMIT = 255


class ItemViewSet(CallerViewSet):
    """Answer conflicts with the item as it stands. Subclasses say how it is read and written."""

    lookup_value_regex = r"[^/]+"

    def current(self, caller: Caller, pk: str) -> dict[str, Any]:
        """Return the item as *caller* sees it."""
        raise NotImplementedError

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, TransitionConflict):
            error = conflict(error, self.current(self.caller, error.subject_id))
        return super().handle_exception(error)


def sent(request: Request, schema: Schema) -> dict[str, Any]:
    """Return the body of *request*, checked against *schema*."""
    body: dict[str, Any] = request.data if isinstance(request.data, dict) else {}
    check(schema, body)
    return body


def decider(caller: Caller, body: dict[str, Any]) -> Caller:
    """Return who decides: the operator who calls, or the user a trusted back end names.

    Raises:
        Problem: a key with ``on_behalf`` names nobody.
    """
    if caller.user is not None:
        return caller
    user_id = body.get("user_id", "").strip()
    if user_id in ("", SYSTEM):
        raise invalid({"user_id": ["A key that decides for users must say for whom."]})
    return caller.on_behalf_of(user_id)


def idempotency_key(request: Request) -> str:
    """Return the ``Idempotency-Key`` header, checked by :func:`checked_key`."""
    return checked_key(request.META.get("HTTP_IDEMPOTENCY_KEY", ""))


def checked_key(header: str) -> str:
    """Return the key in an ``Idempotency-Key`` *header*.

    Raises:
        Problem: it is longer than 255 characters or not plain ASCII text.
    """
    key = header.strip()
    if len(key) > KEY_LIMIT or not (key.isascii() and key.isprintable()):
        raise invalid({"Idempotency-Key": [f"Send up to {KEY_LIMIT} printable ASCII characters."]})
    return key


class StatisticsViewSet(CallerViewSet):
    """Figures over everything the caller may see."""

    access = {"list": READS}

    @describe("Statistics", answer=ref("Statistics"), errors=(401, 403, 429))
    def list(self, request: Request) -> Response:
        return Response(statistics(self.caller))
