"""What is asked, in Slack: a message to each who is asked, with buttons where one click decides it whole.

A message with buttons shows everything that is decided, as plain text: nothing an agent wrote calls anybody,
is a link, or is hidden. What cannot be shown so, or takes more than a yes or a no, has a button that leads
to its page and says nothing else. Once an item is answered elsewhere its message says so and has no more
buttons.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents import preferences
from events.clock import local
from events.models import Channel, SlackMessage
from events.transports import slack
from events.untrusted import marked, pretty
from interrupts.lifecycle import Decision
from interrupts.models import Interrupt
from interrupts.presentation import contradictions, headline
from interrupts.questions import browser_action, run_question
from reviews import notifying, telling
from reviews.lifecycle import OPEN
from reviews.linking import member_of, plain, section
from reviews.models import YES_OR_NO, Attachment, Priority, ReviewItem
from reviews.redaction import has_secrets
from reviews.selectors import is_open, with_effective_status
from reviews.services import COMMENT_LIMIT
from reviews.telling import Outcome, Telling, address_of, is_urgent, side_by_side, subject_of
from reviews.templatetags.items import STATUSES, page_of, priority_word

TEXT_LIMIT, HEADER_LIMIT, NOTE_LIMIT = 2_900, 150, 1_000
SINGLY = 5
SECONDS, PAUSE = 12.0, 30
REFRESHED = 50
NOTE, OPEN_PAGE = "note", "open"
GONE = {
    *("message_not_found", "cant_update_message", "channel_not_found", "is_archived", "edit_window_closed"),
    *("not_in_channel", "user_not_found", "user_disabled"),
}
assert NOTE_LIMIT <= COMMENT_LIMIT  # noqa: S101 - what can be typed there can be kept here

Blocks = list[dict[str, Any]]


def tell_by_slack() -> int:
    """Tell people of what is newer than they know, and messages what became of them; return how many."""
    return telling.tell(_Slack()) + refresh()


class _Slack:
    name = Channel.SLACK

    def is_on(self) -> bool:
        return slack.is_on()

    def write(self, about: Telling) -> Callable[[], Outcome]:
        singly, together = _parted(about)
        items = {item.pk: item for item in current([item.pk for item in singly])}
        messages = [(item, subject_of([item]), blocks_of(item)) for item in items.values()]
        counted = (subject_of(together), _counted(together)) if together else None
        return lambda: _sent(member_of(about.subscription), messages, counted)

    def keep(self, about: Telling, outcome: Outcome) -> None:
        SlackMessage.objects.bulk_create(
            (SlackMessage(subscription=about.subscription, **told) for told in outcome.sent or []),
            ignore_conflicts=True,
        )


def _parted(about: Telling) -> tuple[list[ReviewItem], list[ReviewItem]]:
    """Return what comes in a message each, and what is only counted: for a digest, or because it is many."""
    known = set(about.subscription.messages.values_list("item_id", flat=True))
    ordered = sorted(about.items, key=lambda item: (-item.priority, item.pk))
    new = [item for item in ordered if item.pk not in known]  # some were sent before something went wrong
    singly = [item for item in new if is_urgent(item) or not about.subscription.digest_minutes][:SINGLY]
    return singly, [item for item in new if item not in singly]


def _sent(
    member: str, messages: list[tuple[Any, str, Blocks]], counted: tuple[str, Blocks] | None
) -> Outcome:
    ends_at, sent = time.monotonic() + SECONDS, list[dict[str, Any]]()
    opened = slack.call("conversations.open", users=member)
    if opened.problem:
        return Outcome(opened.problem, opened.wait)
    to = {"channel": opened.body.get("channel", {}).get("id", ""), "unfurl_links": False}
    for item, text, blocks in messages:
        if time.monotonic() > ends_at:
            return Outcome("no answer in time", sent=sent)
        answer = slack.call("chat.postMessage", **to, text=text, blocks=blocks)
        if answer.problem:
            return Outcome(answer.problem, answer.wait, sent)
        place = {"channel": answer.body.get("channel", ""), "ts": answer.body.get("ts", "")}
        sent.append({"item_id": item.pk, "version": item.version, **place})
    if counted:
        answer = slack.call("chat.postMessage", **to, text=counted[0], blocks=counted[1])
        return Outcome(answer.problem, answer.wait, sent)
    return Outcome(sent=sent)


# -- What became of it ----------------------------------------------------------------------------------


def refresh() -> int:
    """Write anew the messages whose items are no longer as they show them; return how many were."""
    if not slack.is_on():
        return 0
    as_shown = ReviewItem.objects.filter(is_open(), pk=OuterRef("item_id"), version=OuterRef("version"))
    stale = SlackMessage.objects.filter(~Exists(as_shown), not_before__lte=Now())
    rows = list(stale.select_related("subscription__user__preferences").order_by("not_before")[:REFRESHED])
    if not rows:
        return 0
    items = {item.pk: item for item in current([row.item_id for row in rows])}
    SlackMessage.objects.filter(pk__in=[row.pk for row in rows if row.item_id not in items]).delete()
    rows = [row for row in rows if row.item_id in items]
    outcomes = side_by_side([_updating(row, items[row.item_id]) for row in rows])
    pairs = zip(rows, outcomes, strict=True)
    return sum(settle(row, items[row.item_id], outcome) for row, outcome in pairs)


def _updating(row: SlackMessage, item: Any) -> Callable[[], Outcome]:
    with translation.override(preferences.of(row.subscription.user).language or None):
        return updating(item, channel=row.channel, ts=row.ts)


def updating(
    item: Any, *, channel: str, ts: str, note: str = "", seconds: float = 0
) -> Callable[[], Outcome]:
    """Return what writes the message at *ts* anew, as *item* now is, with a *note* of ours above it."""
    blocks = [section(note)] if note else []
    blocks += blocks_of(item)
    text = note or what_became(item) or subject_of([item])

    def update() -> Outcome:
        answer = slack.call(
            "chat.update", seconds=seconds, channel=channel, ts=ts, text=slack.escaped(text), blocks=blocks
        )
        return Outcome(answer.problem, answer.wait)

    return update


def settle(row: SlackMessage, item: Any, outcome: Outcome) -> bool:
    """Note that the message *row* shows *item* as it now is; forget it once there is nothing more to say."""
    if outcome.problem and outcome.problem not in GONE:
        pause = max(PAUSE, outcome.wait)
        SlackMessage.objects.filter(pk=row.pk).update(not_before=Now() + dt.timedelta(seconds=pause))
    elif outcome.problem or item.effective_status not in OPEN:
        SlackMessage.objects.filter(pk=row.pk).delete()
    else:
        SlackMessage.objects.filter(pk=row.pk).update(version=item.version)
    return not outcome.problem


# -- What a message shows -------------------------------------------------------------------------------


def current(ids: Iterable[str]) -> list[Any]:
    """Return the items with these *ids* as they now are: interrupts as such, and what has files to open."""
    wanted = list(ids)
    if not wanted:
        return []
    asked: dict[str, Any] = {
        item.pk: item for item in with_effective_status(Interrupt.objects.filter(pk__in=wanted))
    }
    others = ReviewItem.objects.filter(pk__in=[pk for pk in wanted if pk not in asked])
    found: dict[str, Any] = asked | {item.pk: item for item in with_effective_status(others)}
    with_files = set(Attachment.objects.filter(item_id__in=asked).values_list("item_id", flat=True))
    for item in found.values():
        item.has_files = item.pk in with_files
    return [found[pk] for pk in wanted if pk in found]


def is_decided_here(item: Any) -> bool:
    """Say whether a click decides *item* whole, and the message shows everything that it decides."""
    if item.kind not in YES_OR_NO or item.has_files:
        return False
    if item.priority >= Priority.CRITICAL or item.needs_several:
        return False
    if not {Decision.APPROVE, Decision.REJECT} <= {*item.allowed_decisions}:
        return False
    if run_question(item) is not None or browser_action(item) is not None:
        return False
    # What is short is read for the rest: an agent's long text is not gone through at each look.
    kept_out = item.policy.get("redact", ())
    return (
        _fits(item)
        and not has_secrets([item.reason, item.tool_args, item.data], kept_out)
        and not any(contradictions(item))
    )


def _fits(item: Interrupt) -> bool:
    parts = (marked(item.reason), _values(item.tool_args), _values(item.data), _facts(item))
    return len(headline(item)) <= HEADER_LIMIT and all(len(part) <= TEXT_LIMIT for part in parts)


def blocks_of(item: Any) -> Blocks:
    """Return what a message says of *item* as it now is."""
    if item.effective_status not in OPEN:
        return _ended(item)
    if not is_decided_here(item):
        told = _("Priority: %(priority)s") % {"priority": priority_word(item.priority)}
        return [section(f"{subject_of([item])}\n{told}"), *_actions(*_page_button(item))]
    return [
        {"type": "header", "text": plain(headline(item))},
        *_asked(item),
        {
            "type": "input",
            "block_id": NOTE,
            "optional": True,
            "label": plain(_("Note (the agent is told)")),
            "element": {"type": "plain_text_input", "action_id": NOTE, "max_length": NOTE_LIMIT},
        },
        *_actions(
            _button(item, Decision.APPROVE, _("Approve"), "primary"),
            _button(item, Decision.REJECT, _("Reject"), "danger"),
            *_page_button(item),
        ),
    ]


def _asked(item: Interrupt) -> Blocks:
    """Return what the agent said, each part under words of ours."""
    parts = [
        (_("The agent says:"), marked(item.reason)),
        (_("With the arguments:"), _values(item.tool_args)),
        (_("Attached:"), _values(item.data)),
    ]
    told = [
        block
        for words, text in parts
        if text
        for block in ({"type": "context", "elements": [plain(words)]}, section(text))
    ]
    return [*told, {"type": "context", "elements": [plain(_facts(item))]}]


def _facts(item: Interrupt) -> str:
    ends = local(item.expires_at) if item.expires_at else "—"
    facts = [
        _("Agent: %(agent)s") % {"agent": marked(f"{item.agent_id} ({item.agent_name})")},
        _("Priority: %(priority)s") % {"priority": priority_word(item.priority)},
        _("Until: %(time)s") % {"time": ends},
    ]
    return " · ".join(facts)


def _values(values: Any) -> str:
    return marked(pretty(values)) if values else ""


def _ended(item: Any) -> Blocks:
    told = [headline(item), marked(item.title)] if is_decided_here(item) else []
    return [section("\n".join([*told, what_became(item)])[:TEXT_LIMIT]), *_actions(*_page_button(item))]


def what_became(item: Any) -> str:
    """Say how *item* ended, when, and by whom; an empty text while it is open."""
    if item.effective_status in OPEN:
        return ""
    word = STATUSES[item.effective_status][1]
    if item.resolved_at is None:  # overdue, and not swept yet
        return _("%(status)s: nobody answered in time.") % {"status": word}
    told = {"status": word, "name": marked(item.resolved_by)[:200], "time": local(item.resolved_at)}
    return _("%(status)s by %(name)s, %(time)s") % told if item.resolved_by else f"{word}, {told['time']}"


def _counted(items: list[ReviewItem]) -> Blocks:
    told = ngettext("%d question waits for you.", "%d questions wait for you.", len(items)) % len(items)
    highest = priority_word(max(item.priority for item in items))
    inbox = address_of(notifying.INBOX)
    button = [{"type": "button", "action_id": OPEN_PAGE, "text": plain(_("Open the inbox")), "url": inbox}]
    return [
        section(f"{told}\n{_('Priority: %(priority)s') % {'priority': highest}}"),
        *_actions(*(button if inbox else [])),
    ]


def _button(item: Interrupt, decision: Decision, word: str, style: str) -> dict[str, Any]:
    button = {
        "type": "button",
        "action_id": str(decision),
        "style": style,
        "text": plain(word),
        "value": shown(item),
    }
    if item.is_high_risk:
        button["confirm"] = {
            "title": plain(_("Are you sure?")),
            "text": plain(_("This is of high risk, and a click decides it.")),
            "confirm": plain(word),
            "deny": plain(_("Back")),
        }
    return button


def shown(item: Any) -> str:
    """Return which item a message shows, and as what: a click decides that, or nothing."""
    return f"{item.pk}:{item.version}:{item.content_hash}"


def _page_button(item: Any) -> Blocks:
    page = address_of(page_of(item))
    return [{"type": "button", "action_id": OPEN_PAGE, "text": plain(_("Open")), "url": page}] if page else []


def _actions(*buttons: dict[str, Any]) -> Blocks:
    return [{"type": "actions", "elements": list(buttons)}] if buttons else []
