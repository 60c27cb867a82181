"""What may be sent to the routes of action requests."""

from requests_app import fields
from requests_app.models import RejectionCode
from reviews.bodies import (
    COMMENT,
    DEADLINE,
    LABEL,
    NOT_BLANK,
    OBJECT,
    ON_WHAT_WAS_SHOWN,
    PRIORITY,
    USER_ID,
    WORDS,
    Schema,
    body,
)
from reviews.models import REQUESTS

TITLE: Schema = {**NOT_BLANK, "maxLength": 200}
DESCRIPTION: Schema = {**NOT_BLANK, "maxLength": 20_000}
STEPS: Schema = {
    "type": "array",
    "items": TITLE,
    "maxItems": 50,
    "description": "The steps of a long errand, to be ticked off one by one.",
}
NUMBERS: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 49}, "maxItems": 50}

CREATE = body(
    {
        "agent_id": "stripe-agent",
        "request_type": "api_key",
        "title": "A key for Stripe",
        "description": "The billing job needs a restricted key that may read invoices.",
        "required_fields": {"api_key": {"label": "Restricted key", "type": "secret", "pattern": "rk_.+"}},
        "priority": "high",
        "context": {"service": "stripe", "env": "test"},
        "workflow_id": "billing-7",
    },
    request_type={"enum": [kind.value for kind in REQUESTS]},
    title=TITLE,
    description=DESCRIPTION,
    required_fields=fields.SCHEMA,
    template={"type": "string", "maxLength": 64, "description": "A template that says what is not sent."},
    checklist=STEPS,
    priority=PRIORITY,
    context=OBJECT,
    agent_id={**LABEL, "description": "A label of the agent's own choosing; access goes by key."},
    session_id=LABEL,
    run_id=LABEL,
    workflow_id=LABEL,
    metadata=OBJECT,
    **DEADLINE,
)
FULFILL = body(
    {"response_data": {"api_key": "rk_test_123"}, "notes": "Valid until March."},
    response_data={**OBJECT, "description": "An answer for each required field, by its name."},
    notes=COMMENT,
    fulfilled_by=USER_ID,
    **ON_WHAT_WAS_SHOWN,
)
APPROVE = body({"comment": "Within the budget."}, comment=COMMENT, approved_by=USER_ID, **ON_WHAT_WAS_SHOWN)
REJECT = body(
    {"reason": "We have no contract with them.", "code": "cannot_be_done"},
    required=("reason",),
    reason=WORDS,
    code={"enum": RejectionCode.values, "default": "other"},
    rejected_by=USER_ID,
    **ON_WHAT_WAS_SHOWN,
)
PROGRESS = {
    **body(
        {"done": [0, 1], "note": "The notary has the papers."},
        done={**NUMBERS, "description": "Steps of the checklist that are done, counted from 0."},
        undone={**NUMBERS, "description": "Steps that are not done after all."},
        note=WORDS,
        user_id=USER_ID,
    ),
    "anyOf": [{"required": ["done"]}, {"required": ["undone"]}, {"required": ["note"]}],
}
NOTHING = body({})
