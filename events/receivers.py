"""Make and change webhooks: the addresses that are told what happens. The record has every change."""

import datetime as dt
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from events import log
from events.ids import new_id
from events.models import SYSTEM, Place, Stream, Webhook
from events.transports.webhooks import secret

OVERLAP = dt.timedelta(hours=24)


def create(
    url: str, *, label: str = "", stream: str = "", types: list[str] | None = None, actor: str
) -> tuple[Webhook, str]:
    """Make a webhook that is told of what happens from now on; return it and its secret."""
    with log.unit_of_work():
        webhook = Webhook.objects.create(
            id=new_id("whk"), url=url, label=label, stream=stream, types=types or []
        )
        # A stream that begins later has no place, which is its beginning.
        Place.objects.bulk_create(
            Place(webhook=webhook, stream=name, position=position)
            for name, position in Stream.objects.values_list("name", "position")
        )
        _record(webhook, "created", actor)
    return webhook, secret(webhook, webhook.key_version)


def change(webhook: Webhook, *, actor: str) -> None:
    """Keep what was changed on *webhook*; what it has missed while it was off, it is told."""
    with log.unit_of_work():
        Webhook.objects.filter(pk=webhook.pk).update(
            **{name: getattr(webhook, name) for name in ("url", "label", "types", "is_active")},
            rests_until=Now(),
        )
        _record(webhook, "changed", actor)


def rotate(webhook: Webhook, *, actor: str) -> str:
    """Give *webhook* a new secret and return it; for a day messages carry both signatures."""
    with log.unit_of_work():
        Webhook.objects.filter(pk=webhook.pk).update(
            key_version=F("key_version") + 1, previous_until=Now() + OVERLAP
        )
        webhook.refresh_from_db()
        _record(webhook, "rotated", actor)
    return secret(webhook, webhook.key_version)


def delete(webhook: Webhook, *, actor: str) -> None:
    """Forget *webhook* with all that it has not taken."""
    with log.unit_of_work():
        _record(webhook, "deleted", actor)
        webhook.delete()


def _record(webhook: Webhook, verb: str, actor: str) -> None:
    # The address may carry a token of its receiver: the record has its host alone.
    data: dict[str, Any] = {
        "host": webhook.url.split("/")[2],
        "label": webhook.label,
        "stream": webhook.stream,
        "types": webhook.types,
        "is_active": webhook.is_active,
    }
    log.record(SYSTEM, f"hitl.webhook.{verb}", webhook.pk, actor=actor, data=data)
