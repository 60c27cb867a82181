"""Lists as the fake server narrows and pages them: items newest first, events after a cursor."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import httpx

from hitl_client.testing.documents import OPEN, PRIORITIES, REQUEST_TYPES, TYPES, invalid, refused
from hitl_client.testing.schema import Json

STATUSES = ["pending", "rejected", "expired", "cancelled"]
SHARED: dict[str, Any] = {
    "session_id": None,
    "run_id": None,
    "key": None,
    "priority": [*PRIORITIES, "urgent"],
    "pending_only": ["true", "false", "1", "0"],
    "created_after": None,
    "created_before": None,
    "q": None,
}
FILTERS: dict[str, dict[str, Any]] = {
    "interrupts": {
        **SHARED,
        "status": [*STATUSES, "approved"],
        "type": TYPES,
        **dict.fromkeys(("agent_name", "tool_name", "batch_id")),
    },
    "requests": {
        **SHARED,
        "status": [*STATUSES, "in_review", "fulfilled"],
        "request_type": REQUEST_TYPES,
        **dict.fromkeys(("agent_id", "workflow_id", "assigned_to")),
    },
}
SEARCHED = {"interrupts": ("title", "tool_name"), "requests": ("title", "description")}


def page(kind: str, items: list[Json], url: httpx.URL) -> Json:
    """Return one page of items that are given oldest first. Refuses what is no parameter or no value."""
    params = dict(url.params)
    cursor, limit = params.pop("cursor", ""), _whole("limit", params.pop("limit", "50"), 1, 200)
    known = FILTERS[kind]
    for name, value in params.items():
        if name not in known:
            raise invalid({name: [f"There is no such parameter. Use {', '.join(known)}."]})
        if not value:
            raise invalid({name: ["Give a value, or leave the parameter out."]})
        if known[name] and value not in known[name]:
            raise invalid({name: [f"Select one of {', '.join(known[name])}."]})
    found = [item for item in reversed(items) if all(_fits(kind, item, *param) for param in params.items())]
    backwards, start = _read(cursor)
    ids = [item["id"] for item in found]
    at = ids.index(start) if start in ids else -1
    first = max(0, at - limit) if backwards else at + 1
    shown = found[first : at if backwards else first + limit]
    more = found[first + limit :] or backwards
    return {
        "results": shown,
        "next": _link(url, "n", shown[-1]["id"]) if shown and more else None,
        "previous": _link(url, "p", shown[0]["id"]) if shown and (first if backwards else start) else None,
    }


def events(rows: list[Json], epoch: str, params: httpx.QueryParams) -> Json:
    """Return the events after a cursor, oldest first, and the cursor after them."""
    if unknown := set(params) - {"after", "types", "limit", "wait", "agent"}:
        raise invalid({name: ["There is no such parameter."] for name in unknown})
    limit = _whole("limit", params.get("limit", "100"), 1, 1000)
    _whole("wait", params.get("wait", "0"), 0, 60)
    life, colon, position = (params.get("after") or f"{epoch}:0").rpartition(":")
    if not colon or not position.isdecimal():
        raise invalid({"after": ["A cursor is what an earlier answer gave as `cursor`."]})
    if life != epoch or int(position) > len(rows):
        start = f"{epoch}:{len(rows)}"
        told = f"This cursor does not belong to the stream as it is now. Start from {start}."
        raise refused(409, "reset", told, cursor=start)
    types = [name for name in params.get("types", "").split(",") if name]
    later = rows[int(position) :]
    found = [event for event in later if not types or event["type"] in types][:limit]
    head = f"{epoch}:{len(rows)}" if types and not found else f"{epoch}:{position}"
    return {"results": found, "cursor": found[-1]["cursor"] if found else head}


def wait_seconds(params: httpx.QueryParams) -> int:
    """Read for how long an answer is to be held."""
    if unknown := set(params) - {"timeout"}:
        raise invalid({name: ["There is no such parameter. Use timeout."] for name in unknown})
    return _whole("timeout", params.get("timeout", "30"), 1, 60)


def _fits(kind: str, item: Json, name: str, value: str) -> bool:
    match name:
        case "pending_only":
            return value in ("false", "0") or item["status"] in OPEN
        case "created_after":
            return _moment(item["created_at"]) > _moment(value, name)
        case "created_before":
            return _moment(item["created_at"]) < _moment(value, name)
        case "q":
            texts = [str(item[field]).lower() for field in SEARCHED[kind]]
            return item["id"] == value or any(value.lower() in text for text in texts)
        case "priority":
            value = "critical" if value == "urgent" else value
    return bool(item[name] == value)


def _moment(text: str, name: str = "") -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise invalid({name: ["Write a moment as in 2030-01-31T12:00:00Z."]}) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _whole(name: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise invalid({name: [f"Give a whole number from {least} to {most}."]})
    return int(text)


def _read(cursor: str) -> tuple[bool, str]:
    try:
        direction, _, start = base64.b64decode(cursor, altchars=b"-_", validate=True).decode().partition(":")
    except ValueError:
        direction, start = "?", ""
    if cursor and (direction not in ("n", "p") or not start):
        raise invalid({"cursor": ["Use the cursor of an earlier page's `next` or `previous`, or none."]})
    return direction == "p", start


def _link(url: httpx.URL, direction: str, item_id: str) -> str:
    return str(
        url.copy_merge_params(
            {"cursor": base64.urlsafe_b64encode(f"{direction}:{item_id}".encode()).decode()}
        )
    )
