"""MCP elicitation in form mode: the parameters of ``elicitation/create`` in, an ElicitResult out.

A form of no fields is a confirmation; any other is an input.
"""

from typing import Any

from events.schema import errors_of
from interrupts.dialects import words
from interrupts.dialects.words import MAP, TEXT, Item
from interrupts.lifecycle import Decision
from reviews.bodies import Schema
from reviews.models import Kind

_OTHERWISE = "Fill in this form, please."
_VALUES = ["string", "number", "integer", "boolean", "array"]
_FORM = {
    "type": "object",
    "properties": {"keep_days": {"type": "integer", "minimum": 1}},
    "required": ["keep_days"],
}
_FIELD = "answer"
_NO_FIELDS: Schema = {"type": "object", "properties": {}}
_ONE_FIELD: Schema = {"type": "object", "properties": {_FIELD: {"type": "string"}}, "required": [_FIELD]}
REQUESTED_SCHEMA: Schema = {
    "type": "object",
    "description": "A flat form, as MCP has it: no objects in it, and no lists but of choices.",
    "required": ["type", "properties"],
    "properties": {
        "type": {"const": "object"},
        "properties": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"enum": _VALUES}, "properties": False},
                "if": {"properties": {"type": {"const": "array"}}},
                "then": {"required": ["items"]},
            },
        },
        "required": {"type": "array", "items": TEXT},
    },
}
VALUES: Schema = {
    "type": "object",
    "additionalProperties": {
        "type": ["string", "number", "boolean", "null", "array"],
        "items": {"type": "string"},
    },
}
ELICIT = words.shape(
    "MCP elicitation form",
    {"message": "For how many days are reports kept?", "requestedSchema": _FORM},
    required=("message", "requestedSchema"),
    mode={"const": "form", "description": "Where a browser is needed, make it an action request."},
    message=TEXT,
    requestedSchema=REQUESTED_SCHEMA,
    task=MAP,
    _meta=MAP,
)
SHAPES = (ELICIT,)
_PLACES = {"reason": "message", "response_schema": "requestedSchema"}


def shape_of(sent: dict[str, Any]) -> Schema:
    return ELICIT


def bodies(sent: dict[str, Any]) -> list[dict[str, Any]]:
    has_fields = bool(sent["requestedSchema"]["properties"])
    return [
        {
            "type": (Kind.INPUT if has_fields else Kind.CONFIRMATION).value,
            **words.asked(sent["message"], _OTHERWISE),
            "response_schema": sent["requestedSchema"],
            "kept": {"rest": words.without(sent, "message", "requestedSchema")},
        }
    ]


def place(sent: dict[str, Any], number: int, field: str) -> str | None:
    return _PLACES.get(field)


def request(items: list[Item]) -> dict[str, Any]:
    [item] = items
    text, form = words.text_of(item, _OTHERWISE), item["response_schema"]
    if form is None:
        form = _NO_FIELDS if Decision.APPROVE in item["allowed_decisions"] else _ONE_FIELD
    if errors_of(REQUESTED_SCHEMA, form):
        raise words.Unsayable("a schema that is no flat form")
    message = _OTHERWISE if text is None else text
    return {**words.kept(item, "rest", {}), "message": message, "requestedSchema": form}


def answer(items: list[Item], request: dict[str, Any]) -> dict[str, Any]:
    [item] = items
    if item["status"] in words.UNANSWERED:
        return {"action": "cancel"}
    match words.decision_of(item):
        case Decision.APPROVE:
            return {"action": "accept", "content": {}}
        case Decision.EDIT:
            raise words.Unsayable("an approval of other arguments")
        case Decision.RESPOND:
            answered = item["response"] if item["response_schema"] is not None else {_FIELD: item["response"]}
            if errors_of(VALUES, answered):
                raise words.Unsayable("an answer that is no flat form")
            return {"action": "accept", "content": answered}
    reason = words.why_not(item)
    return {"action": "decline", **({"_meta": {"hitl/reason": reason}} if reason else {})}
