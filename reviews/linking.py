"""Say which member of the Slack workspace an operator is: proved by a click of that member's own.

The operator names the member, who gets a message with a button. Its token holds for both, a quarter of an
hour, and once. Nobody else's click links anything, and a member is one operator at most.
"""

import re
import secrets
from typing import Any

from django.contrib.auth.models import User
from django.core import signing
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from events import log
from events.models import SYSTEM, Channel, Subscription
from events.once import has_room, is_first
from events.transports import slack
from reviews import notifying, telling
from reviews.models import Priority

SALT, SECONDS = "reviews.linking", 900
ASKED_AN_HOUR = 5
LINK = "link"
LINKED, UNLINKED = "hitl.user.slack_linked", "hitl.user.slack_unlinked"
is_member = re.compile(r"[UW][A-Z0-9]{2,30}").fullmatch


class Refused(Exception):
    """The two were not linked; the message says why."""


def address_of(team: str, member: str) -> str:
    """Return how a member of a workspace is kept."""
    return f"{team}:{member}"


def member_of(one: Subscription) -> str:
    """Return the member of *one*."""
    return one.address.partition(":")[2]


def ask(user: User, member: str) -> str:
    """Ask *member* whether they are *user*; return why they could not be asked."""
    if not is_member(member):
        return _("A member id reads like U012AB3CD.")
    if not has_room(f"slack:asked:{user.pk}", ASKED_AN_HOUR, 3_600):
        return _("Too many messages were asked for. Wait an hour, then try again.")
    opened = slack.call("conversations.open", users=member)
    if opened.problem:
        return opened.problem
    told = _("Is this you? %(name)s of this server wants to be told here, and to answer from here.") % {
        "name": user.get_username()
    }
    warned = _("Press the button only if this is your own account. It holds for 15 minutes.")
    press = {
        "type": "button",
        "action_id": LINK,
        "style": "primary",
        "text": plain(_("This is me")),
        "value": token(user, member),
    }
    blocks = [section(told), section(warned), {"type": "actions", "elements": [press]}]
    channel = opened.body.get("channel", {}).get("id", "")
    return slack.call("chat.postMessage", channel=channel, text=slack.escaped(told), blocks=blocks).problem


def send_test(one: Subscription) -> str:
    """Send a line that says nothing but that it arrived; return why it was not taken."""
    opened = slack.call("conversations.open", users=member_of(one))
    if opened.problem:
        return opened.problem
    told = _("This is a test. This is how you hear that a question waits.")
    channel = opened.body.get("channel", {}).get("id", "")
    return slack.call("chat.postMessage", channel=channel, text=told, blocks=[section(told)]).problem


def token(user: User, member: str) -> str:
    """Return what says that *member* was asked whether they are *user*."""
    return signing.dumps([user.pk, member, secrets.token_urlsafe(9)], salt=SALT)


def link(text: str, *, team: str, member: str) -> User:
    """Link the *member* of *team* who pressed the button that carries the token *text*; return whose it is.

    Raises:
        Refused: see there.
    """
    try:
        pk, asked, drawn = signing.loads(text, salt=SALT, max_age=SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        raise Refused(_("This button has expired. Ask for another message under Preferences.")) from None
    if asked != member:
        raise Refused(_("Somebody else was asked."))
    own = slack.team()
    if own.body.get("team_id") != team:
        raise Refused(own.problem or _("This is another workspace than the one this server is in."))
    if not is_first(f"slack:linked:{drawn}", 2 * SECONDS, otherwise=False):
        raise Refused(_("This button was pressed before."))
    user = _operators().filter(pk=pk).first()
    if user is None:
        raise Refused(_("This account may not log in any more."))
    _keep(user, address_of(team, member))
    return user


def _keep(user: User, address: str) -> None:
    chosen = {"address": address, "failures": 0}
    anew = {**chosen, "lowest": Priority.LOW, "told": notifying.present()}
    try:
        with log.unit_of_work():
            Subscription.objects.update_or_create(
                user=user, channel=Channel.SLACK, defaults=chosen, create_defaults=anew
            )
            _record(LINKED, user, address)
    except IntegrityError:
        raise Refused(_("This Slack account is linked to somebody else here.")) from None


def unlink(user: User) -> None:
    """Tell *user* nothing more in Slack, and let nobody there answer as *user*."""
    one = telling.of(user, Channel.SLACK)
    if one is None:
        return
    with log.unit_of_work():
        telling.unsubscribe(user.pk, Channel.SLACK)
        _record(UNLINKED, user, one.address)


def linked(team: str, member: str) -> User | None:
    """Return the operator that a *member* of *team* is; None for strangers and who may not log in."""
    mine = {"subscriptions__channel": Channel.SLACK, "subscriptions__address": address_of(team, member)}
    return _operators().filter(**mine).first()


def _operators() -> QuerySet[User]:
    return User.objects.filter(is_active=True, is_staff=True).select_related("preferences")


def _record(event: str, user: User, address: str) -> None:
    name = user.get_username()
    log.record(SYSTEM, event, name, actor=f"user:{name}", data={"member": address, "via": "slack"})


def plain(text: str) -> dict[str, Any]:
    """Return *text* as Slack shows it and does nothing with it: no mentions, no links, no pictures."""
    return {"type": "plain_text", "text": text, "emoji": False}


def section(text: str) -> dict[str, Any]:
    """Return a paragraph that says *text*."""
    return {"type": "section", "text": plain(text)}
