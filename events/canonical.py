"""Canonical JSON (RFC 8785) and its SHA-256: one text for one value, after any trip."""

import hashlib
from typing import Any

import orjson
import rfc8785


def canonical(value: Any) -> bytes:
    """Return *value* as RFC 8785 writes it.

    A double beyond 2^53 may come back from a database as an integer; both are the same number and are
    written the same.
    """
    try:
        return bytes(rfc8785.dumps(value))
    except rfc8785.IntegerDomainError:
        return bytes(rfc8785.dumps(_as_doubles(value)))


def sha256(value: Any) -> str:
    """Return the SHA-256 of the canonical form of *value*, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def fingerprint(value: Any) -> str:
    """Return a SHA-256 that tells two bodies apart; faster, and for our own use only."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _as_doubles(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_doubles(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_doubles(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53 - 1:
        return float(value)
    return value
