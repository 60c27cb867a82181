"""Everything the client raises on purpose.

HITLError
 ├─ NotApproved            a person, the clock or the agent itself said no; carries decision, reason and code
 │   ├─ Rejected
 │   │   └─ Denied         a policy said no, and nobody was asked; carries policy and note
 │   ├─ Expired
 │   ├─ Cancelled
 │   └─ Answered           a person answered in the place of the call; carries the response
 ├─ WaitTimeout            still undecided when `wait_timeout` was over; carries the interrupt
 ├─ ArgumentsChanged       this key was used to ask about something else, or other arguments were approved
 ├─ ProblemError           the server refused: an RFC 9457 problem document
 │   ├─ ApprovalSpent      the approval was used before, answered in the tool's place, or too old: do not run
 │   ├─ StreamReset        the event cursor is of another life of the server; carries where to start
 │   ├─ SecretsLeased      the secret answers were revealed a moment ago; can be had again after the lease
 │   └─ SecretsGone        the secret answers were acknowledged, or not fetched in time, and are destroyed
 ├─ Unavailable            no answer, though asked again and again
 └─ UnexpectedAnswer       an answer that is not the server's

InterruptSignal (BaseException)   not an error: the run ends here and is run again once decided
"""

from __future__ import annotations

from typing import Any

import httpx

from hitl_client.models import Decision, Interrupt, PolicyAnswer


class InterruptSignal(BaseException):
    """Stop the run at an undecided question.

    It is no `Exception` because agent frameworks catch those inside a tool and feed them to the model,
    which would then go on as if it had been answered. `data` is what the question came with; before a tool
    call that came with none, {tool, arguments}. Where several were asked at once, `interrupts` are all that
    wait, and the signal speaks of the first.
    """

    def __init__(self, interrupt: Interrupt, *others: Interrupt) -> None:
        super().__init__(interrupt, *others)
        self.interrupt = interrupt
        self.interrupts = (interrupt, *others)
        self.interrupt_id: str = interrupt["id"]
        self.reason: str = interrupt.get("reason") or interrupt.get("title") or ""
        self.data: dict[str, Any] = interrupt.get("data") or interrupt.get("context") or {}
        if not self.data and (tool := interrupt.get("tool_name")):
            self.data = {"tool": tool, "arguments": interrupt.get("tool_args") or {}}

    def __str__(self) -> str:
        return f"{self.interrupt_id} waits for a person: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Return {interrupted: True, interrupt_id, reason, data}, ready for a web answer."""
        return {
            "interrupted": True,
            "interrupt_id": self.interrupt_id,
            "reason": self.reason,
            "data": self.data,
        }


class HITLError(Exception):
    """The base of all errors of this client."""


class NotApproved(HITLError):
    """The question was settled, and not by a yes."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision)
        self.decision = decision
        self.reason = decision.rejection_reason
        self.code: str | None = decision.interrupt.get("rejection_code")

    def __str__(self) -> str:
        by = f" by {self.decision.resolved_by}" if self.decision.resolved_by else ""
        why = f": {self.reason}" if self.reason else ""
        return f"{self.decision.id} was {self.decision.status}{by}{why}"


class Rejected(NotApproved):
    """A person said no, or silence counted as no."""


class Denied(Rejected):
    """A policy forbids the call; nobody was asked."""

    def __init__(self, tool_name: str, answer: PolicyAnswer) -> None:
        self.policy, self.note = answer.policy, answer.note
        by = f"policy {answer.policy}"
        super().__init__(
            Decision("", "rejected", False, rejection_reason=answer.note or None, resolved_by=by)
        )
        self.args = (tool_name, answer)

    def __str__(self) -> str:
        return f"{self.decision.resolved_by} denies {self.args[0]}" + (self.note and f": {self.note}")


class Expired(NotApproved):
    """Nobody decided in time."""


class Cancelled(NotApproved):
    """The question was withdrawn."""


class Answered(NotApproved):
    """A person answered in the place of the call that was to be approved: use `response`, do not make it."""

    @property
    def response(self) -> Any:
        """What was answered, any JSON."""
        return self.decision.response

    def __str__(self) -> str:
        return f"{self.decision.id} was answered by {self.decision.resolved_by} in the place of the call"


class WaitTimeout(HITLError, TimeoutError):
    """The time to wait is over; the question stays open."""

    def __init__(self, interrupt: Interrupt) -> None:
        super().__init__(interrupt)
        self.interrupt = interrupt
        self.interrupt_id: str = interrupt["id"]

    def __str__(self) -> str:
        return f"{self.interrupt_id} is still undecided"


class ArgumentsChanged(HITLError):
    """What was decided about other arguments, under the same key or the same id (`key` is None), does not
    count here.
    """

    def __init__(self, key: str | None, interrupt: Interrupt) -> None:
        super().__init__(key, interrupt)
        self.key = key
        self.interrupt = interrupt

    def __str__(self) -> str:
        if self.key is None:
            return f"what {self.interrupt['id']} approved are other arguments"
        return f"the key {self.key!r} was used by {self.interrupt['id']} to ask about something else"


class ProblemError(HITLError):
    """The server refused; the attributes are the members of its problem document.

    `code` tells refusals apart, `errors` is {field: [sentences]} of a bad body, `current` the item as it
    stands where it is no longer open.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(status, problem)
        self.status = status
        self.problem = problem
        self.code: str = problem.get("code") or ""
        self.title: str = problem.get("title") or ""
        self.detail: str = problem.get("detail") or ""
        self.errors: dict[str, Any] = problem.get("errors") or {}
        self.current: Interrupt | None = problem.get("current")

    def __str__(self) -> str:
        fields = "; ".join(f"{name}: {said}" for name, said in self.errors.items())
        return f"{self.status} " + ": ".join(part for part in (self.title, self.detail, fields) if part)

    @classmethod
    def of(cls, response: httpx.Response) -> ProblemError:
        """Read a refusal, also one that a proxy on the way wrote in its own words."""
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict):
            problem = {"title": response.reason_phrase, "detail": response.text[:200].strip()}
        return KINDS.get(str(problem.get("code")), cls)(response.status_code, problem)


class ApprovalSpent(ProblemError):
    """An approval holds once, and for a time, and an answer is none; `code` is spent, receipt_expired or
    answered.
    """


class StreamReset(ProblemError):
    """Events cannot be resumed from this cursor, for instance after a restore; `cursor` is where to start."""

    @property
    def cursor(self) -> str | None:
        """The cursor to start from; None is the beginning."""
        return self.problem.get("cursor")


class SecretsLeased(ProblemError):
    """Another call has the secret answers in hand; unless it acknowledges, they can be had again after it."""

    @property
    def until(self) -> str | None:
        """The moment its lease ends, ISO 8601 UTC."""
        return ((self.current or {}).get("secrets") or {}).get("lease_expires_at")


class SecretsGone(ProblemError):
    """The secret answers are destroyed; `code` is acknowledged or purged. Ask for new ones."""


KINDS: dict[str, type[ProblemError]] = {
    "spent": ApprovalSpent,
    "answered": ApprovalSpent,
    "receipt_expired": ApprovalSpent,
    "reset": StreamReset,
    "leased": SecretsLeased,
    "acknowledged": SecretsGone,
    "purged": SecretsGone,
}


class Unavailable(HITLError):
    """The server gave no answer within the time allowed; the last trouble is the `__cause__`."""


class UnexpectedAnswer(HITLError):
    """A success that is no JSON, as from a proxy's log-in page or a wrong address."""
