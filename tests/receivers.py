"""Receivers of webhooks: real servers on this machine that verify what they take, or are hostile."""

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.models.functions import Now
from standardwebhooks.webhooks import Webhook as Verifier

from events import delivery, receivers
from events.models import Delivery, Webhook
from tests.providers import Reply, Seen, Service, in_json

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Receiver(Service):
    """Take what the reference library finds signed, keep each event once, and count what comes again."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = ""
        self.status = 200
        self.taken: list[dict[str, Any]] = []
        self.again = 0

    def answer(self, seen: Seen) -> Reply:
        event = Verifier(self.secret).verify(seen.body, seen.headers)
        if self.status != 200:
            return Reply(self.status)
        if any(known["data"]["id"] == seen.headers["webhook-id"] for known in self.taken):
            self.again += 1
        else:
            self.taken.append(event)
        return in_json({})

    def types(self, subject_id: str = "") -> list[str]:
        return [
            event["type"].removeprefix("hitl.")
            for event in self.taken
            if not subject_id or event["data"]["subject_id"] == subject_id
        ]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.HITL_WEBHOOK_NETWORKS = LOOPBACK
    with Receiver() as found:
        yield found


@pytest.fixture
def hooked(receiver: Receiver, db: None) -> Callable[..., Webhook]:
    """Return a function that makes a webhook of the receiver, which then knows its secret."""

    def make(**fields: Any) -> Webhook:
        webhook, receiver.secret = receivers.create(f"{receiver.url}/hook", **fields, actor="user:ada")
        delivery.deliver()  # the first message says that the webhook exists
        receiver.taken.clear()
        receiver.calls.clear()
        Delivery.objects.all().delete()
        return webhook

    return make


def time_passes() -> None:
    """Go on to the moment when what waits is tried again, as if time had gone by."""
    Delivery.objects.update(not_before=Now())
    Webhook.objects.update(rests_until=Now())
