"""What a person is shown of a question that a run asks: why, what was checked, what is missing.

Its words are the server's, about values that agents and providers sent: these are cut, and escaped like
any other.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.untrusted import marked, pretty
from interrupts.lifecycle import Decision
from interrupts.models import Interrupt, one_line

BROWSER_ACTION = "browser_action"
_FIELDS, _FIXES, _CHARACTERS = 50, 50, 200
CHECKS = {
    "parameter_review": gettext_lazy("Everything is given"),
    "input_validation": gettext_lazy("The values fit"),
    "file_validation": gettext_lazy("The files fit"),
    "model_selection": gettext_lazy("The model is the right one"),
    "execution_approval": gettext_lazy("Ready to be called"),
}
_STATES = {
    "passed": ("check", gettext_lazy("passed")),
    "warning": ("warning", gettext_lazy("warning")),
    "blocked": ("cross", gettext_lazy("blocked")),
}


@dataclass(frozen=True, slots=True)
class Check:
    """Be one of the five checks: how it is called, and how it went by name, shape and word."""

    title: Any
    state: str

    @property
    def icon(self) -> str:
        return _STATES[self.state][0]

    @property
    def word(self) -> Any:
        return _STATES[self.state][1]


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold what was found about one input, the same suggestion once."""

    name: str
    issues: list[dict[str, Any]]

    @property
    def blocks(self) -> bool:
        return any(issue["severity"] == "error" for issue in self.issues)

    @property
    def suggestions(self) -> list[str]:
        return list(dict.fromkeys(issue["suggested_fix"] for issue in self.issues if issue["suggested_fix"]))


@dataclass(frozen=True, slots=True)
class Fix:
    """Show what was put right: what was done, and the value before and after it, cut short."""

    name: str
    what: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class RunQuestion:
    """Hold what the server says of a question that it asks for a run."""

    kind: str
    service: str
    reasons: list[str]
    text: str
    missing: list[str]
    checks: list[Check]
    findings: list[Finding]
    more_findings: int
    fixes: list[Fix]
    confidence: float | None
    flags: list[str] = field(default_factory=list)
    is_blocked: bool = False
    may_approve: bool = True

    @property
    def headline(self) -> str:
        service = marked(self.service)
        if self.kind == "response_review":
            return _("May this answer of %(service)s be used?") % {"service": service}
        if self.is_blocked:
            return _("A call of %(service)s needs something put right") % {"service": service}
        if self.kind == "information_review":
            return _("May a run go on with %(service)s?") % {"service": service}
        return _("Wants to call %(service)s") % {"service": service}

    @property
    def is_of_response(self) -> bool:
        return self.kind == "response_review"

    @property
    def percent(self) -> int | None:
        return None if self.confidence is None else round(100 * self.confidence)

    @property
    def needs_files_only(self) -> bool:
        """Say whether an approval is enough, once the files that are missing have been put to it."""
        return self.is_blocked and self.may_approve


def run_question(interrupt: Interrupt) -> RunQuestion | None:
    """Return what the server says of *interrupt*, where a run of its own asks it.

    An agent can write the same into its ``data``. They are the server's own words only where there is a
    checkpoint, and nothing was revised since.
    """
    checkpoint = getattr(interrupt, "checkpoint", None) if "checkpoint" in interrupt.data else None
    if checkpoint is None or checkpoint.kind == BROWSER_ACTION or interrupt.revision > 1:
        return None
    told = checkpoint.context
    seen = told.get("validation", {})
    issues = [issue for check in seen.get("checkpoints", []) for issue in check["issues"]]
    findings = _by_field(issues)
    return RunQuestion(
        kind=checkpoint.kind,
        service=one_line(f"{told['tool']} {told['model']}".strip(), 100),
        reasons=told["why"],
        text=interrupt.reason,
        missing=seen.get("missing", []),
        checks=[_check(check) for check in seen.get("checkpoints", [])],
        findings=findings[:_FIELDS],
        more_findings=len(findings[_FIELDS:]),
        fixes=[_fix(fix) for fix in seen.get("fixes", [])[:_FIXES]],
        confidence=seen.get("confidence", told.get("confidence")),
        flags=told.get("flags", []),
        is_blocked=bool(seen.get("blocking_issues")),
        may_approve=Decision.APPROVE in interrupt.allowed_decisions,
    )


def _check(told: dict[str, Any]) -> Check:
    state = "blocked" if not told["passed"] else "warning" if told["issues"] else "passed"
    return Check(CHECKS.get(told["checkpoint"], told["checkpoint"]), state)


def _by_field(issues: list[dict[str, Any]]) -> list[Finding]:
    """Gather the issues of each input; what blocks comes first."""
    found: dict[str, Finding] = {}
    for issue in issues:
        found.setdefault(issue["field"], Finding(issue["field"], [])).issues.append(issue)
    return sorted(found.values(), key=lambda finding: not finding.blocks)


def _fix(told: dict[str, Any]) -> Fix:
    before, after = told["before"], told["after"]
    shown = None if before is None else one_line(pretty(before), _CHARACTERS)
    return Fix(told["field"], told["fixed"], shown, one_line(pretty(after), _CHARACTERS))


# -- What is to be done in a browser ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """Take a web address apart, so that a reader sees where it leads; ``host`` is empty for what is none."""

    before: str
    host: str
    after: str
    warning: str = ""


@dataclass(frozen=True, slots=True)
class BrowserAction:
    """Hold what an agent wants to do in a browser, in its own words, and where."""

    what: str
    address: Address | None


def browser_action(interrupt: Interrupt) -> BrowserAction | None:
    """Return what *interrupt* asks to do in a browser; None where it asks something else."""
    if (interrupt.tool_name, interrupt.step_name) != ("browser", BROWSER_ACTION):
        return None
    url = interrupt.tool_args.get("url")
    return BrowserAction(interrupt.reason, address(url) if isinstance(url, str) and url else None)


def says_it_twice(interrupt: Interrupt) -> bool:
    """Say whether ``data`` only repeats what is to be done in a browser."""
    repeated = {"checkpoint": BROWSER_ACTION, "action": interrupt.reason}
    return browser_action(interrupt) is not None and bool(interrupt.data == repeated)


def address(url: str) -> Address:
    """Take *url* apart as browsers do; where they might read it otherwise, nothing is emphasised."""
    odd = Address(url, "", "", _("This is no plain web address: look at it closely."))
    if re.search(r"[\s\\\x00-\x20\x7f]", url):
        return odd
    try:
        parts = urlsplit(url)
        host, named = parts.hostname or "", parts.netloc.rpartition("@")
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        return odd
    if parts.scheme not in ("http", "https") or not host:
        return odd
    start = len(parts.scheme) + len("://") + len(named[0] + named[1])
    written = url[start : start + len(named[2])].partition(":")[0] if "[" not in named[2] else named[2]
    before, after = url[:start], url[start + len(written) :]
    return Address(before, written, after, _warning(host, bool(named[1])))


def _warning(host: str, has_user: bool) -> str:
    if has_user:
        return _("What stands before the @ is a name, not the place it leads to.")
    if not host.isascii() or "xn--" in host:
        return _("The host has letters beyond a to z: it may look like another.")
    return ""
