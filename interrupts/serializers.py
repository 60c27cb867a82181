"""Write interrupts as the contract has them. A row maps columns to values: ``.values()`` or ``vars(…)``."""

from collections.abc import Mapping
from typing import Any

from events.clock import iso
from interrupts.lifecycle import NOBODY_ANSWERED
from reviews.lifecycle import OPEN, Status
from reviews.models import Priority

COLUMNS = (
    "pk", "kind", "status", "effective_status", "title", "reason", "data", "session_id", "agent_id",
    "agent_name", "run_id", "step_name", "tool_name", "tool_args", "call_id", "args_schema",
    "allowed_decisions", "response_schema", "priority", "expires_at", "on_timeout", "batch_id", "metadata",
    "created_at", "content_hash", "revision", "version", "stage", "holder", "claimed_until", "modifications",
    "response", "rejection_reason", "resolved_by", "resolved_at", "idempotency_key",
    "changes_requested_at", "consumed_at", "outcome", "outcome_result",
)  # fmt: skip
_PRIORITIES = dict(Priority.choices)


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole interrupt."""
    pk = row["id"] if "id" in row else row["pk"]
    state = row.get("effective_status") or row["status"]
    holder = row.get("holder")
    return {
        "id": pk,
        "type": row["kind"],
        "status": state,
        "title": row["title"],
        "reason": row["reason"],
        "data": row["data"],
        "session_id": row["session_id"],
        "agent": row["agent_id"],
        "agent_name": row["agent_name"],
        "run_id": row["run_id"],
        "step_name": row["step_name"],
        "tool_name": row["tool_name"],
        "tool_args": row["tool_args"],
        "call_id": row["call_id"],
        "args_schema": row["args_schema"],
        "allowed_decisions": row["allowed_decisions"],
        "response_schema": row["response_schema"],
        "priority": _PRIORITIES[row["priority"]],
        "expires_at": iso(row["expires_at"]),
        "on_timeout": row["on_timeout"],
        "batch_id": row["batch_id"],
        "metadata": row["metadata"],
        "key": row["idempotency_key"],
        "created_at": iso(row["created_at"]),
        "content_hash": row["content_hash"],
        "revision": row["revision"],
        "version": row["version"],
        "stage": row["stage"],
        "claimed_by": holder,
        "claimed_until": iso(row["claimed_until"]) if holder else None,
        "changes_requested_at": iso(row["changes_requested_at"]),
        **_answer(row, state),
        "consumed_at": iso(row["consumed_at"]),
        "outcome": row["outcome"] or None,
        "outcome_result": row["outcome_result"],
        "is_expired": state == Status.EXPIRED,
        "is_resolved": state not in OPEN,
        "url": f"/admin/interrupts/interrupt/{pk}/change/",
    }


def status(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an agent that waits wants to know."""
    state = row["effective_status"]
    return {
        "id": row["pk"],
        "approved": state == Status.APPROVED,
        "status": state,
        **_answer(row, state),
        "expires_at": iso(row["expires_at"]),
    }


def etag(row: Mapping[str, Any]) -> str:
    """Return the validator of :func:`status`: another after every change, and when the deadline passes."""
    return f'"{row["pk"]}.{row["version"]}.{row["effective_status"]}"'


def _answer(row: Mapping[str, Any], state: str) -> dict[str, Any]:
    reason = row["rejection_reason"]
    if state == Status.REJECTED and not reason and row["resolved_by"] in ("", "system"):
        reason = NOBODY_ANSWERED
    return {
        "modifications": row["modifications"],
        "response": row["response"],
        "rejection_reason": reason or None,
        "resolved_by": row["resolved_by"] or None,
        "resolved_at": iso(row["resolved_at"]),
    }
