"""What an agent may say about people in its run, and whom that has asked at each step.

The configuration can ask for more people than the rules of the house, never for fewer: what is missing or
wrong is asked about, or fails the run where the step is not allowed, and what a tool policy wants asked is
asked (see :mod:`runs.steps`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices

from reviews.bodies import YEAR_SECONDS, Schema
from reviews.lifecycle import OnTimeout
from runs.lifecycle import REVIEWS, Step


class Policy(TextChoices):
    AUTO = "auto"
    REQUIRE_HUMAN = "require_human"
    AUTO_WITH_THRESHOLDS = "auto_with_thresholds"


FLAGS = ("nsfw", "pii", "copyright")
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_FLAGS: Schema = {"type": "array", "items": {"type": "string", "maxLength": 64}, "maxItems": 20}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 1_000}

SCHEMA: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "policy": {"enum": Policy.values, "default": "require_human"},
        "review_thresholds": {
            "type": "object",
            "additionalProperties": False,
            "description": "For `auto_with_thresholds`: beyond which a person is asked.",
            "properties": {
                "confidence_min": {**_SHARE, "default": 0.9},
                "response_quality_min": {**_SHARE, "default": 0},
                "safety_flags": {**_FLAGS, "default": list(FLAGS)},
                "payload_changes_max": {**_COUNT, "default": 5},
            },
        },
        "auto_approve_confidence_threshold": {**_SHARE, "description": "Another name of `confidence_min`."},
        "require_approval_safety_flags": {**_FLAGS, "description": "Another name of `safety_flags`."},
        "max_payload_changes": {**_COUNT, "description": "Another name of `payload_changes_max`."},
        "allowed_steps": {
            "type": "array",
            "items": {"enum": [*REVIEWS, Step.API_CALL]},
            "uniqueItems": True,
            "default": list(REVIEWS),
            "description": "The steps at which a person may be asked.",
        },
        "timeout_seconds": {
            "type": "integer",
            "minimum": 1,
            "maximum": YEAR_SECONDS,
            "description": "How long a question waits.",
        },
        "on_timeout": {
            "enum": OnTimeout.values,
            "default": "expire",
            "description": "`expire` fails the run, which can be resumed; `reject` cancels it.",
        },
        "enable_streaming": {"type": "boolean", "description": "Taken and ignored: events always stream."},
    },
}
_OTHER_NAMES = {
    "auto_approve_confidence_threshold": "confidence_min",
    "require_approval_safety_flags": "safety_flags",
    "max_payload_changes": "payload_changes_max",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Hold what a step found out, to be held against the thresholds."""

    confidence: float = 1.0
    quality: float | None = None
    flags: tuple[str, ...] = ()
    changes: int = 0


class Gates:
    """Say at which steps a run has people asked, by its configuration."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.policy = Policy(config.get("policy", Policy.REQUIRE_HUMAN))
        self.allowed_steps = frozenset(config.get("allowed_steps", REVIEWS))
        self.expires_in: int | None = config.get("timeout_seconds")
        self.on_timeout: str = config.get("on_timeout", OnTimeout.EXPIRE)
        told = {name: config[other] for other, name in _OTHER_NAMES.items() if other in config}
        thresholds = {**told, **config.get("review_thresholds", {})}
        self._confidence = thresholds.get("confidence_min", 0.9)
        self._quality = thresholds.get("response_quality_min", 0.0)
        self._flags = frozenset(flag.casefold() for flag in thresholds.get("safety_flags", FLAGS))
        self._changes = thresholds.get("payload_changes_max", 5)

    def allow(self, step: str) -> bool:
        """Say whether a person may be asked at *step*."""
        return step in self.allowed_steps

    def reasons(self, step: str, seen: Seen) -> list[str]:
        """Return why a person is to be asked at *step*, in sentences; none where it passes by itself."""
        if not self.allow(step) or self.policy == Policy.AUTO:
            return []
        if self.policy == Policy.REQUIRE_HUMAN:
            return ["A person reviews every such step of this run."]
        return list(self._beyond(seen))

    def _beyond(self, seen: Seen) -> Iterable[str]:
        if seen.confidence < self._confidence:
            yield f"Confidence is {seen.confidence:.2f}, and {self._confidence:.2f} is wanted."
        if seen.quality is not None and seen.quality < self._quality:
            yield f"The quality of the response is {seen.quality:.2f}, and {self._quality:.2f} is wanted."
        if raised := sorted(flag for flag in seen.flags if flag.casefold() in self._flags):
            yield f"The response is flagged: {', '.join(raised)}."
        if seen.changes > self._changes:
            yield f"The payload was changed in {seen.changes} places, and at most {self._changes} may be."
