"""What the HTTP routes of every kind of item share."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.callers import Caller
from agents.models import ON_BEHALF
from agents.permissions import Access
from agents.viewsets import CallerViewSet
from events.openapi import describe, ref
from events.problems import Problem, invalid
from events.schema import check
from events.transitions import TransitionConflict
from reviews.bodies import Schema
from reviews.lifecycle import Status
from reviews.services import stale
from reviews.statistics import statistics

VIEW, DECIDE = "reviews.view_reviewitem", "reviews.decide_reviewitem"
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
    if not body.get("user_id"):
        raise invalid({"user_id": ["A key that decides for users must say for whom."]})
    return caller.on_behalf_of(body["user_id"])


def idempotency_key(request: Request) -> str:
    """Return the ``Idempotency-Key`` header, empty where there is none.

    Raises:
        Problem: it is longer than 255 characters or not plain ASCII text.
    """
    key: str = request.META.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if len(key) > KEY_LIMIT or not (key.isascii() and key.isprintable()):
        raise invalid({"Idempotency-Key": [f"Send up to {KEY_LIMIT} printable ASCII characters."]})
    return key


def conflict(error: TransitionConflict, current: dict[str, Any]) -> Problem:
    """Say why a verb came too late, and what the item is now."""
    match current["status"]:
        case Status.CANCELLED:
            code, detail = "cancelled", "This was cancelled and can no longer be decided."
        case Status.EXPIRED:
            code, detail = "expired", "The deadline has passed; this can no longer be decided."
        case Status.REJECTED if current["resolved_by"] in (None, "system"):
            code, detail = "expired", "The deadline has passed, which here means rejected."
        case Status.PENDING | Status.IN_REVIEW if error.reason == "claimed":
            code, detail = (
                "claimed",
                f"{current['claimed_by']} is working on this. Wait for them to release it.",
            )
        case Status.PENDING | Status.IN_REVIEW:
            problem = stale()
            return Problem(problem.status, problem.code, problem.detail, current=current)
        case status:
            code, detail = "already_decided", f"This is already {status} (by {current['resolved_by']})."
    return Problem(409, code, detail, current=current)


class StatisticsViewSet(CallerViewSet):
    """Figures over everything the caller may see."""

    access = {"list": READS}

    @describe("Statistics", answer=ref("Statistics"), errors=(401, 403, 429))
    def list(self, request: Request) -> Response:
        return Response(statistics(self.caller))
