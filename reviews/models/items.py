"""The reviewable item: one row for each thing a human is asked."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from agents.models import Agent
from events.canonical import sha256
from events.models import Subject
from reviews import tallies
from reviews.lifecycle import FINAL, OPEN, OnTimeout, Status


class Kind(models.TextChoices):
    """What is asked. The first four are interrupts, the others human action requests."""

    APPROVAL = "approval"
    CONFIRMATION = "confirmation"
    INPUT = "input"
    FEEDBACK = "feedback"
    API_KEY = "api_key"
    ACCOUNT_CREATION = "account_creation"
    LEGAL_DOCUMENT = "legal_document"
    PAYMENT_AUTHORIZATION = "payment_authorization"
    BUSINESS_SETUP = "business_setup"
    STRATEGIC_DECISION = "strategic_decision"
    CUSTOM = "custom"


INTERRUPTS = (Kind.APPROVAL, Kind.CONFIRMATION, Kind.INPUT, Kind.FEEDBACK)
YES_OR_NO = (Kind.APPROVAL, Kind.CONFIRMATION)
"""What can be allowed in advance: the answer is yes, and says nothing else."""
REQUESTS = tuple(kind for kind in Kind if kind not in INTERRUPTS)
FAMILIES = {"requests": REQUESTS, "interrupts": INTERRUPTS}


def noun_of(kind: str) -> str:
    """Return what items of *kind* are called together."""
    return "interrupts" if kind in INTERRUPTS else "requests"


class Priority(models.IntegerChoices):
    """How urgent it is; stored as a rank so that the inbox can order by it."""

    LOW = 1, "low"
    MEDIUM = 2, "medium"
    HIGH = 3, "high"
    CRITICAL = 4, "critical"


class Outcome(models.TextChoices):
    """What came of what was approved."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


def _timed(column: str) -> Q:
    return Q((f"{column}__isnull", False))


VIEW, DECIDE = "reviews.view_reviewitem", "reviews.decide_reviewitem"
EVERYBODY: dict[str, Any] = {"name": "", "reviewers": [], "required_approvals": 1}
"""The only stage of what no policy is about: one person who may decide."""

_open = Q(status__in=sorted(OPEN))
_due = Coalesce("due_at", "expires_at")
_answered_interrupt = Q(kind__in=INTERRUPTS, response_time__isnull=False)
_answered_request = Q(kind__in=REQUESTS, response_time__isnull=False)


class ReviewItem(Subject):
    """Carry what an inbox, expiry, cleanup and access need; the children say what exactly is asked.

    ``agent`` is whose key asked: access goes by it. ``agent_name`` is a label of the agent's own choosing.
    ``content_hash`` is SHA-256 over what a human is asked to judge, and changes only with ``revision``.
    ``response_time`` is how long a person took to answer; nobody else's ending has one. ``looked_time`` is
    how long they had its page open, where they decided there.

    ``policy`` is the policy in force, as it read when it was asked (see :mod:`reviews.policies`); ``stage``
    counts its stages from 0, and ``reviewers`` are the groups that may answer now (none: whoever may decide).
    ``votes`` are those for what is asked now: ``[{"by", "seat", "stage"}]``.
    """

    judged_column = ""
    """Which column of a child holds the arguments that policies look at."""

    kind = models.CharField(max_length=24, choices=Kind)
    title = models.CharField(max_length=200)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="items", db_index=False)
    agent_name = models.CharField(max_length=255)
    session_id = models.CharField(max_length=255, blank=True)
    run_id = models.CharField(max_length=255, blank=True)
    batch_id = models.CharField(max_length=255, blank=True)
    tool_name = models.CharField(max_length=255, blank=True)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.MEDIUM)
    on_timeout = models.CharField(max_length=8, choices=OnTimeout, default=OnTimeout.EXPIRE)
    metadata: Any = models.JSONField(default=dict, blank=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="assigned_items",
    )
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="claimed_items",
    )
    claimed_until = models.DateTimeField(null=True, blank=True)
    policy: Any = models.JSONField(default=dict, blank=True)
    stage = models.PositiveSmallIntegerField(default=0)
    reviewers: Any = models.JSONField(default=list, blank=True)
    votes: Any = models.JSONField(default=list, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    remind_at = models.DateTimeField(null=True, blank=True)
    escalate_at = models.DateTimeField(null=True, blank=True)
    escalations = models.PositiveSmallIntegerField(default=0)
    content_hash = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    changes_requested_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=255, blank=True)
    response_time = models.DurationField(null=True, blank=True, editable=False)
    looked_time = models.DurationField(null=True, blank=True, editable=False)
    consumed_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, blank=True, choices=Outcome)
    idempotency_key = models.CharField(max_length=300, blank=True)
    body_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        permissions = [("decide_reviewitem", "Can decide what agents ask")]
        constraints = [
            models.CheckConstraint(name="item_status_known", condition=Q(status__in=list(Status))),
            models.CheckConstraint(name="item_kind_known", condition=Q(kind__in=list(Kind))),
            models.CheckConstraint(
                name="item_resolved_at_when_final",
                condition=Q(status__in=sorted(FINAL), resolved_at__isnull=False)
                | Q(status__in=sorted(OPEN), resolved_at__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["agent", "idempotency_key"], name="item_key_once", condition=~Q(idempotency_key="")
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "id"], name="item_by_agent"),
            models.Index(fields=["agent_name", "id"], name="item_by_label"),
            models.Index(fields=["session_id", "id"], name="item_by_session", condition=~Q(session_id="")),
            models.Index(fields=["run_id", "id"], name="item_by_run", condition=~Q(run_id="")),
            models.Index(fields=["batch_id"], name="item_by_batch", condition=~Q(batch_id="")),
            models.Index(fields=["tool_name", "id"], name="item_by_tool", condition=~Q(tool_name="")),
            models.Index(F("priority").desc(), _due, F("id"), name="item_in_order", condition=_open),
            models.Index(_due, name="item_by_due", condition=_open),
            models.Index(fields=["kind"], name="item_open_by_kind", condition=_open),
            models.Index(fields=["expires_at"], name="item_due", condition=_open),
            models.Index(fields=["id"], name="item_open_by_id", condition=_open),
            models.Index(fields=["remind_at"], name="item_to_remind", condition=_open & _timed("remind_at")),
            models.Index(
                fields=["escalate_at"], name="item_to_escalate", condition=_open & _timed("escalate_at")
            ),
            models.Index(fields=["agent", "expires_at"], name="item_open_by_agent", condition=_open),
            models.Index(
                fields=["resolved_at"], name="item_resolved", condition=Q(resolved_at__isnull=False)
            ),
            models.Index(
                fields=["agent", "kind"], name="item_in_review", condition=Q(status=Status.IN_REVIEW)
            ),
            models.Index(fields=["response_time"], name="interrupt_took", condition=_answered_interrupt),
            models.Index(fields=["response_time"], name="request_took", condition=_answered_request),
            models.Index(
                fields=["agent", "response_time"],
                name="interrupt_took_by_agent",
                condition=_answered_interrupt,
            ),
            models.Index(
                fields=["agent", "response_time"], name="request_took_by_agent", condition=_answered_request
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def stream(self) -> str:
        return str(self.agent_id)

    @property
    def session(self) -> str:
        return self.session_id

    @property
    def content(self) -> dict[str, Any]:
        """Return what a human is asked to judge: what ``content_hash`` is taken over."""
        raise NotImplementedError

    @property
    def headline(self) -> dict[str, Any]:
        """Return what every event about it begins with."""
        raise NotImplementedError

    @property
    def asked(self) -> dict[str, Any]:
        """Return what the event of its creation says: the headline and all that was sent to be read."""
        raise NotImplementedError

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Return the stages of the policy in force, each ``{name, reviewers, required_approvals}``."""
        found: list[dict[str, Any]] = self.policy.get("stages") or [EVERYBODY]
        return found

    @property
    def policy_in_force(self) -> dict[str, Any]:
        """Return which policy, as it then read, its decision falls under; nothing where there is none."""
        return {name: self.policy[name] for name in ("id", "name", "version") if name in self.policy}

    @property
    def needs_several(self) -> bool:
        """Say whether more than one person has to approve it."""
        return bool(sum(stage["required_approvals"] for stage in self.stages) > 1)

    @property
    def is_high_risk(self) -> bool:
        return self.priority >= Priority.HIGH or bool(self.policy.get("high_risk"))

    @property
    def is_edited(self) -> bool:
        """Say whether something else was approved than was asked; of a bare item only the query knows."""
        return bool(getattr(self, "edited", False))

    def stored_hash(self) -> str:
        """Take the hash anew: what was changed behind the API has another than ``content_hash``."""
        return sha256(self.content)

    @property
    def counts_of_start(self) -> dict[str, int]:
        return tallies.of_start(noun_of(self.kind), self.kind, self.priority, self.created_at)

    @property
    def counts_of_end(self) -> dict[str, int]:
        if self.resolved_at is None:
            raise ValueError("Only what has ended counts as ended.")
        noun, took, ended_at = noun_of(self.kind), self.response_time, self.resolved_at
        ended = tallies.of_end(noun, self.status, ended_at)
        ended |= tallies.of_miss(self.kind, took, ended_at, self.due_at, self.expires_at)
        if took is None:
            return ended
        ended |= tallies.of_decision(self.status, self.is_edited, took, self.resolved_by, self.looked_time)
        return ended | tallies.of_answer(noun, self.kind, took, ended_at, self.reviewers)


class Attachment(models.Model):
    """Be a file that the asking agent or a person put to an item, or to a session of an agent's.

    ``added_by`` is the actor of its event. ``agent`` and ``session_id`` are those of a file of a session,
    which runs may use; once it is shown to somebody it belongs to the item that shows it, too.
    The bytes are in the storage ``attachments``, under a name made from the id and never from the caller's.
    """

    id = models.CharField(primary_key=True, max_length=32)
    item = models.ForeignKey(
        ReviewItem, null=True, blank=True, on_delete=models.CASCADE, related_name="attachments"
    )
    agent = models.ForeignKey(
        Agent, null=True, blank=True, on_delete=models.CASCADE, related_name="files", db_index=False
    )
    session_id = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    added_by = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="attachment_has_a_place", condition=Q(item__isnull=False) | Q(agent__isnull=False)
            )
        ]
        indexes = [
            models.Index(fields=["added_by", "size"], name="attachment_by_adder"),
            models.Index(
                fields=["agent", "session_id", "id"],
                name="attachment_by_session",
                condition=Q(agent__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        """Return where the storage has it: a folder holds what was drawn within twelve days."""
        return f"{self.id[4:8]}/{self.id}"
