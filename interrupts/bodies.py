"""What may be sent to the interrupt routes."""

from interrupts.lifecycle import DECISIONS, Decision
from reviews.bodies import COMMENT, CONTENT_HASH, EXPIRY, LABEL, OBJECT, PRIORITY, REASON, USER_ID, body
from reviews.models import Outcome

NON_EMPTY_REASON = {**REASON, "minLength": 1, "pattern": r"\S"}
WORDS = {**COMMENT, "minLength": 1, "pattern": r"\S"}

CREATE = body(
    required=("reason",),
    type={"enum": [kind.value for kind in DECISIONS], "default": "approval"},
    reason=NON_EMPTY_REASON,
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
    metadata=OBJECT,
)
BATCH = body(required=("items",), items={"type": "array", "items": CREATE, "minItems": 1, "maxItems": 100})
APPROVE = body(
    modifications={"type": ["object", "null"], "description": "The arguments to use instead, whole."},
    comment=COMMENT,
    user_id=USER_ID,
    content_hash=CONTENT_HASH,
)
REJECT = body(
    reason={"type": "string", "maxLength": 10_000},
    comment=COMMENT,
    user_id=USER_ID,
    content_hash=CONTENT_HASH,
)
RESPOND = body(
    required=("response",),
    response={"description": "Any JSON that `response_schema` allows."},
    comment=COMMENT,
    user_id=USER_ID,
    content_hash=CONTENT_HASH,
)
CANCEL = body(reason={"type": "string", "maxLength": 10_000}, user_id=USER_ID)
CLAIM = body(user_id=USER_ID)
COMMENTS = body(required=("body",), body=WORDS, user_id=USER_ID)
REQUEST_CHANGES = body(required=("comment",), comment=WORDS, user_id=USER_ID)
REVISE = {**body(reason=NON_EMPTY_REASON, tool_args=OBJECT, data=OBJECT), "minProperties": 1}
CONSUME = body(required=("tool_args",), tool_args=OBJECT)
OUTCOME = body(required=("status",), status={"enum": Outcome.values}, result={"description": "Any JSON."})
APPROVALS = body(
    required=("thread_id", "interrupt_id", "approved"),
    thread_id=LABEL,
    interrupt_id={"type": "string", "maxLength": 64},
    approved={"type": "boolean"},
    reason={"type": "string", "maxLength": 10_000},
    user_id=USER_ID,
    content_hash=CONTENT_HASH,
)
