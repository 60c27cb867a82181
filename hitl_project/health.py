"""`/healthz`: the process lives. `/readyz`: what it needs is there, or 503 with what is missing."""

import asyncio
from collections.abc import Callable

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse

from events import jobs

BEAT_MAY_BE_LATE_BY = 60.0


def healthz(request: HttpRequest) -> JsonResponse:
    """Answer while the process does."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when database, channel layer and clock work, else 503 with what does not."""
    checks = {name: _verdict(check) for name, check in CHECKS.items()}
    ready = all(verdict == "ok" for verdict in checks.values())
    return JsonResponse({"status": "ok" if ready else "unavailable", **checks}, status=200 if ready else 503)


def _verdict(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as problem:  # whatever a driver raises: the caller wants to know which part it is
        return f"unavailable ({type(problem).__name__})"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _layer() -> str:
    async def send() -> None:
        async with asyncio.timeout(2):
            await get_channel_layer().group_send("readyz", {"type": "nobody.listens"})

    if not settings.EMBEDDED:
        async_to_sync(send)()
    return "ok"


def _clock() -> str:
    age = jobs.seconds_since_beat()
    if age is None:
        return "the clock has not ticked yet; is beat running?"
    return "ok" if age <= BEAT_MAY_BE_LATE_BY else f"the clock last ticked {age:.0f} s ago; is beat running?"


CHECKS = {"database": _database, "layer": _layer, "clock": _clock}
