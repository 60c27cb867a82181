"""Pieces of request bodies that every kind of item shares, as JSON Schema 2020-12.

The same dictionaries are compiled into validators and shown in the OpenAPI document, so that what is
documented and what is checked cannot differ.
"""

import datetime as dt
from typing import Any

from events.problems import invalid
from reviews.lifecycle import OnTimeout
from reviews.models import Priority

Schema = dict[str, Any]

YEAR_SECONDS = 31_536_000
LABEL: Schema = {"type": "string", "maxLength": 255}
OBJECT: Schema = {"type": "object"}
NOT_BLANK: Schema = {"type": "string", "minLength": 1, "pattern": r"\S"}
PRIORITY: Schema = {
    "enum": [*Priority.labels, "urgent"],
    "default": "medium",
    "description": "`urgent` is read as critical.",
}
DEADLINE: Schema = {
    "expires_in": {
        "type": "integer",
        "minimum": 1,
        "maximum": YEAR_SECONDS,
        "description": "Seconds from now.",
    },
    "expires_at": {
        "type": "string",
        "format": "date-time",
        "description": "Or the moment itself, at most a year ahead.",
    },
}
EXPIRY: Schema = {
    **DEADLINE,
    "on_timeout": {
        "enum": OnTimeout.values,
        "default": "expire",
        "description": "What silence means. It never approves.",
    },
}
CONTENT_HASH: Schema = {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
    "description": "The `content_hash` of what was shown; a decision about anything else is a 412.",
}
USER_ID: Schema = {
    "type": "string",
    "maxLength": 200,  # an actor of the record names the key and the user in 255 characters
    "description": "For a key with scope `on_behalf`: the user it decides for. Ignored for operators.",
}
COMMENT: Schema = {"type": "string", "maxLength": 10_000}
ON_WHAT_WAS_SHOWN: Any = {"user_id": USER_ID, "content_hash": CONTENT_HASH}
"""What every decision may say: for whom it is made, and about what."""


def body(example: dict[str, Any], *, required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Return the schema of an object with these properties and no others; *example* is one."""
    return {
        "examples": [example],
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


WORDS: Schema = {**COMMENT, **NOT_BLANK}
CLAIM = body({}, user_id=USER_ID)
COMMENTS = body(
    {"body": "I am asking the owner."},
    required=("body",),
    body=WORDS,
    reply_to={"type": "string", "maxLength": 32, "description": "The `comment_id` that this answers."},
    user_id=USER_ID,
)
REASSIGN = body({"to": "bob"}, required=("to",), to={**LABEL, "description": "A user name."})
CANCEL = body({"reason": "No longer needed"}, reason=COMMENT, user_id=USER_ID)


def priority_of(name: str) -> int:
    """Return the rank of a priority's name."""
    return int(Priority.CRITICAL if name == "urgent" else Priority[name.upper()])


def expiry_of(sent: dict[str, Any], default_seconds: int) -> tuple[int | None, dt.datetime | None]:
    """Return the deadline of a body as (seconds from now, None) or (None, moment).

    Raises:
        Problem: both are given, or the moment has no time zone.
    """
    if "expires_at" not in sent:
        return int(sent.get("expires_in", default_seconds)), None  # JSON Schema takes 60.0 for one too
    if "expires_in" in sent:
        raise invalid({"expires_at": ["Give either expires_in or expires_at."]})
    return None, moment_of("expires_at", sent["expires_at"])


def moment_of(field: str, text: str) -> dt.datetime:
    """Read the moment in *field* of a body.

    Raises:
        Problem: it is none, or has no time zone.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise invalid({field: ["Say the time zone, as in 2030-01-31T12:00:00Z."]})
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise invalid({field: ["Write a moment as in 2030-01-31T12:00:00Z."]}) from None
