"""What every kind of item shows, and what statistics and events look like, for the OpenAPI document."""

from typing import Any

from events.openapi import CURSOR, LIMIT, query, ref
from reviews.models import Priority

_COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
_HOURS = {"type": ["number", "null"]}


def _figures(noun: str) -> dict[str, Any]:
    return {
        f"total_{noun}": {"type": "integer"},
        f"pending_{noun}": {"type": "integer"},
        "by_status": _COUNTS,
        "by_priority": _COUNTS,
        "by_type": _COUNTS,
        "average_response_time_hours": _HOURS,
        "median_response_time_hours": _HOURS,
        "p95_response_time_hours": _HOURS,
        "by_agent": _COUNTS,
        "by_day": _COUNTS,
    }


def all_required(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has all of *properties*."""
    return {"type": "object", "properties": properties, "required": list(properties)}


TIME = {"type": "string", "format": "date-time"}
TIME_OR_NONE = {"type": ["string", "null"], "format": "date-time"}
TEXT = {"type": "string"}
TEXT_OR_NONE = {"type": ["string", "null"]}
OBJECT = {"type": "object", "additionalProperties": True}
OBJECT_OR_NONE = {"type": ["object", "null"], "additionalProperties": True}
TEXTS = {"type": "array", "items": TEXT}
SHARED: dict[str, Any] = {
    "id": TEXT,
    "title": TEXT,
    "session_id": TEXT,
    "agent": {**TEXT, "description": "Whose key asked."},
    "run_id": TEXT,
    "priority": {"enum": Priority.labels},
    "expires_at": TIME_OR_NONE,
    "metadata": OBJECT,
    "key": {**TEXT, "description": "The Idempotency-Key it was asked with."},
    "created_at": TIME,
    "content_hash": TEXT,
    "revision": {"type": "integer"},
    "version": {"type": "integer"},
    "policy": {**OBJECT_OR_NONE, "description": "The policy in force, as it read when it was asked."},
    "policy_note": TEXT,
    "approval_message": TEXT,
    "stage": {"type": "integer", "description": "Of the policy's stages, from 0."},
    "reviewers": {**TEXTS, "description": "The groups asked now; none: whoever may decide."},
    "votes": {"type": "array", "items": OBJECT},
    "due_at": TIME_OR_NONE,
    "claimed_by": TEXT_OR_NONE,
    "claimed_until": TIME_OR_NONE,
    "resolved_by": TEXT_OR_NONE,
    "resolved_at": TIME_OR_NONE,
    "is_expired": {"type": "boolean"},
    "is_resolved": {"type": "boolean"},
    "url": TEXT,
}
"""What every kind of item shows, beside its status."""

TIMEOUT = query("timeout", "Seconds to hold at most.", type="integer", minimum=1, maximum=60, default=30)
FILTERS = (
    query("session_id"),
    query("run_id"),
    query("priority", enum=Priority.labels),
    query("key", "The Idempotency-Key it was asked with."),
    query("pending_only", "Only what can still be decided.", enum=["true", "false", "1", "0"]),
    query("created_after", type="string", format="date-time"),
    query("created_before", type="string", format="date-time"),
    CURSOR,
    LIMIT,
)


def item_component(own: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a kind of item that has *own* properties beside the shared ones."""
    told = {
        "history": {"type": "array", "items": OBJECT, "description": "What happened to it, oldest first."},
        "comment": OBJECT,
        "attachments": {"type": "array", "items": ref("Attachment")},
        "attachment": {**ref("Attachment"), "description": "The one that was added."},
    }
    properties = {**SHARED, **own}
    return {"type": "object", "properties": {**properties, **told}, "required": list(properties)}


COMPONENTS = {
    "Attachment": all_required(
        {
            "id": TEXT,
            "name": TEXT,
            "content_type": TEXT,
            "size": {"type": "integer", "description": "Bytes."},
            "sha256": TEXT,
            "added_by": TEXT,
            "created_at": TIME,
            "url": {"type": "string", "format": "uri-reference"},
        }
    ),
    "Statistics": all_required({**_figures("requests"), "interrupts": all_required(_figures("interrupts"))}),
    "Event": all_required(
        {
            **dict.fromkeys(("id", "cursor", "type", "subject_id", "session_id", "agent", "actor"), TEXT),
            "occurred_at": TIME,
            "data": OBJECT,
        }
    ),
}
