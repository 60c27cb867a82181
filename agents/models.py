"""Agents, their keys, and the tickets that open a socket; and how a person likes to read."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from events.models import SYSTEM

CREATE, READ, CANCEL, STREAM, SECRETS, ON_BEHALF = (
    "create",
    "read",
    "cancel",
    "stream",
    "secrets",
    "on_behalf",
)
SCOPES = (CREATE, READ, CANCEL, STREAM, SECRETS, ON_BEHALF)
DEFAULT_SCOPES = (CREATE, READ, CANCEL, STREAM, SECRETS)

agent_name = RegexValidator(
    rf"^(?!{SYSTEM}$)[A-Za-z0-9][A-Za-z0-9._ -]{{0,99}}$",
    _("1 to 100 letters, digits, dots, dashes, underscores or blanks, first a letter or digit; not system."),
)


def default_scopes() -> list[str]:
    return list(DEFAULT_SCOPES)


class Agent(models.Model):
    """Name a program that asks. The name is the key: it is also its stream's name and never changes."""

    name = models.CharField(primary_key=True, max_length=100, validators=[agent_name])
    description = models.TextField(blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="agents"
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Key(models.Model):
    """Let an agent, or an operator's own program, call the API. Only the digest of the secret is kept."""

    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.CASCADE, related_name="keys")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys"
    )
    label = models.CharField(max_length=100, blank=True)
    scopes = models.JSONField(default=default_scopes, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="key_has_one_holder",
                condition=models.Q(agent__isnull=False, user__isnull=True)
                | models.Q(agent__isnull=True, user__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"hitl_{self.prefix}…"

    @property
    def holder(self) -> str:
        return f"agent:{self.agent_id}" if self.agent_id else f"user:{self.user}"


class SocketTicket(models.Model):
    """Open one socket within a minute, for clients that cannot send a header."""

    digest = models.CharField(primary_key=True, max_length=64)
    key = models.ForeignKey(Key, on_delete=models.CASCADE)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"ticket of {self.key}"


class Preferences(models.Model):
    """Keep how a person reads the pages; an empty language or zone is that of their browser."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="preferences"
    )
    language = models.CharField(max_length=10, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    shortcuts = models.BooleanField(default=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"preferences of {self.user}"
