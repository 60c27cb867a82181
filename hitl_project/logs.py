"""How things are logged: as lines of JSON, and without what must not get into them."""

from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor


def without_query_string(logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Cut query strings off logged requests: they carry search words and tickets."""
    if isinstance(request := event.get("request"), str):
        event["request"] = request.partition("?")[0]
    return event


SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    without_query_string,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
"""What every line goes through, ours and others'."""
LEVELS = {
    "django_structlog": "WARNING",
    "django.request": "ERROR",
    "django.security.DisallowedHost": "CRITICAL",  # a scanner's noise, answered with 400
    "django_celery_beat": "WARNING",
    "celery": "WARNING",
    "uvicorn": "WARNING",
    "httpx": "WARNING",
    "urllib3": "ERROR",  # at DEBUG it writes addresses by which anybody could write to a person
    "slack_sdk": "CRITICAL",  # at DEBUG it writes what agents asked; failures are told by us
    "replicate": "WARNING",  # at DEBUG it writes the inputs of models
    "httpcore": "WARNING",  # at DEBUG it writes what a probed service answers
}


def lines_of_json(level: str) -> dict[str, Any]:
    """Return the setting ``LOGGING``: everything from *level* on, a line of JSON each, to stderr."""
    line = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": SHARED,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": line},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json"},
            "nothing": {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            **{name: {"level": least} for name, least in LEVELS.items()},
            # What it says of a failure holds the address.
            "apprise": {"handlers": ["nothing"], "level": "CRITICAL", "propagate": False},
        },
    }
