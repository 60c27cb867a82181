"""Write interrupts as the contract has them."""

from collections.abc import Mapping
from typing import Any

from events.clock import iso
from interrupts.lifecycle import Decision
from reviews.lifecycle import NOBODY_ANSWERED, Status
from reviews.serializers import COLUMNS as SHARED
from reviews.serializers import shared

COLUMNS = (
    *SHARED, "reason", "data", "step_name", "tool_name", "tool_args", "call_id", "args_schema",
    "allowed_decisions", "response_schema", "on_timeout", "batch_id", "modifications", "response",
    "rejection_reason", "changes_requested_at", "outcome", "outcome_result",
)  # fmt: skip


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole interrupt."""
    found = shared(row)
    return {
        **found,
        "type": row["kind"],
        "reason": row["reason"],
        "data": row["data"],
        "agent_name": row["agent_name"],
        "step_name": row["step_name"],
        "tool_name": row["tool_name"],
        "tool_args": row["tool_args"],
        "call_id": row["call_id"],
        "args_schema": row["args_schema"],
        "allowed_decisions": row["allowed_decisions"],
        "response_schema": row["response_schema"],
        "on_timeout": row["on_timeout"],
        "batch_id": row["batch_id"],
        "changes_requested_at": iso(row["changes_requested_at"]),
        **_answer(row, found["status"]),
        "consumed_at": iso(row["consumed_at"]),
        "outcome": row["outcome"] or None,
        "outcome_result": row["outcome_result"],
        "url": f"/admin/interrupts/interrupt/{found['id']}/change/",
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
        "receipt": row["receipt"] or None,
    }


def etag(row: Mapping[str, Any]) -> str:
    """Return the validator of :func:`status`: another after every change, and when the deadline passes."""
    return f'"{row["pk"]}.{row["version"]}.{row["effective_status"]}"'


def is_known(tag: str, if_none_match: str) -> bool:
    """Say whether an ``If-None-Match`` header names *tag*, or (``*``) anything there is."""
    return tag in if_none_match or if_none_match.strip() == "*"


def _decision(row: Mapping[str, Any], state: str) -> str | None:
    """Say what was answered, in the words of ``allowed_decisions``; nothing where there is no answer."""
    if state == Status.REJECTED:
        return Decision.REJECT.value
    if state != Status.APPROVED:
        return None
    if row["modifications"] is not None:
        return Decision.EDIT.value
    is_answer = row["response"] is not None or Decision.APPROVE not in row["allowed_decisions"]
    return (Decision.RESPOND if is_answer else Decision.APPROVE).value


def _answer(row: Mapping[str, Any], state: str) -> dict[str, Any]:
    reason = row["rejection_reason"]
    if state == Status.REJECTED and not reason and row["resolved_by"] in ("", "system"):
        reason = NOBODY_ANSWERED
    return {
        "decision": _decision(row, state),
        "modifications": row["modifications"],
        "response": row["response"],
        "rejection_reason": reason or None,
        "resolved_by": row["resolved_by"] or None,
        "resolved_at": iso(row["resolved_at"]),
    }
