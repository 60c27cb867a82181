"""Which policy is in force for a call, and what it asks for: without a database, so that it can be tried.

    first active policy, by its order, whose agent, kind and name patterns match and whose condition holds
        allow   no person is asked; what is asked all the same is put to a person
        ask     a person decides: ``reviewers``, or one group after another in ``stages``
        deny    nobody may allow it
    none        allow

A condition that fails lets no call slip to a laxer policy: its own asks, or the next if that asks for more.

One word for each step: a *policy* is the row that somebody wrote, a *rule* the same made ready to be held
against calls, a *verdict* what the rules say of one call, a *ruling* (:mod:`reviews.rules`) that verdict at a
known version, with the grant under which the call passes; *terms* are what an item keeps of the policy.
"""

import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from itertools import combinations
from typing import Any

from events.untrusted import is_unseen
from reviews.conditions import Condition, ConditionError, ConditionFailed, Unreadable
from reviews.models import INTERRUPTS, Policy, PolicyDecision, ReviewItem
from reviews.models.policies import ANYTHING, INTERRUPT, REQUEST

SECONDS = 0.25
"""What the conditions that one call is held against may take together, of the processor."""
IN_FORCE = ("id", "name", "version", "note", "approval_message", "high_risk", "business_hours", "redact")
"""What of a policy an item keeps, beside the stages and what else follows from it."""
_VARIATION_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@dataclass(frozen=True, slots=True)
class Call:
    """Be what a policy judges: a tool call, or an action request with its type and context.

    ``name`` is the tool's, or the request's type.
    """

    kind: str
    name: str
    args: dict[str, Any]
    agent: str
    session_id: str = ""


def call_of(item: ReviewItem, arguments: dict[str, Any] | None = None) -> Call:
    """Return what policies judge of *item*, with other *arguments* than its own where they are given."""
    name = item.tool_name if item.kind in INTERRUPTS else item.kind
    judged = getattr(item, item.judged_column) if arguments is None else arguments
    return Call(item.kind, name, judged, str(item.agent_id), item.session_id)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say what is decided about a call, by which rule (None: none matches), and why a condition failed.

    ``depends_on_arguments`` is False where other arguments would have the same verdict.
    """

    decision: PolicyDecision
    rule: "Rule | None" = None
    failure: str = ""
    depends_on_arguments: bool = False

    @property
    def terms(self) -> dict[str, Any]:
        """Return what an item keeps of the policy in force; nothing where there is none."""
        if self.rule is None:
            return {}
        failed = {"failure": self.failure} if self.failure else {}
        return {**self.rule.terms, "decision": self.decision.value, **failed}


class Rule:
    """Hold a policy ready to be held against calls.

    Raises:
        ConditionError: its condition does not compile.
    """

    def __init__(self, policy: Policy, condition: Condition | Unreadable | None = None) -> None:
        self.policy = policy
        self.decision = PolicyDecision(policy.decision)
        self.condition = condition or (Condition(policy.when) if policy.when.strip() else None)
        self.stages = stages_of(policy)
        self.fits_name, self.fits_agent = _glob(policy.pattern), _glob(policy.agent_pattern)
        self.terms = {
            **{name: getattr(policy, name) for name in IN_FORCE},
            "stages": self.stages,
            "escalation": policy.escalation,
        }

    def covers(self, kind: str, name: str, agent: str) -> bool:
        """Say whether it is about such calls, whatever the arguments are; *name* and *agent* are plain."""
        return bool(_is_kind(self.policy.kind, kind) and self.fits_name(name) and self.fits_agent(agent))


def in_force(policy: Policy) -> Rule:
    """Return the rule of a stored *policy*; one whose condition no longer compiles always asks."""
    try:
        return Rule(policy)
    except ConditionError:
        return Rule(policy, Unreadable())


def judge(rules: Iterable[Rule], call: Call) -> Verdict:
    """Return the verdict of the first of *rules* that matches *call*.

    A rule whose condition fails asks; where the next that matches asks for more, that one is in force.
    """
    depends, name, agent = False, plain(call.name), plain(call.agent)
    failed: list[Verdict] = []
    until = time.thread_time() + SECONDS
    found = Verdict(PolicyDecision.ALLOW)
    for rule in rules:
        if not rule.covers(call.kind, name, agent):
            continue
        try:
            if rule.condition is not None and time.thread_time() > until:
                raise ConditionFailed("The conditions together would run long over these arguments.")
            if rule.condition is None or rule.condition.holds(call.args, call.agent, call.session_id):
                found = Verdict(rule.decision, rule)
                break
        except ConditionFailed as failure:
            failed.append(Verdict(PolicyDecision.ASK, rule, str(failure)))
        finally:
            depends |= rule.condition is not None
    if not failed:
        return replace(found, depends_on_arguments=depends)
    asking = [*failed, found] if found.decision == PolicyDecision.ASK else failed
    return replace(max(asking, key=_demands), failure=failed[0].failure, depends_on_arguments=True)


def _demands(verdict: Verdict) -> tuple[int, bool, bool]:
    """Rank a verdict that asks: many people above few, some people above anybody, high risk above less."""
    stages, terms = verdict.terms["stages"], verdict.terms
    needed = sum(stage["required_approvals"] for stage in stages)
    return needed, any(stage["reviewers"] for stage in stages), bool(terms["high_risk"])


def stages_of(policy: Policy) -> list[dict[str, Any]]:
    """Return who answers, one stage after another, each ``{name, reviewers, required_approvals}``."""
    if policy.stages:
        return [
            {
                "name": stage.get("name") or f"Stage {number}",
                "reviewers": stage.get("reviewers", []),
                "required_approvals": stage.get("required_approvals", 1),
            }
            for number, stage in enumerate(policy.stages, 1)
        ]
    return [{"name": "", "reviewers": policy.reviewers, "required_approvals": policy.required_approvals}]


def unmanned(stages: Sequence[dict[str, Any]], members: dict[str, set[str]]) -> list[int]:
    """Return the numbers of stages that together need more people than their groups have.

    Nobody votes in two stages, so what counts are the different people of any stages taken together (Hall's
    condition). A stage without groups is open to everybody and never lacks anybody.
    """
    closed = [number for number, stage in enumerate(stages) if stage["reviewers"]]
    for size in range(1, len(closed) + 1):
        for chosen in combinations(closed, size):
            people = {name for n in chosen for group in stages[n]["reviewers"] for name in members[group]}
            if len(people) < sum(stages[n]["required_approvals"] for n in chosen):
                return list(chosen)
    return []


def plain(text: str) -> str:
    """Return *text* as patterns see it: no agent gets around a rule by case, wide letters or unseen ones."""
    seen = "".join(character for character in text if not _is_unseen(character))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold()).strip()


def _is_unseen(character: str) -> bool:
    return character in "\n\t" or is_unseen(character) or bool(_VARIATION_SELECTOR.match(character))


def _glob(pattern: str) -> Callable[[str], object]:
    """Return what says of a plain name whether the glob *pattern* matches it."""
    return re.compile(translate(plain(pattern))).match


def _is_kind(wanted: str, kind: str) -> bool:
    if wanted == INTERRUPT:
        return kind in INTERRUPTS
    if wanted == REQUEST:
        return kind not in INTERRUPTS
    return wanted in (ANYTHING, kind)
