"""What a click in Slack does: it decides exactly what its message showed, as the operator who clicked.

Who clicks is whom Slack says and :mod:`reviews.linking` knows. The verbs are those of the admin's page, and
so are the rules: who is asked, who holds it, whose agent it is. Whatever is refused is said in words, and
Slack is called once at most: it waits three seconds.
"""

from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from django.contrib.auth.models import User
from django.utils import translation
from django.utils.translation import gettext as _

from agents import preferences
from agents.callers import Caller, of_user
from events.models import SlackMessage
from events.problems import Problem
from events.transitions import TransitionConflict
from events.transports import slack
from interrupts import selectors, services
from interrupts.lifecycle import Decision
from interrupts.serializers import document
from interrupts.slack import NOTE, NOTE_LIMIT, current, is_decided_here, settle, shown, updating, what_became
from reviews import linking
from reviews.conflicts import conflict
from reviews.lifecycle import OPEN
from reviews.models import DECIDE

VIA = "slack"
VERBS = {Decision.APPROVE, Decision.REJECT}
log = structlog.get_logger(__name__)


class Malformed(Exception):
    """What Slack signed is not what it sends when somebody clicks."""


@dataclass(frozen=True, slots=True)
class Click:
    """Hold who pressed which button of which message, and what they had typed there."""

    team: str
    member: str
    verb: str
    value: str
    note: str
    channel: str
    ts: str
    response_url: str


def read(payload: bytes | str) -> Click | None:
    """Return the click that *payload* tells of; None where it tells of something else.

    Raises:
        Malformed: see there.
    """
    try:
        told = orjson.loads(payload)
        if told["type"] != "block_actions":
            return None
        action, user, place = told["actions"][0], told["user"], told.get("container") or {}
        team = (told.get("team") or {}).get("id") or user.get("team_id")
        typed = ((told.get("state") or {}).get("values") or {}).get(NOTE, {}).get(NOTE, {}).get("value")
        parts = (
            *(team, user["id"], action["action_id"], action.get("value", ""), typed or ""),
            *(place.get("channel_id", ""), place.get("message_ts", ""), told.get("response_url") or ""),
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Malformed from None
    if not all(isinstance(part, str) and "\0" not in part for part in parts):
        raise Malformed
    return Click(*parts)


def take(click: Click) -> None:
    """Do what *click* asks, or say why not."""
    if click.verb == linking.LINK:
        _link(click)
    elif click.verb in VERBS:
        user = linking.linked(click.team, click.member)
        if user is None:
            _whisper(click, _("This Slack account is not linked to anybody here: nothing was decided."))
            return
        with translation.override(preferences.of(user).language or None):
            _decide(click, user)


def _link(click: Click) -> None:
    try:
        user = linking.link(click.value, team=click.team, member=click.member)
    except linking.Refused as problem:
        _whisper(click, str(problem))
        return
    with translation.override(preferences.of(user).language or None):
        told = _("You are %(name)s here now. What you are asked comes to this place.") % {
            "name": user.get_username()
        }
        blocks = [linking.section(told)]
    slack.call(
        "chat.update", seconds=slack.HURRIED_SECONDS, channel=click.channel, ts=click.ts,
        text=slack.escaped(told), blocks=blocks,
    )  # fmt: skip


def _decide(click: Click, user: User) -> None:
    by = of_user(user, via=VIA)
    pk = click.value.partition(":")[0]
    try:
        problem = _why_not(click, by, pk)
    except TransitionConflict as error:
        problem = conflict(error, document(vars(selectors.interrupt(by, pk)))).detail
    except Problem as refused:
        problem = refused.detail
    item = next(iter(current([pk])), None)
    if item is None:
        _whisper(click, problem or _("There is no such item, or it was cleaned up."))
    elif item.effective_status not in OPEN or shown(item) != click.value:
        _rewrite(click, user, item, problem)
    else:
        _whisper(click, problem)


def _why_not(click: Click, by: Caller, pk: str) -> str:
    """Decide what was shown; return why it could not be.

    Raises:
        TransitionConflict, Problem: as the verbs do.
    """
    if not by.has_perm(DECIDE):
        return _("Your role does not let you decide: nothing was decided.")
    selectors.interrupt(by, pk)
    (item,) = current([pk])
    if item.effective_status not in OPEN:
        return _("It is no longer open: nothing was decided by this click.")
    if shown(item) != click.value:
        return _("It has changed since it was shown: nothing was decided. Read it again.")
    if not is_decided_here(item):
        return _("This takes more than a click: decide it on its page.")
    note, told = click.note.strip()[:NOTE_LIMIT], {"by": by, "content_hash": item.content_hash}
    if click.verb == Decision.APPROVE:
        services.approve(item, comment=note, **told)
    else:
        services.reject(item, reason=note or _("Rejected in Slack, without a word why."), **told)
    return ""


def _rewrite(click: Click, user: User, item: Any, problem: str) -> None:
    """Have the message show *item* as it now is; where Slack does not take that, the clock tries again."""
    note = problem if problem and not what_became(item) else ""
    update = updating(item, channel=click.channel, ts=click.ts, note=note, seconds=slack.HURRIED_SECONDS)
    outcome = update()
    mine = SlackMessage.objects.filter(subscription__user=user, item_id=item.pk, ts=click.ts)
    for row in mine:
        settle(row, item, outcome)


def _whisper(click: Click, text: str) -> None:
    slack.whisper(click.response_url, text)
