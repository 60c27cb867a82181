"""The life of an interrupt.

             ┌─ approve / respond ──▶ approved
pending ─────┼─ reject ─────────────▶ rejected
             ├─ cancel ─────────────▶ cancelled
             └─ (deadline) ─────────▶ expired, or rejected where on_timeout says so

A pending one can be sent back for changes and revised; an approved one is consumed once by the tool that
runs, which then reports what came of it.
"""

from django.db.models import TextChoices

from events.transitions import Transition
from reviews.lifecycle import OnTimeout, Status
from reviews.models import Kind

PENDING = frozenset({Status.PENDING})

APPROVE = Transition("approve", PENDING, "hitl.interrupt.approved", Status.APPROVED, final=True)
RESPOND = Transition("respond", PENDING, "hitl.interrupt.responded", Status.APPROVED, final=True)
REJECT = Transition("reject", PENDING, "hitl.interrupt.rejected", Status.REJECTED, final=True)
CANCEL = Transition("cancel", PENDING, "hitl.interrupt.cancelled", Status.CANCELLED, final=True)
EXPIRE = Transition(
    "expire", PENDING, "hitl.interrupt.expired", Status.EXPIRED, final=True, when_overdue=True
)
REJECT_OVERDUE = Transition(
    "reject overdue", PENDING, "hitl.interrupt.rejected", Status.REJECTED, final=True, when_overdue=True
)

ON_TIMEOUT = {OnTimeout.EXPIRE: EXPIRE, OnTimeout.REJECT: REJECT_OVERDUE}

REQUEST_CHANGES = Transition("request changes", PENDING, "hitl.item.changes_requested")
REVISE = Transition("revise", PENDING, "hitl.item.revised")

APPROVED = frozenset({Status.APPROVED})
CONSUME = Transition("consume", APPROVED, "hitl.item.consumed", any_time=True)
REPORT = Transition("report", APPROVED, "hitl.item.outcome", any_time=True)


class Decision(TextChoices):
    """What a person may answer; ``edit`` is an approval with other arguments."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    RESPOND = "respond"


DECISIONS = {
    Kind.APPROVAL: (Decision.APPROVE, Decision.EDIT, Decision.REJECT),
    Kind.CONFIRMATION: (Decision.APPROVE, Decision.REJECT),
    Kind.INPUT: (Decision.RESPOND, Decision.REJECT),
    Kind.FEEDBACK: (Decision.RESPOND, Decision.APPROVE, Decision.REJECT),
}
"""What each type takes when the agent names no ``allowed_decisions``."""
