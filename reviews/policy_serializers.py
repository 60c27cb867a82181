"""Write policies, verdicts, grants and delegations as the contract has them."""

from typing import Any

from events.clock import iso
from reviews.models import Delegation, Grant, Policy, PolicyDecision
from reviews.policy_services import fields_of
from reviews.rules import Ruling


def policy(row: Policy) -> dict[str, Any]:
    """Return the whole policy, its decision both as a word and as the switches it was made with."""
    return {
        "id": row.pk,
        **fields_of(row),
        "require_approval": row.decision == PolicyDecision.ASK,
        "allow_auto": row.decision == PolicyDecision.ALLOW,
        "deny": row.decision == PolicyDecision.DENY,
        "version": row.version,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "url": f"/admin/reviews/policy/{row.pk}/change/",
    }


def evaluation(ruling: Ruling) -> dict[str, Any]:
    """Return what an agent wants to know before it makes a call."""
    terms = ruling.verdict.terms
    return {
        "decision": ruling.decision,
        "policy": terms.get("name"),
        "note": terms.get("note", ""),
        "approval_message": terms.get("approval_message", ""),
        "failure": ruling.verdict.failure,
        "grant": ruling.grant.pk if ruling.grant else None,
        "depends_on_args": ruling.depends_on_arguments,
        "version": ruling.version,
    }


def grant(row: Grant) -> dict[str, Any]:
    """Return what was allowed in advance, by whom and until when."""
    return {
        "id": row.pk,
        "agent": row.agent_id,
        "tool_name": row.tool_name,
        "session_id": row.session_id,
        "tool_args": row.arguments,
        "item": row.item_id,
        "granted_by": row.granted_by.get_username(),
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at),
        "revoked_at": iso(row.revoked_at),
    }


def delegation(row: Delegation) -> dict[str, Any]:
    """Return who stands in for whom, from when to when."""
    return {
        "id": row.pk,
        "absent": row.absent.get_username(),
        "substitute": row.substitute.get_username(),
        "starts_at": iso(row.starts_at),
        "ends_at": iso(row.ends_at),
        "note": row.note,
    }
