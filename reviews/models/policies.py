"""What decides who is asked, and what decides instead of a person: policies, delegations and grants."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from events.ids import new_id
from reviews.lifecycle import OnTimeout
from reviews.models.items import Kind

ANYTHING = "*"
INTERRUPT, REQUEST = "interrupt", "request"
SUBJECTS = [
    (INTERRUPT, _("every interrupt")),
    (REQUEST, _("every action request")),
    (ANYTHING, _("everything")),
    *Kind.choices,
]


class PolicyDecision(models.TextChoices):
    """What a policy says about a call."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


def policy_id() -> str:
    return new_id("pol")


def grant_id() -> str:
    return new_id("gra")


class Policy(models.Model):
    """Say of the calls that it matches whether a person is asked, and who. Its events are its history.

    The active ones are tried by ``priority`` (then by age), and the first that matches is in force. Durations
    are seconds; ``sla`` has them by the item's priority. ``stages`` are
    ``[{"name", "reviewers", "required_approvals"}]``; without any, ``reviewers`` and ``required_approvals``
    are the only one. ``escalation`` is ``[{"to", "after"}]``: which group is asked besides, and when.
    ``redact`` names arguments that no log repeats.
    """

    id = models.CharField(primary_key=True, max_length=32, default=policy_id, editable=False)
    name = models.CharField(max_length=100, unique=True)
    priority = models.PositiveIntegerField(default=100)
    is_active = models.BooleanField(default=True)
    kind = models.CharField(max_length=24, choices=SUBJECTS, default=INTERRUPT)
    pattern = models.CharField(max_length=255, default=ANYTHING)
    agent_pattern = models.CharField(max_length=255, default=ANYTHING)
    when = models.CharField(max_length=2_000, blank=True)
    decision = models.CharField(max_length=8, choices=PolicyDecision, default=PolicyDecision.ASK)
    note = models.TextField(blank=True, max_length=1_000)
    approval_message = models.TextField(blank=True, max_length=1_000)
    reviewers: Any = models.JSONField(default=list, blank=True)
    required_approvals = models.PositiveSmallIntegerField(default=1)
    stages: Any = models.JSONField(default=list, blank=True)
    high_risk = models.BooleanField(default=False)
    expires_in = models.PositiveIntegerField(null=True, blank=True)
    on_timeout = models.CharField(max_length=8, choices=OnTimeout, blank=True)
    sla: Any = models.JSONField(default=dict, blank=True)
    remind_after = models.PositiveIntegerField(null=True, blank=True)
    escalation: Any = models.JSONField(default=list, blank=True)
    business_hours = models.BooleanField(default=False)
    redact: Any = models.JSONField(default=list, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["priority", "created_at", "id"]
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(
                name="policy_decision_known", condition=Q(decision__in=list(PolicyDecision))
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Delegation(models.Model):
    """Let *substitute* answer in the place of *absent*, from one moment to another."""

    absent = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="delegations_given"
    )
    substitute = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="delegations_taken"
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="delegation_ends_after_its_start", condition=Q(ends_at__gt=F("starts_at"))
            ),
            models.CheckConstraint(name="delegation_is_to_another", condition=~Q(absent=F("substitute"))),
        ]

    def __str__(self) -> str:
        return f"{self.substitute} for {self.absent}"


class Grant(models.Model):
    """Answer in advance: let an agent's calls of one tool pass, for a session or for the same arguments.

    ``arguments_hash`` is SHA-256 over the canonical arguments, empty where any will do.
    """

    id = models.CharField(primary_key=True, max_length=32, default=grant_id, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="grants")
    tool_name = models.CharField(max_length=255)
    session_id = models.CharField(max_length=255, blank=True)
    arguments_hash = models.CharField(max_length=64, blank=True)
    arguments: Any = models.JSONField(null=True, blank=True)
    item_id = models.CharField(max_length=32)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="grants_given"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["agent", "tool_name", "expires_at"],
                name="grant_in_force",
                condition=Q(revoked_at__isnull=True),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="grant_is_for_a_session_or_arguments",
                condition=~Q(session_id="", arguments_hash=""),
            ),
        ]

    def __str__(self) -> str:
        return self.id
