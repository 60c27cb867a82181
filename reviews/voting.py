"""Votes: the last approval that is needed ends an item, every one before it is only counted.

    stage 1: n approvals ──▶ stage 2: m approvals ──▶ … ──▶ the item's own ending

One refusal ends it at any stage. Whoever edits or answers does so alone: others would have agreed to
something else.
"""

from collections.abc import Callable
from typing import Any

from agents.callers import Caller
from events import log
from events.transitions import Transition, TransitionConflict, perform
from reviews import services
from reviews.confirming import must_have_confirmed
from reviews.lifecycle import VOTE
from reviews.models import ReviewItem
from reviews.reviewers import seat_of

Ending = Callable[[dict[str, Any]], None]


def approve(
    item: ReviewItem,
    ending: Transition,
    end: Ending | None,
    *,
    by: Caller,
    content_hash: str,
    comment: str = "",
    votes_alone: bool = True,
) -> None:
    """Count that *by* approves *item*; call *end* with further columns when it is the last who has to.

    Where *end* carries an answer with it (``votes_alone`` is False), it must be the last.

    Raises:
        Problem: 403 when *by* may not approve this, or has to confirm who they are first.
        TransitionConflict: it is no longer open, or held; (``voted``) they voted before; (``votes``) others
            have to approve before it can be answered; (``last``) only the answer itself is missing.
    """
    with log.unit_of_work():
        if item.needs_several:
            _lock(item)
        seat = seat_of(item, by, ending)
        must_have_confirmed(item, by)
        votes = [*item.votes, {"by": by.name, "seat": seat, "stage": item.stage}]
        missing = item.stages[item.stage]["required_approvals"] - _votes_of(votes, item.stage)
        is_last = missing <= 0 and item.stage == len(item.stages) - 1
        if is_last and end is not None:
            end({"votes": votes} if item.needs_several else {})
        elif is_last:
            raise TransitionConflict(ending, item.pk, "last")
        elif not votes_alone:
            raise TransitionConflict(ending, item.pk, "votes")
        else:
            _count(item, votes, missing, by=by, content_hash=content_hash, comment=comment)


def _count(
    item: ReviewItem,
    votes: list[dict[str, Any]],
    missing: int,
    *,
    by: Caller,
    content_hash: str,
    comment: str,
) -> None:
    """Keep a vote that is not the last; the last of its stage opens the next one."""
    stage, moved = item.stage, {}
    if missing <= 0:
        moved = {"stage": stage + 1, "reviewers": item.stages[stage + 1]["reviewers"]}
    perform(
        VOTE,
        item,
        actor=by.actor,
        changes={"votes": votes, **moved, **services.HELD_BY_NOBODY},
        guards=services.deciding(item, by, content_hash),
        data={
            **item.headline,
            "stage": stage,
            "vote": votes[-1],
            "approvals": _votes_of(votes, stage),
            "required_approvals": item.stages[stage]["required_approvals"],
            "next_stage": stage + 1 if moved else None,
            "comment": comment,
        },
    )


def _votes_of(votes: list[dict[str, Any]], stage: int) -> int:
    return sum(vote["stage"] == stage for vote in votes)


def _lock(item: ReviewItem) -> None:
    """Read what voting turns on anew, and let nobody else vote until this is committed.

    On SQLite the transaction itself has locked everything.
    """
    rows = ReviewItem.objects.select_for_update(no_key=True).filter(pk=item.pk)
    for name, value in (rows.values("votes", "stage", "reviewers", "policy").first() or {}).items():
        setattr(item, name, value)
