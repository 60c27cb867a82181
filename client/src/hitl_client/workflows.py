"""What an agent may have the server call for it, as flows: runs, their files, and actions in a browser."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import quote

from hitl_client.asking import QuestionCalls, settled
from hitl_client.calls import OPEN, attaching, path_of
from hitl_client.errors import ArgumentsChanged, ProblemError
from hitl_client.flows import Call, Flow, exchange, read_bytes
from hitl_client.models import ActiveSession, Decision, Run
from hitl_client.questions import Json
from hitl_client.runs import current_run, replay_key

REFERENCE = "attachment:"
TOO_LATE = {"already_decided", "expired", "cancelled"}


class BrowserOptions(TypedDict, total=False):
    """What a browser action may be given besides its subject; as the options of a question."""

    key: str | None
    priority: Literal["low", "medium", "high", "critical"] | None
    expires_in: int | None
    on_timeout: Literal["expire", "reject"] | None
    mode: Literal["wait", "raise"] | None
    wait_timeout: float | None


class RunCalls(QuestionCalls):
    """The calls of one agent, those about runs among them."""

    def start_run(
        self,
        run_input: Json,
        *,
        user_id: str = "",
        session_id: str = "",
        config: Json | None = None,
        key: str | None = None,
        gated: bool = True,
    ) -> Flow[Run]:
        """Have the server call a tool, with people at the steps that `config` (hitl_config) names.

        It goes on by itself: `wait_run` waits for its end. A session has one run at a time, so another one
        of it is cancelled. With `gated=False` nobody is asked but by policies. A `key` finds the run that
        was started with it, also in another process, and so does the same call in a `session` that is
        entered again. Raises ArgumentsChanged when the key belongs to another run.
        """
        here = current_run.get()
        said = {
            "run_input": run_input,
            "user_id": user_id,
            "session_id": session_id or (here and here.session_id),
            "hitl_config": config,
        }
        body = {name: value for name, value in said.items() if value or name == "run_input"}
        key = key or self._key_of_run(body)
        path, params = ("run", {}) if gated else ("teams/run", {"enable_hitl": "false"})
        call = Call("POST", path, params=params, body=body, headers={"Idempotency-Key": key})
        try:
            started = yield from self.send(call)
        except ProblemError as refusal:
            earlier = (yield from self.keyed("runs", key)) if refusal.code == "key_reused" else None
            if earlier is None:
                raise
            raise ArgumentsChanged(key, earlier) from refusal
        run = yield from self.get_run(started["run_id"])
        return run

    def get_run(self, run_id: str) -> Flow[Run]:
        """Return the run as it stands: at which step, what it asks, what came of it."""
        item = yield from self.get(run_id)
        return Run.of(item)

    def wait_run(self, run_id: str, timeout: float | None = None) -> Flow[Run | None]:
        """Wait until it has ended; None if it has not after `timeout` seconds.

        It raises for none that failed or was cancelled: `is_completed` is False then, and `error` says why.
        """
        item = yield from self.outcome(run_id, timeout)
        return None if item is None else Run.of(item)

    def pause_run(self, run_id: str, reason: str | None = None) -> Flow[Run]:
        """Stop it after the step under way; what it asks stays open."""
        body = {} if reason is None else {"reason": reason}
        item = yield from self.once(run_id, "pause", body, done="already_paused")
        return Run.of(item)

    def resume_run(self, run_id: str) -> Flow[Run]:
        """Let a paused or failed run go on; 409 `awaiting_human` for one that has to be answered."""
        # Sent again, it could resume a run that has failed anew meanwhile.
        item = yield from self.send(Call("POST", path_of(run_id, "resume"), body={}, repeatable=False))
        return Run.of(item)

    def cancel_run(self, run_id: str) -> Flow[Run]:
        """End it, and take back what it asks; 409 if it has ended otherwise."""
        item = yield from self.send_once(Call("DELETE", path_of(run_id)), "already_cancelled")
        return Run.of(item)

    def active(self, session_id: str) -> Flow[ActiveSession]:
        """Return what a client that comes back needs to go on: the run under way, questions, files."""
        said = yield from self.send(Call("GET", f"sessions/{quote(session_id, safe='')}/active"))
        return ActiveSession.of(said)

    def upload(
        self, session_id: str, file: str | os.PathLike[str] | bytes, name: str | None = None
    ) -> Flow[str]:
        """Give a session a file for its runs; return the reference by which an input names it.

        Bytes need a `name`, whose ending says what they are.
        """
        call = Call("POST", _files_of(session_id), file=_read(file, name), repeatable=False)
        added = yield from self.send(call)
        return str(added["reference"])

    def download_file(self, session_id: str, file_id: str) -> Flow[bytes]:
        """Return the content of a file of a session: one that was uploaded, or that a run brought."""
        path = f"{_files_of(session_id)}/{quote(file_id.removeprefix(REFERENCE), safe='')}"
        return exchange(lambda: Call("GET", path), self.retry_for, reader=read_bytes)

    def request_browser_approval(
        self,
        run_id: str,
        action_description: str,
        browser_context: Json | None = None,
        *,
        user_id: str = "",
        session_id: str = "",
        screenshot: str | os.PathLike[str] | bytes | None = None,
        **common: Unpack[BrowserOptions],
    ) -> Flow[Decision]:
        """Ask for permission to do something in a browser; `arguments` is the context to do it in.

        `run_id` is a run of the server's, or any label of the agent's own; `screenshot` is a file, or the
        bytes of a PNG. Raises as `require_approval` does.
        """
        picture = None if screenshot is None else _read(screenshot, None, "screenshot.png")
        asked = {
            "run_id": run_id,
            "action_description": action_description,
            "browser_context": browser_context,
            "user_id": user_id or None,
        }
        options = {"run_id": run_id, "session_id": session_id or None, **common}
        question = self.compose("browser_approvals", asked, options)
        item = yield from self.create(question)
        if picture:
            yield from self._show(item["id"], picture)
        item = yield from self.stay(question, item)
        return settled(Decision.of(item))

    def _show(self, item_id: str, picture: tuple[str, bytes]) -> Flow[None]:
        """Put a picture to a question, unless an earlier run did."""
        item = yield from self.get(item_id)
        if item["status"] not in OPEN or item.get("attachments"):
            return
        try:
            yield from self.send(attaching(item_id, picture))
        except ProblemError as refusal:  # who decided at this very moment needed no picture
            if refusal.code not in TOO_LATE:
                raise

    def _key_of_run(self, body: Json) -> str:
        here = current_run.get()
        if here is None:
            return uuid.uuid4().hex  # makes sending it again harmless, and no more
        scope = ("run", here.run_id) if here.run_id else ("session", str(here.session_id))
        subject: list[Any] = ["run", body]
        return replay_key(scope, here.ordinals.take(scope, subject), subject)


def _files_of(session_id: str) -> str:
    return f"sessions/{quote(session_id, safe='')}/files"


def _read(file: str | os.PathLike[str] | bytes, name: str | None, default: str = "") -> tuple[str, bytes]:
    """Return the name and the content of a file. Raises ValueError for bytes without a name."""
    if not isinstance(file, bytes):
        path = Path(file)
        return name or path.name, path.read_bytes()
    if not (name or default):
        raise ValueError("bytes need a name, such as photo.png")
    return name or default, file
