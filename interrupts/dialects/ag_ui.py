"""AG-UI 1.0: a RUN_FINISHED event with the outcome ``interrupt``, or one Interrupt, in; what resumes it out.

An Interrupt names its tool call by id alone. ``metadata.hitl`` tells people which tool and what arguments.
"""

from typing import Any

from interrupts.dialects import words
from interrupts.dialects.words import MAP, TEXT, Item
from interrupts.lifecycle import Decision
from reviews.bodies import LABEL, OBJECT, Schema, body
from reviews.models import Kind

_OTHERWISE = "Go on?"
_CALL = {"tool_name": "delete_user", "tool_args": {"user_id": 123}}
_APPROVED: Schema = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}},
    "required": ["approved"],
}
_EXAMPLE = {
    "id": "i-1",
    "reason": "tool_call",
    "toolCallId": "tc-1",
    "message": "Delete the account of user 123?",
    "responseSchema": _APPROVED,
    "metadata": {"hitl": _CALL},
}
_FIELDS: dict[str, Schema] = {
    "id": LABEL,
    "reason": TEXT,
    "message": TEXT,
    "toolCallId": LABEL,
    "responseSchema": {
        "type": "object",
        "properties": {"properties": MAP, "required": {"type": "array", "items": TEXT}},
    },
    "expiresAt": TEXT,
    "metadata": {
        "type": "object",
        "properties": {"hitl": body(_CALL, required=tuple(_CALL), tool_name=LABEL, tool_args=OBJECT)},
    },
    "subagentRunId": TEXT,
}
INTERRUPT = words.shape("AG-UI Interrupt", _EXAMPLE, required=("id", "reason"), **_FIELDS)
_ONE = body(_EXAMPLE, required=("id", "reason"), **_FIELDS)
_OUTCOME = {"type": "interrupt", "interrupts": [_EXAMPLE]}
RUN_FINISHED = words.shape(
    "AG-UI RUN_FINISHED event",
    {"type": "RUN_FINISHED", "threadId": "thread-1", "runId": "run-1", "outcome": _OUTCOME},
    required=("type", "threadId", "runId", "outcome"),
    type={"const": "RUN_FINISHED"},
    threadId=LABEL,
    runId=LABEL,
    outcome=body(
        _OUTCOME,
        required=("type", "interrupts"),
        type={"const": "interrupt"},
        interrupts={"type": "array", "items": _ONE, "minItems": 1, "maxItems": 100},
    ),
    timestamp={"type": "integer"},
    rawEvent={},
    result={},
    metadata=MAP,
    usage={"type": "array", "items": MAP},
)
SHAPES = (RUN_FINISHED, INTERRUPT)
_PLACES = {
    "reason": "message",
    "call_id": "toolCallId",
    "response_schema": "responseSchema",
    "args_schema": "responseSchema.properties.editedArgs",
    "expires_at": "expiresAt",
    "tool_name": "metadata.hitl.tool_name",
    "tool_args": "metadata.hitl.tool_args",
}
_OF_THE_RUN = {"session_id": "threadId", "run_id": "runId"}


def shape_of(sent: dict[str, Any]) -> Schema:
    return RUN_FINISHED if "outcome" in sent or "type" in sent else INTERRUPT


def bodies(sent: dict[str, Any]) -> list[dict[str, Any]]:
    if "outcome" not in sent:
        return [_body(sent)]
    run = {ours: sent[theirs] for ours, theirs in _OF_THE_RUN.items()}
    found = [{**_body(interrupt), **run} for interrupt in sent["outcome"]["interrupts"]]
    found[0]["kept"]["event"] = words.without(sent, "outcome", *_OF_THE_RUN.values())
    return found


def _body(interrupt: dict[str, Any]) -> dict[str, Any]:
    schema, metadata = interrupt.get("responseSchema"), interrupt.get("metadata", {})
    call = metadata.get("hitl", {})
    rest = words.without(interrupt, "message", "toolCallId", "metadata")
    if "metadata" in interrupt:
        rest["metadata"] = words.without(metadata, "hitl")
    found = {
        **words.asked(interrupt.get("message"), _OTHERWISE),
        **call,
        **({"call_id": interrupt["toolCallId"]} if "toolCallId" in interrupt else {}),
        **({"expires_at": interrupt["expiresAt"]} if "expiresAt" in interrupt else {}),
        "kept": {"interrupt": rest, "call": bool(call), "call_id": "toolCallId" in interrupt},
    }
    if _yes(interrupt) is None:
        return {"type": Kind.INPUT.value, "response_schema": schema, **found}
    if not call and "toolCallId" not in interrupt:
        return {"type": Kind.CONFIRMATION.value, **found}
    edited = (schema or {}).get("properties", {}).get("editedArgs")
    edits = {"args_schema": edited} if call and edited is not None else {}
    decisions = [Decision.APPROVE, *([Decision.EDIT] if edits else []), Decision.REJECT]
    return {
        "type": Kind.APPROVAL.value,
        "allowed_decisions": [one.value for one in decisions],
        **edits,
        **found,
    }


def _yes(interrupt: dict[str, Any]) -> Any:
    """Return the payload that says yes; None where something else than yes or no is wanted."""
    schema = interrupt.get("responseSchema")
    if schema is None:
        return (
            {"approved": True} if "toolCallId" in interrupt or interrupt["reason"] == "confirmation" else None
        )
    if schema.get("type") == "boolean":
        return True
    wants_more = set(schema.get("required", [])) - {"approved"}
    return None if wants_more or "approved" not in schema.get("properties", {}) else {"approved": True}


def place(sent: dict[str, Any], number: int, field: str) -> str | None:
    if "outcome" not in sent:
        return _PLACES.get(field)
    if field in _OF_THE_RUN:
        return _OF_THE_RUN[field]
    return f"outcome.interrupts.{number}.{_PLACES[field]}" if field in _PLACES else None


def request(items: list[Item]) -> dict[str, Any]:
    interrupts = [_interrupt(item) for item in items]
    event: dict[str, Any] = words.kept(items[0], "event", {})
    if not event:
        return interrupts[0]
    run = {theirs: items[0][ours] for ours, theirs in _OF_THE_RUN.items()}
    return {**event, **run, "outcome": {"type": "interrupt", "interrupts": interrupts}}


def _interrupt(item: Item) -> dict[str, Any]:
    rest: dict[str, Any] = words.kept(item, "interrupt", {})
    text = words.text_of(item, _OTHERWISE)
    found = {**(rest or _native(item)), **({} if text is None else {"message": text})}
    if item["call_id"] or words.kept(item, "call_id", False):
        found["toolCallId"] = item["call_id"]
    if words.kept(item, "call", False) or (item["tool_name"] and not rest):
        call = {"tool_name": item["tool_name"], "tool_args": item["tool_args"]}
        found["metadata"] = {**found.get("metadata", {}), "hitl": call}
    return found


def _native(item: Item) -> dict[str, Any]:
    """Return what an interrupt that was words.asked in our own words says beside the call and the message."""
    found = {"id": item["id"], "expiresAt": item["expires_at"]}
    if Decision.APPROVE not in item["allowed_decisions"]:
        schema = item["response_schema"]
        form = {"responseSchema": schema} if isinstance(schema, dict) else {}
        return {**found, "reason": "input_required", **form}
    edits = {"editedArgs": MAP} if Decision.EDIT in item["allowed_decisions"] else {}
    schema = {**_APPROVED, "properties": {**_APPROVED["properties"], **edits}}
    return {**found, "reason": "tool_call" if item["call_id"] else "confirmation", "responseSchema": schema}


def answer(items: list[Item], request: dict[str, Any]) -> dict[str, Any]:
    interrupts = request["outcome"]["interrupts"] if "outcome" in request else [request]
    entries = [_entry(item, interrupt) for item, interrupt in zip(items, interrupts, strict=True)]
    return {"threadId": request["threadId"], "resume": entries} if "outcome" in request else entries[0]


def _entry(item: Item, interrupt: dict[str, Any]) -> dict[str, Any]:
    payload, reason = _payload(item, interrupt), words.why_not(item)
    told = {"metadata": {"hitl": {"reason": reason}}} if reason else {}
    if payload is None:
        return {"interruptId": interrupt["id"], "status": "cancelled", **told}
    return {"interruptId": interrupt["id"], "status": "resolved", "payload": payload, **told}


def _payload(item: Item, interrupt: dict[str, Any]) -> Any:
    """Return the answer; None where nobody gave one, or no to what cannot be denied in its own schema."""
    yes, decision = _yes(interrupt), words.decision_of(item)
    if item["status"] in words.UNANSWERED:
        return None
    match decision:
        case Decision.APPROVE:
            return {"approved": True} if yes is None else yes
        case Decision.EDIT:
            return {"approved": True, "editedArgs": item["modifications"]}
        case Decision.RESPOND:
            return item["response"]
    if yes is None:
        return None
    return False if yes is True else {"approved": False}
