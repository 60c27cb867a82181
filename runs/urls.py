"""The paths of runs, below each of the API's prefixes."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from runs.api import ProviderViewSet, QuestionViewSet, RunViewSet, SessionViewSet

router = SimpleRouter(trailing_slash=False)
router.register("runs", RunViewSet, basename="run")

urlpatterns = [
    path("run", RunViewSet.as_view({"post": "start"})),
    path("teams/run", RunViewSet.as_view({"post": "start_team"})),
    *router.urls,
    path("sessions/<path:session_id>/active", SessionViewSet.as_view({"get": "active"})),
    path("sessions/<path:session_id>/files", SessionViewSet.as_view({"get": "files", "post": "attach"})),
    path(
        "sessions/<path:session_id>/files/<attachment_id>",
        SessionViewSet.as_view({"get": "file"}),
        name="session-file",
    ),
    path("approvals/pending", QuestionViewSet.as_view({"get": "pending"})),
    path("browser_approvals", QuestionViewSet.as_view({"post": "create"})),
    path("providers", ProviderViewSet.as_view({"get": "list"})),
]
