"""Hold forms against cross-site forgery; one that cannot even be read is a bad request, not a fault."""

from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.views.csrf import csrf_failure

from hitl_project.pages.readers import reading


class CsrfMiddleware(CsrfViewMiddleware):
    """Be the first to read a form: Django's parser fails on parameters of a part that are in pieces."""

    def process_view(
        self, request: HttpRequest, callback: Any, callback_args: Any, callback_kwargs: Any
    ) -> HttpResponseForbidden | None:
        try:
            return super().process_view(request, callback, callback_args, callback_kwargs)
        except (LookupError, TypeError, ValueError) as error:
            raise BadRequest("The form cannot be read.") from error


def expired(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say in the reader's language that the form was of another session."""
    with reading(request):
        return csrf_failure(request, reason)
