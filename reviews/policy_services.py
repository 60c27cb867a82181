"""The verbs of policies: the only code that changes one, each time on the record."""

from typing import Any

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.callers import Caller
from events import log
from events.models import SYSTEM
from events.problems import Problem, invalid
from reviews.conditions import ConditionError
from reviews.models import Policy, PolicyDecision
from reviews.policies import Rule, stages_of, unmanned
from reviews.reviewers import deciders

CHANGED = "hitl.policy.changed"
FIELDS = (
    "name", "priority", "is_active", "kind", "pattern", "agent_pattern", "when", "decision", "note",
    "approval_message", "reviewers", "required_approvals", "stages", "high_risk", "expires_in", "on_timeout",
    "sla", "remind_after", "escalation", "business_hours", "redact",
)  # fmt: skip
"""What may be said of a policy."""


def create_policy(by: Caller, **fields: Any) -> Policy:
    """Make a policy of *fields*.

    Raises:
        Problem: 400 that names each field which cannot be so.
    """
    policy = Policy(**fields)
    check(policy)
    try:
        with log.unit_of_work(), transaction.atomic():
            policy.save(force_insert=True)
            _record(policy, by, "created", {}, fields_of(policy))
    except IntegrityError:
        raise _name_is_taken() from None
    policy.refresh_from_db()
    return policy


def change_policy(policy: Policy, by: Caller, **fields: Any) -> Policy:
    """Change what *fields* name; *policy* is as it was read, and what changed since is not overwritten.

    Raises:
        Problem: 400 as :func:`create_policy`; 409 when somebody else changed it meanwhile.
    """
    before = fields_of(policy)
    for name, value in fields.items():
        setattr(policy, name, value)
    check(policy)
    after = fields_of(policy)
    changed = {name: value for name, value in after.items() if value != before[name]}
    if not changed:
        return policy
    try:
        with log.unit_of_work(), transaction.atomic():
            same = Policy.objects.filter(pk=policy.pk, version=policy.version)
            if not same.update(**changed, version=F("version") + 1, updated_at=Now()):
                raise changed_meanwhile()
            _record(policy, by, "changed", {name: before[name] for name in changed}, changed)
    except IntegrityError:
        raise _name_is_taken() from None
    policy.refresh_from_db()
    return policy


def delete_policy(policy: Policy, by: Caller) -> None:
    """Delete *policy*; items keep what it said when they were asked, and the record what it was."""
    with log.unit_of_work():
        if Policy.objects.filter(pk=policy.pk).delete()[0]:
            _record(policy, by, "deleted", fields_of(policy), {})


def fields_of(policy: Policy) -> dict[str, Any]:
    """Return all that can be said of *policy*, as JSON."""
    return {name: getattr(policy, name) for name in FIELDS}


def check(policy: Policy) -> None:
    """Refuse what could never work: a condition that does not compile, groups that cannot answer.

    Raises:
        Problem: 400 that names each field which cannot be so.
    """
    errors: dict[str, list[str]] = {}
    try:
        Rule(policy)
    except ConditionError as error:
        errors["when"] = [str(error)]
    if policy.stages and (policy.reviewers or policy.required_approvals != 1):
        errors["stages"] = [_("Give either stages, or reviewers and required_approvals.")]
    else:
        errors |= _wrong_groups(policy) or _unmanned(policy)
    if errors:
        raise invalid(errors)


def _wrong_groups(policy: Policy) -> dict[str, list[str]]:
    """Name the groups that do not exist, and escalations that lead nowhere or in a circle."""
    stages = stages_of(policy)
    reviewers = [name for stage in stages for name in stage["reviewers"]]
    steps = [step["to"] for step in policy.escalation]
    known = set(Group.objects.filter(name__in=[*reviewers, *steps]).values_list("name", flat=True))
    errors = {}
    if unknown := sorted(set(reviewers) - known):
        errors["stages" if policy.stages else "reviewers"] = [
            _("There is no group %(names)s.") % {"names": ", ".join(unknown)}
        ]
    if unknown := sorted(set(steps) - known):
        errors["escalation"] = [_("There is no group %(names)s.") % {"names": ", ".join(unknown)}]
    elif steps and not all(members_of(set(steps)).values()):
        errors["escalation"] = [_("One of these groups has nobody who may decide.")]
    elif len(set(steps)) < len(steps) or set(steps) & set(reviewers):
        errors["escalation"] = [
            _("This goes in a circle: each step has to lead to a group not asked before.")
        ]
    elif not policy.sla and any("after" not in step for step in policy.escalation):
        errors["escalation"] = [_("Say after how many seconds, or give the policy an SLA.")]
    return errors


def _unmanned(policy: Policy) -> dict[str, list[str]]:
    """Name the stages whose groups have fewer members than the approvals they need."""
    stages = stages_of(policy)
    if not (lacking := unmanned(stages, members_of({g for stage in stages for g in stage["reviewers"]}))):
        return {}
    if not policy.stages:
        return {
            "required_approvals": [_("The groups of reviewers have fewer members than approvals needed.")]
        }
    names = ", ".join(stages[number]["name"] for number in lacking)
    told = _("Too few people for %(names)s: nobody votes twice, also not in two stages.")
    return {"stages": [told % {"names": names}]}


def members_of(groups: set[str]) -> dict[str, set[str]]:
    """Return the names of those members of each of *groups* who may decide."""
    members: dict[str, set[str]] = {name: set() for name in groups}
    rows = Group.objects.filter(name__in=groups, user__in=deciders())
    for group, user in rows.values_list("name", "user__username"):
        members[group].add(user)
    return members


def _record(policy: Policy, by: Caller, change: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    told = {"policy": policy.name, "change": change, "before": before, "after": after}
    log.record(SYSTEM, CHANGED, policy.pk, actor=by.actor, data=told)


def changed_meanwhile() -> Problem:
    """Refuse to overwrite what somebody else has written."""
    told = _("Somebody changed or deleted this policy meanwhile. Read it again.")
    return Problem(409, "policy_changed", told)


def _name_is_taken() -> Problem:
    return invalid({"name": [_("Another policy has this name.")]})


# -- Seeds --------------------------------------------------------------------------------------------

_SEEDED = Caller(SYSTEM, SYSTEM)


def seed(tool_permissions: dict[str, dict[str, Any]]) -> None:
    """Make a policy for each tool of *tool_permissions* that has none; what somebody changed stays.

    Names stand before patterns, and ``*`` last, as a lookup by name with a default would have it.
    """
    for pattern, said in tool_permissions.items():
        name = f"tool_permissions: {pattern}"
        if Policy.objects.filter(name=name).exists():
            continue
        asks = said.get("require_approval", not said.get("allow_auto", True))
        create_policy(
            _SEEDED,
            name=name,
            pattern=pattern,
            priority=1_000 if pattern == "*" else 900 if "*" in pattern else 800,
            decision=PolicyDecision.ASK if asks else PolicyDecision.ALLOW,
            approval_message=said.get("approval_message", ""),
            note=said.get("note", ""),
        )
