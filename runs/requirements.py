"""What a model needs, and what is wrong with what it was given: the words that all of validation speaks."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import TextChoices

from runs.models.registry import FILES, InputKind


class Check(TextChoices):
    """The five checkpoints of validation."""

    PARAMETER_REVIEW = "parameter_review"
    INPUT_VALIDATION = "input_validation"
    FILE_VALIDATION = "file_validation"
    MODEL_SELECTION = "model_selection"
    EXECUTION_APPROVAL = "execution_approval"


class Severity(TextChoices):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Input:
    """Be one input of a model: see :class:`runs.models.ModelInput`.

    Among its ``rules``, ``conflicts_with`` names the inputs that cannot be given beside it; where one of them
    is given, it need not be, even if it is ``required``.
    """

    name: str
    kind: str = InputKind.TEXT
    required: bool = False
    label: str = ""
    help: str = ""
    rules: dict[str, Any] = field(default_factory=dict)
    unit: str = ""
    aliases: tuple[str, ...] = ()
    default: Any = None

    @property
    def is_file(self) -> bool:
        return self.kind in FILES

    @property
    def conflicts_with(self) -> tuple[str, ...]:
        names = self.rules.get("conflicts_with")
        return tuple(name for name in names[:50] if isinstance(name, str)) if isinstance(names, list) else ()


@dataclass(frozen=True, slots=True)
class Requirements:
    """Say what *model* needs. ``is_known`` is False for one that nobody has described.

    ``closed`` says that it takes no other inputs than these; ``near`` are names like *model* that are known.
    """

    model: str = ""
    title: str = ""
    inputs: tuple[Input, ...] = ()
    is_known: bool = False
    closed: bool = False
    near: tuple[str, ...] = ()

    @property
    def prompt_name(self) -> str:
        """Return what the model calls a prompt: the first text it must have, else ``prompt``."""
        texts = [given for given in self.inputs if given.kind == InputKind.TEXT]
        named = [given.name for given in texts if "prompt" in (given.name, *given.aliases)]
        required = [given.name for given in texts if given.required]
        return next(iter((*named, *required)), "prompt")


@dataclass(frozen=True, slots=True)
class Issue:
    """Say what is wrong with one input, found by which check, and what to do about it.

    ``missing``: it was not given at all.
    """

    check: Check
    field: str
    message: str
    severity: Severity = Severity.ERROR
    suggestion: str = ""
    missing: bool = False

    def document(self) -> dict[str, Any]:
        return {
            "checkpoint": self.check.value,
            "field": self.field,
            "issue": self.message,
            "severity": self.severity.value,
            "suggested_fix": self.suggestion,
            "missing": self.missing,
        }


@dataclass(frozen=True, slots=True)
class Fix:
    """Say what was put right by itself: ``what`` in words, from which field, and both values."""

    field: str
    what: str
    before: Any
    after: Any

    def document(self) -> dict[str, Any]:
        return {"field": self.field, "fixed": self.what, "before": self.before, "after": self.after}
