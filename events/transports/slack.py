"""Speak with Slack: call its API as the bot, and believe of what comes in only what it has signed.

A call never raises: what went wrong is a word of Slack's, or of ours, and how long Slack asks to wait.
"""

import hashlib
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

import httpx
import structlog
from django.conf import settings
from django.core.cache import cache
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.signature import SignatureVerifier

from events import outbound

SECONDS, HURRIED_SECONDS = 5.0, 1.5
LONGEST_WAIT = 3_600
USUAL = "https://slack.com/api/"
RESPONSES = "hooks.slack.com"
TEAM_SECONDS = 3_600
WHY = {
    "account_inactive": "The bot's account is deactivated: install the app again.",
    "invalid_auth": "Slack does not know this token: copy the bot's again into HITL_SLACK_TOKEN.",
    "missing_scope": "The app lacks a scope: give it chat:write and im:write, and install it again.",
    "not_authed": "HITL_SLACK_TOKEN is no token.",
    "token_expired": "This token has expired: switch token rotation off, or put in the new one.",
    "token_revoked": "This token was revoked: install the app again.",
}
_told: set[str] = set()
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """Say what Slack answered: *problem* is empty where it did as asked; *wait* is asked for, in seconds."""

    body: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    wait: int = 0


def is_on() -> bool:
    """Say whether this server is a bot in somebody's workspace."""
    return bool(settings.HITL_SLACK_TOKEN and settings.HITL_SLACK_SIGNING_SECRET)


def call(method: str, *, seconds: float = 0, **arguments: Any) -> Answer:
    """Call *method* of Slack's API, within ``SECONDS`` or as many as are given."""
    client = WebClient(
        settings.HITL_SLACK_TOKEN,
        base_url=settings.HITL_SLACK_URL,
        timeout=seconds or SECONDS,  # type: ignore[arg-type]  # it goes to a socket, which takes parts of seconds
        ssl=outbound.tls(),
        retry_handlers=[],  # what is tried again when is decided where it is kept
    )
    try:
        answer = client.api_call(method, json=arguments)
    except SlackApiError as problem:
        return _refused(method, problem.response)
    except (SlackClientError, HTTPException, OSError, ValueError) as problem:
        return Answer(problem=type(problem).__name__)
    _told.clear()
    return Answer(dict(answer.data) if isinstance(answer.data, dict) else {})


def team() -> Answer:
    """Return the answer that names the bot's own workspace as ``team_id``; asked once an hour."""
    key = f"slack:team:{hashlib.sha256(settings.HITL_SLACK_TOKEN.encode()).hexdigest()}"
    if known := cache.get(key):
        return Answer({"team_id": known})
    answer = call("auth.test")
    if found := answer.body.get("team_id"):
        cache.set(key, found, TEAM_SECONDS)
    return answer


def is_signed(body: bytes, timestamp: str, signature: str) -> bool:
    """Say whether Slack signed *body*, within the last five minutes."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12 and signature.isascii()):
        return False
    verifier = SignatureVerifier(settings.HITL_SLACK_SIGNING_SECRET)
    try:
        return bool(verifier.is_valid(body, timestamp, signature))
    except ValueError:  # bytes that are no text
        return False


def whisper(url: str, text: str) -> None:
    """Tell *text* to the one who clicked, by the address that came with the click."""
    parts, own = outbound.read(url), outbound.read(settings.HITL_SLACK_URL)
    is_slack = parts is not None and parts.scheme == "https" and parts.host == RESPONSES
    is_gateway = parts is not None and own is not None and parts.netloc == own.netloc
    if not (is_slack or is_gateway):
        log.warning("slack_whisper_elsewhere")
        return
    body = {"response_type": "ephemeral", "replace_original": False, "text": escaped(text)}
    client = httpx.Client(
        verify=outbound.tls(), trust_env=False, follow_redirects=False, timeout=HURRIED_SECONDS
    )
    try:
        with client:
            client.post(url, json=body)
    except (httpx.HTTPError, OSError) as problem:
        log.info("slack_whisper_lost", problem=type(problem).__name__)


def escaped(text: str) -> str:
    """Return *text* so that nobody is called by it, and nothing in it is a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _refused(method: str, response: Any) -> Answer:
    status = getattr(response, "status_code", None) or response.get("status", 0)
    headers = getattr(response, "headers", None) or response.get("headers") or {}
    body = response.get("body") if isinstance(response, dict) else response.data
    told = body.get("error") if isinstance(body, dict) else ""
    problem = told if isinstance(told, str) and told else f"answered {status}"
    later = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    later = later[0] if isinstance(later, list) else later
    wait = min(int(later), LONGEST_WAIT) if later.isascii() and later.isdigit() and len(later) < 9 else 0
    if problem in WHY and problem not in _told:
        _told.add(problem)
        log.error("slack_refuses", error=problem, advice=WHY[problem])
    elif problem not in WHY:
        log.info("slack_refused", method=method, error=problem[:100])
    return Answer(problem=problem[:100], wait=wait)
