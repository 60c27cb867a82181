"""A browser that is pushed to, and the push service it hangs on: a real server on this machine.

with PushService() as service:
    phone = Phone(service)
    subscribe(door, phone)
    ...
    phone.shown                 # what its script was given, in order
"""

import base64
import datetime as dt
import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import http_ece
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db.models.functions import Now

from events.models import PushSubscription
from reviews import notifying
from reviews.models import ReviewItem
from tests.conftest import Door
from tests.providers import Reply, Seen, Service
from tests.steps import Enter

PATH = "/admin/push/subscriptions/"


class PushService(Service):
    """Take what is signed by the sender whom the browser subscribed to, and is meant for this service."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[Seen] = []
        self.claims: list[dict[str, Any]] = []

    def answer(self, seen: Seen) -> Reply:
        scheme, _, rest = seen.headers["authorization"].partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(parts["k"]))
        claims = jwt.decode(parts["t"], point, ["ES256"], audience=self.url)
        if scheme != "vapid" or not claims["sub"].startswith(("https:", "mailto:")):
            return Reply(401)
        self.claims.append(claims)
        self.accepted.append(seen)
        return Reply(201)


class Phone:
    """Be a browser with a subscription."""

    def __init__(self, service: PushService, host: str = "") -> None:
        self.service = service
        self.path = f"/send/{secrets.token_urlsafe(16)}"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.subscription = {
            "endpoint": f"{host or service.url}{self.path}",
            "expirationTime": None,
            "keys": {"p256dh": encoded(point), "auth": encoded(self.auth)},
        }

    @property
    def accepted(self) -> list[Seen]:
        """Return the messages for this device that its service took."""
        return [seen for seen in self.service.accepted if seen.path == self.path]

    @property
    def shown(self) -> list[dict[str, Any]]:
        """Return what these messages say, as only this device can read it."""
        return [
            orjson.loads(http_ece.decrypt(seen.body, private_key=self.key, auth_secret=self.auth))
            for seen in self.accepted
        ]


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def subscribe(door: Door, phone: Phone) -> Any:
    return door.post(PATH, phone.subscription, content_type="application/json")


@pytest.fixture
def service(settings: Any) -> Iterator[PushService]:
    settings.HITL_PUSH_HOSTS = ["127.0.0.1"]
    with PushService() as found:
        yield found


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take ids for settled at once, and let nobody have been told before."""
    cache.clear()
    monkeypatch.setattr(notifying, "SETTLED", dt.timedelta(seconds=-1))


@pytest.fixture
def phone_of(service: PushService, enter: Enter) -> Callable[[User], Phone]:
    """Return a function that gives a person a phone which is told of what is asked from now on."""

    def give(person: User) -> Phone:
        phone = Phone(service)
        assert subscribe(enter(person), phone).status_code == 201
        PushSubscription.objects.update(told=began())
        return phone

    return give


def began() -> str:
    """Return the place in time before anything that a test asks."""
    found = ReviewItem.objects.order_by("created_at").last()
    return notifying.place_of(found) if found else "0" * 26


def due_again() -> None:
    PushSubscription.objects.update(not_before=Now() - dt.timedelta(seconds=1))
