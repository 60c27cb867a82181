"""The paths of action requests, below each of the API's prefixes."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from requests_app.api import ActionRequestViewSet, TemplateViewSet

router = SimpleRouter(trailing_slash=False)
router.register("requests", ActionRequestViewSet, basename="request")

urlpatterns = [*router.urls, path("request_templates", TemplateViewSet.as_view({"get": "list"}))]
