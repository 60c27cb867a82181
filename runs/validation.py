"""Look at a payload before anything is sent: five checkpoints, what is wrong at each, and what was put right.

Pure: no query, no call. What a payload holds is data from a stranger: no issue repeats a value; a fix does,
as it stands in the payload, so neither belongs into a log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runs.attached import Attached
from runs.checks import CHECKS, NAME_CHARACTERS, Subject, not_put_right
from runs.inputs import is_blank
from runs.remedies import remedy
from runs.requirements import Check, Fix, Issue, Requirements, Severity

_SENDS_AT_MOST = 100
_FIX_COSTS, _WARNING_COSTS, _UNKNOWN_COSTS = 0.05, 0.1, 0.2


@dataclass(frozen=True, slots=True)
class Validation:
    """Hold what came of it: the payload as it is to be sent, what is wrong, and what was put right.

    ``optional`` names the inputs that were not given and need not be.
    """

    payload: dict[str, Any]
    issues: tuple[Issue, ...]
    fixes: tuple[Fix, ...]
    optional: tuple[str, ...]
    is_known: bool

    @property
    def errors(self) -> list[Issue]:
        return [issue for issue in self.issues if issue.severity == Severity.ERROR]

    @property
    def warnings(self) -> list[Issue]:
        return [issue for issue in self.issues if issue.severity == Severity.WARNING]

    @property
    def is_blocked(self) -> bool:
        return bool(self.errors)

    @property
    def missing(self) -> list[str]:
        return list(dict.fromkeys(issue.field for issue in self.errors if issue.missing))

    @property
    def confidence(self) -> float:
        """Return 0 where something blocks; else 1, less 0.05 a fix, 0.1 a warning, 0.2 an unknown model."""
        if self.is_blocked:
            return 0.0
        less = _FIX_COSTS * len(self.fixes) + _WARNING_COSTS * len(self.warnings)
        return round(max(0.05, 1 - less - (0 if self.is_known else _UNKNOWN_COSTS)), 2)

    @property
    def instructions(self) -> list[str]:
        """Say what a person should provide: one sentence for each input that is missing or wrong."""
        told: dict[str, str] = {}
        for issue in self.errors:
            told.setdefault(issue.field, issue.suggestion or issue.message)
        return list(dict.fromkeys(told.values()))

    def summary(self) -> dict[str, Any]:
        """Return it as JSON for pages and the API."""
        return {
            "checkpoints": [self._checkpoint(check) for check in Check],
            "blocking_issues": len(self.errors),
            "warnings": len(self.warnings),
            "missing": self.missing,
            "optional": list(self.optional),
            "sends": [name[:NAME_CHARACTERS] for name in sorted(self.payload)[:_SENDS_AT_MOST]],
            "fixes": [fix.document() for fix in self.fixes],
            "instructions": self.instructions,
            "confidence": self.confidence,
        }

    def _checkpoint(self, check: Check) -> dict[str, Any]:
        issues = [issue for issue in self.issues if issue.check == check]
        wrong = any(issue.severity == Severity.ERROR for issue in issues)
        passed = not (self.is_blocked if check == Check.EXECUTION_APPROVAL else wrong)
        return {"checkpoint": check.value, "passed": passed, "issues": [issue.document() for issue in issues]}


def validate(
    requirements: Requirements,
    payload: Mapping[str, Any],
    *,
    model: str = "",
    files: Sequence[Attached] = (),
    found: Sequence[Issue] = (),
    fix: bool = True,
) -> Validation:
    """Hold *payload* against *requirements*, and put right what has one reading.

    *files* are those of the session, oldest first; *found* is what the provider itself finds wrong. Without
    *fix* nothing is altered, and what would have been put right is an issue.
    """
    remedied = remedy(requirements, payload, files, defaults=fix)
    hints = remedied.hints if fix else {**remedied.hints, **remedied.by_hand}
    about = Subject(requirements, remedied.payload if fix else dict(payload), files, hints, model)
    issues = [*(issue for look in CHECKS for issue in look(about)), *found]
    if not fix:
        issues += not_put_right(remedied.fixes, issues, hints)
    missing = [given.name for given in requirements.inputs if is_blank(about.payload.get(given.name))]
    required = {given.name for given in requirements.inputs if given.required}
    return Validation(
        payload=about.payload,
        issues=tuple(dict.fromkeys(issues)),
        fixes=tuple(remedied.fixes) if fix else (),
        optional=tuple(name for name in missing if name not in required),
        is_known=requirements.is_known,
    )
