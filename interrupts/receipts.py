"""Receipts of approvals: what a person allowed, signed, for a tool server that need not ask us.

A receipt is a JWS (RFC 7515) by Ed25519, whose claims bind the approval to one item and revision, a tool and
its final arguments (see docs/receipts.md). The first of ``HITL_RECEIPT_KEYS`` signs and all are published, so
that what an older one has signed is good for as long as it is listed.
"""

import base64
import datetime as dt
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from jwt.algorithms import OKPAlgorithm
from jwt.types import Options

from events.canonical import sha256
from events.problems import Problem
from interrupts.models import Interrupt
from interrupts.serializers import document

ALGORITHM = "EdDSA"
# Neither moment is held against this machine's clock: it may be wrong.
_CHECKED: Options = {
    "verify_exp": False,
    "verify_iat": False,
    "require": ["exp", "sub", "content_hash", "args_sha256"],
}


class KeyGone(Exception):
    """The key that a receipt names is listed no more."""


def issue(interrupt: Interrupt, *, approvers: list[str], arguments: Any, at: dt.datetime) -> str:
    """Sign that *approvers* allowed *interrupt* with *arguments*, the final ones, *at* this moment."""
    kid = next(iter(settings.HITL_RECEIPT_KEYS))
    issued = int(at.timestamp())
    claims = {
        "iss": settings.HITL_DEPLOYMENT_ID,
        "sub": interrupt.pk,
        "jti": f"{interrupt.pk}.{interrupt.revision}",
        "iat": issued,
        "exp": issued + settings.HITL_RECEIPT_HOURS * 3_600,
        "agent": interrupt.agent_id,
        "session_id": interrupt.session_id,
        "tool": interrupt.tool_name,
        "args_sha256": sha256(arguments),
        "content_hash": interrupt.content_hash,
        "approvers": approvers,
        "policy": interrupt.policy.get("name"),
        "single_use": True,
    }
    return jwt.encode(claims, _private(settings.HITL_RECEIPT_KEYS[kid]), ALGORITHM, headers={"kid": str(kid)})


def verify(receipt: str) -> dict[str, Any]:
    """Return the claims of *receipt*; whether it has expired is left to who knows what time it is.

    Raises:
        KeyGone: its key is listed no more.
        jwt.InvalidTokenError: it is no receipt of this deployment's.
    """
    kid = jwt.get_unverified_header(receipt).get("kid")
    listed = {str(version): key for version, key in settings.HITL_RECEIPT_KEYS.items()}
    if kid not in listed:
        raise KeyGone(kid)
    public = _private(listed[kid]).public_key()
    claims: dict[str, Any] = jwt.decode(
        receipt, public, [ALGORITHM], issuer=settings.HITL_DEPLOYMENT_ID, options=_CHECKED
    )
    return claims


def check(interrupt: Interrupt, *, arguments_hash: str, sent: str | None, now: dt.datetime) -> None:
    """Hold the receipt of *interrupt* against what is to run and against the one *sent*, if any.

    What was approved before there were receipts has none, and passes.

    Raises:
        Problem: 412 for other arguments than were signed, and (``receipt_differs``) for what is not the
            receipt of this approval; 409 ``receipt_key_gone`` and ``receipt_expired``.
    """
    if sent is not None and sent != interrupt.receipt:
        raise _differs(interrupt)
    if not interrupt.receipt:
        return
    claims = _signed(interrupt)
    if claims["args_sha256"] != arguments_hash:
        raise arguments_differ()
    if claims["exp"] <= now.timestamp():
        raise _refused(
            409, "receipt_expired", "The receipt of this approval has expired. Ask anew.", interrupt
        )


def arguments_differ() -> Problem:
    """Refuse arguments that nobody approved."""
    return Problem(412, "arguments_differ", "These are not the arguments that were approved.")


def public_keys() -> dict[str, Any]:
    """Return the keys that verify receipts, as a JWK Set (RFC 7517, RFC 8037)."""
    return {
        "keys": [
            {
                **OKPAlgorithm.to_jwk(_private(key).public_key(), as_dict=True),
                "kid": str(version),
                "use": "sig",
                "alg": ALGORITHM,
            }
            for version, key in settings.HITL_RECEIPT_KEYS.items()
        ]
    }


def _signed(interrupt: Interrupt) -> dict[str, Any]:
    """Return the claims of the receipt of *interrupt*, which must be its own; raise as :func:`check`."""
    try:
        claims = verify(interrupt.receipt)
    except KeyGone:
        detail = "The key that signed the receipt of this approval has been retired. Ask anew."
        raise _refused(409, "receipt_key_gone", detail, interrupt) from None
    except jwt.InvalidTokenError:
        raise _differs(interrupt) from None
    if (claims["sub"], claims["content_hash"]) != (interrupt.pk, interrupt.content_hash):
        raise _differs(interrupt)
    return claims


def _differs(interrupt: Interrupt) -> Problem:
    detail = "This is not the receipt that was signed for this approval."
    return _refused(412, "receipt_differs", detail, interrupt)


def _refused(status: int, code: str, detail: str, interrupt: Interrupt) -> Problem:
    return Problem(status, code, detail, current=document(vars(interrupt)))


@cache
def _private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(seed))
