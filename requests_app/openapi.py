"""What an action request looks like, for the OpenAPI document."""

from events.openapi import query
from requests_app.fields import SCHEMA
from requests_app.filters import STATUSES
from requests_app.models import RejectionCode
from reviews.models import REQUESTS
from reviews.openapi import (
    FILTERS,
    OBJECT,
    TEXT,
    TEXT_OR_NONE,
    TIME,
    TIME_OR_NONE,
    all_required,
    item_component,
)

STATUS = {"enum": [status.value for status in STATUSES]}
TYPE = {"enum": [kind.value for kind in REQUESTS]}
_SECRETS = {
    "type": ["object", "null"],
    "description": "Which answers are secret, and what became of them. Fetch them by `reveal`.",
    "properties": {
        "fields": {"type": "array", "items": TEXT},
        "state": {"enum": ["sealed", "revealed", "acknowledged", "purged"]},
        "lease_expires_at": TIME_OR_NONE,
    },
}

COMPONENTS = {
    "ActionRequest": item_component(
        {
            "request_type": TYPE,
            "status": STATUS,
            "description": TEXT,
            "agent_id": {**TEXT, "description": "The label the agent gave, or its name."},
            "workflow_id": TEXT,
            "context": OBJECT,
            "required_fields": SCHEMA,
            "template": TEXT,
            "checklist": {
                "type": "array",
                "items": all_required({"step": TEXT, "done": {"type": "boolean"}}),
            },
            "assigned_to": TEXT_OR_NONE,
            "response_data": {"type": ["object", "null"], "description": "The answers, but for secret ones."},
            "secrets": _SECRETS,
            "notes": TEXT,
            "fulfilled_by": TEXT_OR_NONE,
            "fulfilled_at": TIME_OR_NONE,
            "rejected_by": TEXT_OR_NONE,
            "rejection_reason": TEXT_OR_NONE,
            "rejection_code": {"enum": [*RejectionCode.values, None]},
        }
    ),
    "Revealed": all_required(
        {"values": {"type": "object", "additionalProperties": TEXT}, "lease_expires_at": TIME}
    ),
    "Template": all_required(
        {
            "name": TEXT,
            "request_type": TYPE,
            "title": TEXT,
            "description": TEXT,
            "required_fields": SCHEMA,
            "checklist": {"type": "array", "items": TEXT},
            "priority": TEXT,
            "expires_in": {"type": "integer"},
        }
    ),
}

LIST_FILTERS = (
    query("status", enum=STATUS["enum"]),
    query("request_type", enum=TYPE["enum"]),
    query("agent_id", "The label the agent gave."),
    query("workflow_id"),
    query("assigned_to", "The user name of the reviewer."),
    query("q", "Text in the title or description, or an id."),
    *FILTERS,
)
