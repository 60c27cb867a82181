"""What a person is shown of an interrupt: a headline of the server's own, and contradictions."""

import datetime as dt
from typing import Any

import jwt
from django.utils.translation import gettext as _

from events.untrusted import marked, without_unseen
from interrupts import amounts, receipts
from interrupts.models import Interrupt, one_line
from reviews.models import Kind
from reviews.presentation import Argument, arguments

# -- The headline -------------------------------------------------------------------------------------

_IN_HEADLINE, _VALUE_LENGTH = 2, 60


def headline(interrupt: Interrupt) -> str:
    """Say what is asked in the server's words, from the tool and its arguments alone."""
    if interrupt.tool_name:
        return _("Wants to call %(tool)s") % {"tool": marked(interrupt.tool_name)}
    match interrupt.kind:
        case Kind.INPUT:
            return _("Needs an answer")
        case Kind.FEEDBACK:
            return _("Asks for feedback")
        case Kind.CONFIRMATION:
            return _("Asks you to confirm")
    return _("Asks for approval")


def headline_arguments(interrupt: Interrupt) -> list[Argument]:
    """Return the first plain arguments, shortened: what the call is about."""
    if not interrupt.tool_name:
        return []
    plain = [found for found in arguments(interrupt.tool_args) if found.kind != "JSON"]
    return [
        Argument(found.name, found.kind, one_line(found.text, _VALUE_LENGTH))
        for found in plain[:_IN_HEADLINE]
    ]


# -- The receipt --------------------------------------------------------------------------------------


def receipt(interrupt: Interrupt) -> dict[str, Any]:
    """Return the claims of the receipt of an approval, or why there are none under ``problem``."""
    if not interrupt.receipt:
        return {}
    try:
        claims = receipts.verify(interrupt.receipt)
    except receipts.KeyGone:
        return {"problem": _("The key that signed it has been retired: no tool takes it any more.")}
    except jwt.InvalidTokenError:
        return {"problem": _("It is not what this server signed.")}
    issued, expires = (dt.datetime.fromtimestamp(claims[name], dt.UTC) for name in ("iat", "exp"))
    return {**claims, "issued_at": issued, "expires_at": expires}


# -- Contradictions -----------------------------------------------------------------------------------


def contradictions(interrupt: Interrupt) -> tuple[list[str], list[str]]:
    """Return the numbers that only the agent's words have, and those that only the arguments have."""
    return amounts.differences(without_unseen(interrupt.reason), interrupt.tool_args)
