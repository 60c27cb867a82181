"""Read the settings of the product that are more than a number: hours, tool permissions, networks."""

import ipaddress
import json
from typing import Any, cast

import jsonschema_rs
from django.core.exceptions import ImproperlyConfigured

from reviews.hours import BusinessHours, read_hours

TOOL_PERMISSIONS = {
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 80},
    "additionalProperties": {
        "type": "object",
        "properties": {
            "require_approval": {"type": "boolean"},
            "allow_auto": {"type": "boolean"},
            "approval_message": {"type": "string", "maxLength": 1_000},
            "note": {"type": "string", "maxLength": 1_000},
        },
        "additionalProperties": False,
        # Which of the two it says, one alone: silence and contradiction must not read as permission.
        "oneOf": [{"required": ["require_approval"]}, {"required": ["allow_auto"]}],
    },
}


def tool_permissions(text: str) -> dict[str, dict[str, Any]]:
    """Read the policies that an installation begins with, as JSON: what holds, by tool name or pattern."""
    try:
        found = json.loads(text or "{}")
        jsonschema_rs.validate(TOOL_PERMISSIONS, found)
    except (ValueError, jsonschema_rs.ValidationError) as problem:
        told = str(problem).splitlines()[0]
        raise ImproperlyConfigured(
            'HITL_TOOL_PERMISSIONS must read like {"delete_user": {"require_approval": true,'
            f' "approval_message": "…"}}, "*": {{"require_approval": false}}}}: {told}'
        ) from None
    return cast(dict[str, dict[str, Any]], found)


def business_hours(text: str, zone: str, holidays: list[str]) -> BusinessHours:
    """Read the hours that count for policies with ``business_hours``."""
    try:
        return read_hours(text, zone, holidays)
    except ValueError as problem:
        raise ImproperlyConfigured(str(problem)) from None


def groups_of_people(text: str) -> dict[str, str]:
    """Read ``HITL_OIDC_GROUPS``: which of our groups stands for which of the identity provider's."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(role, str) and role for role in found.values()):
        raise ImproperlyConfigured('HITL_OIDC_GROUPS must read like {"their-group": "reviewer"}.')
    return found


def networks(name: str, texts: list[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Read the networks that the setting *name* lists."""
    try:
        return [ipaddress.ip_network(text.strip()) for text in texts if text.strip()]
    except ValueError as problem:
        raise ImproperlyConfigured(
            f"{name} must list networks like 10.1.0.0/16,127.0.0.1/32: {problem}."
        ) from None
