"""The second step of a login: a code of the application, a recovery code, or a passkey."""

from typing import Any

from allauth.mfa.base.views import AuthenticateView
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from hitl_project.identity import factors
from hitl_project.identity.forms import CodeForm, PasskeyForm
from hitl_project.pages.readers import reading


class SecondStep(AuthenticateView):  # type: ignore[misc]
    """Ask who has given the right password for more."""

    template_name = "hitl/login/second_step.html"
    form_class = CodeForm
    webauthn_form_class = PasskeyForm

    def get_context_data(self, **told: Any) -> dict[str, Any]:
        user = self.stage.login.user
        kinds = {factor.type for factor in factors.of(user)}
        return {
            **admin.site.each_context(self.request),
            **super().get_context_data(**told),
            "title": _("Second step"),
            "name": user.get_username(),
            "has_app": factors.APP in kinds,
            "has_passkey": factors.PASSKEY in kinds,
            "has_codes": factors.CODES in kinds,
        }


_view = SecondStep.as_view()


@sensitive_post_parameters()
def page(request: HttpRequest) -> HttpResponse:
    """Show it in the reader's language."""
    with reading(request):
        response: HttpResponse = _view(request)
        if isinstance(response, TemplateResponse):
            response.render()
    return response
