"""The rows: items and what is attached to them; policies, delegations and grants."""

from reviews.models.items import (
    DECIDE,
    EVERYBODY,
    FAMILIES,
    INTERRUPTS,
    REQUESTS,
    VIEW,
    YES_OR_NO,
    Attachment,
    Kind,
    Outcome,
    Priority,
    ReviewItem,
    noun_of,
)
from reviews.models.policies import Delegation, Grant, Policy, PolicyDecision

__all__ = [
    "DECIDE",
    "EVERYBODY",
    "FAMILIES",
    "INTERRUPTS",
    "REQUESTS",
    "VIEW",
    "YES_OR_NO",
    "Attachment",
    "Delegation",
    "Grant",
    "Kind",
    "Outcome",
    "Policy",
    "PolicyDecision",
    "Priority",
    "ReviewItem",
    "noun_of",
]
