"""Template tags for what every kind of item shows: priority, status, kind, times."""

import datetime as dt
from typing import Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from agents import preferences
from events import push
from events.clock import iso
from events.untrusted import visible
from reviews import times
from reviews.lifecycle import OPEN
from reviews.models import INTERRUPTS, Kind, Priority, ReviewItem
from reviews.shortcuts import shortcuts

register = template.Library()

PRIORITIES = {
    Priority.LOW: ("low", "down", _("Low")),
    Priority.MEDIUM: ("medium", "equal", _("Medium")),
    Priority.HIGH: ("high", "up", _("High")),
    Priority.CRITICAL: ("critical", "double-up", _("Critical")),
}
STATUSES = {
    "pending": ("clock", _("Waiting")),
    "in_review": ("eye", _("In review")),
    "approved": ("check", _("Approved")),
    "fulfilled": ("check", _("Fulfilled")),
    "rejected": ("cross", _("Rejected")),
    "expired": ("hourglass", _("Expired")),
    "cancelled": ("slash", _("Cancelled")),
}
KINDS = {
    Kind.APPROVAL: ("check", _("Approval")),
    Kind.CONFIRMATION: ("question", _("Confirmation")),
    Kind.INPUT: ("pencil", _("Input")),
    Kind.FEEDBACK: ("note", _("Feedback")),
    Kind.API_KEY: ("key", _("API key")),
    Kind.ACCOUNT_CREATION: ("account", _("Account")),
    Kind.LEGAL_DOCUMENT: ("document", _("Legal document")),
    Kind.PAYMENT_AUTHORIZATION: ("payment", _("Payment")),
    Kind.BUSINESS_SETUP: ("briefcase", _("Business setup")),
    Kind.STRATEGIC_DECISION: ("compass", _("Strategic decision")),
    Kind.CUSTOM: ("puzzle", _("Something else")),
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon of the sprite; the words beside it are what is read aloud."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("hitl/icons.svg"), name
    )


@register.simple_tag
def priority(rank: int) -> SafeString:
    """Show a priority by shape, colour and word."""
    name, shape, word = PRIORITIES[Priority(rank)]
    return format_html('<span class="chip priority-{}">{}{}</span>', name, icon(shape), word)


@register.filter
def priority_word(rank: int) -> Any:
    """Name a priority where there are no shapes and colours."""
    return PRIORITIES[Priority(rank)][2]


@register.simple_tag
def status(name: str) -> SafeString:
    """Show a status by shape, colour and word."""
    shape, word = STATUSES[name]
    return format_html('<span class="chip status-{}">{}{}</span>', name, icon(shape), word)


@register.simple_tag
def votes_chip(item: ReviewItem) -> SafeString | str:
    """Show how far the votes on an open item are, of the stage that is asked; nothing where one is enough."""
    if item.status not in OPEN or not item.needs_several:
        return ""
    stage = item.stages[item.stage]
    given = sum(vote["stage"] == item.stage for vote in item.votes)
    told = gettext("%(given)d of %(all)d") % {"given": given, "all": stage["required_approvals"]}
    name = visible(f"{stage['name']} ") if len(item.stages) > 1 else ""
    title = gettext("approvals given")
    return format_html(
        '<span class="chip plain votes" title="{}">{}{}{}</span>', title, icon("people"), name, told
    )


@register.filter(name="kind")
def kind_chip(name: str) -> SafeString:
    """Show a kind of item by shape and word."""
    shape, word = KINDS[Kind(name)]
    return format_html('<span class="kind">{}{}</span>', icon(shape), word)


@register.simple_tag
def page_of(item: ReviewItem) -> str:
    """Return the address of an item's page, with its plain id."""
    model = "interrupts_interrupt" if item.kind in INTERRUPTS else "requests_app_actionrequest"
    return reverse(f"admin:{model}_change", args=[item.pk])


@register.simple_tag
def claim_path(item: ReviewItem) -> SafeString | str:
    """Write where an open item that nobody holds can be claimed by the page's scripts."""
    if item.status not in OPEN or getattr(item, "holder", None):
        return ""
    name = "interrupt-claim" if item.kind in INTERRUPTS else "request-start-review"
    return format_html(' data-claim="{}"', reverse(f"api-v1:{name}", args=[item.pk]))


@register.filter
def due(moment: dt.datetime | None) -> SafeString:
    """Show a deadline as the time that is left, or by how much it has passed."""
    return times.time_element(moment, "due")


@register.filter
def since(moment: dt.datetime | None) -> SafeString:
    """Show how long something has lasted."""
    return times.time_element(moment, "since")


@register.filter
def ago(moment: dt.datetime | str | None) -> SafeString:
    """Show when something was; the record writes moments as ISO 8601."""
    moment = dt.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return times.time_element(moment, "ago")


@register.filter
def who(actor: str) -> SafeString:
    """Show an actor of the record (``user:ann``) by the bare name."""
    return visible(actor.removeprefix("user:").removeprefix("agent:"))


@register.simple_tag(takes_context=True)
def words(context: template.Context) -> SafeString:
    """Give the page's scripts the words they need, in the reader's language."""
    chosen = preferences.of(context["request"].user)
    return json_script(
        {
            "preferences": {
                "shortcuts": chosen.shortcuts,
                "time_zone": chosen.time_zone,
                "language": get_language(),
            },
            "units": [gettext("%(n)d s"), gettext("%(n)d min"), gettext("%(n)d h"), gettext("%(n)d d")],
            "server_now": iso(timezone.now()),
            "due": gettext("in %(length)s"),
            "late": gettext("%(length)s late"),
            "ago": gettext("%(length)s ago"),
            "now": gettext("just now"),
            "new": [gettext("1 new: show"), gettext("%(n)d new: show")],
            "arrived": gettext("New: %(title)s"),
            "gone": gettext("%(status)s: %(title)s"),
            "offline": gettext("Not connected. What you see may be out of date; trying again."),
            "online": gettext("Connected again, and up to date."),
            "ended": gettext("You are logged out. Log in again to go on; what you typed stays here."),
            "login": gettext("Log in"),
            "unplugged": gettext("This device is offline. What you see may be out of date."),
            "stale": gettext(
                "The server does not answer as it should. What you see may be out of date; trying again."
            ),
            "waits": [gettext("A question waits"), gettext("%(n)d new questions wait")],
            "device": _device_words(),
            "removed": gettext("removed"),
            "added": gettext("added"),
            "ticked": gettext("%(n)d ticked"),
            "claimed": gettext("You hold it now."),
            "lost": gettext("Your claim has ended. Claim it again, so that nobody else works on it."),
            "chosen": gettext("Chosen: %(option)s"),
            "keys": shortcuts(),
        },
        "hitl-words",
    )


def _device_words() -> dict[str, str]:
    """Say what the switches of a device come to."""
    return {
        "insecure": gettext(
            "This browser can do so over https only. Ask an administrator for a secure address."
        ),
        "unsupported": gettext("This browser cannot do this."),
        "unsupported_push": gettext(
            "This browser cannot be pushed to. On an iPhone, add this to the home screen first."
        ),
        "denied": gettext(
            "This browser has been told to show none from here."
            " Allow notifications in its settings for this site."
        ),
        "on": gettext("On, for this device."),
        "off": gettext("Off, for this device."),
        "tried": gettext("That is how it looks and sounds."),
        "silent": gettext("This browser plays no sound here. Is the tab muted?"),
        "failed": gettext("That did not work. Try again; if it does not help, log in again."),
    }


@register.simple_tag
def push_key() -> str:
    """Return the key that a browser subscribes with; an empty text where this server pushes nowhere."""
    return push.public_key() if settings.HITL_PUSH_HOSTS else ""


@register.simple_tag
def bound_to(field: Any, form_id: str) -> SafeString:
    """Draw *field* as part of the form *form_id*, wherever on the page it stands."""
    drawn: SafeString = field.as_widget(attrs={"form": form_id} if form_id else None)
    return drawn
