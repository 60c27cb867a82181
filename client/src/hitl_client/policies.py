"""What an agent may do by itself: policies are asked, approvals spent and reported on.

An answer of the policies is used again while it is fresh (max-age); after that the server is asked whether it
still holds (If-None-Match, 304). An answer by other rules makes all earlier ones void.
"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Literal

import httpx

from hitl_client.asking import QuestionCalls
from hitl_client.calls import path_of
from hitl_client.errors import ArgumentsChanged, ProblemError, Unavailable, UnexpectedAnswer
from hitl_client.flows import Call, Flow, exchange, log, read
from hitl_client.models import Interrupt, PolicyAnswer
from hitl_client.questions import Json
from hitl_client.runs import canonical, current_run

MOST_KEPT = 1000
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Case:
    """What an answer is kept under: `digest` is SHA-256 over the canonical arguments, empty for any."""

    session_id: str
    tool_name: str
    digest: bytes = b""


@dataclass(frozen=True)
class Kept:
    """An answer, its ETag, and for how many seconds it is fresh from a moment of the monotonic clock."""

    answer: PolicyAnswer
    etag: str
    since: float
    max_age: int

    @property
    def is_fresh(self) -> bool:
        """Whether it may be used without asking whether it still holds."""
        return time.monotonic() < self.since + self.max_age

    @classmethod
    def of(cls, response: httpx.Response, since: float, earlier: Kept | None) -> Kept:
        """Read an answer; 304 renews the earlier one. Raises UnexpectedAnswer for what is none."""
        found = re.search(r"\bmax-age=(\d+)", response.headers.get("cache-control", ""))
        if earlier and response.status_code == 304:
            return replace(earlier, since=since, max_age=int(found[1]) if found else earlier.max_age)
        try:
            answer = PolicyAnswer.of(read(response))
        except ValueError as error:
            raise UnexpectedAnswer(str(error)) from error
        return cls(answer, response.headers.get("etag", ""), since, int(found[1]) if found else 0)


class Answers:
    """The answers kept. Safe to share between threads."""

    def __init__(self) -> None:
        self._kept: dict[Case, Kept] = {}
        self._version = ""
        self._lock = Lock()

    def find(self, case: Case) -> Kept | None:
        """Return the answer for any arguments of the tool, or for these, fresh or not."""
        with self._lock:
            return self._kept.get(Case(case.session_id, case.tool_name)) or self._kept.get(case)

    def keep(self, case: Case, kept: Kept) -> None:
        """Put an answer in place of the one before; drop all that other rules gave, or the oldest."""
        anywhere = Case(case.session_id, case.tool_name)
        with self._lock:
            if kept.answer.version != self._version:
                self._kept.clear()
                self._version = kept.answer.version
            self._kept.pop(anywhere, None)
            self._kept.pop(case, None)
            self._kept[case if kept.answer.depends_on_args else anywhere] = kept
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def clear(self) -> None:
        """Forget everything: a person's decision may have left a grant."""
        with self._lock:
            self._kept.clear()


class PolicyCalls(QuestionCalls):
    """The calls of one agent, those about policies and approvals among them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.answers = Answers()

    def evaluate(
        self, tool_name: str, tool_args: Json | None = None, *, session_id: str = ""
    ) -> Flow[PolicyAnswer]:
        """Ask the policies about a call, without making it; the session is the current run's by default."""
        return self._evaluate(tool_name, tool_args or {}, session_id, self.retry_for)

    def rule(self, tool_name: str, tool_args: Json, session_id: str) -> Flow[PolicyAnswer]:
        """Ask the policies as a gate does: "ask" where they give no answer soon.

        Raises ProblemError for a key that may not ask (401, 403) and for too many calls (429).
        """
        for patience in (min(PATIENCE_SECONDS, self.retry_for), self.retry_for):
            try:
                answer = yield from self._evaluate(tool_name, tool_args, session_id, patience)
            except (Unavailable, UnexpectedAnswer, ProblemError) as trouble:
                status = trouble.status if isinstance(trouble, ProblemError) else None
                if status in (401, 403) or (status == 429 and patience == self.retry_for):
                    raise
                if status != 429:
                    log.warning("No answer of the policies about %s (%s): asking", tool_name, trouble)
                    break
            else:
                return answer
        return PolicyAnswer("ask")

    def _evaluate(
        self, tool_name: str, tool_args: Json, session_id: str, patience: float
    ) -> Flow[PolicyAnswer]:
        run = current_run.get()
        session_id = session_id or (run and run.session_id) or ""
        case = Case(session_id, tool_name, hashlib.sha256(canonical(tool_args)).digest())
        kept, now = self.answers.find(case), time.monotonic()
        if kept and kept.is_fresh:
            return kept.answer
        body = {"tool_name": tool_name, "tool_args": tool_args}
        call = Call(
            "POST",
            "policies/evaluate",
            body=body | ({"session_id": session_id} if session_id else {}),
            headers={"If-None-Match": kept.etag} if kept and kept.etag else {},
            seconds=PATIENCE_SECONDS,
        )
        found: Kept = yield from exchange(
            lambda: call, patience, reader=lambda said: Kept.of(said, now, kept)
        )
        self.answers.keep(case, found)
        return found.answer

    def consume(
        self, interrupt_id: str, tool_args: Json, receipt: str | None = None, attempt: str | None = None
    ) -> Flow[Interrupt]:
        """Spend an approval on exactly these arguments, before the call is made.

        The same `attempt` may spend it again until an outcome is reported. Raises ApprovalSpent (do not run
        it), ArgumentsChanged for others than were approved.
        """
        # A name for this attempt makes sending it again harmless, should its answer be lost.
        body = {"tool_args": tool_args, "attempt": attempt or uuid.uuid4().hex}
        if receipt:
            body["receipt"] = receipt
        try:
            item: Interrupt = yield from self.send(Call("POST", path_of(interrupt_id, "consume"), body=body))
        except ProblemError as refusal:
            if refusal.status != 412:
                raise
            raise ArgumentsChanged(None, refusal.current or {"id": interrupt_id}) from refusal
        return item

    def report(
        self, interrupt_id: str, status: Literal["succeeded", "failed"], result: Any = None
    ) -> Flow[Interrupt]:
        """Tell what came of an approved call, for the record; `result` is any JSON."""
        body = {"status": status} | ({} if result is None else {"result": result})
        return self.once(interrupt_id, "outcome", body, done="reported")
