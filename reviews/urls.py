"""The paths that are about every kind of item, below each of the API's prefixes."""

from django.urls import path

from reviews.api import StatisticsViewSet

urlpatterns = [path("statistics", StatisticsViewSet.as_view({"get": "list"}))]
