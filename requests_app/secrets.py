"""Seal secret answers so that only this deployment can open them, for this request and field alone.

Each value has a random key of its own (AES-256-GCM), and that key is wrapped by one of the deployment's,
``HITL_SECRETS_KEYS``, whose first is the one in use. Both are bound to deployment, agent, request and field:
a row copied to another place opens nothing.
"""

import base64
import os
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db.models import QuerySet

from events import log
from events.problems import Problem
from requests_app.models import ActionRequest, Secret

_NONCE_BYTES, _KEY_BITS = 12, 256
BATCH = 500


class Unreadable(Exception):
    """The key that sealed a secret is not in the settings, or the row is not what was written."""


def seal(request: ActionRequest, values: dict[str, str]) -> None:
    """Keep *values*, secret answers by field."""
    Secret.objects.bulk_create(_sealed(request, field, value) for field, value in values.items())


def reveal(request: ActionRequest) -> dict[str, str]:
    """Return the secret answers of *request*, by field.

    Raises:
        Problem: 503 when a key is missing.
    """
    try:
        return {secret.field: _opened(request, secret) for secret in request.secrets.order_by("pk")}
    except Unreadable as error:
        raise Problem(503, "secrets_unreadable", str(error)) from None


def rewrap(secrets: Iterable[Secret]) -> tuple[int, int]:
    """Wrap the keys of *secrets* by the deployment's present key; the values stay as they are.

    Return how many were, and how many could not be read. What was acknowledged or rewrapped meanwhile is
    left alone: it may be gone, and must not come back.
    """
    changed = unreadable = 0
    for secret in secrets:
        bound = _bound(secret.request, secret.field)
        try:
            version, wrapped = _wrap(_decrypt(_key_of(secret.key_version), secret.wrapped_key, bound), bound)
        except Unreadable:
            unreadable += 1
            continue
        unchanged = Secret.objects.filter(pk=secret.pk, key_version=secret.key_version)
        changed += unchanged.update(key_version=version, wrapped_key=wrapped)
    return changed, unreadable


def outdated() -> QuerySet[Secret]:
    """Return the secrets that another key than the present one has wrapped."""
    return Secret.objects.exclude(key_version=present_version())


def rewrap_all() -> Iterator[tuple[int, int]]:
    """Rewrap what is :func:`outdated`, a batch a transaction; yield (rewrapped, unreadable) of each batch.

    Each batch stands by itself: stopped anywhere, it goes on from there.
    """
    rows, last = outdated().select_related("request").order_by("pk"), 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        with log.unit_of_work():
            done = rewrap(batch)
        yield done
        last = batch[-1].pk


def present_version() -> int:
    """Return the version of the key in use."""
    return next(iter(settings.HITL_SECRETS_KEYS))


def _sealed(request: ActionRequest, field: str, value: str) -> Secret:
    key, bound = AESGCM.generate_key(_KEY_BITS), _bound(request, field)
    version, wrapped = _wrap(key, bound)
    return Secret(
        request=request,
        field=field,
        key_version=version,
        wrapped_key=wrapped,
        sealed_value=_encrypt(key, value.encode(), bound),
    )


def _opened(request: ActionRequest, secret: Secret) -> str:
    bound = _bound(request, secret.field)
    key = _decrypt(_key_of(secret.key_version), secret.wrapped_key, bound)
    return _decrypt(key, secret.sealed_value, bound).decode()


def _wrap(key: bytes, bound: bytes) -> tuple[int, bytes]:
    version = present_version()
    return version, _encrypt(_key_of(version), key, bound)


def _key_of(version: int) -> bytes:
    try:
        return base64.urlsafe_b64decode(settings.HITL_SECRETS_KEYS[version])
    except KeyError:
        raise Unreadable(
            f"This process has no secrets key of version {version}. Put it back into HITL_SECRETS_KEYS;"
            " after a change of keys restart every server."
        ) from None


def _bound(request: ActionRequest, field: str) -> bytes:
    """Return what a sealed value belongs to; parts cannot run into each other: each says its length."""
    parts = (settings.HITL_DEPLOYMENT_ID, request.agent_id, request.pk, field)
    return b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in map(str, parts))


def _encrypt(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _decrypt(key: bytes, sealed: bytes | memoryview, bound: bytes) -> bytes:
    nonce, rest = bytes(sealed[:_NONCE_BYTES]), bytes(sealed[_NONCE_BYTES:])
    try:
        return AESGCM(key).decrypt(nonce, rest, bound)
    except InvalidTag:
        raise Unreadable("A sealed answer is not what was written, or its key is another.") from None
