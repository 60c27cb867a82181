"""Tool calls as interrupts of LangChain's `HumanInTheLoopMiddleware` ask about them, and its decisions."""

from __future__ import annotations

from typing import Any

from hitl_client.errors import Rejected
from hitl_client.review import ANY, Ruling, ToolCall

HUMAN_REVIEW = "hitl_client.human_review"
WORDS = ("reason", "question", "message", "description", "instruction", "task")
LONGEST_REASON = 1000


def tool_calls_of(
    stop_id: str, node: str, value: Any, schema: Any
) -> list[tuple[ToolCall, list[str]]] | None:
    """Return the tool calls that an interrupt of LangChain's asks about, each with the decisions it takes.

    None for one that is not LangChain's: an interrupt for one call has a schema of decisions, one for a
    whole turn comes from the node of the middleware.
    """
    match value:
        case {"type": "tool_approval", "tool_call_id": call_id, "name": name, "args": args}:
            if allowed := allowed_by(schema):
                return [(ToolCall(name, args, call_id, reason_of(value), edit_schema(schema)), allowed)]
        case {"action_requests": [_, *_] as actions, "review_configs": [*configs]}:
            if node.endswith(".after_model") and schema is None:
                allows = {one["action_name"]: one["allowed_decisions"] for one in configs}
                return [
                    (
                        ToolCall(one["name"], one["args"], f"{stop_id}:{index}", reason_of(one)),
                        allows[one["name"]],
                    )
                    for index, one in enumerate(actions)
                ]
    return None


def decision_of(ruling: Ruling, allowed: list[Any]) -> dict[str, Any]:
    """Return a ruling as LangChain's middleware takes it. Raises the refusal where it takes none."""
    if ruling.decision == "approve":
        return {"type": "approve"}
    if ruling.decision == "edit":
        return {"type": "edit", "edited_action": {"name": ruling.call.name, "args": ruling.arguments}}
    refusal = ruling.refusal
    if refusal is None or "reject" not in allowed:
        if "respond" not in allowed and refusal is not None:
            raise refusal
        return {"type": "respond", "message": ruling.message}
    said = refusal.reason if type(refusal) is Rejected else ruling.message
    return {"type": "reject"} | ({"message": said} if said else {})


def allowed_by(schema: Any) -> list[str]:
    """Return the decisions that an interrupt for one call takes, by its schema; none if it has none."""
    if not isinstance(schema, dict):
        return []
    branches = [one["$ref"].rpartition("/")[2] for one in schema.get("oneOf", ())]
    kinds = [schema["$defs"][name] for name in branches] or [schema]
    return [str(one["properties"]["type"]["const"]) for one in kinds if "type" in one.get("properties", {})]


def edit_schema(schema: Any) -> dict[str, Any]:
    """Return the JSON Schema of the arguments that an interrupt of "per_call" takes."""
    defined = schema.get("$defs", {})
    arguments = defined.get("EditedAction", {}).get("properties", {}).get("args", ANY)
    if "$ref" in arguments:
        arguments = defined[arguments["$ref"].rpartition("/")[2]]
    return {**arguments, "$defs": defined}


def reason_of(value: Any) -> str | None:
    """Return the words of a question, as long as the server takes them."""
    words = value if isinstance(value, str) else None
    if isinstance(value, dict):
        words = next(
            (value[name] for name in WORDS if value.get(name) and isinstance(value[name], str)), None
        )
    return words[:LONGEST_REASON] if words else None
