"""The first step of a login: name and password, which lead to the second step or straight in."""

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.contrib.auth.views import LoginView
from django.http import HttpResponse

from hitl_project.identity import sso
from hitl_project.logins import LoginForm


class Entrance(LoginView):
    """Take name and password in the frame of the admin."""

    template_name = "admin/login.html"
    authentication_form = LoginForm
    next_page = "admin:index"

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        login = Login(user=user, redirect_url=self.get_success_url())
        answer: HttpResponse = perform_password_login(self.request, {"username": user.get_username()}, login)
        return answer

    def get_context_data(self, **told: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**told),
            "app_path": self.request.get_full_path(),
            "sso": sso.name(),
        }
