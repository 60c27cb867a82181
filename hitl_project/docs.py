"""The offline docs page: Swagger UI from our own static files, under the same strict policy as every page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from events.openapi import EXPLAINED

schema = SpectacularJSONAPIView.as_view()
page = SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="docs/api.html")


def problems(request: HttpRequest) -> HttpResponse:
    """Explain the ``type`` of every problem document."""
    return render(request, "docs/problems.html", {"explained": EXPLAINED})
