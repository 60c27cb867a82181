"""Where everything is mounted. The seeds' prefixes are the same routes under other names."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from events.http import API_PREFIXES
from hitl_project import docs, health, well_known
from hitl_project.identity import second_step, sso
from hitl_project.pages import mail
from interrupts import hooks as clicks
from runs import hooks
from runs.metrics import MetricsViewSet

handler400 = "events.problems.bad_request"
handler404 = "events.problems.page_not_found"
handler500 = "events.problems.server_error"

api: list[URLPattern | URLResolver] = [
    path("", include("interrupts.urls")),
    path("", include("requests_app.urls")),
    path("", include("agents.urls")),
    path("", include("reviews.urls")),
    path("", include("runs.urls")),
]

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("human-actions", RedirectView.as_view(url="/admin/human-actions/")),
    path("admin/login/", admin.site.login, name="account_login"),
    path("admin/login/code/", second_step.page, name="mfa_authenticate"),
    path("admin/login/sso/", sso.login, name="sso_login"),
    path("admin/login/sso/callback/", sso.callback, name="sso_callback"),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", MetricsViewSet.as_view({"get": "retrieve"})),
    path(".well-known/jwks.json", well_known.jwks),
    path("hooks/runs/<run_id>/<token>", hooks.receive),
    path("hooks/slack", clicks.slack),
    path("mail/stop/<token>", mail.stop),
    path("docs", docs.page),
    path("docs/problems", docs.problems),
    path("api/v1/schema", docs.schema, name="schema"),
    *(path(f"{prefix}/", include((api, prefix.replace("/", "-")))) for prefix in API_PREFIXES),
]
