"""The paths of interrupts, below each of the API's prefixes."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from interrupts.api import InterruptViewSet

router = SimpleRouter(trailing_slash=False)
router.register("interrupts", InterruptViewSet, basename="interrupt")

urlpatterns = [
    *router.urls,
    path("sessions/<path:session_id>/interrupts", InterruptViewSet.as_view({"get": "of_session"})),
    path("agents/<path:agent_name>/interrupts", InterruptViewSet.as_view({"get": "of_agent"})),
    path("approvals", InterruptViewSet.as_view({"post": "decide"})),
]
