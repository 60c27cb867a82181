"""The states of everything a human is asked, and what can happen to an item without deciding it.

    open:   pending, in_review
    final:  approved, fulfilled, rejected, expired, cancelled

An open item past its deadline already reads as its ``on_timeout`` says; the sweep makes it so for good.
"""

from django.db.models import TextChoices

from events.transitions import Transition


class Status(TextChoices):
    PENDING = "pending"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    FULFILLED = "fulfilled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class OnTimeout(TextChoices):
    EXPIRE = "expire"
    REJECT = "reject"


OPEN = frozenset({Status.PENDING, Status.IN_REVIEW})
FINAL = frozenset(Status) - OPEN
NOBODY_ANSWERED = "Nobody answered in time."

CLAIM = Transition("claim", sources=OPEN, event="hitl.item.claimed")
RELEASE = Transition("release", sources=OPEN, event="hitl.item.released")
REASSIGN = Transition("reassign", sources=OPEN, event="hitl.item.reassigned")
VOTE = Transition("vote", sources=OPEN, event="hitl.item.voted")
REMIND = Transition("remind", sources=OPEN, event="hitl.item.reminded", quiet=True)
ESCALATE = Transition("escalate", sources=OPEN, event="hitl.item.escalated", quiet=True)
ATTACH = Transition("attach", sources=OPEN, event="hitl.item.attachment_added")
