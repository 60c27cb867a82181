"""What may be sent to the routes of policies, grants and delegations."""

from typing import Any

from events.problems import invalid
from reviews.bodies import LABEL, NOT_BLANK, OBJECT, YEAR_SECONDS, Schema, body
from reviews.lifecycle import OnTimeout
from reviews.models import Kind, PolicyDecision, Priority
from reviews.models.policies import SUBJECTS

_TEXT: Schema = {"type": "string", "maxLength": 1_000}
_SECONDS: Schema = {"type": "integer", "minimum": 1, "maximum": YEAR_SECONDS}
_GROUP: Schema = {**NOT_BLANK, "maxLength": 150}
GROUPS: Schema = {"type": "array", "items": _GROUP, "maxItems": 20, "uniqueItems": True}
APPROVALS: Schema = {"type": "integer", "minimum": 1, "maximum": 50, "default": 1}
_STAGE = body(
    {"reviewers": ["finance"], "required_approvals": 2},
    required=("reviewers",),
    name={"type": "string", "maxLength": 60},
    reviewers=GROUPS,
    required_approvals=APPROVALS,
)
STAGES: Schema = {"type": "array", "items": _STAGE, "maxItems": 8}
SLA: Schema = {
    "type": "object",
    "properties": dict.fromkeys(Priority.labels, _SECONDS),
    "additionalProperties": False,
    "description": "By priority, the seconds in which an answer is due.",
}
ESCALATION: Schema = {
    "type": "array",
    "items": body({"to": "managers", "after": 3600}, required=("to",), to=_GROUP, after=_SECONDS),
    "maxItems": 8,
    "description": "Which groups are asked besides, one after another; each `after` the step before it.",
}
REDACT: Schema = {
    "type": "array",
    "items": {**NOT_BLANK, "maxLength": 100},
    "maxItems": 50,
    "uniqueItems": True,
    "description": "Arguments that no log repeats, by name, at whatever depth.",
}
_PATTERN: Schema = {**NOT_BLANK, "maxLength": 255, "description": "A glob; case does not matter."}
_FIELDS: dict[str, Schema] = {
    "name": {**NOT_BLANK, "maxLength": 100},
    "priority": {
        "type": "integer",
        "minimum": 0,
        "maximum": 1_000_000,
        "default": 100,
        "description": "Lower is asked first.",
    },
    "is_active": {"type": "boolean", "default": True},
    "kind": {"enum": [name for name, _ in SUBJECTS], "default": "interrupt"},
    "pattern": {**_PATTERN, "default": "*"},
    "agent_pattern": {**_PATTERN, "default": "*"},
    "when": {
        "type": "string",
        "maxLength": 2_000,
        "description": "CEL over `args`, `agent`, `session_id`; empty: always.",
    },
    "require_approval": {"type": "boolean"},
    "allow_auto": {"type": "boolean"},
    "deny": {"type": "boolean"},
    "note": _TEXT,
    "approval_message": _TEXT,
    "reviewers": {**GROUPS, "description": "Names of groups; none: whoever may decide."},
    "required_approvals": APPROVALS,
    "stages": STAGES,
    "high_risk": {"type": "boolean", "default": False},
    "expires_in": {**_SECONDS, "type": ["integer", "null"]},
    "on_timeout": {"enum": ["", *OnTimeout.values], "description": "Empty: as the agent asks."},
    "sla": SLA,
    "remind_after": {**_SECONDS, "type": ["integer", "null"]},
    "escalation": ESCALATION,
    "business_hours": {"type": "boolean", "default": False},
    "redact": REDACT,
}
_EXAMPLE = {
    "name": "Deletions",
    "pattern": "delete_*",
    "when": "args.count > 10",
    "require_approval": True,
    "note": "Deleting cannot be undone.",
}
CREATE = body(_EXAMPLE, required=("name",), **_FIELDS)
CHANGE = {
    **body(
        {"note": "Ask the owner first."},
        required=(),
        **_FIELDS,
        version={"type": "integer", "minimum": 1, "description": "Refuse when it is no longer this one."},
    ),
    "minProperties": 1,
}
EVALUATE = body(
    {"tool_name": "delete_user", "tool_args": {"user_id": 123}, "session_id": "session-7"},
    required=("tool_name",),
    tool_name=LABEL,
    tool_args=OBJECT,
    session_id=LABEL,
    kind={"enum": Kind.values, "default": "approval"},
    agent={**LABEL, "description": "For operators: whose call it would be."},
)
DELEGATION = body(
    {"substitute": "bob", "starts_at": "2030-07-01T00:00:00Z", "ends_at": "2030-07-15T00:00:00Z"},
    required=("substitute", "starts_at", "ends_at"),
    absent={**LABEL, "description": "For administrators: who is away. By default who calls."},
    substitute=LABEL,
    starts_at={"type": "string", "format": "date-time"},
    ends_at={"type": "string", "format": "date-time"},
    note={"type": "string", "maxLength": 200},
)
_SAYS = {
    "require_approval": (PolicyDecision.ASK, PolicyDecision.ALLOW),
    "allow_auto": (PolicyDecision.ALLOW, PolicyDecision.ASK),
    "deny": (PolicyDecision.DENY, None),
}


def fields_of(sent: dict[str, Any], *, needed: bool) -> dict[str, Any]:
    """Return the fields of a policy that *sent* names; the three switches become its ``decision``.

    Raises:
        Problem: the switches contradict each other, or (where one is *needed*) there is none.
    """
    said = {name: _SAYS[name][0 if sent[name] else 1] for name in _SAYS if name in sent}
    decisions = {decision for decision in said.values() if decision is not None}
    if len(decisions) > 1:
        raise invalid({next(iter(said)): [f"{' and '.join(said)} contradict each other. Send one."]})
    if needed and not decisions:
        raise invalid({"require_approval": ["Say require_approval, allow_auto or deny."]})
    fields = {name: _whole(value) for name, value in sent.items() if name not in (*_SAYS, "version")}
    return {**fields, **({"decision": decisions.pop()} if decisions else {})}


def _whole(value: Any) -> Any:
    """Return *value* with 60.0 as 60: JSON Schema takes one for the other."""
    match value:
        case float():
            return int(value)
        case list():
            return [_whole(one) for one in value]
        case dict():
            return {name: _whole(one) for name, one in value.items()}
    return value
