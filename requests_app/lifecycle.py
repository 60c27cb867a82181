"""The life of a human action request.

           ┌────────── release ──────────┐
           ▼                             │
       pending ── start review ──▶ in_review
           │                             │
           ├─ fulfill ───────────────────┼──▶ fulfilled
           ├─ reject ────────────────────┼──▶ rejected
           ├─ cancel ────────────────────┼──▶ cancelled
           └─ (deadline) ────────────────┴──▶ expired, or rejected where a policy says so

What was fulfilled with secrets is revealed to its agent under a lease and ends by being acknowledged, or
purged when nobody fetches it.
"""

from events.transitions import Transition
from reviews.lifecycle import OPEN, OnTimeout, Status

IN_REVIEW = frozenset({Status.IN_REVIEW})
FULFILLED = frozenset({Status.FULFILLED})

START_REVIEW = Transition("start review", OPEN, "hitl.request.in_review", Status.IN_REVIEW)
RELEASE = Transition("release", IN_REVIEW, "hitl.item.released", Status.PENDING)
FULFILL = Transition("fulfill", OPEN, "hitl.request.fulfilled", Status.FULFILLED, final=True)
REJECT = Transition("reject", OPEN, "hitl.request.rejected", Status.REJECTED, final=True)
CANCEL = Transition("cancel", OPEN, "hitl.request.cancelled", Status.CANCELLED, final=True)
EXPIRE = Transition("expire", OPEN, "hitl.request.expired", Status.EXPIRED, final=True, when_overdue=True)
REJECT_OVERDUE = Transition(
    "reject overdue", OPEN, "hitl.request.rejected", Status.REJECTED, final=True, when_overdue=True
)
PROGRESS = Transition("note progress", OPEN, "hitl.item.progressed")

REVEAL = Transition("reveal", FULFILLED, "hitl.item.revealed", any_time=True)
ACKNOWLEDGE = Transition("acknowledge", FULFILLED, "hitl.item.consumed", any_time=True)
PURGE = Transition("purge", FULFILLED, "hitl.item.purged", any_time=True)

ON_TIMEOUT = {OnTimeout.EXPIRE: EXPIRE, OnTimeout.REJECT: REJECT_OVERDUE}
