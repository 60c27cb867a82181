"""The paths of the event stream and of socket tickets, below each of the API's prefixes."""

from django.urls import path

from agents.api import EventViewSet, TicketViewSet

urlpatterns = [
    path("events", EventViewSet.as_view({"get": "list"})),
    path("ws/ticket", TicketViewSet.as_view({"post": "create"})),
]
