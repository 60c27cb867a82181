"""What the dialects share: the words of a question, what was kept of it, and what came of it."""

from typing import Any, TypeVar

import orjson

from events.schema import errors_of
from interrupts.bodies import CREATE, REASON
from interrupts.lifecycle import Decision
from reviews.bodies import OBJECT, Schema, body
from reviews.lifecycle import NOBODY_ANSWERED, Status

Item = dict[str, Any]
"""An interrupt as :func:`interrupts.serializers.document` writes it, with what was ``kept`` of its shape."""
T = TypeVar("T")

REASON_LENGTH: int = REASON["maxLength"]
DESCRIPTION = "description"
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
MAP: Schema = OBJECT
TEXT: Schema = {"type": "string"}
SAID = (
    "session_id", "run_id", "agent_name", "step_name", "priority", "expires_in", "expires_at", "on_timeout",
)  # fmt: skip
SAID_OF_A_CALL = ("allowed_decisions", "args_schema")


class Unsayable(Exception):
    """The dialect has no words for an answer; the message says for which."""


def shape(
    title: str, example: dict[str, Any], *said: str, required: tuple[str, ...], **fields: Schema
) -> Schema:
    """Return the schema of what may be asked; ``hitl`` takes fields of ours, *said* among them."""
    ours = {name: CREATE["properties"][name] for name in (*SAID, *said)}
    hitl = {
        "type": "object",
        "properties": ours,
        "additionalProperties": False,
        "description": "What the shape has no words for.",
    }
    return {"title": title, **body(example, required=required, hitl=hitl, **fields)}


# -- The question -------------------------------------------------------------------------------------


def asked(text: str | None, otherwise: str) -> dict[str, Any]:
    """Return the ``reason`` that *text* is, or *otherwise*; a text that is none stands whole in ``data``."""
    if text is None:
        return {"reason": otherwise}
    if text != otherwise and not errors_of(REASON, text):
        return {"reason": text}
    short = f"{text[: REASON_LENGTH - 1]}…" if len(text) > REASON_LENGTH else text
    return {"reason": otherwise if errors_of(REASON, short) else short, "data": {DESCRIPTION: text}}


def text_of(item: Item, otherwise: str) -> str | None:
    """Return the text that :func:`asked` was given."""
    whole = item["data"].get(DESCRIPTION)
    if isinstance(whole, str):
        return whole
    return None if item["reason"] == otherwise else str(item["reason"])


def kept(item: Item, name: str, default: T) -> T:
    """Return what was kept of the shape under *name*; *default* where it was asked in other words."""
    found: T = item["kept"].get(name, default)
    return found


def without(shape: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return *shape* without those of its fields."""
    return {name: value for name, value in shape.items() if name not in names}


def of_call(name: str) -> str:
    """Say what is asked where the shape says only which tool."""
    return f"Call {name}?"[:REASON_LENGTH]


# -- The answer ---------------------------------------------------------------------------------------

UNANSWERED: dict[str, str] = {
    Status.EXPIRED: NOBODY_ANSWERED,
    Status.CANCELLED: "The question was taken back.",
}


def decision_of(item: Item) -> str:
    """Return what was decided; silence and a question taken back are no, whatever the dialect."""
    return str(item["decision"] or Decision.REJECT)


def why_not(item: Item) -> str | None:
    """Return why it was rejected, where that was said."""
    return UNANSWERED.get(item["status"]) or item["rejection_reason"]


def as_text(value: Any) -> str:
    """Return *value* for a dialect whose answers are texts."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
