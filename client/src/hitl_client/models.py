"""What the client hands back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypedDict

Interrupt = dict[str, Any]
"""An interrupt as the server tells it: every field that was sent, `id`, `status`, `content_hash`, …"""


class Status(TypedDict):
    """The answer of `status`; times are ISO 8601 UTC."""

    approved: bool
    status: str
    modifications: dict[str, Any] | None
    response: Any
    rejection_reason: str | None
    resolved_by: str | None
    resolved_at: str | None
    expires_at: str | None
    receipt: str | None


@dataclass(frozen=True)
class Decision:
    """How a question was settled. Only an approved one is true.

    `receipt` is the server's signature (JWS) under an approval, where its answer had one.
    """

    id: str
    status: str
    approved: bool
    modifications: dict[str, Any] | None = None
    response: Any = None
    rejection_reason: str | None = None
    resolved_by: str | None = None
    resolved_at: str | None = None
    receipt: str | None = None
    interrupt: Interrupt = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return self.approved

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments to run with: an edit replaces what was asked for, whole."""
        if self.modifications is not None:
            return dict(self.modifications)
        return dict(self.interrupt.get("tool_args") or {})

    @classmethod
    def of(cls, interrupt: Mapping[str, Any], status: Mapping[str, Any] | None = None) -> Self:
        """Read the decision from an interrupt and, where it is newer, its status."""
        item = {**interrupt, **(status or {})}
        return cls(
            id=item["id"],
            status=item["status"],
            approved=item["status"] == "approved",
            modifications=item.get("modifications"),
            response=item.get("response"),
            rejection_reason=item.get("rejection_reason"),
            resolved_by=item.get("resolved_by"),
            resolved_at=item.get("resolved_at"),
            receipt=item.get("receipt"),
            interrupt=item,
        )


@dataclass(frozen=True)
class PolicyAnswer:
    """What the server's policies say about a call: "allow", "ask" or "deny".

    Where none speaks of the tool it is "allow", and `policy` is None. `grant` names the earlier decision
    that allows it; `version` the state of all rules. Without `depends_on_args` it holds for any arguments.
    """

    decision: Literal["allow", "ask", "deny"]
    policy: str | None = None
    note: str = ""
    approval_message: str = ""
    version: str = ""
    depends_on_args: bool = True
    grant: str | None = None

    @classmethod
    def of(cls, said: Any) -> Self:
        """Read an answer, whatever later servers add to it. Raises ValueError for what is none."""
        if not isinstance(said, dict) or said.get("decision") not in ("allow", "ask", "deny"):
            raise ValueError(f"{str(said)[:80]!r} is no answer of a policy")
        return cls(
            decision=said["decision"],
            policy=said.get("policy"),
            note=said.get("note") or "",
            approval_message=said.get("approval_message") or "",
            version=said.get("version") or "",
            depends_on_args=said.get("depends_on_args") is not False,
            grant=said.get("grant"),
        )


@dataclass(frozen=True)
class Feedback:
    """What a reviewer said: one of the outcomes offered, a comment, and the whole response."""

    status: str
    outcome: str | None
    comment: str | None
    response: Any

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """Read a response of either form: plain words, or {outcome, comment}."""
        said = decision.response
        parts = said if isinstance(said, dict) else {"comment": said if isinstance(said, str) else None}
        comment = parts.get("comment") or decision.rejection_reason
        return cls(decision.status, parts.get("outcome"), comment, said)


@dataclass(frozen=True)
class ActionRequest:
    """Something only a person can do, and what came of it. Only a fulfilled one is true.

    `data` holds the plain answers by field; `secret_fields` names those that `secrets` or `reveal` fetch.
    """

    id: str
    status: str
    data: dict[str, Any] = field(default_factory=dict, repr=False)
    secret_fields: tuple[str, ...] = ()
    notes: str = ""
    fulfilled_by: str | None = None
    workflow_id: str = ""
    item: Interrupt = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return self.status == "fulfilled"

    @property
    def is_open(self) -> bool:
        """Whether it still waits for a person."""
        return self.status in ("pending", "in_review")

    @classmethod
    def of(cls, item: Interrupt) -> Self:
        """Read a request as the server tells it."""
        return cls(
            id=item["id"],
            status=item["status"],
            data=item.get("response_data") or {},
            secret_fields=tuple((item.get("secrets") or {}).get("fields", ())),
            notes=item.get("notes") or "",
            fulfilled_by=item.get("fulfilled_by"),
            workflow_id=item.get("workflow_id") or "",
            item=item,
        )


class Secrets(Mapping[str, str]):
    """Secret answers by field. They come out one by one; printing the whole shows only their names."""

    __slots__ = ("_values", "lease_expires_at")

    def __init__(self, values: Mapping[str, str], lease_expires_at: str) -> None:
        self._values = dict(values)
        self.lease_expires_at = lease_expires_at

    def __getitem__(self, field: str) -> str:
        return self._values[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self)}; until {self.lease_expires_at})"

    def __reduce__(self) -> Any:
        raise TypeError("secret answers are not to be written anywhere")


@dataclass(frozen=True)
class Event:
    """One entry of the agent's stream; `cursor` resumes after it."""

    id: str
    cursor: str
    type: str
    subject_id: str | None
    session_id: str | None
    agent: str | None
    actor: str | None
    occurred_at: str
    data: dict[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read an event, whatever later servers add to it."""
        known: dict[str, Any] = {name: row.get(name) for name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True)
class Run:
    """A run of the server's: one call of a tool, taken through its reviews.

    While it waits for a person, `approval_id` is the interrupt that asks, `checkpoint` why it does,
    `pending_actions` what can be answered and `checkpoint_context` what is shown beside it. `files` are
    what the tool sent as files, {id, name, content_type, size, sha256}; `error` is {code, message,
    suggestion, step}.
    """

    id: str
    status: str
    step: str = ""
    result: Any = None
    files: tuple[dict[str, Any], ...] = ()
    error: dict[str, Any] | None = None
    session_id: str = ""
    approval_id: str | None = None
    checkpoint: str | None = None
    pending_actions: tuple[str, ...] = ()
    checkpoint_context: dict[str, Any] | None = None
    item: Interrupt = field(default_factory=dict, repr=False)

    @property
    def is_completed(self) -> bool:
        """Whether it has come to its end as was wanted: `result` and `files` are there."""
        return self.status == "completed"

    @property
    def has_ended(self) -> bool:
        """Whether it is completed, failed or cancelled."""
        return self.status in ("completed", "failed", "cancelled")

    @classmethod
    def of(cls, item: Interrupt) -> Self:
        """Read a run as the server tells it, whatever later servers add to it."""
        return cls(
            id=item["id"],
            status=item["status"],
            step=item.get("step") or "",
            result=item.get("result"),
            files=tuple(item.get("files") or ()),
            error=item.get("error"),
            session_id=item.get("session_id") or "",
            approval_id=item.get("approval_id"),
            checkpoint=item.get("checkpoint"),
            pending_actions=tuple(item.get("pending_actions") or ()),
            checkpoint_context=item.get("checkpoint_context"),
            item=item,
        )


@dataclass(frozen=True)
class ActiveSession:
    """What a client that comes back needs: the run under way, what waits for people, and the files."""

    session_id: str
    run: Run | None
    approvals: tuple[Interrupt, ...]
    files: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """Read a session as the server tells it."""
        run = said.get("active")
        approvals, files = said.get("approvals") or (), said.get("files") or ()
        return cls(said["session_id"], Run.of(run) if run else None, tuple(approvals), tuple(files))
