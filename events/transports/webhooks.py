"""Sign and send an event by Standard Webhooks, and read how it was taken.

The secret of a webhook is kept nowhere: it is the HMAC of id and version under the deployment's pepper. So
a copy of the database signs nothing, and while a key is replaced both are there to sign with.
"""

import asyncio
import base64
import hashlib
import hmac
from dataclasses import dataclass

import httpx
from django.conf import settings

from events.destinations import Guarded, Refused
from events.models import Webhook

SECONDS = 5.0
LONGEST_WAIT = 86_400
USER_AGENT = "hitl-server"


@dataclass(frozen=True, slots=True)
class Message:
    """Hold what goes to one address: the event's id, its text and the signatures' secrets."""

    url: str
    event_id: str
    text: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Say how a message was taken: *status* 0 is no answer, *said* why; *wait* is asked for, in seconds."""

    status: int = 0
    said: str = ""
    wait: int = 0

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


def secret(webhook: Webhook, version: int) -> str:
    """Return the secret of *webhook* in the form that receivers configure: ``whsec_`` and base64."""
    told = f"webhook {webhook.pk} {version}".encode()
    drawn = hmac.new(settings.HITL_KEY_PEPPER.encode(), told, hashlib.sha256).digest()
    return f"whsec_{base64.b64encode(drawn).decode()}"


def signature(secret: str, event_id: str, timestamp: int, text: str) -> str:
    """Return the signature ``v1,…`` of one message."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{event_id}.{timestamp}.{text}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


async def send_all(messages: list[Message], timestamp: int) -> list[Answer]:
    """Send *messages* side by side; none takes longer than ``SECONDS``, whatever its receiver does."""
    client = httpx.AsyncClient(transport=Guarded(), trust_env=False, follow_redirects=False, timeout=SECONDS)
    async with client:
        return await asyncio.gather(*(_send(client, message, timestamp) for message in messages))


async def _send(client: httpx.AsyncClient, message: Message, timestamp: int) -> Answer:
    try:
        async with asyncio.timeout(SECONDS):
            return await _post(client, message, timestamp)
    except Refused as problem:
        return Answer(said=str(problem))
    except TimeoutError:
        return Answer(said="no answer in time")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as problem:
        return Answer(said=type(problem).__name__)


async def _post(client: httpx.AsyncClient, message: Message, timestamp: int) -> Answer:
    signed = " ".join(signature(key, message.event_id, timestamp, message.text) for key in message.secrets)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": message.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signed,
    }
    content = message.text.encode()
    # The body of the answer is left unread: it may have no end.
    async with client.stream("POST", message.url, headers=headers, content=content) as answer:
        later = answer.headers.get("Retry-After", "")
        wait = int(later) if later.isascii() and later.isdigit() and len(later) < 9 else 0
        return Answer(answer.status_code, wait=min(wait, LONGEST_WAIT))
