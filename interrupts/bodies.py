"""What may be sent to the interrupt routes."""

from typing import Any

from interrupts.lifecycle import DECISIONS, Decision
from reviews.bodies import (
    COMMENT,
    EXPIRY,
    LABEL,
    NOT_BLANK,
    OBJECT,
    ON_WHAT_WAS_SHOWN,
    PRIORITY,
    USER_ID,
    WORDS,
    body,
)
from reviews.grants import Reach
from reviews.models import Outcome

RESERVED = "hitl_dialect"
"""What an item keeps in ``metadata`` of the dialect it was asked in; no caller may write it."""
REASON: Any = {**NOT_BLANK, "maxLength": 1000}

CREATE = body(
    {
        "type": "approval",
        "reason": "Delete the account of user 123?",
        "session_id": "session-7",
        "tool_name": "delete_user",
        "tool_args": {"user_id": 123},
        "expires_in": 3600,
    },
    required=("reason",),
    type={"enum": [kind.value for kind in DECISIONS], "default": "approval"},
    reason=REASON,
    data=OBJECT,
    session_id=LABEL,
    agent_name=LABEL,
    run_id=LABEL,
    step_name=LABEL,
    tool_name=LABEL,
    tool_args=OBJECT,
    call_id=LABEL,
    args_schema={
        "type": ["object", "boolean", "null"],
        "description": "JSON Schema that arguments and edits must satisfy.",
    },
    response_schema={
        "type": ["object", "boolean", "null"],
        "description": "JSON Schema that the answer must satisfy.",
    },
    allowed_decisions={
        "type": "array",
        "items": {"enum": Decision.values},
        "minItems": 1,
        "uniqueItems": True,
        "description": "What a person may answer; by default what suits the type.",
    },
    priority=PRIORITY,
    **EXPIRY,
    batch_id=LABEL,
    metadata={**OBJECT, "properties": {RESERVED: False}},
)
BATCH = body(
    {"items": [{"reason": "Delete a.csv?"}, {"reason": "Delete b.csv?"}]},
    required=("items",),
    items={"type": "array", "items": CREATE, "minItems": 1, "maxItems": 100},
)
APPROVE = body(
    {"modifications": {"user_id": 124}, "comment": "124 is the right one."},
    modifications={"type": ["object", "null"], "description": "The arguments to use instead, whole."},
    approved_by=USER_ID,
    grant={"enum": Reach.values, "description": "Allow in advance what follows; see `grants`."},
    comment=COMMENT,
    **ON_WHAT_WAS_SHOWN,
)
REJECT = body(
    {"reason": "Not authorized"}, reason=COMMENT, comment=COMMENT, rejected_by=USER_ID, **ON_WHAT_WAS_SHOWN
)
RESPOND = body(
    {"response": "Use the staging account."},
    required=("response",),
    response={"description": "Any JSON that `response_schema` allows."},
    comment=COMMENT,
    **ON_WHAT_WAS_SHOWN,
)
REQUEST_CHANGES = body(
    {"comment": "Only accounts without orders."},
    required=("comment",),
    comment=WORDS,
    user_id=USER_ID,
)
REVISE = {
    **body({"tool_args": {"user_id": 125}}, reason=REASON, tool_args=OBJECT, data=OBJECT),
    "minProperties": 1,
}
CONSUME = body(
    {"tool_args": {"user_id": 124}},
    required=("tool_args",),
    tool_args=OBJECT,
    receipt={
        "type": "string",
        "maxLength": 65_536,
        "description": "From `status`; another than this approval's is a 412.",
    },
    attempt={**LABEL, "description": "Your name for this attempt: sent again, it is answered as at first."},
)
OUTCOME = body(
    {"status": "succeeded", "result": {"deleted": 1}},
    required=("status",),
    status={"enum": Outcome.values},
    result={"description": "Any JSON."},
)
APPROVALS = body(
    {"thread_id": "session-7", "interrupt_id": "int_01JD0000000000000000000000", "approved": True},
    required=("thread_id", "interrupt_id", "approved"),
    thread_id=LABEL,
    interrupt_id={"type": "string", "maxLength": 64},
    approved={"type": "boolean"},
    reason=COMMENT,
    **ON_WHAT_WAS_SHOWN,
)
