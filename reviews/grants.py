"""Grants: what a person has allowed in advance, for a session or for exactly the same arguments."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet, TextChoices
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.callers import Caller
from events import log
from events.canonical import sha256
from events.clock import database_now
from events.problems import Problem
from reviews.models import DECIDE, YES_OR_NO, Grant, ReviewItem
from reviews.policies import Call

IN_FORCE = Q(revoked_at__isnull=True, expires_at__gt=Now(), granted_by__is_active=True)
GRANTED, REVOKED = "hitl.grant.created", "hitl.grant.revoked"


class Reach(TextChoices):
    """How far a grant goes."""

    SESSION = "session", "allow for this session"
    ARGUMENTS = "arguments", "always for exactly these arguments"


def all_in_force() -> QuerySet[Grant]:
    """Return the grants that hold now, the newest first."""
    return Grant.objects.filter(IN_FORCE)


def in_force(agent: str, tool_name: str) -> QuerySet[Grant]:
    """Return the grants of *agent* for one tool that hold now, whose givers still work here."""
    return all_in_force().filter(agent_id=agent, tool_name=tool_name)


def names_in_force(agent: str, tool_names: Iterable[str]) -> set[str]:
    """Return those of *tool_names* for which *agent* has a grant."""
    held = all_in_force().filter(agent_id=agent, tool_name__in=list(tool_names))
    return set(held.values_list("tool_name", flat=True))


def granting(call: Call, stages: list[dict[str, Any]]) -> Grant | None:
    """Return the grant under which *call* passes: one whose giver may still answer it under *stages*."""
    if sum(stage["required_approvals"] for stage in stages) > 1:
        return None
    exactly = Q(arguments_hash=sha256(call.args))
    reach = exactly | Q(arguments_hash="", session_id=call.session_id) if call.session_id else exactly
    held = in_force(call.agent, call.name).filter(reach).select_related("granted_by")
    if groups := [name for stage in stages for name in stage["reviewers"]]:
        held = held.filter(granted_by__groups__name__in=groups).distinct()
    return next((grant for grant in held if grant.granted_by.has_perm(DECIDE)), None)


def give(item: ReviewItem, reach: str, *, by: Caller, arguments: dict[str, Any]) -> Grant:
    """Allow in advance what was just approved of *item*: for its session, or with the same *arguments*.

    Called inside the transaction of the decision.

    Raises:
        Problem: 400 for what is no single person's to allow, or has no tool or session to go by.
    """
    check(item, reach, by)
    scope: dict[str, Any] = {"session_id": item.session_id}
    if reach != Reach.SESSION:
        scope = {"arguments_hash": sha256(arguments), "arguments": arguments}
    grant = Grant.objects.create(
        agent_id=item.agent_id,
        tool_name=item.tool_name,
        item_id=item.pk,
        granted_by=by.user,
        expires_at=database_now() + lifetime(reach),
        **scope,
    )
    told_of = {"grant": grant.pk, "reach": str(reach), "tool_name": item.tool_name, "granted_by": by.name}
    log.record(item.stream, GRANTED, item.pk, actor=by.actor, session_id=item.session_id, data=told_of)
    return grant


def lifetime(reach: str) -> dt.timedelta:
    """Return how long a grant of *reach* holds."""
    if reach == Reach.SESSION:
        return dt.timedelta(hours=settings.HITL_SESSION_GRANT_HOURS)
    return dt.timedelta(days=settings.HITL_ARGUMENTS_GRANT_DAYS)


def check(item: ReviewItem, reach: str, by: Caller) -> None:
    """Refuse what :func:`why_not` has something against.

    Raises:
        Problem: 400 ``no_grant``.
    """
    if told := why_not(item, reach, by):
        raise Problem(400, "no_grant", told)


def why_not(item: ReviewItem, reach: str, by: Caller) -> str:
    """Say why *by* may not allow *item* in advance; empty when nothing is against it."""
    if by.user is None:
        return _("Only an operator with an account here can allow something in advance.")
    if item.needs_several or item.is_high_risk:
        return _("This is asked each time: it needs several people, or is of high risk.")
    if item.kind not in YES_OR_NO:
        return _("Only a yes can be given in advance, not an answer.")
    if not item.tool_name:
        return _("There is no tool to allow in advance.")
    if reach == Reach.SESSION and not item.session_id:
        return _("This belongs to no session.")
    return ""


def revoke(grant: Grant, *, by: Caller) -> None:
    """End *grant*; revoking twice is revoking once."""
    with log.unit_of_work():
        if Grant.objects.filter(pk=grant.pk, revoked_at__isnull=True).update(revoked_at=Now()):
            told = {"grant": grant.pk, "tool_name": grant.tool_name}
            log.record(
                str(grant.agent_id),
                REVOKED,
                grant.item_id,
                actor=by.actor,
                session_id=grant.session_id,
                data=told,
            )
    grant.refresh_from_db()
