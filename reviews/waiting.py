"""Wait for a decision without holding anything but a few hundred bytes (contract: ``…/wait``)."""

import time
from collections.abc import Callable
from typing import Any

import orjson
from channels.db import database_sync_to_async
from django.http import QueryDict

from agents.asgi import WaitingRoute
from agents.callers import Caller
from events.hub import hub
from events.problems import invalid
from reviews.api import READS

LONGEST, DEFAULT = 60, 30
LOOK_AGAIN_SECONDS = 20.0
Look = Callable[..., "Sight"]


class Sight:
    """Hold what one look at an item found, and whose bell to wait for where that is not the item's own."""

    __slots__ = ("document", "is_open", "seconds_left", "stream", "subject")

    def __init__(
        self,
        stream: str,
        is_open: bool,
        seconds_left: float | None,
        document: dict[str, Any],
        subject: str = "",
    ) -> None:
        self.stream, self.is_open, self.seconds_left, self.document = stream, is_open, seconds_left, document
        self.subject = subject


def waiting_route(path: str, look: Look, *also: str) -> WaitingRoute:
    """Return a route that holds until the item that *path* names as ``pk`` is no longer open.

    *also* names parameters beside ``timeout``, which *look* is given.
    """
    look_aside = database_sync_to_async(look)

    async def wait(caller: Caller, groups: dict[str, str], query: QueryDict) -> tuple[bytes, dict[str, str]]:
        until = time.monotonic() + timeout_of(query, *also)
        pk, said = groups["pk"], {name: query[name] for name in also if name in query}
        seen = await look_aside(caller, pk, **said)
        left = until - time.monotonic()
        while seen.is_open and left > 0 and not hub().closed:
            subject = seen.subject
            async with hub().subject(seen.stream, subject or pk) as bell:
                while True:
                    rung = bell.rung
                    seen = await look_aside(caller, pk, **said)
                    left = until - time.monotonic()
                    if not seen.is_open or left <= 0 or hub().closed or seen.subject != subject:
                        break
                    # The deadline ends the wait too: nobody rings when time passes.
                    due = left if seen.seconds_left is None else seen.seconds_left + 0.01
                    await bell.wait(min(left, due, LOOK_AGAIN_SECONDS), rung)
        return orjson.dumps(seen.document), {}

    return WaitingRoute(path, READS, wait)


def timeout_of(query: QueryDict, *also: str) -> int:
    """Return the seconds that ``timeout`` asks for, 30 where it does not.

    Raises:
        Problem: it is not a whole number from 1 to 60, or there is a parameter that is not among *also*.
    """
    text = query.get("timeout", str(DEFAULT))
    if unknown := set(query) - {"timeout", *also}:
        known = " or ".join(("timeout", *also))
        raise invalid({name: [f"There is no such parameter. Use {known}."] for name in sorted(unknown)})
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= LONGEST):
        raise invalid({"timeout": [f"Give whole seconds from 1 to {LONGEST}."]})
    return int(text)
