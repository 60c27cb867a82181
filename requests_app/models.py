"""The human action request: what an agent needs that only a person can do, and what came of it."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from psycopg.types.json import Json

from requests_app.fields import Field, fields_of
from reviews.models import REQUESTS, Kind, Priority, ReviewItem

TYPES = [(kind.value, kind.label) for kind in REQUESTS]
NAME = RegexValidator(r"^[a-z0-9][a-z0-9_-]*\Z", _("Small letters, digits, dashes and underscores."))
YEAR_HOURS = 365 * 24


class OrderedJSONField(models.JSONField):
    """Keep the names of an object as they were sent: PostgreSQL's ``jsonb`` sorts them by their length."""

    def db_type(self, connection: Any) -> str | None:
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if connection.vendor == "postgresql":
            return Json(value)
        return super().get_db_prep_value(value, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        # The driver reads this type by itself.
        return super().from_db_value(value, expression, connection) if isinstance(value, str) else value


class RejectionCode(models.TextChoices):
    """Why a request was turned down, for programs."""

    CANNOT_BE_DONE = "cannot_be_done"
    NOT_ALLOWED = "not_allowed"
    UNCLEAR = "unclear"
    DUPLICATE = "duplicate"
    OTHER = "other"


class ActionRequest(ReviewItem):
    """Ask a person to do something and to fill in what comes of it.

    ``required_fields`` stays as it was sent; :attr:`fields` reads it. ``response_data`` holds the plain
    answers; the names of the secret ones are in ``sealed_fields``, and they themselves are :class:`Secret`.
    """

    judged_column = "context"

    description = models.TextField()
    required_fields: Any = OrderedJSONField(default=dict, blank=True)
    context: Any = models.JSONField(default=dict, blank=True)
    workflow_id = models.CharField(max_length=255, blank=True)
    template = models.CharField(max_length=64, blank=True)
    checklist: Any = models.JSONField(default=list, blank=True)
    response_data: Any = models.JSONField(null=True, blank=True)
    notes = models.TextField(blank=True)
    rejection_reason = models.TextField(blank=True)
    rejection_code = models.CharField(max_length=16, blank=True, choices=RejectionCode)
    sealed_fields: Any = models.JSONField(default=list, blank=True)
    was_purged = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["workflow_id", "reviewitem_ptr"],
                name="request_by_workflow",
                condition=~Q(workflow_id=""),
            )
        ]

    @property
    def fields(self) -> list[Field]:
        """Return what a person is asked to fill in."""
        return fields_of(self.required_fields)

    def names_of(self, type: str) -> list[str]:  # noqa: A002 - the contract's name
        """Return the names of the fields of one type."""
        return [field.name for field in self.fields if field.type == type]

    @property
    def content(self) -> dict[str, Any]:
        return {
            "request_type": self.kind,
            "title": self.title,
            "description": self.description,
            "required_fields": self.required_fields,
            "context": self.context,
        }

    @property
    def headline(self) -> dict[str, Any]:
        return {"kind": self.kind, "title": self.title, "workflow_id": self.workflow_id}

    @property
    def asked(self) -> dict[str, Any]:
        return {
            **self.headline,
            "description": self.description,
            "required_fields": self.required_fields,
            "context": self.context,
            "priority": Priority(self.priority).label,
            "agent_id": self.agent_name,
        }


class Secret(models.Model):
    """Keep one secret answer, sealed, until its agent has fetched it.

    The value is encrypted by a key of its own, and that key by the deployment's key *key_version*.
    """

    request = models.ForeignKey(ActionRequest, on_delete=models.CASCADE, related_name="secrets")
    field = models.CharField(max_length=100)
    key_version = models.PositiveIntegerField()
    wrapped_key = models.BinaryField()
    sealed_value = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "field"], name="secret_once")]

    def __str__(self) -> str:
        return f"{self.field} of {self.request_id}"


class RequestTemplate(models.Model):
    """Say once how a kind of errand is asked for; an agent names it and fills in the rest."""

    name = models.CharField(primary_key=True, max_length=64, validators=[NAME])
    request_type = models.CharField(max_length=24, choices=TYPES, default=Kind.CUSTOM)
    title = models.CharField(max_length=200)
    description = models.TextField()
    required_fields: Any = OrderedJSONField(default=dict, blank=True)
    checklist: Any = models.JSONField(default=list, blank=True)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.MEDIUM)
    expires_in_hours = models.PositiveIntegerField(
        default=72, validators=[MinValueValidator(1), MaxValueValidator(YEAR_HOURS)]
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Probe(models.Model):
    """Say how a service is asked whether an answer works; a template's field names it in ``check``."""

    name = models.CharField(primary_key=True, max_length=64, validators=[NAME])
    description = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=500, help_text=_("Its host must be in HITL_PROBE_HOSTS."))
    header = models.CharField(
        max_length=64,
        default="Authorization",
        validators=[
            RegexValidator(r"^[A-Za-z0-9-]+\Z", _("The name of a header: letters, digits and dashes."))
        ],
    )
    template = models.CharField(
        max_length=200,
        default="Bearer {value}",
        help_text=_("What the header says; {value} stands for the answer."),
        validators=[
            RegexValidator(r"^[ -z|~]*\{value\}[ -z|~]*\Z", _("Plain text with {value} in it, once."))
        ],
    )
    expected_status = models.PositiveSmallIntegerField(
        default=200, validators=[MinValueValidator(200), MaxValueValidator(499)]
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
