"""The admin site that operators work in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from hitl_project import overview
from hitl_project.logins import LoginForm
from requests_app.models import ActionRequest
from reviews.models import VIEW


class HITLAdminSite(AdminSite):
    """Say whose site it is, how much waits, and what a wrong turn was, in the site's own look."""

    site_header = _("Human in the loop")
    site_title = _("Human in the loop")
    index_title = _("Overview")
    site_url = None
    enable_nav_sidebar = False
    login_form = LoginForm

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        may_look = request.user.is_authenticated and request.user.has_perm(VIEW)
        # Counted only where a template shows it.
        context["waiting"] = SimpleLazyObject(lambda: overview.count_waiting() if may_look else {})
        return context

    def get_urls(self) -> list[Any]:
        requests = self._registry[ActionRequest]
        listed = path("human-actions/", self.admin_view(requests.changelist_view), name="human_actions")
        return [listed, *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        found = overview.figures(request) if request.user.has_perm(VIEW) else {}
        return super().index(request, {**found, **(extra_context or {})})

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Answer what is not there, or not allowed, with a page instead of the API's problem document."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if "%00" in request.get_full_path():  # no id or filter has a NUL, and PostgreSQL fails on one
                return self._refusal(request, "admin/404.html", _("Not found"), 404, "")
            try:
                response: HttpResponse = inner(request, *args, **kwargs)
            except Http404 as problem:
                return self._refusal(request, "admin/404.html", _("Not found"), 404, str(problem))
            except PermissionDenied as problem:
                return self._refusal(request, "admin/403.html", _("Not allowed"), 403, str(problem))
            return response

        return answer

    def _refusal(
        self, request: HttpRequest, template: str, title: Any, status: int, detail: str
    ) -> HttpResponse:
        context = {**self.each_context(request), "title": title, "detail": detail}
        return TemplateResponse(request, template, context, status=status).render()
