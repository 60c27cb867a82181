"""The decisions as a file, for spreadsheets or for programs: the columns are in docs/operating.md.

It is read in parts and sent as it is read, so that its length costs no memory and nobody else a wait.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.db.models import Q

from events.clock import iso
from events.export import COLUMNS
from events.models import Event
from hitl_project.pages.decisions import Decision, older
from hitl_project.pages.spreadsheet import MARK, cell, written
from reviews.models import Priority

PART = 50
"""So many lines are read at once: each may hold all that a body may, several times over."""
HEADER = (
    *("id", "kind", "title", "agent", "agent_name", "session_id", "tool", "priority", "asked_at", "ended_at"),
    *("verdict", "edited", "decided_by", "reason", "reason_code", "comment", "policy", "policy_version"),
    *("seconds", "arguments", "final_arguments", "answer"),
)
IN_JSON = {"arguments", "final_arguments", "answer"}


def as_csv(matching: Q) -> Iterator[bytes]:
    """Give the file in parts: UTF-8 with the mark that spreadsheets know it by, then line by line."""
    yield MARK + written([HEADER])
    for found in _parts(matching):
        yield written([_row(decision) for decision in found])


def as_json_lines(matching: Q) -> Iterator[bytes]:
    """Give an object a decision: the same columns, the policy as it then read, votes, and all its events."""
    for found in _parts(matching):
        record = _record([decision.item.pk for decision in found])
        yield b"".join(
            orjson.dumps(
                {
                    **dict(zip(HEADER, _line(decision), strict=True)),
                    "edited": decision.is_edited,
                    "policy": decision.item.policy,
                    "votes": decision.item.votes,
                    "events": record.get(decision.item.pk, []),
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for decision in found
        )


def _parts(matching: Q) -> Iterator[list[Decision]]:
    last = ""
    while found := older(matching, last, PART):
        yield found
        last = found[-1].item.pk


def _record(ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the events of each item as they were hashed, oldest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows = Event.objects.filter(subject_id__in=ids).order_by("subject_id", "position")
    for row in rows.values_list(*COLUMNS):
        event = dict(zip(COLUMNS, row, strict=True))
        found.setdefault(event["subject_id"], []).append(event)
    return found


async def off_the_loop(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Give the same *pieces* to a server that must not wait for the database itself."""
    pull = sync_to_async(lambda: next(pieces, b""))
    while piece := await pull():
        yield piece


def _line(decision: Decision) -> list[Any]:
    item, policy = decision.item, decision.item.policy
    return [
        *(item.pk, item.kind, item.title, item.agent_id, item.agent_name, item.session_id, item.tool_name),
        *(Priority(item.priority).label, iso(item.created_at), iso(item.resolved_at)),
        *(item.status, "yes" if decision.is_edited else "no", item.resolved_by),
        *(decision.reason, decision.code, decision.comment),
        *(policy.get("name", ""), policy.get("version", "")),
        round(decision.took.total_seconds(), 3),
        *(decision.arguments, decision.final_arguments, decision.answer),
    ]


def _row(decision: Decision) -> list[Any]:
    return [
        cell(_json(value) if name in IN_JSON else value)
        for name, value in zip(HEADER, _line(decision), strict=True)
    ]


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode().replace(";", r"\u003b")
