"""Write what every kind of item has, as the contract names it.

A row maps columns to values: ``.values()`` or ``vars(…)``.
"""

from collections.abc import Mapping
from typing import Any

from events.clock import iso
from reviews.lifecycle import OPEN, Status
from reviews.models import Priority

COLUMNS = (
    "pk", "kind", "status", "effective_status", "title", "session_id", "agent_id", "agent_name", "run_id",
    "priority", "expires_at", "metadata", "idempotency_key", "created_at", "content_hash", "revision",
    "version", "policy", "stage", "reviewers", "votes", "due_at",
    "holder", "claimed_until", "resolved_by", "resolved_at", "consumed_at",
)  # fmt: skip
TOLD = ("id", "name", "version", "decision", "stages")
"""What is told of the policy in force."""
_PRIORITIES = dict(Priority.choices)


def shared(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that all kinds share; the status is the one that holds now, where that was read."""
    state, holder = row.get("effective_status") or row["status"], row.get("holder")
    return {
        "id": row["id"] if "id" in row else row["pk"],
        "status": state,
        "title": row["title"],
        "session_id": row["session_id"],
        "agent": row["agent_id"],
        "run_id": row["run_id"],
        "priority": _PRIORITIES[row["priority"]],
        "expires_at": iso(row["expires_at"]),
        "metadata": row["metadata"],
        "key": row["idempotency_key"],
        "created_at": iso(row["created_at"]),
        "content_hash": row["content_hash"],
        "revision": row["revision"],
        "version": row["version"],
        **_asked_of(row),
        "claimed_by": holder,
        "claimed_until": iso(row["claimed_until"]) if holder else None,
        "resolved_by": row["resolved_by"] or None,
        "resolved_at": iso(row["resolved_at"]),
        "is_expired": state == Status.EXPIRED,
        "is_resolved": state not in OPEN,
    }


def _asked_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy in force, who may answer now, and how far that is."""
    policy = row["policy"]
    return {
        "policy": {name: policy[name] for name in TOLD} if "id" in policy else None,
        "policy_note": policy.get("note", ""),
        "approval_message": policy.get("approval_message", ""),
        "stage": row["stage"],
        "reviewers": row["reviewers"],
        "votes": row["votes"],
        "due_at": iso(row["due_at"]),
    }
