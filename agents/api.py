"""The HTTP routes of the event stream and of socket tickets (contract: Events)."""

import re
import time
from typing import cast

import orjson
from channels.db import database_sync_to_async
from django.http import HttpResponse, QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from agents import keys
from agents.asgi import WaitingRoute
from agents.callers import Caller
from agents.models import STREAM, Key
from agents.permissions import Access
from agents.viewsets import CallerViewSet
from events import selectors
from events.hub import hub
from events.models import Event
from events.openapi import describe, query, ref
from events.problems import Problem, invalid

EVENTS = Access(scope=STREAM, permission="events.view_event")
LONGEST_WAIT = 60
DEFAULT_LIMIT, LIMIT = 100, 1_000
EVENT_TYPE, EVENT_ID = re.compile(r"[a-z_.]+"), re.compile(r"evt_[0-9A-Z]{26}")
PARAMETERS = ("after", "agent", "types", "limit", "wait")


class Reading:
    """Hold what a call to ``GET events`` asks for, checked.

    Raises:
        Problem: a parameter that does not exist or cannot be; 409 ``reset`` for a cursor that is void.
    """

    def __init__(self, caller: Caller, query: QueryDict) -> None:
        if unknown := set(query) - set(PARAMETERS):
            raise invalid(
                {
                    name: [f"There is no such parameter. Use {', '.join(PARAMETERS)}."]
                    for name in sorted(unknown)
                }
            )
        self.limit = _number(query, "limit", DEFAULT_LIMIT, 1, LIMIT)
        self.wait = _number(query, "wait", 0, 0, LONGEST_WAIT)
        self.types = [name for name in query.get("types", "").split(",") if name]
        if not all(EVENT_TYPE.fullmatch(name) for name in self.types):
            raise invalid({"types": ["Give event types, separated by commas."]})
        if "agent" in query and caller.user is None and query["agent"] != caller.agent:
            raise invalid({"agent": ["An agent reads its own stream; leave this out."]})
        self.name = caller.agent or query.get("agent", "")
        self.after = query.get("after", "")
        if self.name:
            known = caller.user is None or (self.name.isprintable() and selectors.heads([self.name]))
            if not known:
                raise invalid({"agent": ["There is no such stream."]})
            self.stream = selectors.stream_of(self.name)
            try:
                self.position = selectors.position_after(self.stream, self.after)
            except selectors.BadCursor as error:
                raise invalid({"after": [str(error)]}) from None
            except selectors.CursorReset as reset:
                raise Problem(409, "reset", str(reset), cursor=reset.cursor) from None
        elif self.after and not EVENT_ID.fullmatch(self.after):
            raise invalid({"after": ["A cursor is what an earlier answer gave as `cursor`, or nothing."]})

    def read(self) -> tuple[bytes, bool]:
        """Return the page as JSON, and whether there is anything on it."""
        if not self.name:
            return self._read_by_time()
        frames = selectors.frames_after(self.name, self.stream.epoch, self.position, self.limit, self.types)
        if frames:
            self.position = frames[-1].position
        elif self.types:  # nothing of these types up to the head: the next call need not look there again
            self.position = max(self.position, self.stream.position)
        texts = ",".join(frame.text for frame in frames)
        return f'{{"results":[{texts}],"cursor":"{self.stream.epoch}:{self.position}"}}'.encode(), bool(
            frames
        )

    def _read_by_time(self) -> tuple[bytes, bool]:
        rows = Event.objects.order_by("id")
        if self.after:
            rows = rows.filter(id__gt=self.after)
        if self.types:
            rows = rows.filter(type__in=self.types)
        found = selectors.encoded(rows[: self.limit])
        cursor = orjson.loads(found[-1])["id"] if found else self.after
        return f'{{"results":[{",".join(found)}],"cursor":"{cursor}"}}'.encode(), bool(found)


class EventViewSet(CallerViewSet):
    """Read the record."""

    access = {"list": EVENTS}

    @describe(
        "Read events after a cursor, oldest first",
        answer={
            "type": "object",
            "properties": {"results": {"type": "array", "items": ref("Event")}, "cursor": {"type": "string"}},
            "required": ["results", "cursor"],
        },
        errors=(400, 401, 403, 409, 429),
        parameters=(
            query("after", "A cursor; without one, from the beginning."),
            query("types", "Event types, separated by commas."),
            query("limit", type="integer", minimum=1, maximum=LIMIT, default=DEFAULT_LIMIT),
            query(
                "wait",
                "Seconds to hold while there is nothing.",
                type="integer",
                minimum=0,
                maximum=LONGEST_WAIT,
            ),
            query(
                "agent",
                "For operators: whose stream; `system` for policies, users, keys. Without it, all by time.",
            ),
        ),
        tag="Events",
    )
    def list(self, request: Request) -> HttpResponse:
        body, _ = Reading(self.caller, request.query_params).read()
        return HttpResponse(body, content_type="application/json")


class TicketViewSet(CallerViewSet):
    """Let a client that cannot send a header open a socket."""

    access = {"create": Access(scope=STREAM)}  # a person's socket is opened by the session

    @describe(
        "Get a one-time ticket for ws/agents",
        answer={
            "type": "object",
            "properties": {"ticket": {"type": "string"}, "expires_in": {"type": "integer"}},
            "required": ["ticket", "expires_in"],
        },
        status=201,
        errors=(401, 403, 429),
        tag="Events",
        description="Open `/ws/agents?ticket=…` with it within a minute, once.",
    )
    def create(self, request: Request) -> Response:
        ticket = keys.issue_ticket(cast(Key, self.caller.key))
        return Response({"ticket": ticket, "expires_in": keys.TICKET_SECONDS}, status=201)


async def _events(caller: Caller, groups: dict[str, str], query: QueryDict) -> tuple[bytes, dict[str, str]]:
    reading = await database_sync_to_async(Reading)(caller, query)
    until = time.monotonic() + reading.wait
    while True:
        body, found = await database_sync_to_async(reading.read)()
        left = until - time.monotonic()
        if found or left <= 0 or not reading.name or hub().closed:
            return body, {}
        async for _ in hub().follow(reading.name, reading.position, idle=left):
            break


waiting_route = WaitingRoute("events", EVENTS, _events)


def _number(query: QueryDict, name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and least <= int(text) <= most):
        raise invalid({name: [f"Give a whole number from {least} to {most}."]})
    return int(text)
