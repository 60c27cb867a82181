"""A run, the record of its steps, and the checkpoints at which people were asked."""

import re
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from agents.models import Agent
from events.models import Subject
from interrupts.models import Interrupt, one_line
from runs.lifecycle import ACTIVE, FINAL, MOVING, RunStatus, Step


class CheckpointKind(models.TextChoices):
    """Why a person is asked (see docs/runs.md)."""

    INFORMATION_REVIEW = "information_review"
    PAYLOAD_SUGGESTION = "payload_suggestion"
    VALIDATION_REVIEW = "validation_review"
    EXECUTION_APPROVAL = "execution_approval"
    RESPONSE_REVIEW = "response_review"
    BROWSER_ACTION = "browser_action"


def where(url: Any) -> str:
    """Return where *url* leads, in short; empty for no address. Its query may hold a secret, and goes."""
    return one_line(re.split(r"[?#]", url.partition("://")[2])[0], 80) if isinstance(url, str) else ""


class Run(Subject):
    """Take one call of a provider through its reviews, however long people take and whatever stops.

    ``run_input`` is what was asked for, all of it in one, and never changes; ``payload`` is what the provider
    is to get, as it stands; ``validation`` is what was last found of it, empty before the first look.
    ``approval`` is the last approval, ``{approval_id, kind, step, action, by, at, reason, edits, digest}``:
    ``digest`` names exactly what was approved, and with any other content it is worth nothing. ``gated`` is
    False where nobody is to be asked but by policies. ``handle`` is the provider's own id of a call under
    way, ``error`` why it failed or was cancelled.

    A worker takes a run that is due, under a lease. ``attempt`` counts the calls of the provider and is part
    of their idempotency key; ``submitted_at`` is set before a call goes out, so that who takes up after a
    crash knows that it may have; ``tries`` counts how often in a row the step under way has failed.
    """

    counts_as_open = False

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="runs", db_index=False)
    user_id = models.CharField(max_length=255, blank=True)
    session_id = models.CharField(max_length=255, blank=True)
    run_input: Any = models.JSONField(default=dict)
    hitl_config: Any = models.JSONField(default=dict)
    gated = models.BooleanField(default=True)
    tool = models.CharField(max_length=64)
    model = models.CharField(max_length=255, blank=True)
    step = models.CharField(max_length=24, choices=Step, default=Step.CREATED)
    payload: Any = models.JSONField(default=dict, blank=True)
    validation: Any = models.JSONField(default=dict, blank=True)
    approval: Any = models.JSONField(default=dict, blank=True)
    response: Any = models.JSONField(default=dict, blank=True)
    error: Any = models.JSONField(default=dict, blank=True)
    handle = models.CharField(max_length=255, blank=True)
    attempt = models.PositiveIntegerField(default=1)
    tries = models.PositiveIntegerField(default=0)
    submitted_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(db_default=Now())
    leased_by = models.CharField(max_length=64, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    idempotency_key = models.CharField(max_length=300, blank=True)
    body_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "hitl_runs"
        constraints = [
            models.CheckConstraint(name="run_status_known", condition=Q(status__in=list(RunStatus))),
            models.CheckConstraint(name="run_step_known", condition=Q(step__in=list(Step))),
            models.CheckConstraint(
                name="run_resolved_at_when_final",
                condition=Q(status__in=sorted(FINAL), resolved_at__isnull=False)
                | Q(status__in=sorted(ACTIVE), resolved_at__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["agent", "session_id"],
                name="run_active_once_a_session",
                condition=Q(status__in=sorted(ACTIVE)) & ~Q(session_id=""),
            ),
            models.UniqueConstraint(
                fields=["agent", "idempotency_key"], name="run_key_once", condition=~Q(idempotency_key="")
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "id"], name="run_by_agent"),
            models.Index(fields=["session_id", "id"], name="run_by_session", condition=~Q(session_id="")),
            models.Index(fields=["due_at"], name="run_due", condition=Q(status__in=sorted(MOVING))),
            models.Index(fields=["id"], name="run_awaiting", condition=Q(status=RunStatus.AWAITING_HUMAN)),
            models.Index(fields=["id"], name="run_failed", condition=Q(status=RunStatus.FAILED)),
            models.Index(fields=["agent", "id"], name="run_active", condition=Q(status__in=sorted(ACTIVE))),
            models.Index(fields=["resolved_at"], name="run_resolved", condition=Q(status__in=sorted(FINAL))),
        ]

    def __str__(self) -> str:
        return f"{self.tool} {self.called}".strip()

    @property
    def called(self) -> str:
        """Return what of its tool is called, in short: the model, or where an address leads."""
        return self.model or where(self.payload.get("url") or (self.run_input.get("inputs") or {}).get("url"))

    @property
    def stream(self) -> str:
        return str(self.agent_id)

    @property
    def session(self) -> str:
        return self.session_id


class StepEvent(models.Model):
    """Record one stay of a run at a step: when it began, who ended it and what came of it.

    ``outcome`` is empty while it is under way; no two of one run can be under way (the database says so).
    """

    class Outcome(models.TextChoices):
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    step = models.CharField(max_length=24, choices=Step)
    outcome = models.CharField(max_length=16, blank=True, choices=Outcome)
    actor = models.CharField(max_length=255, blank=True)
    message = models.TextField(blank=True)
    data: Any = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "hitl_step_events"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="step_number_once"),
            models.UniqueConstraint(fields=["run"], name="step_under_way_once", condition=Q(outcome="")),
            models.CheckConstraint(
                name="step_finished_at_when_over",
                condition=Q(outcome="", finished_at__isnull=True)
                | (~Q(outcome="") & Q(finished_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} {self.outcome}".strip()


class Checkpoint(models.Model):
    """Tie a run to the interrupt by which it asks a person, and keep the answer when that is gone.

    ``context`` is what was shown beside the question. One of a run's own can be open at a time; browser
    actions wait beside it.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="checkpoints")
    interrupt = models.OneToOneField(
        Interrupt, null=True, on_delete=models.SET_NULL, related_name="checkpoint"
    )
    approval_id = models.CharField(max_length=32, unique=True)
    kind = models.CharField(max_length=24, choices=CheckpointKind)
    step = models.CharField(max_length=24, choices=Step)
    context: Any = models.JSONField(default=dict, blank=True)
    answer: Any = models.JSONField(default=dict, blank=True)
    opened_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "hitl_approvals"
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run"],
                name="checkpoint_open_once",
                condition=Q(settled_at__isnull=True) & ~Q(kind=CheckpointKind.BROWSER_ACTION),
            ),
            models.CheckConstraint(
                name="checkpoint_settled_after_opened",
                condition=Q(settled_at__isnull=True) | Q(settled_at__gte=F("opened_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.approval_id}"
