"""The OpenAPI document: the native prefix only, with the components that the routes refer to."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from events.openapi import PROBLEM_SCHEMA
from interrupts.openapi import COMPONENTS as INTERRUPT_COMPONENTS
from requests_app.openapi import COMPONENTS as REQUEST_COMPONENTS
from reviews.openapi import COMPONENTS as REVIEW_COMPONENTS
from reviews.policy_openapi import COMPONENTS as POLICY_COMPONENTS
from runs.openapi import COMPONENTS as RUN_COMPONENTS

COMPONENTS = {
    "Problem": PROBLEM_SCHEMA,
    **REVIEW_COMPONENTS,
    **POLICY_COMPONENTS,
    **INTERRUPT_COMPONENTS,
    **REQUEST_COMPONENTS,
    **RUN_COMPONENTS,
}


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


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the base has no types
    """Describe keys."""

    target_class = "agents.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A key: `hitl_…`."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describe an operator's session."""

    target_class = "agents.authentication.OperatorSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "Of /admin/login/."}
