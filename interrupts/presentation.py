"""What a person is shown of an interrupt: a headline of the server's own, and contradictions."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import jwt
from django.utils.translation import gettext as _

from events.untrusted import marked, pretty, without_unseen
from interrupts import receipts
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

# A number that stands by itself: not part of a name, a date, a time or a version.
_NUMBER = re.compile(r"(?<![\w.,:/#-])(\d[\d., ']*\d|\d)(?:\s?([kKmM])(?![\w]))?(?![\w:/-]|[.,]\d)")
_FACTORS = {"k": 1_000, "m": 1_000_000}


def contradictions(interrupt: Interrupt) -> tuple[list[str], list[str]]:
    """Return the numbers that only the agent's words have, and those that only the arguments have.

    Both lists are empty where the words and the arguments may agree: a difference counts only when each
    side says something that the other does not.
    """
    said = dict(_said(without_unseen(interrupt.reason)))
    meant = {pretty(number): float(number) for number in _numbers(interrupt.tool_args)}
    known = {*meant.values()}
    inside = " ".join(_texts(interrupt.tool_args))
    only_said = [text for text, values in said.items() if values.isdisjoint(known) and text not in inside]
    all_said = {value for values in said.values() for value in values}
    only_meant = [text for text, value in meant.items() if value not in all_said]
    # 100 beside 100000 is the likeliest slip, or trick: then what else differs is noise.
    alike = {_digits(text) for text in only_said} & {_digits(text) for text in only_meant}
    if alike:
        only_said = [text for text in only_said if _digits(text) in alike]
        only_meant = [text for text in only_meant if _digits(text) in alike]
    return (only_said[:5], only_meant[:5]) if only_said and only_meant else ([], [])


def _digits(text: str) -> str:
    """Return the digits of a number without the zeros that only say how large it is."""
    return re.sub(r"\D", "", text).strip("0")


def _said(words: str) -> Iterator[tuple[str, set[float]]]:
    """Yield each number of a text with every value it may have: ``1,000`` is a thousand, or one."""
    for text, suffix in _NUMBER.findall(words):
        plain = re.sub(r"[ ']", "", text)
        readings = {plain.replace(",", ""), plain.replace(".", "").replace(",", ".")}
        values = {float(reading) for reading in readings if re.fullmatch(r"\d+(\.\d+)?", reading)}
        yield f"{text}{suffix}", {value * _FACTORS.get(suffix.lower(), 1) for value in values}


def _numbers(value: Any) -> Iterator[float]:
    match value:
        case bool() | None:
            return
        case int() | float():
            yield value
        case str():
            if re.fullmatch(r"\d{1,15}(\.\d+)?", value):
                yield float(value) if "." in value else int(value)
        case dict():
            for inner in value.values():
                yield from _numbers(inner)
        case list():
            for inner in value:
                yield from _numbers(inner)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
