"""Speak to people in their language and their time zone. To programs the server speaks English, in UTC."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone, translation

from agents import preferences
from agents.models import Preferences


@contextmanager
def reading(request: HttpRequest) -> Iterator[None]:
    """Write for the person of *request* meanwhile: as they chose, else as their browser asks."""
    chosen = preferences.of(request.user)
    with ExitStack() as stack:
        stack.enter_context(translation.override(language(request, chosen)))
        stack.enter_context(timezone.override(zone(chosen)))
        yield


def language(request: HttpRequest, chosen: Preferences) -> str:
    """Return the language that was *chosen*, if there are pages in it, else the one the browser asks for."""
    if chosen.language in dict(settings.LANGUAGES):
        return chosen.language
    return translation.get_language_from_request(request)


def zone(chosen: Preferences) -> ZoneInfo | None:
    """Return the zone of *chosen*, or None for UTC: which one a browser is in, only its scripts know."""
    return ZoneInfo(chosen.time_zone) if chosen.time_zone in preferences.zones() else None
