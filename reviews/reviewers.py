"""Who may answer an item, judged in the transaction of the answer."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.callers import Caller
from agents.models import Agent
from events import log
from events.problems import Problem
from events.transitions import Transition, TransitionConflict, perform
from reviews.lifecycle import VOTE
from reviews.models import DECIDE, Delegation, ReviewItem


def must_be_asked(item: ReviewItem, by: Caller) -> None:
    """Let nobody take *item*, turn it down or send it back who is not among those asked.

    Raises:
        Problem: 403 ``not_a_reviewer``.
    """
    if item.reviewers and not _seats(item, _account(by)):
        raise _not_asked(item)


def perform_as_asked(transition: Transition, item: ReviewItem, *, by: Caller, **told: Any) -> None:
    """Move *item* by *transition*, as :func:`perform` does, if *by* is among those asked.

    Raises:
        Problem: 403 ``not_a_reviewer``.
        TransitionConflict: as :func:`perform`.
    """
    with log.unit_of_work():
        must_be_asked(item, by)
        perform(transition, item, actor=by.actor, **told)


def seat_of(item: ReviewItem, by: Caller, transition: Transition = VOTE) -> str:
    """Return whose place *by* takes in approving *item*: their own, or somebody's who is away.

    Raises:
        Problem: 403 ``not_a_reviewer`` or ``own_agent``: an agent's owner does not approve what is of high
            risk, nor does anybody in the owner's place.
        TransitionConflict: (``voted``) they have voted, or somebody has for them.
    """
    owner = _owner(item) if item.is_high_risk else ""
    if owner and by.name == owner:
        told = _("This is of high risk, and its agent is yours: somebody else has to approve it.")
        raise Problem(403, "own_agent", told)
    taken = {vote["seat"] for vote in item.votes}
    if by.name in taken or any(vote["by"] == by.name for vote in item.votes):
        raise TransitionConflict(transition, item.pk, "voted")
    if not item.reviewers:
        if item.needs_several and _account(by) is None:
            told = _("Several people have to approve this, and only who has an account here counts as one.")
            raise Problem(403, "not_a_reviewer", told)
        return by.name
    if not (seats := _seats(item, _account(by))):
        raise _not_asked(item)
    free = [seat for seat in seats if seat != owner and seat not in taken]
    if not free:
        raise TransitionConflict(transition, item.pk, "voted")
    return free[0]


def is_asked(item: ReviewItem, by: Caller) -> bool:
    """Say whether *by* could approve *item* now."""
    try:
        seat_of(item, by)
    except (Problem, TransitionConflict):
        return False
    return True


def reviewers_of(groups: Iterable[str]) -> QuerySet[User]:
    """Return the active members of *groups* who may decide at all."""
    found = deciders().filter(groups__name__in=list(groups))
    return found.distinct().order_by("username")


def deciders() -> QuerySet[User]:
    """Return the active people who may decide: what nobody of them is asked, nobody can answer."""
    return User.objects.with_perm(DECIDE)


def candidates(item: ReviewItem) -> QuerySet[User]:
    """Return who could be handed *item*: whoever may decide and is asked, or stands in for somebody asked."""
    people = deciders().order_by("username")
    if item.reviewers:
        stands_in = Q(
            delegations_taken__starts_at__lte=Now(),
            delegations_taken__ends_at__gt=Now(),
            delegations_taken__absent__groups__name__in=item.reviewers,
        )
        people = people.filter(Q(groups__name__in=item.reviewers) | stands_in).distinct()
    voted = [name for vote in item.votes for name in (vote["by"], vote["seat"])]
    return people.exclude(username__in=voted)


def away_now() -> dict[str, list[str]]:
    """Return who is away at this moment, each with who stands in."""
    away: dict[str, list[str]] = {}
    rows = Delegation.objects.filter(starts_at__lte=Now(), ends_at__gt=Now()).order_by("substitute__username")
    for absent, substitute in rows.values_list("absent__username", "substitute__username"):
        away.setdefault(absent, []).append(substitute)
    return away


def _seats(item: ReviewItem, user: Any) -> list[str]:
    """Return the members of the groups that are asked for whom *user* may speak, themselves first."""
    if user is None:
        return []
    members = set(reviewers_of(item.reviewers).values_list("username", flat=True))
    own = [user.username] if user.username in members else []
    return [*own, *sorted(members & set(_represented_by(user)))]


def _represented_by(user: Any) -> Iterable[str]:
    """Return who is away and has named *user* as substitute."""
    away = Delegation.objects.filter(substitute=user, starts_at__lte=Now(), ends_at__gt=Now())
    return away.values_list("absent__username", flat=True)


def _account(by: Caller) -> Any:
    """Return the account of *by*; for a back end that decides for its users, that of the user it names."""
    if by.user is not None:
        return by.user
    user = User.objects.filter(username=by.name, is_active=True).first()
    return user if user is not None and user.has_perm(DECIDE) else None


def _owner(item: ReviewItem) -> str:
    found = Agent.objects.filter(pk=item.agent_id).values_list("owner__username", flat=True).first()
    return found or ""


def _not_asked(item: ReviewItem) -> Problem:
    told = _("Only members of %(groups)s answer this, or who stands in for them.")
    return Problem(403, "not_a_reviewer", told % {"groups": ", ".join(item.reviewers)})
