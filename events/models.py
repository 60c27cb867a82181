"""What happened, in which order, and who holds the clock."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from events.ids import new_id

SYSTEM = "system"


def new_epoch() -> str:
    return new_id("ep")


class Stream(models.Model):
    """Hold the head of one gapless sequence of events: an agent's, or ``system``.

    Locking this row is what orders the events of a stream, so it is always the last thing a transaction
    takes. ``epoch`` changes when a backup is restored: cursors handed out before then no longer hold. Of a
    stream whose beginning was let go, the rest goes on after ``begins_after`` and its ``begins_hash``.
    """

    name = models.CharField(primary_key=True, max_length=255)
    epoch = models.CharField(max_length=32, default=new_epoch)
    position = models.BigIntegerField(default=0)
    head_hash = models.CharField(max_length=64, blank=True, default="")
    begins_after = models.BigIntegerField(db_default=0)
    begins_hash = models.CharField(max_length=64, blank=True, db_default="")
    open_items = models.IntegerField(
        default=0, help_text="Subjects of this stream that are not yet resolved."
    )

    def __str__(self) -> str:
        return self.name

    @property
    def cursor(self) -> str:
        return f"{self.epoch}:{self.position}"


class Tally(models.Model):
    """Count something beside a stream: moved with the stream's head, under the same lock."""

    pk = models.CompositePrimaryKey("stream", "name")
    stream = models.CharField(max_length=255)
    name = models.CharField(max_length=100)
    count = models.BigIntegerField()

    class Meta:
        indexes = [
            # Waits are many and read by pages alone: whatever sums up the others does not pass them.
            models.Index(
                fields=["stream", "name"], name="tally_but_waits", condition=~Q(name__startswith="waits.")
            )
        ]

    def __str__(self) -> str:
        return f"{self.stream}: {self.name}"


class Event(models.Model):
    """Record one change for good: audit trail, outbox and what sockets stream, in one row.

    ``data`` is the JSON text exactly as it was hashed. The subject is named by id, not by foreign key, so
    that the record outlives cleanup.
    """

    id = models.CharField(primary_key=True, max_length=32)
    stream = models.CharField(max_length=255)
    position = models.BigIntegerField()
    type = models.CharField(max_length=64)
    subject_id = models.CharField(max_length=255, db_index=True)
    session_id = models.CharField(max_length=255, blank=True)
    actor = models.CharField(max_length=255)
    occurred_at = models.DateTimeField()
    data = models.TextField()
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["occurred_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["stream", "position"], name="event_position_once"),
        ]
        indexes = [models.Index(fields=["occurred_at", "id"], name="event_by_time")]

    def __str__(self) -> str:
        return f"{self.type} {self.subject_id}"


class Subject(models.Model):
    """Be something with a life cycle. Only :func:`events.transitions.perform` changes ``status``.

    ``version`` counts the changes; ``expires_at`` is judged by the database's clock.
    """

    id = models.CharField(primary_key=True, max_length=32)
    status = models.CharField(max_length=16)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    counts_as_open = True
    """Whether the stream counts it among its open items."""

    class Meta:
        abstract = True

    @property
    def stream(self) -> str:
        """Return the name of the stream that this subject's events belong to."""
        raise NotImplementedError

    @property
    def session(self) -> str:
        """Return the session that this subject's events belong to."""
        return ""

    @property
    def counts_of_end(self) -> dict[str, int]:
        """Return by how much each tally of the stream grows when this subject comes to its end."""
        return {}


class Webhook(models.Model):
    """Be an address that is told what happens (see :mod:`events.delivery`).

    ``stream`` narrows to one agent's events, or to ``system``; ``types`` to types that begin so. Empty is
    all. The secret is not kept: it is derived from id and ``key_version`` (see
    :mod:`events.transports.webhooks`), and the one before goes on until ``previous_until``. Nothing is sent
    before ``rests_until``, which a receiver that cannot be reached moves ahead.
    """

    id = models.CharField(primary_key=True, max_length=32)
    url = models.CharField(max_length=1_000)
    label = models.CharField(max_length=100, blank=True)
    stream = models.CharField(max_length=255, blank=True)
    types = models.JSONField[list[str]](default=list)
    key_version = models.PositiveIntegerField(default=1)
    previous_until = models.DateTimeField(null=True)
    is_active = models.BooleanField(default=True)
    rests_until = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return self.label or self.url


class Place(models.Model):
    """Say up to which position of a stream a webhook has its deliveries; none is the beginning."""

    pk = models.CompositePrimaryKey("webhook", "stream")
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="places")
    stream = models.CharField(max_length=255)
    position = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.webhook_id}: {self.stream}:{self.position}"


class Delivery(models.Model):
    """Be one event on its way to one webhook. Those of a subject go in the order of their ids.

    It is due from ``not_before`` on, which a sender moves ahead while it is at work, and a failure further.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("waiting")
        DELIVERED = "delivered", _("delivered")
        DEAD = "dead", _("given up")

    id = models.BigAutoField(primary_key=True)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    subject_id = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(db_default=Now())
    answer = models.CharField(max_length=200, blank=True, help_text="What came of the last attempt.")
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [models.UniqueConstraint(fields=["webhook", "event"], name="delivery_once")]
        indexes = [
            models.Index(
                fields=["webhook", "not_before"], name="delivery_due", condition=Q(status="pending")
            ),
            models.Index(
                fields=["webhook", "subject_id", "id"],
                name="delivery_in_order",
                condition=Q(status="pending"),
            ),
            models.Index(fields=["webhook"], name="delivery_dead", condition=Q(status="dead")),
            models.Index(fields=["ended_at"], name="delivery_ended", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.webhook_id}"


class PushSubscription(models.Model):
    """Be a device that its owner wants to be told on, and how far they were told (see :mod:`events.push`).

    ``endpoint`` is an address at the push service of its browser, and ``p256dh`` and ``auth`` seal what goes
    there. ``told`` is the time-ordered part of an item's id. Nothing is sent before ``not_before``, which a
    sender moves ahead while it is at work, and who fails moves further each time.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="push_subscriptions"
    )
    endpoint = models.CharField(max_length=1_000, unique=True)
    p256dh = models.CharField(max_length=100)
    auth = models.CharField(max_length=50)
    language = models.CharField(max_length=20, blank=True)
    told = models.CharField(max_length=26)
    failures = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.user_id}, since {self.created_at:%Y-%m-%d}"


class Channel(models.TextChoices):
    """The ways by which a person hears that something waits."""

    MAIL = "mail"
    SLACK = "slack"
    APPRISE = "apprise"


class Subscription(models.Model):
    """Be somebody who wants to hear by one channel what waits, from ``lowest`` on, and how far they know.

    ``address`` is ``team:member`` of Slack, and of Apprise a sealed URL (see :mod:`events.sealing`); mail
    goes to the account's own. What is not urgent waits while it is quiet between ``quiet_from`` and
    ``quiet_until``, by their own clock, and until ``digest_minutes`` after they were last told. ``told`` and
    ``not_before`` are those of a :class:`PushSubscription`.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="subscriptions")
    channel = models.CharField(max_length=10, choices=Channel)
    address = models.CharField(max_length=2_000, blank=True)
    lowest = models.PositiveSmallIntegerField()
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    digest_minutes = models.PositiveSmallIntegerField(default=0)
    told = models.CharField(max_length=26)
    told_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "channel"], name="subscription_once_a_channel"),
            # Who clicks in Slack decides as the person they are linked to: nobody is two of them.
            models.UniqueConstraint(
                fields=["address"], name="subscription_of_one_member", condition=Q(channel="slack")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} by {self.channel}"


class SlackMessage(models.Model):
    """Be a message in Slack about one item, until it says what became of it.

    ``version`` is that of the item as the message shows it. Nothing is done before ``not_before``.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="messages")
    item_id = models.CharField(max_length=32)
    version = models.PositiveIntegerField()
    channel = models.CharField(max_length=64)
    ts = models.CharField(max_length=64)
    not_before = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "item_id"], name="slack_message_once_an_item")
        ]

    def __str__(self) -> str:
        return f"{self.item_id} in {self.channel}"


class JobLease(models.Model):
    """Let one beat at a time do a job, and show when it last did."""

    job = models.CharField(primary_key=True, max_length=100)
    holder = models.CharField(max_length=64, blank=True)
    held_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    result: Any = models.JSONField(null=True)

    def __str__(self) -> str:
        return self.job
