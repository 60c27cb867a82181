"""Hold forms against cross-site forgery; one that cannot even be read is a bad request, not a fault."""

from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware


class CsrfMiddleware(CsrfViewMiddleware):
    """Be the first to read a form: Django's parser fails on parameters of a part that are in pieces."""

    def process_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        try:
            return super().process_view(request, *args, **kwargs)
        except (LookupError, TypeError, ValueError) as error:
            raise BadRequest("The form cannot be read.") from error
