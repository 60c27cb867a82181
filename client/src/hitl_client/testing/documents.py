"""What the fake server keeps and shows: the documents of items, as the server writes them."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from hitl_client.errors import KINDS, ProblemError
from hitl_client.runs import canonical
from hitl_client.testing.schema import Json, errors_of

DAY = 86_400
PRIORITIES = ("low", "medium", "high", "critical")
TYPES = ("approval", "confirmation", "input", "feedback")
REQUEST_TYPES = (
    "api_key",
    "account_creation",
    "legal_document",
    "payment_authorization",
    "business_setup",
    "strategic_decision",
    "custom",
)
DECISIONS = {
    "approval": ["approve", "edit", "reject"],
    "confirmation": ["approve", "reject"],
    "input": ["respond", "reject"],
    "feedback": ["respond", "approve", "reject"],
}
NOBODY = "Nobody answered in time."
OPEN = ("pending", "in_review")

LABEL: Json = {"type": "string", "maxLength": 255}
TEXT: Json = {"type": "string", "maxLength": 10_000}
WORDS: Json = {**TEXT, "pattern": r"\S"}
REASON: Json = {"type": "string", "maxLength": 1000, "pattern": r"\S"}
TITLE: Json = {"type": "string", "maxLength": 200, "pattern": r"\S"}
OBJECT: Json = {"type": "object"}
SCHEMA: Json = {"type": ["object", "boolean", "null"]}


def body(*required: str, **properties: Json) -> Json:
    """Return the schema of a body with these fields and no others."""
    return {"properties": properties, "required": list(required), "additionalProperties": False}


BOTH: Json = {
    "session_id": LABEL,
    "run_id": LABEL,
    "priority": {"enum": [*PRIORITIES, "urgent"]},
    "expires_in": {"type": "integer", "minimum": 1, "maximum": 365 * DAY},
    "expires_at": {"type": "string"},
    "metadata": OBJECT,
}
INTERRUPT = body(
    "reason",
    type={"enum": list(TYPES)},
    reason=REASON,
    data=OBJECT,
    agent_name=LABEL,
    step_name=LABEL,
    tool_name=LABEL,
    tool_args=OBJECT,
    call_id=LABEL,
    args_schema=SCHEMA,
    response_schema=SCHEMA,
    allowed_decisions={
        "type": "array",
        "minItems": 1,
        "items": {"enum": ["approve", "edit", "reject", "respond"]},
    },
    on_timeout={"enum": ["expire", "reject"]},
    batch_id=LABEL,
    **BOTH,
)
REQUEST = body(
    request_type={"enum": list(REQUEST_TYPES)},
    title=TITLE,
    description={"type": "string", "maxLength": 20_000, "pattern": r"\S"},
    required_fields={"type": "object", "maxProperties": 50},
    template={"type": "string", "maxLength": 64},
    checklist={"type": "array", "items": TITLE, "maxItems": 50},
    context=OBJECT,
    agent_id=LABEL,
    workflow_id=LABEL,
    **BOTH,
)
BATCH = body("items", items={"type": "array", "items": INTERRUPT, "minItems": 1, "maxItems": 100})
VERBS: dict[str, Json] = {
    "cancel": body(reason=TEXT, user_id=TEXT),
    "comments": body("body", body=WORDS, reply_to=LABEL, user_id=TEXT),
    "revise": {**body(reason=REASON, tool_args=OBJECT, data=OBJECT), "minProperties": 1},
    "consume": body("tool_args", tool_args=OBJECT, receipt={"type": "string"}, attempt=LABEL),
    "outcome": body("status", status={"enum": ["succeeded", "failed"]}, result={}),
    "reveal": body(),
    "ack": body(),
    "evaluate": body("tool_name", tool_name=LABEL, tool_args=OBJECT, session_id=LABEL, kind={}, agent=LABEL),
}


@dataclass
class Item:
    """One thing that was asked. `doc` is what is shown of it, `sent` what an idempotency key stands for."""

    doc: Json
    sent: Any
    history: list[Json] = field(default_factory=list)
    files: dict[str, tuple[Json, bytes]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    receipt: str | None = None
    attempt: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it still waits for a person."""
        return self.doc["status"] in OPEN

    @property
    def is_interrupt(self) -> bool:
        """Whether it is an interrupt and no request."""
        return str(self.doc["id"]).startswith("int_")

    @property
    def kind(self) -> str:
        """Its type."""
        return str(self.doc["type" if self.is_interrupt else "request_type"])

    @property
    def headline(self) -> Json:
        """What every event says of it."""
        named = "tool_name" if self.is_interrupt else "workflow_id"
        return {"kind": self.kind, "title": self.doc["title"], named: self.doc[named]}

    @property
    def asked(self) -> Json:
        """What the event of its creation says of it."""
        names = ["reason", "data", "tool_args", "agent_name"]
        if not self.is_interrupt:
            names = ["description", "required_fields", "context", "priority", "agent_id"]
        told = {name: self.doc[name] for name in names}
        return {
            **self.headline,
            **told,
            "content_hash": self.doc["content_hash"],
            "status": self.doc["status"],
        }

    @property
    def label(self) -> str:
        """How messages call it."""
        what = self.doc.get("tool_name") or self.doc.get("reason") or self.doc["title"]
        return f"{self.doc['id']} ({self.kind}: {what})"

    def rehash(self) -> None:
        """Write the hash of what a person judges, and the title, anew."""
        names = ("type", "reason", "tool_name", "tool_args", "data")
        if not self.is_interrupt:
            names = ("request_type", "title", "description", "required_fields", "context")
        self.doc["content_hash"] = sha256({name: self.doc[name] for name in names})
        if self.is_interrupt:
            line = " ".join(self.doc["reason"].split())
            self.doc["title"] = line if len(line) <= 200 else f"{line[:199]}…"

    def refresh(self) -> Json:
        """Write what follows from the rest, and return the document."""
        doc = self.doc
        doc |= {"is_expired": doc["status"] == "expired", "is_resolved": not self.is_open}
        if self.is_interrupt:
            doc["decision"] = _decision(doc)
        else:
            by = {"fulfilled": "fulfilled", "rejected": "rejected"}.get(doc["status"])
            doc |= {"fulfilled_by": None, "fulfilled_at": None, "rejected_by": None}
            doc |= {f"{by}_by": doc["resolved_by"]} if by else {}
            doc |= {"fulfilled_at": doc["resolved_at"]} if by == "fulfilled" else {}
        return doc


def _decision(doc: Json) -> str | None:
    if doc["status"] != "approved":
        return "reject" if doc["status"] == "rejected" else None
    if doc["response"] is not None or "approve" not in doc["allowed_decisions"]:
        return "respond"
    return "approve" if doc["modifications"] is None else "edit"


def interrupt(said: Json, **shared: Any) -> Item:
    """Return the interrupt that a body asks for."""
    kind = said.get("type", "approval")
    doc = {
        **_shared(said, **shared),
        "type": kind,
        "reason": said["reason"],
        "data": said.get("data", {}),
        "agent_name": said.get("agent_name") or shared["agent"],
        **{name: said.get(name, "") for name in ("step_name", "tool_name", "call_id", "batch_id")},
        "tool_args": said.get("tool_args", {}),
        "args_schema": said.get("args_schema"),
        "allowed_decisions": said.get("allowed_decisions") or DECISIONS[kind],
        "response_schema": said.get("response_schema"),
        "on_timeout": said.get("on_timeout", "expire"),
        **dict.fromkeys(("changes_requested_at", "modifications", "response", "rejection_reason")),
        **dict.fromkeys(("consumed_at", "outcome", "outcome_result")),
        "url": f"/admin/interrupts/interrupt/{shared['item_id']}/change/",
    }
    return Item(doc, said)


def request(said: Json, **shared: Any) -> Item:
    """Return the action request that a body asks for."""
    doc = {
        **_shared(said, **shared),
        "request_type": said["request_type"],
        "title": said["title"],
        "description": said["description"],
        "agent_id": said.get("agent_id") or shared["agent"],
        "workflow_id": said.get("workflow_id", ""),
        "context": said.get("context", {}),
        "required_fields": said.get("required_fields", {}),
        "template": said.get("template", ""),
        "checklist": [{"step": step, "done": False} for step in said.get("checklist", [])],
        "notes": "",
        **dict.fromkeys(("assigned_to", "response_data", "secrets", "rejection_reason", "rejection_code")),
        "url": f"/admin/requests_app/actionrequest/{shared['item_id']}/change/",
    }
    return Item(doc, said)


def _shared(said: Json, *, item_id: str, key: str, agent: str, now: dt.datetime) -> Json:
    priority = said.get("priority", "medium")
    expires = now + dt.timedelta(seconds=said.get("expires_in", DAY))
    if "expires_at" in said:
        expires = dt.datetime.fromisoformat(said["expires_at"])
    return {
        "id": item_id,
        "status": "pending",
        "session_id": said.get("session_id", ""),
        "agent": agent,
        "run_id": said.get("run_id", ""),
        "priority": "critical" if priority == "urgent" else priority,
        "expires_at": iso(expires),
        "metadata": said.get("metadata", {}),
        "key": key,
        "created_at": iso(now),
        "revision": 1,
        "version": 1,
        "policy": None,
        "policy_note": "",
        "approval_message": "",
        "stage": 0,
        "reviewers": [],
        "votes": [],
        **dict.fromkeys(("due_at", "claimed_by", "claimed_until", "resolved_by", "resolved_at")),
    }


def status(item: Item) -> Json:
    """Return what an agent that waits wants to know."""
    doc = item.refresh()
    names = (
        "decision",
        "modifications",
        "response",
        "rejection_reason",
        "resolved_by",
        "resolved_at",
        "expires_at",
    )
    told = {name: doc[name] for name in names}
    return {"id": doc["id"], "approved": doc["status"] == "approved", "status": doc["status"], **told}


def iso(moment: dt.datetime) -> str:
    """Write a moment: ISO 8601, UTC, microseconds."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sha256(value: Any) -> str:
    """Return the SHA-256 of a value; equal numbers are equal, however they are written."""
    return hashlib.sha256(canonical(_plain(value))).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def refused(status: int, code: str, detail: str, **more: Any) -> ProblemError:
    """Return a refusal with its problem document."""
    title = HTTPStatus(status).phrase
    told = {
        "type": f"/docs/problems#{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return KINDS.get(code, ProblemError)(status, {**told, **more})


def invalid(errors: dict[str, list[str]]) -> ProblemError:
    """Refuse a body or a query; `errors` names each field and what would be right."""
    field, messages = next(iter(errors.items()))
    return refused(400, "invalid", f"{field}: {messages[0]}", errors=errors)


def check(schema: Any, value: Any, at: str = "") -> None:
    """Refuse a value that breaks a schema, naming each field."""
    if errors := errors_of(schema, value, at):
        raise invalid(errors)
