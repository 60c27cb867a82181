"""Errors as RFC 9457 problem documents: ``type, title, status, detail, code`` and what the case adds.

A problem raised anywhere below HTTP is an :class:`Problem`; the DRF handler, the ASGI routes and Django's
own error pages all write it the same way.
"""

from http import HTTPStatus
from typing import Any

import orjson
import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

CONTENT_TYPE = "application/problem+json"
log = structlog.get_logger(__name__)


class Problem(Exception):
    """Refuse a call with *status*, a *code* for programs and a *detail* for people."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.extra = status, code, detail, extra
        self.headers = headers or {}

    def document(self) -> dict[str, Any]:
        """Return the problem document."""
        return {
            "type": f"/docs/problems#{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.extra,
        }

    def response(self) -> HttpResponse:
        """Return it as Django's response."""
        return HttpResponse(
            orjson.dumps(self.document()), status=self.status, content_type=CONTENT_TYPE, headers=self.headers
        )


def invalid(errors: dict[str, list[str]]) -> Problem:
    """Refuse a body or a query: *errors* names each field and what would be right."""
    field, messages = next(iter(errors.items()))
    return Problem(400, "invalid", f"{field}: {messages[0]}" if field else messages[0], errors=errors)


def not_found() -> Problem:
    """Refuse what is not there, or not the caller's to see: the two look the same."""
    return Problem(
        404, "not_found", "There is nothing here that you may see. Check the id and whose key you use."
    )


def from_exception(error: Exception) -> Problem | None:
    """Turn what Django or DRF raise into a problem; None for what nobody expected."""
    match error:
        case Problem():
            return error
        case exceptions.Throttled():
            seconds = max(1, int(getattr(error, "wait", 1) or 1))
            return Problem(
                429,
                "throttled",
                f"Too many calls. Try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )
        case exceptions.NotAuthenticated():
            return _unauthenticated("Send `Authorization: Bearer hitl_…`, or log in at /admin/login/.")
        case exceptions.AuthenticationFailed():
            return _unauthenticated(str(error.detail))
        case exceptions.NotFound() | Http404():
            return not_found()
        case exceptions.PermissionDenied() | PermissionDenied():
            return Problem(403, "forbidden", str(getattr(error, "detail", "")) or "You may not do this.")
        case OperationalError():
            log.error("database_unavailable", exc_info=error)
            return Problem(
                503, "unavailable", "The database does not answer. Try again.", headers={"Retry-After": "2"}
            )
        case RequestDataTooBig():
            return Problem(413, "too_large", "The body is too large.")
        case SuspiciousOperation():  # such as a thousand parameters
            return Problem(400, "bad_request", "The server cannot read this request.")
        case exceptions.APIException():
            return Problem(error.status_code, str(error.get_codes()), str(error.detail))
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer DRF's exceptions with problem documents."""
    problem = from_exception(error)
    if problem is None:
        return None
    response = Response(
        problem.document(), status=problem.status, headers=problem.headers, content_type=CONTENT_TYPE
    )
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an unknown path."""
    return Problem(404, "not_found", "There is no such path. The paths are listed at /docs.").response()


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django refuses before a view sees it."""
    return Problem(400, "bad_request", "The server cannot read this request.").response()


def server_error(request: HttpRequest | None = None) -> HttpResponse:
    """Answer a fault of our own; the log has the rest."""
    return Problem(500, "server_error", "The server failed. Nothing was changed; try again.").response()


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="hitl"'})
