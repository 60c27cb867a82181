"""What may be sent to the routes of runs."""

from typing import Any

from reviews.bodies import COMMENT, DEADLINE, LABEL, NOT_BLANK, OBJECT, ON_WHAT_WAS_SHOWN, PRIORITY, body
from reviews.lifecycle import OnTimeout
from runs import asked, config

USER_ID: Any = {**LABEL, "description": "For whom the run is; an operator of that name finds its questions."}
_RUN_INPUT: Any = {
    "tool": "http",
    "inputs": {"url": "https://images.example.com/resize", "width": 640},
}

RUN = body(
    {"run_input": _RUN_INPUT, "user_id": "ann", "session_id": "session-7", "hitl_config": {"policy": "auto"}},
    required=("run_input",),
    run_input=asked.SCHEMA,
    original_input={**asked.SCHEMA, "description": "Stands above `run_input`, name by name."},
    user_id=USER_ID,
    session_id=LABEL,
    hitl_config=config.SCHEMA,
)
TEAM_RUN = {**asked.SCHEMA, "examples": [_RUN_INPUT]}
"""The run's input as the whole body; a body with ``run_input`` is read as :data:`RUN`."""

APPROVE = body(
    {"approval_id": "int_01JD0000000000000000000000", "action": "edit", "edits": {"width": 800}},
    required=("approval_id", "action"),
    approval_id={"type": "string", "maxLength": 64},
    action={"enum": ["approve", "edit", "reject"]},
    edits={
        "type": ["object", "null"],
        "description": "What to put over the arguments asked about, by name; null takes one out.",
    },
    reason=COMMENT,
    **ON_WHAT_WAS_SHOWN,
)
REASON = body({"reason": "Until the invoice is paid"}, reason=COMMENT)
BROWSER = body(
    {
        "run_id": "run123",
        "action_description": "Click the login button",
        "browser_context": {"url": "https://example.com"},
        "user_id": "ann",
    },
    required=("run_id", "action_description"),
    run_id={**LABEL, **NOT_BLANK, "description": "A run, or any label of the agent's own."},
    action_description={**NOT_BLANK, "maxLength": 1000},
    browser_context=OBJECT,
    user_id=USER_ID,
    session_id=LABEL,
    priority=PRIORITY,
    expires_in=DEADLINE["expires_in"],
    on_timeout={"enum": OnTimeout.values, "default": "expire"},
)
