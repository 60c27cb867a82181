"""Delegations: who answers in the place of somebody who is away, on the record."""

import datetime as dt

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from agents.callers import Caller
from events import log
from events.models import SYSTEM
from events.problems import Problem, invalid
from reviews.models import DECIDE, Delegation

CREATED, ENDED = "hitl.delegation.created", "hitl.delegation.ended"
MANAGE = "reviews.change_policy"


def delegate(
    by: Caller,
    *,
    absent: User,
    substitute: User,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
    note: str = "",
) -> Delegation:
    """Let *substitute* answer in the place of *absent* between the two moments.

    Raises:
        Problem: 403 when *by* speaks for neither themselves nor everybody; 400 for what could not work.
    """
    _must_speak_for(by, absent)
    if starts_at >= ends_at:
        raise invalid({"ends_at": [_("This has to end after it begins.")]})
    if substitute == absent:
        raise invalid({"substitute": [_("Nobody stands in for themselves.")]})
    if not (substitute.is_active and substitute.has_perm(DECIDE)):
        raise invalid({"substitute": [_("This person may not decide anything here.")]})
    with log.unit_of_work():
        made = Delegation.objects.create(
            absent=absent, substitute=substitute, starts_at=starts_at, ends_at=ends_at, note=note
        )
        _record(CREATED, made, by)
    return made


def end(delegation: Delegation, by: Caller) -> None:
    """Take *delegation* back: nobody stands in from now on.

    Raises:
        Problem: 403 as :func:`delegate`.
    """
    _must_speak_for(by, delegation.absent)
    with log.unit_of_work():
        if Delegation.objects.filter(pk=delegation.pk).delete()[0]:
            _record(ENDED, delegation, by)


def _must_speak_for(by: Caller, absent: User) -> None:
    if by.user != absent and not by.has_perm(MANAGE):
        raise Problem(403, "not_yours", _("Only an administrator names a substitute for somebody else."))


def _record(event: str, delegation: Delegation, by: Caller) -> None:
    told = {
        "absent": delegation.absent.get_username(),
        "substitute": delegation.substitute.get_username(),
        "starts_at": delegation.starts_at.isoformat(),
        "ends_at": delegation.ends_at.isoformat(),
    }
    log.record(SYSTEM, event, f"delegation {delegation.pk}", actor=by.actor, data=told)
