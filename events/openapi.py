"""Describe routes in the OpenAPI document, with the very schemas that check the bodies."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from events.problems import CONTENT_TYPE

JSON = "application/json"
PROBLEM = {"$ref": "#/components/schemas/Problem"}
EXPLAINED = {
    400: "Malformed or invalid; `errors` names each field and what would be right.",
    401: "No key or session, or one that no longer holds.",
    403: "The caller may not do this.",
    404: "There is nothing here that the caller may see.",
    409: "It is no longer open; `code` says why and `current` shows it as it stands.",
    410: "The secret answers are leased, acknowledged or purged; `code` says which.",
    412: "What was shown is not what is stored.",
    413: "The body is larger than 256 KiB; an upload, than a file may be.",
    415: "The body is not of the media type that is described, or the file of none on the list.",
    422: "The Idempotency-Key was used for another body.",
    429: "Too many calls, or too many open items; `Retry-After` says when to come back.",
    503: "The database or the storage does not answer; `Retry-After` says when to try again.",
}
READ_ERRORS = (401, 403, 404, 429)
WRITE_ERRORS = (400, 401, 403, 404, 409, 412, 413, 415, 429)

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "An error, as RFC 9457 has it.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "current": {"type": "object", "description": "The item as it now stands."},
        "cursor": {"type": "string", "description": "Where to start from after a `reset`."},
    },
    "required": ["type", "title", "status", "detail", "code"],
}


def ref(name: str) -> dict[str, Any]:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def page_of(name: str) -> dict[str, Any]:
    """Return the schema of one page of *name*."""
    return {
        "type": "object",
        "properties": {
            "results": {"type": "array", "items": ref(name)},
            "next": {"type": ["string", "null"], "format": "uri"},
            "previous": {"type": ["string", "null"], "format": "uri"},
        },
        "required": ["results", "next", "previous"],
    }


def query(name: str, description: str = "", **schema: Any) -> OpenApiParameter:
    """Return a query parameter."""
    return OpenApiParameter(
        name, schema or {"type": "string"}, OpenApiParameter.QUERY, description=description
    )


CURSOR = query("cursor", "From `next` or `previous` of another page.")
LIMIT = query("limit", type="integer", minimum=1, maximum=200, default=50)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": 255},
    OpenApiParameter.HEADER,
    description="The same key again finds what it first asked and the answer, as long as that is kept.",
)


def describe(
    summary: str,
    *,
    answer: dict[str, Any] | None,
    status: int = 200,
    body: dict[str, Any] | None = None,
    takes: str = JSON,
    gives: str = JSON,
    errors: tuple[int, ...] = READ_ERRORS,
    parameters: tuple[OpenApiParameter, ...] = (),
    examples: tuple[OpenApiExample, ...] = (),
    also: dict[int, Any] | None = None,
    tag: str = "HITL",
    description: str = "",
) -> Callable[[Any], Any]:
    """Document a route: what it takes, what it answers, and every error it can give."""
    responses: dict[Any, Any] = {(status, gives): OpenApiResponse(answer, description=summary)}
    responses |= also or {}
    responses |= {
        (code, CONTENT_TYPE): OpenApiResponse(PROBLEM, description=EXPLAINED[code]) for code in errors
    }
    return extend_schema(
        summary=summary,
        description=description,
        request={takes: body} if body is not None else None,
        responses=responses,
        parameters=list(parameters),
        examples=list(examples),
        tags=[tag],
    )
