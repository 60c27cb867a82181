"""The paths that are about every kind of item, below each of the API's prefixes."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from reviews.api import StatisticsViewSet
from reviews.policy_api import DelegationViewSet, GrantViewSet, PolicyViewSet

router = SimpleRouter(trailing_slash=False)
router.register("policies", PolicyViewSet, basename="policy")
router.register("grants", GrantViewSet, basename="grant")
router.register("delegations", DelegationViewSet, basename="delegation")

urlpatterns = [path("statistics", StatisticsViewSet.as_view({"get": "list"})), *router.urls]
