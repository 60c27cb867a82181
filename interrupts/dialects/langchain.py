"""LangChain's human-in-the-loop middleware: a HITLRequest in, its decisions out; or one call at a time.

(`langchain.agents.middleware.human_in_the_loop`, langchain 1.5.)
"""

from typing import Any

from events.problems import invalid
from interrupts.dialects import words
from interrupts.dialects.words import MAP, TEXT, Item
from interrupts.lifecycle import Decision
from reviews.bodies import LABEL, Schema, body
from reviews.models import Kind

_DECISIONS = [decision.value for decision in Decision]
_CALL = {"name": "delete_user", "args": {"user_id": 123}, "description": "Delete the account of user 123?"}
_CONFIG = {"action_name": "delete_user", "allowed_decisions": ["approve", "edit", "reject"]}
HITL_REQUEST = words.shape(
    "LangChain HITLRequest",
    {"action_requests": [_CALL], "review_configs": [_CONFIG]},
    required=("action_requests", "review_configs"),
    action_requests={
        "type": "array",
        "items": body(_CALL, required=("name", "args"), name=words.NAME, args=MAP, description=TEXT),
        "minItems": 1,
        "maxItems": 100,
    },
    review_configs={
        "type": "array",
        "items": body(
            _CONFIG,
            required=("action_name", "allowed_decisions"),
            action_name=words.NAME,
            allowed_decisions={"type": "array", "items": {"enum": _DECISIONS}, "minItems": 1},
            args_schema=MAP,
        ),
        "maxItems": 100,
    },
)
TOOL_APPROVAL = words.shape(
    "LangChain ToolApprovalRequest",
    {"type": "tool_approval", "tool_call_id": "call_1", **_CALL},
    *words.SAID_OF_A_CALL,
    required=("type", "tool_call_id", "name", "args", "description"),
    type={"const": "tool_approval"},
    tool_call_id=LABEL,
    name=words.NAME,
    args=MAP,
    description=TEXT,
)
SHAPES = (HITL_REQUEST, TOOL_APPROVAL)
_PLACES = {"tool_name": "name", "tool_args": "args", "reason": "description", "call_id": "tool_call_id"}


def shape_of(sent: dict[str, Any]) -> Schema:
    return TOOL_APPROVAL if "type" in sent or "tool_call_id" in sent else HITL_REQUEST


def bodies(sent: dict[str, Any]) -> list[dict[str, Any]]:
    if "action_requests" not in sent:
        return [
            {
                "type": Kind.APPROVAL.value,
                **_call(sent),
                "call_id": sent["tool_call_id"],
                "kept": {"per_call": True},
            }
        ]
    configs = sent["review_configs"]
    found = []
    for number, action in enumerate(sent["action_requests"]):
        config = configs[_config(sent, number)]
        found.append({**_call(action), **decided_by(config["allowed_decisions"]), "kept": {}})
        if "args_schema" in config:
            found[-1]["args_schema"] = config["args_schema"]
    found[0]["kept"] = {"review_configs": configs}
    return found


def decided_by(allowed: list[str]) -> dict[str, Any]:
    """Return what our body says where a tool's call may be answered so."""
    decisions = list(dict.fromkeys(allowed))
    runs = {Decision.APPROVE, Decision.EDIT} & set(decisions)
    answers = {"response_schema": {"type": "string"}} if Decision.RESPOND in decisions else {}
    return {"type": (Kind.APPROVAL if runs else Kind.INPUT).value, "allowed_decisions": decisions, **answers}


def _call(action: dict[str, Any]) -> dict[str, Any]:
    said = words.asked(action.get("description"), words.of_call(action["name"]))
    return {"tool_name": action["name"], "tool_args": action["args"], **said}


def _config(sent: dict[str, Any], number: int) -> int:
    """Return which configuration an action has: the one in its place, or the first that names it."""
    name, configs = sent["action_requests"][number]["name"], sent["review_configs"]
    if number < len(configs) and configs[number]["action_name"] == name:
        return number
    for index, config in enumerate(configs):
        if config["action_name"] == name:
            return index
    raise invalid({"review_configs": [f"None is for action_requests.{number}, by its action_name."]})


def place(sent: dict[str, Any], number: int, field: str) -> str | None:
    if "action_requests" not in sent:
        return _PLACES.get(field)
    if field in words.SAID_OF_A_CALL:
        return f"review_configs.{_config(sent, number)}.{field}"
    return f"action_requests.{number}.{_PLACES[field]}" if field in _PLACES else None


def request(items: list[Item]) -> dict[str, Any]:
    actions = [_action(item) for item in items]
    if words.kept(items[0], "per_call", False):
        return {"type": "tool_approval", "tool_call_id": items[0]["call_id"], **actions[0]}
    configs = words.kept(items[0], "review_configs", []) or [
        {"action_name": item["tool_name"], "allowed_decisions": item["allowed_decisions"]} for item in items
    ]
    return {"action_requests": actions, "review_configs": configs}


def _action(item: Item) -> dict[str, Any]:
    text = words.text_of(item, words.of_call(item["tool_name"]))
    if text is None and words.kept(item, "per_call", False):
        text = words.of_call(item["tool_name"])
    description = {} if text is None else {"description": text}
    return {"name": item["tool_name"], "args": item["tool_args"], **description}


def answer(items: list[Item], request: dict[str, Any]) -> dict[str, Any]:
    decisions = [_decision(item) for item in items]
    return decisions[0] if "type" in request else {"decisions": decisions}


def _decision(item: Item) -> dict[str, Any]:
    match words.decision_of(item):
        case Decision.APPROVE:
            return {"type": "approve"}
        case Decision.EDIT:
            return {
                "type": "edit",
                "edited_action": {"name": item["tool_name"], "args": item["modifications"]},
            }
        case Decision.RESPOND:
            return {"type": "respond", "message": words.as_text(item["response"])}
    reason = words.why_not(item)
    return {"type": "reject", **({"message": reason} if reason else {})}
