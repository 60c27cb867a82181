"""What agents and scripts do: ask, wait, look, withdraw, follow."""

from __future__ import annotations

import argparse
import json
import uuid
from dataclasses import asdict
from enum import IntEnum
from pathlib import Path
from typing import Any

from hitl_client import HITL, AsyncHITL, Decision, InterruptSignal
from hitl_client.asking import Options, QuestionCalls
from hitl_client.awaitable import awaitable
from hitl_client.blocking import blocking
from hitl_client.calls import Calls
from hitl_client.cli.terminal import answer, chat, compact
from hitl_client.models import Interrupt


class Exit(IntEnum):
    """What the exit code says. Only APPROVED is 0, so that `hitl ask … && deploy` fails closed.

    ANSWERED: a person gave the answer in the place of what was to be run, which is then not to run.
    """

    APPROVED = 0
    BROKEN = 1
    USAGE = 2
    REJECTED = 3
    EXPIRED = 4
    CANCELLED = 5
    UNDECIDED = 6
    UNAVAILABLE = 7
    REFUSED = 8
    ANSWERED = 9
    INTERRUPTED = 130
    PIPE_CLOSED = 141


STATES = {
    "approved": Exit.APPROVED,
    "fulfilled": Exit.APPROVED,
    "rejected": Exit.REJECTED,
    "expired": Exit.EXPIRED,
    "cancelled": Exit.CANCELLED,
}


class Usage(Exception):
    """The command line cannot be meant; the message says what to write."""


class Asker(HITL):
    """A client that hands back every outcome alike."""

    ask = blocking(QuestionCalls.ask)
    outcome = blocking(Calls.outcome)

    def awaited(self) -> AsyncAsker:
        """Return the same client to be awaited."""
        return AsyncAsker(self.base_url, self._calls.api_key, retry_for=self._calls.retry_for)


class AsyncAsker(AsyncHITL):
    """`Asker` to be awaited."""

    ask = awaitable(QuestionCalls.ask)
    outcome = awaitable(Calls.outcome)


def ask(hitl: Asker, options: argparse.Namespace) -> Exit:
    """Ask, and with --wait stay until a person has decided."""
    if options.timeout is not None and not options.wait:
        raise Usage("--timeout says how long to --wait")
    fields = {
        "tool_name": options.tool,
        "tool_args": arguments(options.args, options.arg),
        "response_schema": _json_file(options.schema),
    }
    common: Options = {
        "key": options.key or f"cli-{uuid.uuid4().hex}",
        "session_id": options.session,
        "priority": options.priority,
        "expires_in": options.expires_in,
        "mode": "raise",
    }
    data = json_object(options.data, "--data") if options.data else None
    try:
        decision = hitl.ask(options.type, options.question, data, common, fields)
    except InterruptSignal as signal:
        asked = signal.interrupt
    else:
        return tell(hitl, options, decision.interrupt)
    chat(f"{asked['id']} waits for a person: {hitl.base_url}{asked['url']}")
    if options.wait:
        return stay(hitl, options, asked["id"])
    answer(compact(summary(hitl, asked)) if options.json else asked["id"])
    return Exit.UNDECIDED


def wait(hitl: Asker, options: argparse.Namespace) -> Exit:
    """Wait for the decision of a question that was asked before."""
    return stay(hitl, options, options.id)


def status(hitl: Asker, options: argparse.Namespace) -> Exit:
    """Say how it stands."""
    return tell(hitl, options, hitl.get(options.id))


def cancel(hitl: Asker, options: argparse.Namespace) -> Exit:
    """Withdraw a question."""
    item = hitl.cancel(options.id, options.reason)
    chat(f"{item['id']} is {item['status']}")
    return Exit.APPROVED


def tail(hitl: Asker, options: argparse.Namespace) -> Exit:
    """Print events as JSON, one a line."""
    cursor = options.after
    types = [name for said in options.types for name in said.split(",") if name]
    try:
        for event in hitl.events(cursor, types=types, follow=not options.no_follow):
            answer(compact(asdict(event)))
            cursor = event.cursor
    except KeyboardInterrupt:
        if cursor:
            chat(f"Go on with: hitl tail --after {cursor}")
        return Exit.INTERRUPTED
    return Exit.APPROVED


def stay(hitl: Asker, options: argparse.Namespace, item_id: str) -> Exit:
    """Wait until it is decided, the time is over or Ctrl+C; the question stays open then."""
    try:
        item = hitl.outcome(item_id, options.timeout)
    except KeyboardInterrupt:
        chat(f"\n{item_id} stays open. Go on with: hitl wait {item_id}")
        return Exit.INTERRUPTED
    if item is None:
        chat(f"{item_id} is still undecided. Go on with: hitl wait {item_id}")
        return Exit.UNDECIDED
    return tell(hitl, options, item)


def tell(hitl: Asker, options: argparse.Namespace, item: Interrupt) -> Exit:
    """Write what was decided, spend the approval with --once, and return what the exit code is to say."""
    code = verdict(item)
    if code is Exit.APPROVED and getattr(options, "once", False):
        decision = Decision.of(item)
        hitl.consume(decision.id, decision.arguments, decision.receipt)
    by = f" by {item['resolved_by']}" if item.get("resolved_by") else ""
    chat(f"{item['id']} is {item['status']}{by}")
    if options.json:
        answer(compact(summary(hitl, item)))
    elif words := _in_words(item):
        answer(words)
    return code


def verdict(item: Interrupt) -> Exit:
    """Return what the exit code is to say of an item."""
    code = STATES.get(item["status"], Exit.UNDECIDED)
    asked_to_run = item.get("type") in ("approval", "confirmation")
    answered = asked_to_run and item.get("decision") == "respond"
    return Exit.ANSWERED if answered and code is Exit.APPROVED else code


def summary(hitl: HITL, item: Interrupt) -> dict[str, Any]:
    """Return how an item stands, in the same form for every kind."""
    decision = Decision.of(item)
    return {
        "id": decision.id,
        "kind": item.get("type") or item.get("request_type"),
        "status": decision.status,
        "approved": verdict(item) is Exit.APPROVED,
        "arguments": decision.arguments,
        "edited": decision.modifications is not None,
        "response": _response(item),
        "reason": decision.rejection_reason,
        "resolved_by": decision.resolved_by,
        "resolved_at": decision.resolved_at,
        "receipt": decision.receipt,
        "url": hitl.base_url + item["url"],
    }


def arguments(whole: str | None, single: list[str]) -> dict[str, Any] | None:
    """Read --args JSON and --arg name=text or name:=JSON; None where none were given."""
    if whole is None and not single:
        return None
    found = json_object(whole, "--args") if whole else {}
    return found | dict(map(pair, single))


def pair(said: str) -> tuple[str, Any]:
    """Read `name=text`, or `name:=JSON` for what is no text."""
    name, equals, value = said.partition("=")
    if not (equals and name.rstrip(":")):
        raise Usage(f"write name=text or name:=JSON, not {said!r}")
    return (name[:-1], json_value(value, said)) if name.endswith(":") else (name, value)


def json_value(text: str, where: str) -> Any:
    """Read JSON, with no numbers that it does not have. Raises Usage."""

    def no_number(name: str) -> Any:
        raise ValueError(f"{name} is no number of JSON")

    try:
        return json.loads(text, parse_constant=no_number)
    except ValueError as error:
        raise Usage(f"{where}: this is no JSON ({error})") from error


def json_object(text: str, where: str) -> dict[str, Any]:
    """Read a JSON object. Raises Usage."""
    found = json_value(text, where)
    if not isinstance(found, dict):
        raise Usage(f'{where}: write a JSON object, as {{"name": "value"}}')
    return found


def _json_file(path: str | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        return json_object(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read: {error}") from error


def _response(item: Interrupt) -> Any:
    return item["response_data"] if "response_data" in item else item.get("response")


def _in_words(item: Interrupt) -> str:
    """Return the answer alone: the response, the arguments to run with, or the reason of a refusal."""
    decision = Decision.of(item)
    if decision.rejection_reason:
        return decision.rejection_reason
    response = _response(item)
    if response is not None:
        return response if isinstance(response, str) else compact(response)
    return compact(decision.arguments) if decision.approved and decision.arguments else ""
