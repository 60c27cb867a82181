"""Seal a text so that only this deployment can open it, and only for what it belongs to.

Each text has a random key of its own (AES-256-GCM), and that key is wrapped by one of the deployment's,
``HITL_SECRETS_KEYS``, whose first is the one in use. Both are bound to the deployment and to what they
belong to: a row copied to another place opens nothing.
"""

import base64
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_NONCE_BYTES, _KEY_BITS = 12, 256


class Unreadable(Exception):
    """The key that sealed a text is not in the settings, or what is there is not what was written."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Hold what is kept of a sealed text; ``version.key.value`` where it has to fit into one column."""

    key_version: int
    wrapped_key: bytes
    sealed_value: bytes

    def __str__(self) -> str:
        packed = (base64.urlsafe_b64encode(part).decode() for part in (self.wrapped_key, self.sealed_value))
        return ".".join((str(self.key_version), *packed))

    @classmethod
    def of(cls, text: str) -> "Sealed":
        """Read what :meth:`__str__` wrote.

        Raises:
            Unreadable: it is something else.
        """
        try:
            version, key, value = text.split(".")
            return cls(int(version), base64.urlsafe_b64decode(key), base64.urlsafe_b64decode(value))
        except ValueError:
            raise Unreadable("What is kept here is not sealed.") from None


def seal(value: str, *belongs_to: object) -> Sealed:
    """Seal *value* under a new key; it opens again for the same *belongs_to* alone."""
    key, bound = AESGCM.generate_key(_KEY_BITS), _bound(belongs_to)
    return Sealed(*_wrap(key, bound), _encrypt(key, value.encode(), bound))


def unseal(sealed: Sealed, *belongs_to: object) -> str:
    """Return what was sealed.

    Raises:
        Unreadable: see there.
    """
    bound = _bound(belongs_to)
    key = _decrypt(_key_of(sealed.key_version), sealed.wrapped_key, bound)
    return _decrypt(key, sealed.sealed_value, bound).decode()


def rewrap(sealed: Sealed, *belongs_to: object) -> Sealed:
    """Wrap the key of *sealed* by the deployment's present one; the value stays as it is.

    Raises:
        Unreadable: see there.
    """
    bound = _bound(belongs_to)
    key = _decrypt(_key_of(sealed.key_version), sealed.wrapped_key, bound)
    return Sealed(*_wrap(key, bound), sealed.sealed_value)


def present_version() -> int:
    """Return the version of the key in use."""
    return next(iter(settings.HITL_SECRETS_KEYS))


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


def _bound(belongs_to: tuple[object, ...]) -> bytes:
    """Return what a sealed text belongs to; parts cannot run into each other: each says its length."""
    parts = (settings.HITL_DEPLOYMENT_ID, *belongs_to)
    return b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in map(str, parts))


def _encrypt(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _decrypt(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, rest, bound)
    except (InvalidTag, ValueError):
        raise Unreadable("A sealed answer is not what was written, or its key is another.") from None
