"""The policies that are in force now, held against what is asked.

Every change of a policy is an event of the stream ``system``, so its cursor names the state of all rules. A
process compiles them once for each cursor it sees; a call reads only the cursor.
"""

import threading
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from django.db.models import Exists

from events.models import SYSTEM, Stream
from events.statements import Parameter, Prepared
from events.transitions import Transition, perform
from reviews import follow_up, grants
from reviews.models import EVERYBODY, YES_OR_NO, Grant, Policy, PolicyDecision, Priority, ReviewItem
from reviews.policies import Call, Rule, Verdict, in_force, judge


class Rules(NamedTuple):
    """Hold the active policies in their order, and the ``version`` that names this state of them."""

    version: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """Say what the policies of *version* decide about *call*, and under which grant it passes, if any.

    ``may_pass`` says that the agent has grants for the tool at all: these change without the version.
    """

    call: Call
    verdict: Verdict
    version: str
    may_pass: bool = False
    grant: Grant | None = None

    @property
    def depends_on_arguments(self) -> bool:
        """Say whether other arguments of the same tool in the same session may have another answer."""
        return self.verdict.depends_on_arguments or self.may_pass

    @property
    def decision(self) -> PolicyDecision:
        return PolicyDecision.ALLOW if self.grant else self.verdict.decision

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Return who has to approve, one stage after another."""
        return self.verdict.rule.stages if self.verdict.rule else [EVERYBODY]

    @property
    def expires_in(self) -> int | None:
        """Return the longest that the policy lets an item wait, in seconds."""
        return self.verdict.rule.policy.expires_in if self.verdict.rule else None

    def columns(self, priority: int) -> dict[str, Any]:
        """Return what an item of this *priority* owes to the policy in force, and to a grant."""
        granted = {}
        # What is urgent is of high risk, and that is asked each time.
        if self.grant is not None and priority < Priority.HIGH:
            granted = {"grant": {"id": self.grant.pk, "by": self.grant.granted_by.get_username()}}
        if (rule := self.verdict.rule) is None:
            return {"policy": granted} if granted else {}
        policy = rule.policy
        terms = {**self.verdict.terms, "sla_seconds": policy.sla.get(Priority(priority).label), **granted}
        silence = {"on_timeout": policy.on_timeout} if policy.on_timeout else {}
        timed = follow_up.moments(policy, priority)
        return {"policy": terms, "reviewers": rule.stages[0]["reviewers"], **silence, **timed}


def rule(call: Call) -> Ruling:
    """Return what is ruled about *call* now."""
    return rule_all([call])[0]


def rule_all(calls: list[Call]) -> list[Ruling]:
    """Return what is ruled about each of *calls*, all of one agent, by the same version of the rules."""
    agent, name, names = calls[0].agent, calls[0].name, {call.name for call in calls}
    version, is_granted = _state_of(agent, name)
    rules, granted = _rules(version), {name} if is_granted else set()
    if len(names) > 1:
        granted = grants.names_in_force(agent, names)
    return [_ruling(call, rules, may_pass=call.name in granted) for call in calls]


def _ruling(call: Call, rules: Rules, *, may_pass: bool) -> Ruling:
    may_pass = may_pass and call.kind in YES_OR_NO
    ruling = Ruling(call, judge(rules.rules, call), rules.version, may_pass)
    if ruling.decision == PolicyDecision.DENY or ruling.verdict.terms.get("high_risk") or not may_pass:
        return ruling
    # Where a condition failed nobody knows which policy it is: only what somebody has seen as it is passes.
    reach = replace(call, session_id="") if ruling.verdict.failure else call
    return replace(ruling, grant=grants.granting(reach, ruling.stages))


_state = Prepared(
    lambda: (
        Stream.objects.filter(name=SYSTEM)
        .annotate(granted=Exists(grants.in_force(Parameter("agent"), Parameter("tool"))))
        .values_list("epoch", "position", "granted")
    )
)
_kept: Rules | None = None
_reading = threading.Lock()


def _state_of(agent: str, name: str) -> tuple[str, bool]:
    """Return the version of all rules, and whether *agent* has any grant for the tool called *name*."""
    row = _state.first(agent=agent, tool=name)
    return ("", True) if row is None else (f"{row[0]}:{row[1]}", bool(row[2]))


def _rules(version: str) -> Rules:
    global _kept
    kept = _kept
    if kept is None or kept.version != version:
        with _reading:
            # Read after the version: a policy that changes in between makes the next version another.
            kept = Rules(version, tuple(map(in_force, Policy.objects.filter(is_active=True))))
            _kept = kept
    return kept


# -- What needs no person -----------------------------------------------------------------------------


def is_denied(item: ReviewItem) -> bool:
    """Say whether the policy in force lets nobody allow *item*."""
    return bool(item.policy.get("decision") == PolicyDecision.DENY)


def granter_of(item: ReviewItem) -> str:
    """Return who allowed *item* in advance; empty when nobody did."""
    return str(item.policy.get("grant", {}).get("by", ""))


def deny(transition: Transition, item: ReviewItem) -> None:
    """Reject *item* by *transition*, in the name of the policy in force."""
    name, note = item.policy["name"], item.policy["note"]
    why = f"The policy “{name}” denies this.{' ' if note else ''}{note}"
    perform(
        transition,
        item,
        actor=SYSTEM,
        changes={"resolved_by": f"policy {name}"},
        child_changes={"rejection_reason": why},
        data={**item.headline, "rejection_reason": why, "resolved_by": f"policy {name}"},
    )
