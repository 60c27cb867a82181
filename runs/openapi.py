"""What runs look like, for the OpenAPI document."""

from typing import Any

from events.openapi import CURSOR, LIMIT, query, ref
from reviews.openapi import (
    OBJECT,
    OBJECT_OR_NONE,
    TEXT,
    TEXT_OR_NONE,
    TEXTS,
    TIME,
    TIME_OR_NONE,
    all_required,
)
from runs.lifecycle import RunStatus, Step
from runs.models import CheckpointKind

_STEP = {"enum": Step.values}
_KINDS = {"enum": [*CheckpointKind.values, None]}
_OBJECTS = {"type": "array", "items": OBJECT}
_COUNT = {"type": "integer"}


def _list_of(name: str) -> dict[str, Any]:
    return all_required({"results": {"type": "array", "items": ref(name)}})


_STATUS: dict[str, Any] = {
    "id": TEXT,
    "run_id": TEXT,
    "status": {"enum": RunStatus.values},
    "step": _STEP,
    "current_step": _STEP,
    **dict.fromkeys(("session_id", "user_id", "agent", "tool", "model"), TEXT),
    "approval_id": {**TEXT_OR_NONE, "description": "The interrupt by which it asks a person."},
    "checkpoint": _KINDS,
    "pending_actions": TEXTS,
    "checkpoint_context": OBJECT_OR_NONE,
    "expires_at": TIME_OR_NONE,
    "last_approval": OBJECT_OR_NONE,
    "result": {"description": "What the provider answered, as a person may have edited it."},
    "files": _OBJECTS,
    "error": OBJECT_OR_NONE,
    "created_at": TIME,
    "resolved_at": TIME_OR_NONE,
    "version": _COUNT,
    "url": TEXT,
}
_RUN: dict[str, Any] = {
    **_STATUS,
    **dict.fromkeys(("run_input", "hitl_config", "payload", "validation", "response"), OBJECT),
    "hitl_enabled": {"type": "boolean"},
    "attempt": _COUNT,
    "key": TEXT,
}
COMPONENTS = {
    "RunStatus": all_required(_STATUS),
    "Run": all_required(_RUN),
    "RunState": all_required(
        {**_RUN, "step_history": {"type": "array", "items": ref("RunStep")}, "approvals": _OBJECTS}
    ),
    "RunStep": all_required(
        {
            "number": _COUNT,
            "step": _STEP,
            "status": {"enum": ["running", "completed", "failed", "cancelled"]},
            "actor": TEXT,
            "message": TEXT,
            "data": OBJECT,
            "started_at": TIME,
            "finished_at": TIME_OR_NONE,
            "duration_seconds": {"type": ["number", "null"]},
        }
    ),
    "Approval": {
        "allOf": [
            ref("Interrupt"),
            all_required(
                {
                    "approval_id": TEXT,
                    "checkpoint": _KINDS,
                    "step": _STEP,
                    "user_id": TEXT,
                    "checkpoint_context": OBJECT,
                    "pending_actions": TEXTS,
                }
            ),
        ]
    },
    "SessionFile": all_required(
        {
            **dict.fromkeys(("id", "name", "content_type", "sha256", "added_by", "url"), TEXT),
            "reference": {**TEXT, "description": "How an input names it."},
            "size": _COUNT,
            "created_at": TIME,
        }
    ),
    "Provider": all_required(
        {
            "name": TEXT,
            "title": TEXT,
            "also_called": TEXTS,
            "available": {"type": "boolean"},
            "reason": TEXT_OR_NONE,
            "repeats_safely": {"type": "boolean"},
            "capabilities": OBJECT,
        }
    ),
}
STARTED = all_required(
    {
        "run_id": TEXT,
        "status": {"enum": RunStatus.values},
        "websocket_url": {**TEXT, "format": "uri"},
        "events_url": {**TEXT, "format": "uri"},
        "run_url": {**TEXT, "format": "uri"},
    }
)
STEPS, FILES, PROVIDERS = _list_of("RunStep"), _list_of("SessionFile"), _list_of("Provider")
ACTIVE_SESSION = all_required(
    {
        "session_id": TEXT,
        "active": {"oneOf": [ref("RunState"), {"type": "null"}]},
        "runs": {"type": "array", "items": ref("RunState")},
        "checkpoint_context": OBJECT_OR_NONE,
        "pending_actions": TEXTS,
        "last_approval": OBJECT_OR_NONE,
        "approvals": {"type": "array", "items": ref("Approval")},
        "files": {"type": "array", "items": ref("SessionFile")},
    }
)
RUN_FILTERS = (
    query("status", enum=RunStatus.values),
    query("step", enum=Step.values),
    *(query(name) for name in ("session_id", "user_id", "tool", "model")),
    query("key", "The Idempotency-Key it was started with."),
    query("created_after", type="string", format="date-time"),
    query("created_before", type="string", format="date-time"),
    CURSOR,
    LIMIT,
)
QUESTION_FILTERS = (
    *(query(name) for name in ("session_id", "run_id", "user_id")),
    query("checkpoint", enum=CheckpointKind.values),
    CURSOR,
    LIMIT,
)
