"""What statistics and events look like, for the OpenAPI document."""

from typing import Any

_COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
_HOURS = {"type": ["number", "null"]}
_TEXT = {"type": "string"}


def _figures(noun: str) -> dict[str, Any]:
    return {
        f"total_{noun}": {"type": "integer"},
        f"pending_{noun}": {"type": "integer"},
        "by_status": _COUNTS,
        "by_priority": _COUNTS,
        "by_type": _COUNTS,
        "average_response_time_hours": _HOURS,
        "median_response_time_hours": _HOURS,
        "p95_response_time_hours": _HOURS,
        "by_agent": _COUNTS,
        "by_day": _COUNTS,
    }


def _all_required(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


COMPONENTS = {
    "Statistics": _all_required(
        {**_figures("requests"), "interrupts": _all_required(_figures("interrupts"))}
    ),
    "Event": _all_required(
        {
            "id": _TEXT,
            "cursor": _TEXT,
            "type": _TEXT,
            "subject_id": _TEXT,
            "session_id": _TEXT,
            "agent": _TEXT,
            "actor": _TEXT,
            "occurred_at": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "additionalProperties": True},
        }
    ),
}
