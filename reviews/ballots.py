"""What the page of an item says of votes: how far each stage is, and what the reader's own vote would be."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from agents.callers import Caller
from events.problems import Problem
from events.transitions import TransitionConflict
from reviews.lifecycle import OPEN
from reviews.models import ReviewItem
from reviews.reviewers import must_be_asked, seat_of

DONE, NOW, AHEAD = "done", "now", "ahead"


@dataclass(frozen=True, slots=True)
class Step:
    """Show one stage: who is asked, who has approved, and one open place for each approval it still needs."""

    name: str
    groups: list[str]
    required: int
    votes: list[dict[str, Any]]
    state: str

    @property
    def open_places(self) -> range:
        return range(self.required - len(self.votes))


def steps(item: ReviewItem) -> list[Step]:
    """Return the stages of *item* as a reader sees them; none where anybody alone may decide it."""
    is_open = item.status in OPEN
    closed_to_some = is_open and any(stage["reviewers"] for stage in item.stages)
    if not (item.needs_several or closed_to_some):
        return []
    return [_step(item, number, stage, is_open) for number, stage in enumerate(item.stages)]


def _step(item: ReviewItem, number: int, stage: dict[str, Any], is_open: bool) -> Step:
    votes = [vote for vote in item.votes if vote["stage"] == number]
    required, is_now = stage["required_approvals"], is_open and number == item.stage
    state = DONE if len(votes) >= required else NOW if is_now else AHEAD
    # Of the stage that is asked now, the item itself knows better: others may have been asked besides.
    return Step(stage["name"], item.reviewers if is_now else stage["reviewers"], required, votes, state)


@dataclass(frozen=True, slots=True)
class Ballot:
    """Say what an approval by one reader would be: in whose place, the how-manieth, or why there is none."""

    number: int
    required: int
    people: int
    is_last: bool
    next_stage: str = ""
    in_place_of: str = ""
    why_not: str = ""
    may_refuse: bool = True

    @property
    def may_approve(self) -> bool:
        return not self.why_not

    @property
    def may_act(self) -> bool:
        return self.may_approve or self.may_refuse

    @property
    def of_several(self) -> bool:
        return self.people > 1


def ballot(item: ReviewItem, by: Caller) -> Ballot:
    """Return what it would be if *by* approved *item* now."""
    told: dict[str, Any] = {}
    try:
        seat = seat_of(item, by)
        told = {"in_place_of": seat if seat != by.name else ""}
    except Problem as problem:
        told = _refusal(item, by, problem.code)
    except TransitionConflict as conflict:
        told = _refusal(item, by, conflict.reason)
    stage, is_last_stage = item.stages[item.stage], item.stage == len(item.stages) - 1
    number = sum(vote["stage"] == item.stage for vote in item.votes) + 1
    ends_stage = number >= stage["required_approvals"]
    following = "" if is_last_stage or not ends_stage else item.stages[item.stage + 1]["name"]
    return Ballot(
        number=number,
        required=stage["required_approvals"],
        people=sum(stage["required_approvals"] for stage in item.stages),
        is_last=ends_stage and is_last_stage,
        next_stage=following,
        **told,
    )


def _refusal(item: ReviewItem, by: Caller, code: str) -> dict[str, Any]:
    if code == "not_a_reviewer":
        told = _("This is asked of %(groups)s. You are not among them, and stand in for nobody who is.")
        return {"why_not": told % {"groups": ", ".join(item.reviewers)}, "may_refuse": False}
    if code == "own_agent":
        told = _("This is of high risk, and the agent that asks is yours: somebody else has to approve it.")
        return {"why_not": told, "may_refuse": _refuses(item, by)}
    return {"why_not": _voted(item, by), "may_refuse": _refuses(item, by)}


def _voted(item: ReviewItem, by: Caller) -> str:
    for vote in item.votes:
        if vote["by"] == by.name and vote["seat"] != by.name:
            return str(_("You have approved this in the place of %(seat)s. Others have to, as well.") % vote)
        if vote["by"] == by.name:
            return _("You have approved this. Others have to, as well.")
        if vote["seat"] == by.name:
            return str(_("%(by)s has approved this in your place. Others have to, as well.") % vote)
    return _("Everybody for whom you could speak has voted, or may not approve this.")


def _refuses(item: ReviewItem, by: Caller) -> bool:
    try:
        must_be_asked(item, by)
    except Problem:
        return False
    return True
