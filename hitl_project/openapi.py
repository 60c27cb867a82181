"""The OpenAPI document: the native prefix only, with the components that the routes refer to."""

from typing import Any

from events.openapi import PROBLEM_SCHEMA
from interrupts.openapi import COMPONENTS as INTERRUPT_COMPONENTS
from reviews.openapi import COMPONENTS as REVIEW_COMPONENTS

COMPONENTS = {"Problem": PROBLEM_SCHEMA, **REVIEW_COMPONENTS, **INTERRUPT_COMPONENTS}


def native(endpoints: list[Any]) -> list[Any]:
    """Keep the routes of ``/api/v1``: the other prefixes are aliases."""
    return [
        endpoint
        for endpoint in endpoints
        if endpoint[0].startswith("/api/v1/") and endpoint[0] != "/api/v1/schema"
    ]


def with_components(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Add the schemas that the routes name."""
    result.setdefault("components", {}).setdefault("schemas", {}).update(COMPONENTS)
    return result
