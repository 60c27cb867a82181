"""Write action requests as the contract has them. No secret answer is ever among what is read here."""

from collections.abc import Mapping
from typing import Any

from events.clock import iso
from requests_app.models import RequestTemplate
from reviews.lifecycle import Status
from reviews.models import Priority
from reviews.serializers import COLUMNS as SHARED
from reviews.serializers import shared

COLUMNS = (
    *SHARED, "description", "required_fields", "context", "workflow_id", "template", "checklist",
    "response_data", "notes", "rejection_reason", "rejection_code", "sealed_fields", "was_purged",
    "leased_until", "assigned_to",
)  # fmt: skip


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole request."""
    found = shared(row)
    fulfilled, rejected = found["status"] == Status.FULFILLED, found["status"] == Status.REJECTED
    return {
        **found,
        "request_type": row["kind"],
        "description": row["description"],
        "agent_id": row["agent_name"],
        "workflow_id": row["workflow_id"],
        "context": row["context"],
        "required_fields": row["required_fields"],
        "template": row["template"],
        "checklist": row["checklist"],
        "assigned_to": row.get("assigned_to"),
        "response_data": row["response_data"],
        "secrets": _secrets(row) if row["sealed_fields"] else None,
        "notes": row["notes"],
        "fulfilled_by": found["resolved_by"] if fulfilled else None,
        "fulfilled_at": found["resolved_at"] if fulfilled else None,
        "rejected_by": found["resolved_by"] if rejected else None,
        "rejection_reason": row["rejection_reason"] or None,
        "rejection_code": row["rejection_code"] or None,
        "url": f"/admin/requests_app/actionrequest/{found['id']}/change/",
    }


def _secrets(row: Mapping[str, Any]) -> dict[str, Any]:
    """Say which answers are secret and what became of them; not what they are."""
    if row["was_purged"]:
        state = "purged"
    elif row["consumed_at"] is not None:
        state = "acknowledged"
    else:
        state = "revealed" if row["leased_until"] is not None else "sealed"
    return {"fields": row["sealed_fields"], "state": state, "lease_expires_at": iso(row["leased_until"])}


def template(row: RequestTemplate) -> dict[str, Any]:
    """Return what a template says for the agent."""
    names = ("name", "request_type", "title", "description", "required_fields", "checklist")
    return {
        **{name: getattr(row, name) for name in names},
        "priority": Priority(row.priority).label,
        "expires_in": row.expires_in_hours * 3600,
    }
