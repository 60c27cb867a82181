"""The admin site that operators work in."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from agents import preferences, presence
from agents.callers import operator
from agents.forms import PreferencesForm
from hitl_project import sessions
from hitl_project.identity import security
from hitl_project.identity.entrance import Entrance
from hitl_project.pages import channels, devices, overview, record
from hitl_project.pages.readers import reading
from hitl_project.pages.site_map import places
from hitl_project.pages.story import story
from interrupts.together import TogetherView
from requests_app.models import ActionRequest
from reviews.models import VIEW, ReviewItem


class HITLAdminSite(AdminSite):
    """Say whose site it is, how much waits, and what a wrong turn was, in the site's own look."""

    site_header = _("Human in the loop")
    site_title = _("Human in the loop")
    index_title = _("Overview")
    site_url = None
    enable_nav_sidebar = False

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        may_look = request.user.is_authenticated and request.user.has_perm(VIEW)
        # Counted only where a template shows it.
        context["waiting"] = SimpleLazyObject(lambda: overview.count_waiting() if may_look else {})
        return context

    def get_urls(self) -> list[Any]:
        inbox, requests = self._registry[ReviewItem], self._registry[ActionRequest]
        pages: dict[str, Callable[..., Any]] = {
            "inbox": inbox.changelist_view,
            "inbox/together": TogetherView.as_view(model_admin=inbox),
            "human-actions": requests.changelist_view,
            "decisions": partial(record.decisions, self),
            "decisions/export": partial(record.export, self),
            "response-times": partial(record.response_times, self),
            "oversight": partial(record.oversight, self),
            "push/subscriptions": devices.subscriptions,
            "preferences": self.preferences,
            **security.pages(self),
        }
        return [
            path("record/<subject>/", self.admin_view(partial(story, self)), name="record"),
            path("manifest.webmanifest", devices.manifest, name="manifest"),
            path("service-worker.js", devices.service_worker, name="service_worker"),
            path("offline/", devices.offline, name="offline"),
            *(
                path(f"{place}/", self.admin_view(page), name=place.replace("-", "_").replace("/", "_"))
                for place, page in pages.items()
            ),
            path(
                "security/<int:pk>/remove/",
                self.admin_view(partial(security.remove, self)),
                name="security_remove",
            ),
            *super().get_urls(),
        ]

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method == "POST":
            devices.forget(request)
        return super().logout(request, extra_context)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        found = overview.figures(request) if request.user.has_perm(VIEW) else {}
        found["places"] = places(self.get_app_list(request), request.user)
        return super().index(request, {**found, **(extra_context or {})})

    @method_decorator(sensitive_post_parameters())  # an address by which a person is reached is a secret
    def preferences(self, request: HttpRequest) -> HttpResponse:
        """Take how somebody likes to read: always of who is logged in, so nobody sets another's."""
        form = PreferencesForm(request.POST or None, instance=preferences.of(request.user))
        parts = channels.forms_of(request.user, request.POST or None)
        if request.method == "POST" and all([form.is_valid(), *(part.is_valid() for part in parts)]):
            user = operator(request).user
            preferences.keep(user, **form.cleaned_data)
            for part in parts:
                part.keep(user)
            with reading(request):
                messages.success(request, gettext("Your preferences are saved."))
                channels.try_out(request, parts)
            return HttpResponseRedirect(request.path)
        found = {
            "title": _("Preferences"),
            "form": form,
            "channels": parts,
            "zones": preferences.offered_zones(),
        }
        return TemplateResponse(
            request, "hitl/preferences/page.html", {**self.each_context(request), **found}
        )

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Answer what is not there, or not allowed, with a page instead of the API's problem document."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with reading(request):
                return self._answer(request, inner, *args, **kwargs)

        return answer

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Ask for name and password; what follows them is :mod:`hitl_project.identity`'s."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        with reading(request):
            context = {**self.each_context(request), "title": _("Log in"), **(extra_context or {})}
            return _written(Entrance.as_view(extra_context=context)(request))

    def _answer(
        self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        is_weak = request.user.is_authenticated and not presence.is_enough(request.session)
        if is_weak and not security.is_open_to_weak(request):
            return HttpResponseRedirect(reverse("admin:security"))
        sessions.keep(request)
        if "%00" in request.get_full_path():  # no id or filter has a NUL, and PostgreSQL fails on one
            return self._refusal(request, "admin/404.html", _("Not found"), 404, "")
        try:
            return _written(view(request, *args, **kwargs))
        except presence.NotRecent:
            return security.to_confirm(request)
        except Http404 as problem:
            return self._refusal(request, "admin/404.html", _("Not found"), 404, str(problem))
        except PermissionDenied as problem:
            return self._refusal(request, "admin/403.html", _("Not allowed"), 403, str(problem))

    def _refusal(
        self, request: HttpRequest, template: str, title: Any, status: int, detail: str
    ) -> HttpResponse:
        context = {**self.each_context(request), "title": title, "detail": detail}
        return TemplateResponse(request, template, context, status=status).render()


def _written(response: Any) -> HttpResponse:
    """Render *response* now, for its reader, and name the language."""
    if isinstance(response, TemplateResponse):
        response.render()
    found: HttpResponse = response
    found.headers.setdefault("Content-Language", get_language())
    return found
