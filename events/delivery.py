"""Bring every event to every webhook that wants it: once it is taken, in the order of its subject.

    the record ── fan_out ──▶ Delivery (pending) ── send_due ──▶ delivered
                                     │  ▲                └─ after PAUSES ─▶ dead
                                     └──┘ not taken                          │
                                       ▲──────────── redeliver ──────────────┘

The record is without gaps, so a webhook's place in a stream says what it has its deliveries of: writing an
event costs nothing more, however many listen. Place and deliveries move in one transaction. A delivery waits
for the earlier ones of its subject; who sends it first moves ``not_before`` ahead, so two clocks send once,
and what a crash cut off is sent again under the same ``webhook-id``.
"""

import datetime as dt
import random

import orjson
import structlog
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from events import log
from events.clock import database_now, iso
from events.log import CHAINED
from events.models import SYSTEM, Delivery, Event, Place, Stream, Webhook
from events.selectors import encode, heads
from events.transports import webhooks
from events.transports.webhooks import Answer, Message

PAUSES = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 86_400)
"""Seconds between the attempts: three days and more, then it is given up."""
JITTER = 0.2
LEASE = dt.timedelta(seconds=60)
REST = dt.timedelta(seconds=30)
AT_ONCE = 25
STREAMS_AT_ONCE, EVENTS_AT_ONCE = 100, 200
KEPT_DAYS = 7
GONE = 410

structured = structlog.get_logger(__name__)


def deliver() -> int:
    """Do what there is to do now; return how many messages were taken."""
    if not Webhook.objects.filter(is_active=True).exists():
        return 0
    fan_out()
    return send_due()


# -- From the record to deliveries ----------------------------------------------------------------------


def fan_out() -> int:
    """Make the deliveries of what has happened since the last look; return how many events were read."""
    read = 0
    for webhook in Webhook.objects.filter(is_active=True).order_by("pk"):
        for name, known in _grown(webhook):
            read += _fan_out(webhook, name, known)
    return read


def _grown(webhook: Webhook) -> list[tuple[str, int]]:
    """Return the streams of *webhook* that have more than it knows, each with what it knows."""
    place = Place.objects.filter(webhook=webhook, stream=OuterRef("name")).values("position")
    wanted = Q(name=webhook.stream) if webhook.stream else Q()
    rows = Stream.objects.filter(wanted).annotate(known=Coalesce(Subquery(place), 0))
    return list(
        rows.filter(position__gt=F("known")).order_by("name").values_list("name", "known")[:STREAMS_AT_ONCE]
    )


def _fan_out(webhook: Webhook, stream: str, known: int) -> int:
    events = Event.objects.filter(stream=stream, position__gt=known).order_by("position")
    rows = list(events.values_list("pk", "subject_id", "type", "position")[:EVENTS_AT_ONCE])
    if not rows:
        return 0
    wanted = [row for row in rows if wants(webhook, row[2])]
    with log.unit_of_work():
        Place.objects.bulk_create(
            [Place(webhook=webhook, stream=stream, position=known)], ignore_conflicts=True
        )
        place = Place.objects.filter(webhook=webhook, stream=stream, position=known)
        if not place.update(position=rows[-1][3]):  # another clock was here
            return 0
        Delivery.objects.bulk_create(
            Delivery(webhook=webhook, event_id=pk, subject_id=subject) for pk, subject, *_rest in wanted
        )
    return len(rows)


def wants(webhook: Webhook, event_type: str) -> bool:
    """Say whether *webhook* is to be told of events of this type."""
    return not webhook.types or event_type.startswith(tuple(webhook.types))


# -- From deliveries to receivers -----------------------------------------------------------------------


def send_due() -> int:
    """Send what may be sent now; return how many messages were taken."""
    taken = [delivery for delivery in _due() if _take(delivery)]
    if not taken:
        return 0
    now = database_now()
    answers = async_to_sync(webhooks.send_all)(_messages(taken, now), int(now.timestamp()))
    return sum(_settle(delivery, answer) for delivery, answer in zip(taken, answers, strict=True))


def _due() -> list[Delivery]:
    """Return the first waiting deliveries of each subject, not many of one webhook, so that none starves."""
    pending = Delivery.objects.filter(status=Delivery.Status.PENDING)
    earlier = pending.filter(
        webhook=OuterRef("webhook"), subject_id=OuterRef("subject_id"), pk__lt=OuterRef("pk")
    )
    due = pending.filter(~Exists(earlier), not_before__lte=Now())
    awake = Webhook.objects.filter(is_active=True, rests_until__lte=Now()).order_by("pk")
    return [
        delivery
        for webhook in awake
        for delivery in due.filter(webhook=webhook)
        .select_related("webhook", "event")
        .order_by("not_before", "pk")[:AT_ONCE]
    ]


def _take(delivery: Delivery) -> bool:
    return _same(delivery).filter(not_before__lte=Now()).update(not_before=Now() + LEASE) == 1


def _same(delivery: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk=delivery.pk, status=Delivery.Status.PENDING, attempts=delivery.attempts)


def _messages(deliveries: list[Delivery], now: dt.datetime) -> list[Message]:
    epochs = heads({delivery.event.stream for delivery in deliveries})
    return [
        Message(
            delivery.webhook.url,
            delivery.event_id,
            body(delivery.event, epochs[delivery.event.stream][0]),
            keys_of(delivery.webhook, now),
        )
        for delivery in deliveries
    ]


def body(event: Event, epoch: str) -> str:
    """Write *event* as Standard Webhooks has it: type, time, and the event as streams carry it."""
    frame = encode(tuple(getattr(event, name) for name in CHAINED), epoch)
    document = {"type": event.type, "timestamp": iso(event.occurred_at), "data": orjson.Fragment(frame)}
    return orjson.dumps(document).decode()


def keys_of(webhook: Webhook, now: dt.datetime) -> tuple[str, ...]:
    """Return the secrets that sign for *webhook* now: one, or two while the first is being replaced."""
    versions = [webhook.key_version]
    if webhook.previous_until and webhook.previous_until > now:
        versions.append(webhook.key_version - 1)
    return tuple(webhooks.secret(webhook, version) for version in versions)


def _settle(delivery: Delivery, answer: Answer) -> bool:
    """Note what came of *delivery*; say whether it was taken."""
    told = str(answer.status) if answer.status else answer.said
    changes = {"attempts": F("attempts") + 1, "answer": told[:200]}
    if answer.is_taken:
        _same(delivery).update(**changes, status=Delivery.Status.DELIVERED, ended_at=Now())
        return True
    given_up = delivery.attempts >= len(PAUSES)
    structured.info(
        "webhook_refused", webhook=delivery.webhook_id, event_id=delivery.event_id, answer=told, dead=given_up
    )
    if given_up:
        _same(delivery).update(**changes, status=Delivery.Status.DEAD, ended_at=Now())
    else:
        pause = max(answer.wait, PAUSES[delivery.attempts] * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
        _same(delivery).update(**changes, not_before=Now() + dt.timedelta(seconds=pause))
    if answer.status == GONE:
        pause_gone(delivery.webhook)
    elif not answer.status:  # who does not answer holds up nobody else
        Webhook.objects.filter(pk=delivery.webhook_id).update(rests_until=Now() + REST)
    return False


def pause_gone(webhook: Webhook) -> None:
    """Send no more to a receiver that says it has gone, until somebody switches it on again."""
    with log.unit_of_work():
        if Webhook.objects.filter(pk=webhook.pk, is_active=True).update(is_active=False):
            log.record(SYSTEM, "hitl.webhook.paused", webhook.pk, actor=SYSTEM, data={"reason": "gone"})


# -- Afterwards -----------------------------------------------------------------------------------------


def redeliver(deliveries: QuerySet[Delivery]) -> int:
    """Have *deliveries* that have ended sent once more, from the first attempt on; return how many."""
    return deliveries.exclude(status=Delivery.Status.PENDING).update(
        status=Delivery.Status.PENDING, attempts=0, not_before=Now(), ended_at=None
    )


def cleanup() -> int:
    """Forget what was delivered a week ago, and what was given up as long ago as items are kept."""
    done = Q(status=Delivery.Status.DELIVERED, ended_at__lt=Now() - dt.timedelta(days=KEPT_DAYS))
    dead = Q(status=Delivery.Status.DEAD, ended_at__lt=Now() - dt.timedelta(days=settings.HITL_CLEANUP_DAYS))
    deleted, _each = Delivery.objects.filter(done | dead).delete()
    return deleted
