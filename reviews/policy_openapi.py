"""What policies, verdicts, grants and delegations look like, for the OpenAPI document."""

from reviews.models import PolicyDecision
from reviews.openapi import OBJECT_OR_NONE, TEXT, TEXT_OR_NONE, TIME, TIME_OR_NONE, all_required
from reviews.policy_bodies import CREATE

_SWITCH = {"type": "boolean"}
_DECISION = {"enum": PolicyDecision.values}
COMPONENTS = {
    "Policy": all_required(
        {
            "id": TEXT,
            **CREATE["properties"],
            "decision": _DECISION,
            "version": {"type": "integer"},
            "created_at": TIME,
            "updated_at": TIME,
            "url": TEXT,
        }
    ),
    "Evaluation": all_required(
        {
            "decision": _DECISION,
            "policy": {**TEXT_OR_NONE, "description": "The name of the policy in force."},
            "note": TEXT,
            "approval_message": TEXT,
            "failure": {**TEXT, "description": "Why the condition failed, so that a person is asked."},
            "grant": {**TEXT_OR_NONE, "description": "What allows this in advance."},
            "depends_on_args": {**_SWITCH, "description": "Whether other arguments may be ruled otherwise."},
            "version": {**TEXT, "description": "Names the state of all rules."},
        }
    ),
    "Grant": all_required(
        {
            "id": TEXT,
            "agent": TEXT,
            "tool_name": TEXT,
            "session_id": TEXT,
            "tool_args": OBJECT_OR_NONE,
            "item": TEXT,
            "granted_by": TEXT,
            "created_at": TIME,
            "expires_at": TIME,
            "revoked_at": TIME_OR_NONE,
        }
    ),
    "Delegation": all_required(
        {
            "id": {"type": "integer"},
            "absent": TEXT,
            "substitute": TEXT,
            "starts_at": TIME,
            "ends_at": TIME,
            "note": TEXT,
        }
    ),
}
