"""What an interrupt looks like, for the OpenAPI document."""

from typing import Any

from events.openapi import query, ref
from interrupts.bodies import CREATE
from interrupts.dialects import DIALECTS
from interrupts.filters import STATUSES
from interrupts.lifecycle import DECISIONS, Decision
from reviews.openapi import (
    FILTERS,
    OBJECT,
    OBJECT_OR_NONE,
    TEXT,
    TEXT_OR_NONE,
    TIME_OR_NONE,
    all_required,
    item_component,
)

STATUS = {"enum": [status.value for status in STATUSES]}
TYPE = {"enum": [kind.value for kind in DECISIONS]}

_ANSWER: dict[str, Any] = {
    "decision": {
        "enum": [*Decision.values, None],
        "description": "What was answered. After `respond` to an approval the tool is not to run.",
    },
    "modifications": {"type": ["object", "null"], "description": "The arguments to use instead, whole."},
    "response": {"description": "The answer to an input or feedback."},
    "rejection_reason": TEXT_OR_NONE,
    "resolved_by": TEXT_OR_NONE,
    "resolved_at": TIME_OR_NONE,
}
SHAPES = [shape for dialect in DIALECTS.values() for shape in dialect.SHAPES]
ASKED: dict[str, Any] = {
    "anyOf": [{"title": "Interrupt", **CREATE}, *SHAPES],
    "examples": [example for shape in (CREATE, *SHAPES) for example in shape["examples"]],
}
"""What may be asked: in our own words, or in those of a dialect."""
DIALECT = query(
    "dialect", "Speak the shapes of an agents' framework: docs/agents/dialects.md.", enum=list(DIALECTS)
)


def in_dialect(name: str) -> dict[str, Any]:
    """Return the schema of an answer that is *name*, or what a dialect says in its place."""
    return {"anyOf": [ref(name), ref("Exchange")]}


TOLD = in_dialect("Interrupt")
COMPONENTS = {
    "Exchange": all_required(
        {
            "id": {**TEXT, "description": "Of the first that was asked."},
            "dialect": {"enum": list(DIALECTS)},
            "batch_id": TEXT,
            "is_resolved": {"type": "boolean", "description": "All of it."},
            "items": {"type": "array", "items": OBJECT, "description": "One for each interrupt, in order."},
            "request": {**OBJECT, "description": "What was asked, in the dialect."},
            "answer": {**OBJECT_OR_NONE, "description": "In the dialect, once all of it is resolved."},
        }
    ),
    "Interrupt": item_component(
        {
            "type": TYPE,
            "status": STATUS,
            "reason": TEXT,
            "data": OBJECT,
            "agent_name": {**TEXT, "description": "The label the agent gave, or its name."},
            "step_name": TEXT,
            "tool_name": TEXT,
            "tool_args": OBJECT,
            "call_id": TEXT,
            "args_schema": {},
            "allowed_decisions": {"type": "array", "items": {"enum": Decision.values}},
            "response_schema": {},
            "on_timeout": {"enum": ["expire", "reject"]},
            "batch_id": TEXT,
            "changes_requested_at": TIME_OR_NONE,
            **_ANSWER,
            "consumed_at": TIME_OR_NONE,
            "outcome": {"enum": ["succeeded", "failed", None]},
            "outcome_result": {},
        }
    ),
    "InterruptStatus": all_required(
        {
            "id": TEXT,
            "approved": {"type": "boolean"},
            "status": STATUS,
            **_ANSWER,
            "expires_at": TIME_OR_NONE,
            "receipt": {**TEXT_OR_NONE, "description": "The signed proof of what a person approved."},
        }
    ),
}

LIST_FILTERS = (
    query("agent_name"),
    query("status", enum=STATUS["enum"]),
    query("type", enum=TYPE["enum"]),
    query("tool_name"),
    query("batch_id"),
    query("q", "Text in the title or the tool's name, or an id."),
    *FILTERS,
)
