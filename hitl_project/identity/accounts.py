"""Accounts, as what signs people in sees them: nobody makes one, and a login is recorded when it is done."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from agents import presence
from hitl_project import logins

PASSWORD, FACTOR, ELSEWHERE = "password", "mfa", "socialaccount"


class Accounts(DefaultAccountAdapter):  # type: ignore[misc]
    """Let in whom the password, and then the second factor, has shown."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_stages(self) -> list[str]:
        return ["allauth.mfa.stages.AuthenticateStage"]

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, str]]:
        return [{"id": "confirm", "description": "", "url": reverse("admin:security_confirm")}]

    def is_safe_url(self, url: str) -> bool:
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def add_message(self, *args: Any, **told: Any) -> None:
        """Say nothing: our own pages do."""

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        return HttpResponseRedirect(reverse("account_login"))

    def login(self, request: HttpRequest, user: User) -> None:
        ways = {record["method"] for record in get_authentication_records(request, user)}
        super().login(request, user)
        by_other = ELSEWHERE in ways
        if by_other and FACTOR not in ways:
            presence.forget(request.session)  # when they showed themselves there, nobody told us
        if by_other or FACTOR in ways:
            request.session[presence.STRONG] = True
        logins.entered(request, user.get_username(), "sso" if by_other else "")
