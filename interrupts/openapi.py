"""What an interrupt looks like, for the OpenAPI document."""

from typing import Any

from events.openapi import CURSOR, LIMIT, query
from interrupts.filters import STATUSES
from interrupts.lifecycle import DECISIONS, Decision
from reviews.models import Priority

TIME = {"type": "string", "format": "date-time"}
TIME_OR_NONE = {"type": ["string", "null"], "format": "date-time"}
TEXT = {"type": "string"}
TEXT_OR_NONE = {"type": ["string", "null"]}
OBJECT = {"type": "object", "additionalProperties": True}
STATUS = {"enum": [status.value for status in STATUSES]}

_ANSWER: dict[str, Any] = {
    "modifications": {"type": ["object", "null"], "description": "The arguments to use instead, whole."},
    "response": {"description": "The answer to an input or feedback."},
    "rejection_reason": TEXT_OR_NONE,
    "resolved_by": TEXT_OR_NONE,
    "resolved_at": TIME_OR_NONE,
}
_STATUS_PROPERTIES = {
    "id": TEXT,
    "approved": {"type": "boolean"},
    "status": STATUS,
    **_ANSWER,
    "expires_at": TIME_OR_NONE,
}
_INTERRUPT_PROPERTIES: dict[str, Any] = {
    "id": TEXT,
    "type": {"enum": [kind.value for kind in DECISIONS]},
    "status": STATUS,
    "title": TEXT,
    "reason": TEXT,
    "data": OBJECT,
    "session_id": TEXT,
    "agent": {**TEXT, "description": "Whose key asked."},
    "agent_name": {**TEXT, "description": "The label the agent gave, or its name."},
    "run_id": TEXT,
    "step_name": TEXT,
    "tool_name": TEXT,
    "tool_args": OBJECT,
    "call_id": TEXT,
    "args_schema": {},
    "allowed_decisions": {"type": "array", "items": {"enum": Decision.values}},
    "response_schema": {},
    "priority": {"enum": Priority.labels},
    "expires_at": TIME_OR_NONE,
    "on_timeout": {"enum": ["expire", "reject"]},
    "batch_id": TEXT,
    "metadata": OBJECT,
    "key": {**TEXT, "description": "The Idempotency-Key it was asked with."},
    "created_at": TIME,
    "content_hash": TEXT,
    "revision": {"type": "integer"},
    "version": {"type": "integer"},
    "stage": {"type": "integer"},
    "claimed_by": TEXT_OR_NONE,
    "claimed_until": TIME_OR_NONE,
    "changes_requested_at": TIME_OR_NONE,
    **_ANSWER,
    "consumed_at": TIME_OR_NONE,
    "outcome": {"enum": ["succeeded", "failed", None]},
    "outcome_result": {},
    "is_expired": {"type": "boolean"},
    "is_resolved": {"type": "boolean"},
    "url": TEXT,
}
COMPONENTS = {
    "Interrupt": {
        "type": "object",
        "properties": {
            **_INTERRUPT_PROPERTIES,
            "history": {
                "type": "array",
                "items": OBJECT,
                "description": "What happened to it, oldest first.",
            },
            "comment": OBJECT,
        },
        "required": list(_INTERRUPT_PROPERTIES),
    },
    "InterruptStatus": {
        "type": "object",
        "properties": _STATUS_PROPERTIES,
        "required": list(_STATUS_PROPERTIES),
    },
}

INTERRUPT_FILTERS = (
    query("status", enum=[status.value for status in STATUSES]),
    query("type", enum=[kind.value for kind in DECISIONS]),
    query("priority", enum=Priority.labels),
    query("tool_name"),
    query("run_id"),
    query("batch_id"),
    query("key", "The Idempotency-Key it was asked with."),
    query("pending_only", "Only what can still be decided.", enum=["true", "false", "1", "0"]),
    query("created_after", type="string", format="date-time"),
    query("created_before", type="string", format="date-time"),
    query("q", "Text in the title or the tool's name, or an id."),
    CURSOR,
    LIMIT,
)
LIST_FILTERS = (query("session_id"), query("agent_name"), *INTERRUPT_FILTERS)
