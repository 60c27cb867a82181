"""Who is calling, for Django REST framework."""

from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from agents import callers, presence
from agents.callers import Caller


class KeyAuthentication(BaseAuthentication):
    """Take ``Authorization: Bearer hitl_…``, of an agent or of an operator's own program."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            caller = callers.by_key(text.strip())
        except callers.Refused as refusal:
            raise AuthenticationFailed(str(refusal)) from None
        return caller.user or caller, caller

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="hitl"'


class OperatorSessionAuthentication(SessionAuthentication):
    """Take the session of ``/admin/login/``; what changes anything needs the CSRF token with it."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        found = super().authenticate(request)
        if not found:
            return None
        if not presence.is_enough(request._request.session):
            raise AuthenticationFailed("A second factor is required: set it up at /admin/security/.")
        return found[0], callers.of_user(found[0], request._request.session)
