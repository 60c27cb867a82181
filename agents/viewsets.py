"""The base of every API view: it knows who calls and who may."""

from typing import Any, ClassVar, cast

from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from agents.callers import Caller
from agents.permissions import Access
from events.problems import Problem


class CallerViewSet(ViewSet):
    """Serve callers that the ``access`` table admits, action by action; ``caller`` is who calls."""

    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    access: ClassVar[dict[str, Access]] = {}
    caller: Caller

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            raise Problem(411, "length_required", "Send the body with a Content-Length, not in chunks.")
        self.caller = cast(Caller, request.auth)  # MayCall has seen to it
