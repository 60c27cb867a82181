"""A Slack workspace: its API as a real server on this machine, and members who click, signed as Slack signs.

workspace = Workspace()         # listens from start() to stop(), as a `with` block does
workspace.messages              # what stands there now, by channel and ts
workspace.click(message, "approve", member="U1ANN")
"""

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db.models.functions import Now

from events.models import Channel, SlackMessage, Subscription
from events.transports import slack
from interrupts.slack import tell_by_slack
from reviews import telling
from reviews.models import Priority
from tests.conftest import Door
from tests.providers import Reply, Seen, Service, in_json
from tests.push import began

TOKEN, SECRET, TEAM = "xoxb-a-token-canary", "a-signing-secret-canary", "T1TEAM"
PATH = "/hooks/slack"
CALL = {"tool_name": "delete_file", "tool_args": {"path": "/tmp/a", "force": True}}


class Workspace(Service):
    """Keep what the bot writes. ``refusal`` is the error that every call is answered with."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal = ""
        self.messages: dict[tuple[str, str], dict[str, Any]] = {}
        self.whispers: list[str] = []
        self._numbers = itertools.count(1)

    def answer(self, seen: Seen) -> Reply:
        if seen.path.startswith("/responses/"):
            self.whispers.append(seen.json["text"])
            assert seen.json["response_type"] == "ephemeral"
            assert seen.json["replace_original"] is False
            return Reply(200, b"ok")
        if seen.headers.get("authorization") != f"Bearer {TOKEN}":
            return in_json({"ok": False, "error": "invalid_auth"})
        if self.refusal:
            return in_json({"ok": False, "error": self.refusal})
        return in_json(
            {"ok": True, **self._done(seen.path.removeprefix("/api/"), seen.json if seen.body else {})}
        )

    def _done(self, method: str, asked: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "auth.test":
                return {"team_id": TEAM, "user_id": "U0BOT"}
            case "conversations.open":
                return {"channel": {"id": f"D{asked['users']}"}}
            case "chat.postMessage":
                place = (asked["channel"], f"1700000000.{next(self._numbers):06}")
                self.messages[place] = asked
                return {"channel": place[0], "ts": place[1]}
            case "chat.update":
                place = (asked["channel"], asked["ts"])
                if place not in self.messages:
                    return {"ok": False, "error": "message_not_found"}
                self.messages[place] = asked
                return {"channel": place[0], "ts": place[1]}
        return {"ok": False, "error": "unknown_method"}

    # -- What stands there --------------------------------------------------------------------------------

    def told(self, member: str) -> list[dict[str, Any]]:
        """Return the messages to *member*, oldest first."""
        return [told for (channel, _ts), told in sorted(self.messages.items()) if channel == f"D{member}"]

    def called(self, method: str) -> list[Seen]:
        return [seen for seen in self.calls if seen.path == f"/api/{method}"]

    # -- Members ------------------------------------------------------------------------------------------

    def payload(
        self, member: str, verb: str, *, note: str = "", number: int = -1, **told: Any
    ) -> dict[str, Any]:
        """Return what Slack says when *member* presses *verb* in the last message to them."""
        mine = [place for place in sorted(self.messages) if place[0] == f"D{told.pop('of', member)}"]
        channel, ts = mine[number]
        pressed = next(
            one
            for block in self.messages[channel, ts]["blocks"]
            for one in block.get("elements", [])
            if one.get("action_id") == verb
        )
        return {
            "type": "block_actions",
            "team": {"id": TEAM, "domain": "ours"},
            "user": {"id": member, "username": "somebody", "team_id": TEAM},
            "container": {"type": "message", "channel_id": channel, "message_ts": ts},
            "state": {"values": {"note": {"note": {"type": "plain_text_input", "value": note or None}}}},
            "response_url": f"{self.url}/responses/1",
            "actions": [{"type": "button", "action_id": verb, "value": pressed.get("value", "")}],
            **told,
        }

    def click(self, member: str, verb: str, **told: Any) -> Any:
        return post(signed(self.payload(member, verb, **told)))


def signed(
    payload: Any, *, secret: str = SECRET, age: float = 0, body: bytes | None = None
) -> tuple[bytes, dict[str, str]]:
    """Return *payload* as Slack sends it: the body, and the headers that sign it."""
    content = urlencode({"payload": json.dumps(payload)}).encode() if body is None else body
    timestamp = str(int(time.time() - age))
    drawn = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + content, hashlib.sha256).hexdigest()
    return content, {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={drawn}"}


def post(request: tuple[bytes, dict[str, str]], door: Door | None = None) -> Any:
    """Send what was :func:`signed`, with no session."""
    content, headers = request
    return (door or Door(enforce_csrf_checks=True)).generic(
        "POST", PATH, content, content_type="application/x-www-form-urlencoded", headers=headers
    )


def texts(message: dict[str, Any]) -> str:
    """Return all that *message* shows."""

    def found(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if value.get("type") in ("plain_text", "mrkdwn"):
                yield value["text"]
            for inner in value.values():
                yield from found(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from found(inner)

    return "\n".join(found(message["blocks"]))


def buttons(message: dict[str, Any]) -> list[str]:
    """Return what can be pressed in *message*."""
    return [
        one["action_id"]
        for block in message["blocks"]
        for one in block.get("elements", [])
        if "action_id" in one
    ]


@pytest.fixture
def workspace(settings: Any) -> Iterator[Workspace]:
    """A workspace that this server is a bot in."""
    cache.clear()
    slack._told.clear()
    settings.HITL_SLACK_TOKEN, settings.HITL_SLACK_SIGNING_SECRET = TOKEN, SECRET
    settings.HITL_PUBLIC_URL = "https://hitl.example.com"
    with Workspace() as found:
        settings.HITL_SLACK_URL = f"{found.url}/api/"
        yield found


@pytest.fixture
def in_slack(workspace: Workspace) -> Callable[..., str]:
    """Return a function that links a person to a member, who is told of what is asked from now on."""

    def choose(person: User, **chosen: Any) -> str:
        member = f"U1{person.username.upper()}"
        told = {"address": f"{TEAM}:{member}", "lowest": Priority.LOW, **chosen}
        telling.subscribe(person, Channel.SLACK, **told)
        Subscription.objects.filter(user=person, channel=Channel.SLACK).update(told=began())
        return member

    return choose


def told(agent: Door, **fields: Any) -> dict[str, Any]:
    """Ask, and have everybody told."""
    asked = agent.ask(**{**CALL, **fields})
    assert tell_by_slack() >= 1
    return asked


def time_passes() -> None:
    """Let everything be due that was put off."""
    Subscription.objects.update(not_before=Now())
    SlackMessage.objects.update(not_before=Now())
