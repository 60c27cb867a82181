"""A2A, protocol 1.0 and 0.3: a Task in the state INPUT_REQUIRED, or its Message, in; the user's Message out.

A part of data that has ``name`` and ``args`` is a tool's call; without one, an input is asked for.
"""

from typing import Any

from events.problems import invalid
from events.schema import check
from interrupts.dialects import words
from interrupts.dialects.words import MAP, TEXT, Item
from interrupts.lifecycle import Decision
from reviews.bodies import LABEL, Schema, body
from reviews.models import Kind

_OTHERWISE = "The agent needs an answer."
_STATES = ["TASK_STATE_INPUT_REQUIRED", "input-required"]
_TEXTS = {"type": "array", "items": TEXT}
_CALL: dict[str, Any] = {"name": "delete_user", "args": {"user_id": 123}}
_PARTS: list[dict[str, Any]] = [
    {"text": "Delete the account of user 123?"},
    {"data": {"id": "call_1", **_CALL}},
]
_EXAMPLE = {"messageId": "m-1", "role": "ROLE_AGENT", "parts": _PARTS}
_PART: Schema = {
    **body(
        _PARTS[0],
        text=TEXT,
        raw=TEXT,
        url=TEXT,
        filename=TEXT,
        mediaType=TEXT,
        data={},
        file=MAP,
        metadata=MAP,
        kind={"enum": ["text", "data", "file"]},
    ),
    "oneOf": [{"required": [name]} for name in ("text", "raw", "url", "data", "file")],
}
_FIELDS: dict[str, Schema] = {
    "messageId": TEXT,
    "contextId": LABEL,
    "taskId": LABEL,
    "role": {"enum": ["ROLE_AGENT", "agent"]},
    "parts": {"type": "array", "items": _PART, "minItems": 1},
    "metadata": MAP,
    "extensions": _TEXTS,
    "referenceTaskIds": _TEXTS,
    "kind": {"const": "message"},
}
_REQUIRED = ("messageId", "role", "parts")
_OURS = (*words.SAID_OF_A_CALL, "response_schema")
MESSAGE = words.shape("A2A Message", _EXAMPLE, *_OURS, required=_REQUIRED, **_FIELDS)
TASK = words.shape(
    "A2A Task",
    {"id": "task-1", "contextId": "ctx-1", "status": {"state": _STATES[0], "message": _EXAMPLE}},
    *_OURS,
    required=("id", "status"),
    id=LABEL,
    contextId=LABEL,
    status=body(
        {"state": _STATES[0], "message": _EXAMPLE},
        required=("state", "message"),
        state={"enum": _STATES},
        message=body(_EXAMPLE, required=_REQUIRED, **_FIELDS),
        timestamp=TEXT,
    ),
    artifacts={"type": "array", "items": MAP},
    history={"type": "array", "items": MAP},
    metadata=MAP,
    kind={"const": "task"},
)
SHAPES = (TASK, MESSAGE)
_CALL_DATA = body({"id": "call_1", **_CALL}, required=("name", "args"), id=LABEL, name=words.NAME, args=MAP)


def shape_of(sent: dict[str, Any]) -> Schema:
    return TASK if "status" in sent else MESSAGE


def _message(sent: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = sent["status"]["message"] if "status" in sent else sent
    return found


def _call_in(parts: list[dict[str, Any]]) -> int:
    """Return which part is the tool's call, the first where there are several; -1 where none is."""
    return next((number for number, part in enumerate(parts) if _is_call(part.get("data"))), -1)


def _is_call(data: Any) -> bool:
    return isinstance(data, dict) and {"name", "args"} <= data.keys()


def bodies(sent: dict[str, Any]) -> list[dict[str, Any]]:
    message = _message(sent)
    parts = message["parts"]
    call = _call_in(parts)
    if call >= 0:
        at = f"{_at(sent)}.{call}.data"
        check(_CALL_DATA, parts[call]["data"], at)
        if _call_in(parts[call + 1 :]) >= 0:
            raise invalid({at: ["Ask for one call in a message: the answer is to one."]})
    texts = [part["text"] for part in parts if "text" in part]
    others = [part for number, part in enumerate(parts) if "text" not in part and number != call]
    said = words.asked("\n\n".join(texts) if texts else None, _OTHERWISE)
    data = {**said.get("data", {}), **({"parts": others} if others else {})}
    session, run = sent.get("contextId", message.get("contextId")), sent.get("id", message.get("taskId"))
    return [
        {
            "type": (Kind.INPUT if call < 0 else Kind.APPROVAL).value,
            **said,
            **({"data": data} if data else {}),
            **(_of_call(parts[call]["data"]) if call >= 0 else {}),
            **({} if session is None else {"session_id": session}),
            **({} if run is None else {"run_id": run}),
            "kept": {"sent": _with_parts(sent, _bare(parts, call)), "call": call},
        }
    ]


def _of_call(data: dict[str, Any]) -> dict[str, Any]:
    call_id = {"call_id": data["id"]} if "id" in data else {}
    return {"tool_name": data["name"], "tool_args": data["args"], **call_id}


def _bare(parts: list[dict[str, Any]], call: int) -> list[dict[str, Any]]:
    """Return *parts* without the arguments of the call: those are the item's."""
    return [
        {**part, "data": words.without(part["data"], "args")} if number == call else part
        for number, part in enumerate(parts)
    ]


def _with_parts(sent: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    message = {**_message(sent), "parts": parts}
    return {**sent, "status": {**sent["status"], "message": message}} if "status" in sent else message


def _at(sent: dict[str, Any]) -> str:
    return "status.message.parts" if "status" in sent else "parts"


def place(sent: dict[str, Any], number: int, field: str) -> str | None:
    at = _at(sent)
    if field in ("tool_name", "tool_args", "call_id"):
        name = {"tool_name": "name", "tool_args": "args", "call_id": "id"}[field]
        return f"{at}.{_call_in(_message(sent)['parts'])}.data.{name}"
    return {"reason": at, "data": at}.get(field)


def request(items: list[Item]) -> dict[str, Any]:
    [item] = items
    sent = words.kept(item, "sent", {}) or _native(item)
    if item["revision"] > 1:  # the parts as they were say what is no longer asked
        return _with_parts(sent, _parts(item))
    parts = [
        {**part, "data": {**part["data"], "args": item["tool_args"]}}
        if number == words.kept(item, "call", -1)
        else part
        for number, part in enumerate(_message(sent)["parts"])
    ]
    return _with_parts(sent, parts)


def _native(item: Item) -> dict[str, Any]:
    message = {"messageId": item["id"], "role": "ROLE_AGENT", "parts": _parts(item)}
    status = {"state": _STATES[0], "message": message, "timestamp": item["created_at"]}
    context = {"contextId": item["session_id"]} if item["session_id"] else {}
    return {"id": item["run_id"] or item["id"], **context, "status": status}


def _parts(item: Item) -> list[dict[str, Any]]:
    text = words.text_of(item, _OTHERWISE)
    call_id = {"id": item["call_id"]} if item["call_id"] else {}
    call = {"data": {**call_id, "name": item["tool_name"], "args": item["tool_args"]}}
    return [{"text": _OTHERWISE if text is None else text}, *([call] if item["tool_name"] else [])]


def answer(items: list[Item], request: dict[str, Any]) -> dict[str, Any]:
    [item] = items
    message, data = _message(request), _said(item)
    is_old = message["role"] == "agent"  # protocol 0.3 names the kind of everything
    text = next((data[name] for name in ("response", "message") if isinstance(data.get(name), str)), None)
    parts = [*([_part("text", text, is_old)] if text is not None else []), _part("data", data, is_old)]
    task = request["id"] if "status" in request else message.get("taskId")
    context = request.get("contextId", message.get("contextId"))
    return {
        "messageId": f"{item['id']}-answer",  # the same however often it is read
        "role": "user" if is_old else "ROLE_USER",
        "parts": parts,
        **({} if task is None else {"taskId": task}),
        **({} if context is None else {"contextId": context}),
        **({"kind": "message"} if is_old else {}),
    }


def _part(kind: str, value: Any, is_old: bool) -> dict[str, Any]:
    return {kind: value, **({"kind": kind} if is_old else {})}


def _said(item: Item) -> dict[str, Any]:
    decision = words.decision_of(item)
    match decision:
        case Decision.EDIT:
            return {"decision": decision, "args": item["modifications"]}
        case Decision.RESPOND:
            return {"decision": decision, "response": item["response"]}
        case Decision.REJECT if reason := words.why_not(item):
            return {"decision": decision, "message": reason}
    return {"decision": decision}
