"""What people are shown of policies: who answers, why one is in force, what was changed, what to suggest."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from django.contrib.auth.models import Group
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.models import SYSTEM, Event
from reviews import durations, rehearsal
from reviews.conditions import ConditionFailed, Unreadable
from reviews.models import Policy, PolicyDecision, Priority
from reviews.models.policies import SUBJECTS
from reviews.policies import Call, Rule, in_force, plain, stages_of, unmanned
from reviews.policy_services import CHANGED, FIELDS, fields_of, members_of
from reviews.presentation import Change
from reviews.reviewers import away_now
from reviews.templatetags.items import KINDS, PRIORITIES

LABELS = {
    "name": gettext_lazy("Name"),
    "priority": gettext_lazy("Order"),
    "is_active": gettext_lazy("Active"),
    "kind": gettext_lazy("What is asked"),
    "pattern": gettext_lazy("Tool or request type"),
    "agent_pattern": gettext_lazy("Agent"),
    "when": gettext_lazy("Condition"),
    "decision": gettext_lazy("Decision"),
    "note": gettext_lazy("Note for the people who answer"),
    "approval_message": gettext_lazy("How it is asked"),
    "reviewers": gettext_lazy("Groups"),
    "required_approvals": gettext_lazy("Approvals needed"),
    "stages": gettext_lazy("Stages"),
    "high_risk": gettext_lazy("High risk"),
    "expires_in": gettext_lazy("Deadline"),
    "on_timeout": gettext_lazy("When nobody answered"),
    "sla": gettext_lazy("Answer due"),
    "remind_after": gettext_lazy("Remind after"),
    "escalation": gettext_lazy("Escalation"),
    "business_hours": gettext_lazy("Business hours"),
    "redact": gettext_lazy("Kept out of logs"),
}
DECISIONS = {
    PolicyDecision.ASK: ("question", gettext_lazy("asks")),
    PolicyDecision.ALLOW: ("check", gettext_lazy("allows")),
    PolicyDecision.DENY: ("slash", gettext_lazy("denies")),
}
"""The icon and the word of each decision."""
CALLS: dict[str, Any] = dict(SUBJECTS) | {kind.value: words[-1] for kind, words in KINDS.items()}
"""What a policy may be about, in words."""
SILENCE = {"expire": gettext_lazy("it expires"), "reject": gettext_lazy("it is rejected")}


# -- Who answers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stage:
    """Show one stage: which groups, how many of how many; ``open`` where whoever may decide answers."""

    name: str
    groups: list[str]
    needed: int
    members: int
    lacks: bool = False

    @property
    def is_open(self) -> bool:
        return not self.groups


def members_for(policies: Iterable[Policy]) -> dict[str, set[str]]:
    """Return the active members of every group that *policies* name; read at once."""
    groups = {name for policy in policies for stage in stages_of(policy) for name in stage["reviewers"]}
    return members_of(groups)


def stages_shown(policy: Policy, members: dict[str, set[str]]) -> list[Stage]:
    """Return the stages of *policy*, each with how many could answer it."""
    stages = stages_of(policy)
    lacking = unmanned(stages, members)
    return [
        Stage(
            stage["name"],
            stage["reviewers"],
            stage["required_approvals"],
            len(set().union(*(members[name] for name in stage["reviewers"]))),
            number in lacking,
        )
        for number, stage in enumerate(stages)
    ]


def stages_in_words(stages: list[dict[str, Any]]) -> str:
    """Write who answers in one line: ``finance (2) → board``."""
    return " → ".join(
        (", ".join(stage["reviewers"]) or _("whoever may decide"))
        + (f" ({needed})" if (needed := stage.get("required_approvals", 1)) > 1 else "")
        for stage in stages
    )


def problems(policy: Policy) -> list[str]:
    """Say what has come to be wrong with a saved *policy*: groups that are gone, or have too few people."""
    named = {name for stage in stages_of(policy) for name in stage["reviewers"]}
    named |= {step["to"] for step in policy.escalation}
    known = set(Group.objects.filter(name__in=named).values_list("name", flat=True))
    told = [_("There is no group %(name)s any more.") % {"name": name} for name in sorted(named - known)]
    if isinstance(in_force(policy).condition, Unreadable):
        told.append(_("Its condition cannot be read any more, so everything it is about is asked."))
    for stage in stages_shown(policy, members_for([policy])):
        if stage.lacks:
            where = stage.name or ", ".join(stage.groups)
            lack = {"where": where, "needed": stage.needed, "members": stage.members}
            told.append(_("Too few people for %(where)s: %(needed)d needed, %(members)d there.") % lack)
    return told


def groups_shown(policies: Iterable[Policy]) -> list[dict[str, Any]]:
    """Return each group that *policies* ask: where, whether it exists, who is in it and who stands in.

    Escalation is shown as a stage of its own.
    """
    policies, away, uses = list(policies), away_now(), defaultdict(list)
    members = members_for(policies)
    for policy in policies:
        for stage in stages_shown(policy, members):
            for name in stage.groups:
                uses[name].append((policy, stage))
        for step in policy.escalation:
            uses[step["to"]].append((policy, Stage(_("escalation"), [], 0, 0)))
    members |= members_of(set(uses) - set(members))
    known = set(Group.objects.filter(name__in=uses).values_list("name", flat=True))
    return [
        {
            "name": name,
            "uses": uses[name],
            "exists": name in known,
            "people": [(person, away.get(person, [])) for person in sorted(members[name])],
        }
        for name in sorted(uses)
    ]


# -- Why a policy is in force -------------------------------------------------------------------------


def reason(rule: Rule, call: Call) -> str:
    """Say why *rule* does not match *call*; empty when it does."""
    name, agent = plain(call.name), plain(call.agent)
    if not rule.covers(call.kind, name, agent):
        if not rule.fits_agent(agent):
            return _("another agent")
        return _("another tool") if not rule.fits_name(name) else _("another kind")
    try:
        holds = rule.condition is None or rule.condition.holds(call.args, call.agent, call.session_id)
    except ConditionFailed:
        return ""
    return "" if holds else _("its condition does not hold")


def tried(policies: Iterable[Policy], call: Call) -> list[tuple[Policy, str]]:
    """Return the policies that were tried for *call*, each with why it did not match, up to the first."""
    found = []
    for policy in policies:
        why = reason(in_force(policy), call)
        found.append((policy, why))
        if not why:
            break
    return found


# -- History ------------------------------------------------------------------------------------------


def history(policy_id: str) -> list[dict[str, Any]]:
    """Return what the record says of a policy, newest first: who, when, and each field before and after."""
    rows = Event.objects.filter(stream=SYSTEM, type=CHANGED, subject_id=policy_id).order_by("-position")
    return [_line(event, orjson.loads(event.data)) for event in rows]


def _line(event: Event, data: dict[str, Any]) -> dict[str, Any]:
    before, after = data["before"], data["after"]
    if data["change"] == "created":
        before = {name: value for name, value in fields_of(Policy()).items() if value != after.get(name)}
        after = {name: after[name] for name in before if name in after}
    return {
        "name": data["policy"],
        "change": data["change"],
        "actor": event.actor,
        "at": event.occurred_at,
        "changes": changes(before, after) if data["change"] != "deleted" else [],
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Return what differs between two states of a policy, in the words of its form."""
    return [
        Change(str(LABELS[name]), in_words(name, before.get(name)), in_words(name, after[name]))
        for name in FIELDS
        if name in after and before.get(name) != after[name]
    ]


def in_words(name: str, value: Any) -> str | None:
    """Write the value of the field *name* as its form has it; None where there is none."""
    if value in (None, "", [], {}):
        return None
    match name, value:
        case _, bool():
            return _("yes") if value else _("no")
        case "expires_in" | "remind_after", int():
            return durations.write(value)
        case "sla", dict():
            return ", ".join(f"{_rank(rank)} {durations.write(seconds)}" for rank, seconds in value.items())
        case "stages", list():
            return stages_in_words(value)
        case "escalation", list():
            return " → ".join(_step(step) for step in value)
        case "reviewers", list():
            return ", ".join(value)
        case "decision", str():
            return str(DECISIONS[PolicyDecision(value)][1])
        case "kind", str():
            return str(CALLS.get(value, value))
        case "on_timeout", str():
            return str(SILENCE[value])
    return str(value)


def _rank(name: str) -> str:
    return str(PRIORITIES[Priority[name.upper()]][-1]).lower()


def _step(step: dict[str, Any]) -> str:
    return f"{step['to']} ({durations.write(step['after'])})" if "after" in step else str(step["to"])


# -- A test against the last days ---------------------------------------------------------------------

_CHANGES = {
    rehearsal.DENY: ("slash", gettext_lazy("would be denied")),
    rehearsal.ASK: ("question", gettext_lazy("would ask people")),
    rehearsal.ALLOW: ("check", gettext_lazy("would pass without a person")),
    rehearsal.OTHERS: ("person", gettext_lazy("other people would answer")),
}


def report(found: rehearsal.Rehearsal) -> dict[str, Any]:
    """Return *found* as it is drawn: figures, the parts of a bar in per cent, and the lines."""
    left, parts = 0.0, []
    for change in _CHANGES:
        width = round(100 * found.counts[change] / max(found.looked_at, 1), 2)
        parts.append({"change": change, "left": round(left, 2), "width": width})
        left += width
    figures = [(*_CHANGES[change], found.counts[change], change) for change in _CHANGES]
    return {"found": found, "figures": figures, "parts": parts, "days": rehearsal.DAYS}
