"""Read what a service answered: a stranger's text, bounded, without what nobody sees, and no secrets."""

import re
import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
from django.utils.http import parse_http_date_safe

from events import untrusted
from events.http import parse
from events.problems import Problem
from runs.providers.calling import RETRY_IN, broken_off
from runs.providers.provider import File, Finished, ProviderError

SAID_AT_MOST = 500
COMPLAINTS_AT_MOST = 5
WAIT_AT_MOST = 3600.0
_LATER = frozenset({408, 425, 429, 503})
_FLAGS = frozenset({"nsfw", "pii", "copyright"})
_NSFW = re.compile(r"\bnsfw\b", re.IGNORECASE)


def refusal(title: str, answer: httpx.Response, *, repeats: bool, secret: str = "") -> ProviderError:
    """Return the failure that *answer* is, with what the service said of it, but never its *secret*."""
    status, said = answer.status_code, what_it_said(answer, secret)
    if status in _LATER or (status < 500 and "Retry-After" in answer.headers):
        told = sentence(f"{title} takes no more calls at the moment (HTTP {status})", said)
        return ProviderError(told, retry_in=wait_of(answer.headers))
    if status >= 500:
        return broken_off(sentence(f"{title} failed (HTTP {status})", said), repeats)
    if status < 400:
        return ProviderError(
            f"{title} answered HTTP {status}, which is no result; redirects are not followed.",
            suggestion="Name the address where the service itself answers.",
        )
    advice = "Correct the inputs."
    if status in (401, 403):
        advice = "Ask an administrator to look at its key." if secret else "This tool has no key for it."
    return ProviderError(
        sentence(f"{title} refused this call (HTTP {status})", said),
        suggestion=nsfw_advice(said) or advice,
    )


def nsfw_advice(said: str) -> str:
    """Return what to do where a service *said* that it found content unsafe; else an empty text."""
    return "The service found this unsafe (NSFW). Change what is asked for." if _NSFW.search(said) else ""


def sentence(told: str, said: str) -> str:
    return f"{told}: {said}" if said else f"{told}."


def what_it_said(answer: httpx.Response, secret: str = "") -> str:
    """Return the message in the body of *answer*; an empty text where it is a page, or nothing."""
    kind = answer.headers["Content-Type"]
    if "json" in kind:
        return bounded(_message(_loaded(answer.content)), secret)
    return bounded(answer.text, secret) if kind == "text/plain" else ""


def bounded(said: str, secret: str = "") -> str:
    """Return *said* on one line, as a person would read it, short and without *secret*."""
    hidden = said.replace(secret, "…") if secret else said
    text = " ".join(untrusted.without_unseen(hidden[: SAID_AT_MOST * 4]).split())
    return text if len(text) <= SAID_AT_MOST else f"{text[:SAID_AT_MOST]}…"


def wait_of(headers: Mapping[str, str]) -> float:
    """Return the seconds of a Retry-After, given as a number or a date, within reason."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(max(float(text[:9]), 1.0), WAIT_AT_MOST)
    date = parse_http_date_safe(text)
    return RETRY_IN if date is None else min(max(date - time.time(), 1.0), WAIT_AT_MOST)


def finished(raw: bytes, *, name: str = "output.json", flags: tuple[str, ...] = ()) -> Finished:
    """Return the JSON in *raw* as an output; as a file where it could not be kept exactly, or is large.

    An object may say of itself ``flags``, ``confidence``, and by a field with nsfw in its name that it is.
    """
    try:
        output = parse(b'{"output": %b}' % (raw.strip() or b"null"))["output"]
    except Problem:
        return Finished(None, files=(File(name, "application/json", raw),), flags=flags)
    said = output if isinstance(output, dict) else {}
    raised = {flag for flag in _strings(said.get("flags")) if flag in _FLAGS}
    if any("nsfw" in key.lower() and _is_true(value) for key, value in said.items()):
        raised.add("nsfw")
    return Finished(output, flags=tuple(sorted({*flags, *raised})), confidence=_share(said.get("confidence")))


def read_object(title: str, raw: bytes, *, repeats: bool) -> dict[str, Any]:
    """Return the JSON object in *raw*.

    Raises:
        ProviderError: it is none; uncertain unless the call *repeats*.
    """
    found = _loaded(raw)
    if not isinstance(found, dict):
        raise ProviderError(f"{title} answered with something other than JSON.", uncertain=not repeats)
    return found


def written(value: Any) -> bytes:
    """Return *value*, which was read from JSON, as JSON.

    Raises:
        ProviderError: it nests too deep.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise ProviderError("The answer nests too deep to be kept.") from None


def _loaded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except ValueError:
        return None


def _message(body: Any) -> str:
    """Return the sentence in an error's *body*, by the names that services use for it."""
    for _ in range(3):
        if not isinstance(body, dict):
            break
        names = ("message", "detail", "error", "title", "errors")
        body = next((body[name] for name in names if body.get(name)), "")
    if isinstance(body, list):
        return "; ".join(filter(None, map(_complaint, body[:COMPLAINTS_AT_MOST])))
    return body if isinstance(body, str) else ""


def _complaint(item: Any) -> str:
    """Return what one of several complaints is about: where and what, never the value it repeats."""
    if not isinstance(item, dict):
        return item if isinstance(item, str) else ""
    said = next((item[name] for name in ("msg", "message", "detail") if isinstance(item.get(name), str)), "")
    where = item.get("loc")
    steps = where if isinstance(where, list) else []
    path = ".".join(str(step) for step in steps if isinstance(step, str | int))
    return f"{path}: {said}" if path and said else said


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, list) and any(item is True for item in value))


def _share(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None
