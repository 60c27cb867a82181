"""What must not get into the log."""

from collections.abc import Mapping, MutableMapping
from typing import Any


def without_query_string(logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Cut query strings off logged requests: they carry search words and tickets."""
    if isinstance(request := event.get("request"), str):
        event["request"] = request.partition("?")[0]
    return event
