"""What people do in a terminal, with a token of their own: look at what waits, and decide."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from hitl_client.blocking import blocking
from hitl_client.calls import Calls, kind_of, path_of
from hitl_client.cli.asking import Asker, Exit, Usage, json_object, json_value, pair
from hitl_client.cli.terminal import LOUD, answer, chat, coloured, compact, field, harmless, show, table
from hitl_client.flows import Call, Flow
from hitl_client.models import Interrupt

URGENT_FIRST = ("critical", "high", "medium", "low")
HEAD = ("ID", "KIND", "TITLE", "AGENT", "PRIORITY", "DUE")
SHOWN = (
    "id", "status", "type", "request_type", "priority", "agent", "agent_name", "agent_id", "session_id",
    "run_id", "created_at", "expires_at", "on_timeout", "claimed_by", "approval_message", "policy_note",
    "tool_name", "reason", "title", "description", "tool_args", "data", "context", "required_fields",
    "checklist", "response_schema", "allowed_decisions", "votes", "modifications", "response",
    "response_data", "rejection_reason", "resolved_by", "revision", "content_hash",
)  # fmt: skip


def _decide(calls: Calls, item_id: str, verb: str, body: Mapping[str, Any]) -> Flow[Interrupt]:
    """Send a decision; never again once it may have arrived, for it would be refused as the second."""
    item: Interrupt = yield from calls.send(Call("POST", path_of(item_id, verb), body=body, repeatable=False))
    return item


class Operator(Asker):
    """A client that decides: for a person's token, as the server lets no agent do so."""

    decide = blocking(_decide)


def inbox(hitl: Operator, options: argparse.Namespace) -> Exit:
    """Print what waits, the most urgent first."""
    found = list(islice(_waiting(hitl), options.limit + 1))
    items = found[: options.limit]
    if options.json:
        answer(compact(items))
    elif items:
        rows = [_row(item) for item in items]
        head, *lines = table(HEAD, rows, {"TITLE": 60, "AGENT": 24})
        show(head)
        for item, line in zip(items, lines, strict=True):
            show(coloured(line, LOUD.get(item["priority"], "")))
    else:
        chat("Nothing waits.")
    if len(found) > len(items):
        chat(f"There is more; these are the {options.limit} most urgent (--limit).")
    return Exit.APPROVED


def show_item(hitl: Operator, options: argparse.Namespace) -> Exit:
    """Print the whole question."""
    item = hitl.get(options.id)
    if options.json:
        answer(compact(item))
    else:
        show(_whole(hitl, item))
    return Exit.APPROVED


def approve(hitl: Operator, options: argparse.Namespace) -> Exit:
    """Allow it, with other arguments where --set or --args say so."""
    item = hitl.get(options.id)
    if kind_of(options.id) == "requests":
        raise Usage(f"a request is filled in on its page: {hitl.base_url}{item['url']}")
    edited = _edited(item, options)
    body = {} if edited is None else {"modifications": edited}
    return _settle(hitl, options, item, "approve", body)


def reject(hitl: Operator, options: argparse.Namespace) -> Exit:
    """Refuse it."""
    return _settle(hitl, options, hitl.get(options.id), "reject", {"reason": options.reason})


def respond(hitl: Operator, options: argparse.Namespace) -> Exit:
    """Answer an input or feedback."""
    item = hitl.get(options.id)
    return _settle(hitl, options, item, "respond", {"response": _typed(item, options.value)})


def _settle(
    hitl: Operator, options: argparse.Namespace, item: Interrupt, verb: str, body: dict[str, Any]
) -> Exit:
    """Show what is about to be decided, have it confirmed, and decide on exactly that."""
    print(_whole(hitl, item, sys.stderr), file=sys.stderr)  # noqa: T201 - a command speaks
    for name, value in body.items():
        print(field(f"{verb} with {name}", value, 0), file=sys.stderr)  # noqa: T201 - a command speaks
    if not (options.yes or _confirmed(item, verb)):
        chat("Nothing was decided.")
        return Exit.UNDECIDED
    comment = {"comment": options.comment} if options.comment else {}
    sent = body | comment | {"content_hash": options.hash or item["content_hash"]}
    decided = hitl.decide(item["id"], verb, sent)
    if options.json:
        answer(compact(decided))
    still = ": others have to agree" if not decided["is_resolved"] else ""
    chat(f"{decided['id']} is {decided['status']}{still}")
    return Exit.APPROVED


def _confirmed(item: Interrupt, verb: str) -> bool:
    """Ask at the terminal; what is urgent is confirmed by the name of the tool."""
    if not sys.stdin.isatty():
        raise Usage("this asks for confirmation and there is no terminal: say --yes")
    word = "yes"
    if verb != "reject" and item["priority"] in LOUD:
        word = item.get("tool_name") or verb
    chat(f"Type {word!r} to {verb} this, anything else to leave it:")
    try:
        return input().strip() == word
    except EOFError:
        return False


def _waiting(hitl: Operator) -> Iterator[Interrupt]:
    """Yield what is open, so that no flood of what is less urgent hides what is more."""
    for priority in URGENT_FIRST:
        yield from hitl.list(pending_only=True, priority=priority, limit=200)
        for request in hitl.requests(pending_only=True, priority=priority, limit=200):
            yield request.item


def _row(item: Interrupt) -> tuple[str, ...]:
    kind = item.get("type") or item["request_type"]
    due = _from_now(item["expires_at"]) if item["expires_at"] else ""
    # The agent that holds the key; the name it gives itself may be anybody's.
    return (item["id"], kind, item["title"], item["agent"] or "", item["priority"], due)


def _from_now(moment: str) -> str:
    left = (dt.datetime.fromisoformat(moment) - dt.datetime.now(dt.UTC)).total_seconds()
    if left < 0:
        return "overdue"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if left >= size:
            return f"in {left / size:.0f} {unit}"
    return "in 1 min"


def _whole(hitl: Operator, item: Interrupt, stream: Any = None) -> str:
    known = item if "reason" not in item else {**item, "title": ""}  # its beginning
    told = [(name, known[name]) for name in SHOWN if known.get(name) not in (None, "", {}, [])]
    lines = [field(name, value, stream=stream) for name, value in told]
    return "\n".join([*lines, field("url", hitl.base_url + item["url"], stream=stream)])


def _edited(item: Interrupt, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return the arguments to run with, whole; None where nothing is changed."""
    if options.args is None and not options.set:
        return None
    found = json_object(options.args, "--args") if options.args else dict(item["tool_args"])
    for name, value in map(pair, options.set):
        if name not in found:
            raise Usage(f"there is no argument {harmless(name)!r}; --args gives all of them anew")
        if isinstance(value, str) and not isinstance(found[name], str) and f"{name}={value}" in options.set:
            raise Usage(f"{name} is no text: write {name}:=JSON")
        found[name] = value
    return found


def _typed(item: Interrupt, said: str) -> Any:
    """Read a response: text where the schema says so or there is none; JSON where it says another type."""
    schema = item.get("response_schema")
    if not isinstance(schema, dict) or schema.get("type") == "string":
        return said
    try:
        return json_value(said, "VALUE")
    except Usage:
        if "type" in schema:
            raise
        return said
