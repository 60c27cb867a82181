"""What an agent may call about what it asked, as flows; methods of `HITL` and `AsyncHITL`."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, overload
from urllib.parse import quote

import httpx

from hitl_client.errors import (
    ProblemError,
    Unavailable,
)
from hitl_client.flows import Call, Flow, Listen, Pause, exchange, read_bytes
from hitl_client.models import Decision, Event, Interrupt, Status
from hitl_client.questions import Json
from hitl_client.runs import canonical

HOLD_SECONDS = 30
OPEN = {"pending", "in_review", "queued", "running", "awaiting_human", "paused"}
WaitBy: TypeAlias = Literal["poll", "socket"]
KINDS = {"har": "requests", "run": "runs"}


class Calls:
    """The calls of one agent. All raise `ProblemError` where the server refuses, `Unavailable` where it is
    away for longer than `retry_for` seconds.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        retry_for: float,
        *,
        timeout: float,
        wait_by: WaitBy,
        keyless: bool,
    ) -> None:
        self.base_url = (base_url or os.environ.get("HITL_URL") or "http://127.0.0.1:8000").rstrip("/")
        self.api_key = (api_key or os.environ.get("HITL_API_KEY") or "").strip()
        self.retry_for, self.timeout, self.wait_by = retry_for, timeout, wait_by
        if wait_by not in ("poll", "socket"):
            raise ValueError(f"wait_by is poll or socket; not {wait_by!r}")
        if not (self.api_key or keyless):
            raise ValueError("an API key is needed: pass api_key or set HITL_API_KEY")

    def get(self, item_id: str) -> Flow[Interrupt]:
        """Return the interrupt or request with its history, or the run; 404 if it is not this agent's."""
        return self.send(Call("GET", path_of(item_id)))

    def find(self, key: str) -> Flow[Interrupt | None]:
        """Return the interrupt that was created with this key, if any."""
        return self.keyed("interrupts", key)

    def status(self, interrupt_id: str) -> Flow[Status]:
        """Return how it stands now, without waiting."""
        return self.send(Call("GET", path_of(interrupt_id, "status")))

    def cancel(self, item_id: str, reason: str | None = None) -> Flow[Interrupt]:
        """Withdraw an interrupt or request; 409 if it has been decided."""
        return self.once(item_id, "cancel", {} if reason is None else {"reason": reason}, done="cancelled")

    def revise(
        self,
        interrupt_id: str,
        *,
        reason: str | None = None,
        tool_args: Json | None = None,
        data: Json | None = None,
    ) -> Flow[Interrupt]:
        """Ask anew, as another revision, after a person asked for changes (`changes_requested_at`).

        409 `unasked` if nobody did.
        """
        said = {"reason": reason, "tool_args": tool_args, "data": data}
        body = {name: value for name, value in said.items() if value is not None}
        return self.send(Call("POST", path_of(interrupt_id, "revise"), body=body, repeatable=False))

    def batch(self, items: Sequence[Json], key: str | None = None) -> Flow[list[Interrupt]]:
        """Ask up to a hundred things at once, all or none, without waiting; return the interrupts.

        Each of `items` is the body of an interrupt: reason, type, tool_name, tool_args, …; `wait` waits for
        one. A `key` finds the same batch again.
        """
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        call = Call("POST", "interrupts/batch", body={"items": list(items)}, headers=headers)
        said = yield from self.send(call)
        return list(said["results"])

    def comment(self, item_id: str, body: str, reply_to: str | None = None) -> Flow[Any]:
        """Add to the history of an interrupt or request, for the operators to read.

        `reply_to` is the `comment_id` of the one that is answered.
        """
        said = {"body": body} | ({} if reply_to is None else {"reply_to": reply_to})
        return self.send(Call("POST", path_of(item_id, "comments"), body=said, repeatable=False))

    def statistics(self) -> Flow[dict[str, Any]]:
        """Return the figures of what this agent asked."""
        return self.send(Call("GET", "statistics"))

    def attach(self, item_id: str, path: str | os.PathLike[str]) -> Flow[dict[str, Any]]:
        """Add a file to an open interrupt or request; return {id, name, content_type, size, sha256, …}."""
        file = Path(path)
        item = yield from self.send(attaching(item_id, (file.name, file.read_bytes())))
        return dict(item["attachment"])

    def download(self, item_id: str, attachment_id: str) -> Flow[bytes]:
        """Return the content of an attachment, as which the answer to a field of type file is given."""
        call = Call("GET", path_of(item_id, f"attachments/{quote(attachment_id, safe='')}"))
        return exchange(lambda: call, self.retry_for, reader=read_bytes)

    @overload
    def wait(self, interrupt_id: str, timeout: None = None) -> Flow[Decision]: ...
    @overload
    def wait(self, interrupt_id: str, timeout: float) -> Flow[Decision | None]: ...
    def wait(self, interrupt_id: str, timeout: float | None = None) -> Flow[Any]:
        """Wait until it is decided; None if it still is not after `timeout` seconds.

        An outage of the server is waited out as if nobody had decided yet.
        """
        found = yield from self.outcome(interrupt_id, timeout)
        return found and Decision.of(found)

    def outcome(self, item_id: str, timeout: float | None) -> Flow[Interrupt | None]:
        """Wait as `wait` does, and return the item."""
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        at_once = "status" if kind_of(item_id) == "interrupts" else ""
        heard = False

        def look() -> Call:
            held = 0 if heard else int(min(HOLD_SECONDS, max(0, deadline - time.monotonic())))
            verb, params = ("wait", {"timeout": held}) if held else (at_once, {})
            return Call("GET", path_of(item_id, verb), params=params, held=held)

        while True:
            began = time.monotonic()
            last = deadline - began < 1
            if last:
                yield Pause(max(0, deadline - began))
            elif self.wait_by == "socket":
                heard = yield Listen(item_id, min(HOLD_SECONDS, deadline - began))
            try:
                seen: Json = yield from exchange(look, max(0, deadline - began))
            except Unavailable:
                return None
            if seen["status"] not in OPEN:
                item = yield from self.get(item_id)
                return {**item, **seen}
            if last:
                return None
            if (
                not heard and time.monotonic() - began < 1
            ):  # something on the way does not let answers be held
                yield Pause(1)

    def page(self, kind: str, filters: Json) -> Flow[Any]:
        """Return one page of interrupts, requests or runs, {results, next, previous}."""
        return self.send(Call("GET", kind, params=filters))

    def keyed(self, kind: str, key: str) -> Flow[Interrupt | None]:
        """Return the interrupt, request or run that was created with this key, if any."""
        found = yield from self.page(kind, {"key": key, "limit": 1})
        return found["results"][0] if found["results"] else None

    def events(
        self, after: str | None, types: Sequence[str], hold: int, listen: bool = False
    ) -> Flow[tuple[list[Event], str]]:
        """Return the events after a cursor and the cursor after them; hold on for up to `hold` seconds.

        To `listen` is to wait for them by socket, if the client does that.
        """
        patience = float("inf") if hold else self.retry_for
        if listen and self.wait_by == "socket" and (yield Listen(None, hold)):
            hold = 0
        params = {"after": after, "types": ",".join(types) or None, "wait": hold or None}
        call = Call("GET", "events", params=params, held=hold)
        page = yield from exchange(lambda: call, patience)
        return [Event.of(row) for row in page["results"]], page["cursor"]

    def once(self, item_id: str, verb: str, body: Json, *, done: str) -> Flow[Interrupt]:
        """Do what may be done once; done already is no mistake: the first answer may have been lost."""
        item = yield from self.send_once(Call("POST", path_of(item_id, verb), body=body), done)
        return item

    def send_once(self, call: Call, done: str) -> Flow[Interrupt]:
        """Send what may be done once; `done` is the code of the refusal that says it was."""
        try:
            item: Interrupt = yield from self.send(call)
        except ProblemError as refusal:
            if refusal.code != done or refusal.current is None:
                raise
            return refusal.current
        return item

    def send(self, call: Call) -> Flow[Any]:
        """Send a call as it is."""
        return exchange(lambda: call, self.retry_for)

    @property
    def bearer(self) -> dict[str, str]:
        """The header that says who calls."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def socket_url(self) -> str:
        """Where the agent's stream is to be heard."""
        return f"{self.base_url.replace('http', 'ws', 1)}/ws/agents"

    def request(self, call: Call) -> dict[str, Any]:
        """Return a call as the arguments of httpx's `request`."""
        headers = {"Accept": "application/json", "User-Agent": "hitl-client", **call.headers, **self.bearer}
        seconds = self.timeout if call.seconds is None else min(self.timeout, call.seconds)
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        return {
            "method": call.method,
            "url": f"{self.base_url}/api/v1/{call.path}",
            "params": {name: value for name, value in call.params.items() if value is not None},
            "content": None if call.body is None else canonical(call.body),
            "files": call.file and {"file": call.file},
            "headers": headers,
            "timeout": httpx.Timeout(seconds + call.held, connect=min(5.0, seconds)),
        }


def next_cursor(page: Json) -> str | None:
    """Read where a list goes on, from a bare cursor or a link; a link's host is never followed."""
    following = page.get("next")
    return httpx.URL(following).params.get("cursor", following) if following else None


def kind_of(item_id: str) -> str:
    """Tell by its id what an item is: "interrupts", "requests" or "runs"."""
    return KINDS.get(item_id.partition("_")[0], "interrupts")


def attaching(item_id: str, file: tuple[str, bytes]) -> Call:
    """Return the call that adds a file; sent again, it would add it twice."""
    return Call("POST", path_of(item_id, "attachments"), file=file, repeatable=False)


def path_of(item_id: str, verb: str = "") -> str:
    """Return the path of an item, or of one of its verbs."""
    path = f"{kind_of(item_id)}/{quote(item_id, safe='')}"
    return f"{path}/{verb}" if verb else path
