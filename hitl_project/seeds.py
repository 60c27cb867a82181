"""The policies that an installation begins with: made after each migrate, theirs to change afterwards."""

from typing import Any

from django.apps import apps as installed
from django.conf import settings


def install(sender: Any, apps: Any = installed, **kwargs: Any) -> None:
    """Make a policy for each tool of ``HITL_TOOL_PERMISSIONS`` that has none yet."""
    from reviews import policy_services  # noqa: PLC0415 - models can be imported once the apps are loaded

    try:
        apps.get_model("reviews", "Policy")
    except LookupError:  # migrated to a state before them
        return
    policy_services.seed(settings.HITL_TOOL_PERMISSIONS)
