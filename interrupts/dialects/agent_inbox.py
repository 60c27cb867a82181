"""LangGraph's Agent Inbox: a HumanInterrupt in, a HumanResponse out."""

from typing import Any

from interrupts.dialects import words
from interrupts.dialects.langchain import decided_by
from interrupts.dialects.words import MAP, Item
from interrupts.lifecycle import Decision
from reviews.bodies import Schema, body

ALLOWS = {
    "allow_accept": Decision.APPROVE,
    "allow_edit": Decision.EDIT,
    "allow_respond": Decision.RESPOND,
    "allow_ignore": Decision.REJECT,
}
_ACTION = {"action": "delete_user", "args": {"user_id": 123}}
_CONFIG = {"allow_ignore": True, "allow_respond": True, "allow_edit": True, "allow_accept": True}
HUMAN_INTERRUPT = words.shape(
    "Agent Inbox HumanInterrupt",
    {"action_request": _ACTION, "config": _CONFIG, "description": "Delete the account of user 123?"},
    required=("action_request", "config"),
    action_request=body(_ACTION, required=("action", "args"), action=words.NAME, args=MAP),
    config=body(_CONFIG, required=tuple(ALLOWS), **{name: {"type": "boolean"} for name in ALLOWS}),
    description={"type": ["string", "null"]},
)
SHAPES = (HUMAN_INTERRUPT,)
_PLACES = {
    "tool_name": "action_request.action",
    "tool_args": "action_request.args",
    "reason": "description",
    "allowed_decisions": "config",
}


def shape_of(sent: dict[str, Any]) -> Schema:
    return HUMAN_INTERRUPT


def bodies(sent: dict[str, Any]) -> list[dict[str, Any]]:
    action, config = sent["action_request"], sent["config"]
    allowed = [decision.value for name, decision in ALLOWS.items() if config[name]]
    said = words.asked(sent.get("description"), words.of_call(action["action"]))
    is_null = "description" in sent and sent["description"] is None
    return [
        {
            "tool_name": action["action"],
            "tool_args": action["args"],
            **decided_by(allowed),
            **said,
            "kept": {"null": True} if is_null else {},
        }
    ]


def place(sent: dict[str, Any], number: int, field: str) -> str | None:
    return _PLACES.get(field)


def request(items: list[Item]) -> dict[str, Any]:
    [item] = items
    text = words.text_of(item, words.of_call(item["tool_name"]))
    description = {} if text is None and not words.kept(item, "null", False) else {"description": text}
    return {
        "action_request": {"action": item["tool_name"], "args": item["tool_args"]},
        "config": {name: decision in item["allowed_decisions"] for name, decision in ALLOWS.items()},
        **description,
    }


def answer(items: list[Item], request: dict[str, Any]) -> dict[str, Any]:
    [item] = items
    match words.decision_of(item):
        case Decision.APPROVE:
            return {"type": "accept", "args": None}
        case Decision.EDIT:
            return {"type": "edit", "args": {"action": item["tool_name"], "args": item["modifications"]}}
        case Decision.RESPOND:
            return {"type": "response", "args": words.as_text(item["response"])}
    return {"type": "ignore", "args": words.why_not(item)}
