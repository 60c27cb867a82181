"""Ring a person's device through the push service of its browser (RFC 8030), which cannot read what is said.

A message is sealed for one subscription (RFC 8291) and signed by this deployment (RFC 8292). What a browser
gives as its endpoint is an address that somebody else chose: only hosts in ``HITL_PUSH_HOSTS`` are called
(see :mod:`events.outbound`), and a redirect is a refusal.

A subscription is its own queue: ``told`` says how far its owner was told, ``not_before`` when to go on. Who
sends takes it by moving ``not_before`` ahead, and moves ``told`` only once the message was accepted. So two
clocks send once, and what a crash cut off is sent again, with the same topic: it replaces what came before.
"""

import asyncio
import base64
import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Any

import http_ece
import httpx
import jwt
import orjson
import structlog
from asgiref.sync import async_to_sync
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import get_language

from events import outbound
from events.clock import database_now
from events.models import PushSubscription
from events.problems import invalid

AT_ONCE, PARALLEL = 50, 25
SECONDS = 5.0
LEASE = dt.timedelta(seconds=60)
FIRST_PAUSE, LONGEST_PAUSE = 20, 3_600
FAILURES_LIMIT = 12
DEVICES_LIMIT = 20
ENDPOINT_LIMIT = 1_000
AUTH_BYTES = 16
TOPIC = "waiting"
TOKEN_HOURS = 12
GONE = {404, 410}
_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Push:
    """Hold what one device is to be told, and how far its owner knows then. The payload is for its script."""

    subscription: PushSubscription
    told: str
    payload: dict[str, Any]
    seconds: int
    urgent: bool = False


# -- Devices --------------------------------------------------------------------------------------------


def subscribe(user: User, body: dict[str, Any], told: str) -> PushSubscription:
    """Keep the subscription in *body*, as a browser writes it, for *user*, who knows of all up to *told*.

    Nothing is lost to who sends it again. A device has one owner: who subscribes it last. Beyond
    ``DEVICES_LIMIT`` a person's oldest one goes.

    Raises:
        Problem: 400, it cannot be used, or leads where nothing may be sent.
    """
    endpoint, p256dh, auth = _read(body)
    now = {"p256dh": p256dh, "auth": auth, "language": get_language() or ""}
    own = PushSubscription.objects.filter(user=user, endpoint=endpoint)
    if own.update(**now):  # what it was not told yet it still is
        return own.get()
    anew = {"user": user, "told": told, "failures": 0, "not_before": Now()}
    kept, _ = PushSubscription.objects.update_or_create(endpoint=endpoint, defaults={**now, **anew})
    oldest = PushSubscription.objects.filter(user=user).order_by("-created_at", "-pk")[DEVICES_LIMIT:]
    PushSubscription.objects.filter(pk__in=list(oldest.values_list("pk", flat=True))).delete()
    return kept


def _read(body: dict[str, Any]) -> tuple[str, str, str]:
    """Return endpoint and keys of the subscription in *body*; raise as :func:`subscribe`."""
    endpoint, keys = body.get("endpoint"), body.get("keys")
    if not isinstance(endpoint, str) or len(endpoint) > ENDPOINT_LIMIT:
        raise invalid({"endpoint": ["Send the subscription as the browser gave it."]})
    if reason := why_not(endpoint):
        raise invalid({"endpoint": [reason]})
    p256dh, auth = (keys.get("p256dh"), keys.get("auth")) if isinstance(keys, dict) else ("", "")
    if not (_is_point(p256dh) and len(_decoded(auth)) == AUTH_BYTES):
        raise invalid({"keys": ["Send the keys p256dh and auth as the browser gave them."]})
    return endpoint, str(p256dh), str(auth)


def unsubscribe(user: User, endpoint: Any) -> None:
    """Forget the device of *user* that has this *endpoint*; one that is not known is forgotten already."""
    if isinstance(endpoint, str) and endpoint.isprintable():
        PushSubscription.objects.filter(user=user, endpoint=endpoint).delete()


def forget(user: Any, pk: int) -> None:
    """Forget one device of *user*."""
    PushSubscription.objects.filter(user=user, pk=pk).delete()


def due(newest: str) -> QuerySet[PushSubscription]:
    """Return the subscriptions that do not know of *newest* yet and may be told now, a batch of them."""
    waiting = PushSubscription.objects.filter(told__lt=newest, not_before__lte=Now())
    return waiting.order_by("not_before", "pk")[:AT_ONCE]


def advance(subscriptions: list[PushSubscription], told: str) -> None:
    """Note that there was nothing to say to the owners of *subscriptions* up to *told*."""
    for known in {subscription.told for subscription in subscriptions}:
        same = [subscription.pk for subscription in subscriptions if subscription.told == known]
        PushSubscription.objects.filter(pk__in=same, told=known).update(told=told)


def why_not(endpoint: str) -> str:
    """Say why nothing may be sent to *endpoint*; an empty text when it may.

    ``*.example.com`` in ``HITL_PUSH_HOSTS`` is every host below that name, at the usual port.
    """
    named = list(settings.HITL_PUSH_HOSTS)
    parts = outbound.read(endpoint)
    if parts and any(host.startswith("*.") and parts.host.lower().endswith(host[1:]) for host in named):
        named.append(f"{parts.host.lower()}:443")
    return outbound.why_not(endpoint, named, "HITL_PUSH_HOSTS")


def public_key() -> str:
    """Return the key that browsers subscribe with: an uncompressed point in URL-safe base64."""
    return _encoded(_point(_signing_key(settings.HITL_PUSH_KEY).public_key()))


# -- Sending --------------------------------------------------------------------------------------------


def send(pushes: list[Push]) -> int:
    """Send each of *pushes* that nobody else is sending; return how many were accepted."""
    taken = [push for push in pushes if _take(push.subscription)]
    if not taken:
        return 0
    statuses = async_to_sync(_send_all)(taken, database_now())
    return sum(_settle(push, *answer) for push, answer in zip(taken, statuses, strict=True))


def _take(subscription: PushSubscription) -> bool:
    free = PushSubscription.objects.filter(pk=subscription.pk, told=subscription.told, not_before__lte=Now())
    return free.update(not_before=Now() + LEASE) == 1


def _settle(push: Push, status: int, retry_after: int) -> bool:
    """Note what came of *push*; say whether it was accepted."""
    device = push.subscription
    same = PushSubscription.objects.filter(pk=device.pk, told=device.told)
    if 200 <= status < 300:
        same.update(told=push.told, failures=0, not_before=Now())
        return True
    failures = device.failures + 1
    ends = status in GONE or failures >= FAILURES_LIMIT
    # The address itself is a secret: who has it can ring the device.
    log.info("push_refused", host=httpx.URL(device.endpoint).host, status=status, forgotten=ends)
    if ends:
        same.delete()
    else:
        pause = min(LONGEST_PAUSE, max(retry_after, FIRST_PAUSE * 2 ** (failures - 1)))
        same.update(failures=failures, not_before=Now() + dt.timedelta(seconds=pause))
    return False


async def _send_all(pushes: list[Push], now: dt.datetime) -> list[tuple[int, int]]:
    """Return for each of *pushes* the status it was answered with, 0 for none, and when to try again."""
    gate = asyncio.Semaphore(PARALLEL)
    client = httpx.AsyncClient(
        verify=outbound.tls(), trust_env=False, follow_redirects=False, timeout=SECONDS
    )
    async with client:
        return await asyncio.gather(*(_answer(gate, client, push, now) for push in pushes))


async def _answer(
    gate: asyncio.Semaphore, client: httpx.AsyncClient, push: Push, now: dt.datetime
) -> tuple[int, int]:
    async with gate:
        try:
            async with asyncio.timeout(SECONDS):
                return await _post(client, push, now)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError):
            return 0, 0


async def _post(client: httpx.AsyncClient, push: Push, now: dt.datetime) -> tuple[int, int]:
    endpoint = push.subscription.endpoint
    if why_not(endpoint):  # the list was made shorter since
        return 410, 0
    headers = {
        "Authorization": f"vapid t={_token(endpoint, now)}, k={public_key()}",
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(push.seconds),
        "Topic": TOPIC,
        "Urgency": "high" if push.urgent else "normal",
    }
    content = sealed(push.subscription, orjson.dumps(push.payload))
    async with client.stream("POST", endpoint, headers=headers, content=content) as answer:
        later = answer.headers.get("Retry-After", "")
        return answer.status_code, int(later) if later.isascii() and later.isdigit() and len(later) < 6 else 0


def sealed(subscription: PushSubscription, text: bytes) -> bytes:
    """Encrypt *text* so that only the browser of *subscription* can read it."""
    made: bytes = http_ece.encrypt(
        text,
        private_key=ec.generate_private_key(_CURVE),
        dh=_decoded(subscription.p256dh),
        auth_secret=_decoded(subscription.auth),
        version="aes128gcm",
    )
    return made


def _token(endpoint: str, now: dt.datetime) -> str:
    """Say to the service of *endpoint* who is calling."""
    parts = httpx.URL(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc.decode()}",
        "exp": int(now.timestamp()) + TOKEN_HOURS * 3_600,
        "sub": settings.HITL_PUSH_CONTACT,
    }
    return jwt.encode(claims, _signing_key(settings.HITL_PUSH_KEY), "ES256")


@cache
def _signing_key(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(base64.urlsafe_b64decode(text)) % _ORDER or 1, _CURVE)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _is_point(text: Any) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, found := _decoded(text))
    except ValueError:
        return False
    return len(found) == 65


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: Any) -> bytes:
    """Return the bytes that a browser wrote as *text*; none where it is no such text."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= 200 else b""
    except (TypeError, ValueError):
        return b""
