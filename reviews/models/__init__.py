"""The rows: items and what is attached to them; policies, delegations and grants."""

from reviews.models.items import (
    FAMILIES,
    INTERRUPTS,
    REQUESTS,
    Attachment,
    Kind,
    Outcome,
    Priority,
    ReviewItem,
    noun_of,
)
from reviews.models.policies import Delegation, Grant, Policy, Ruling

__all__ = [
    "FAMILIES",
    "INTERRUPTS",
    "REQUESTS",
    "Attachment",
    "Delegation",
    "Grant",
    "Kind",
    "Outcome",
    "Policy",
    "Priority",
    "ReviewItem",
    "Ruling",
    "noun_of",
]
