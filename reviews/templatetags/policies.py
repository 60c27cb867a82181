"""Template tags for policies: what one says, who answers, how long, and when."""

import datetime as dt
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from events.clock import iso, local
from reviews import durations
from reviews.models import PolicyDecision
from reviews.policy_presentation import CALLS, DECISIONS, SILENCE, stages_in_words
from reviews.templatetags.items import icon

register = template.Library()
register.filter("stages", stages_in_words)
register.filter("lasting", durations.write)


@register.simple_tag
def decision(name: str) -> SafeString:
    """Show what a policy says by shape, colour and word."""
    shape, word = DECISIONS[PolicyDecision(name)]
    return format_html('<span class="chip decision-{}">{}{}</span>', name, icon(shape), word)


@register.simple_tag
def terms(kept: dict[str, Any]) -> SafeString:
    """Show what an item keeps of its policy: the decision and the policy's name."""
    if "decision" not in kept:
        return format_html('<span class="quiet">{}</span>', _("no policy"))
    return format_html("{} <bdi>{}</bdi>", decision(kept["decision"]), kept["name"])


@register.simple_tag
def page_of_id(pk: str) -> str:
    """Return the address of the page of the item with this id, which is not read for it."""
    model = "interrupts_interrupt" if pk.startswith("int_") else "requests_app_actionrequest"
    return reverse(f"admin:{model}_change", args=[pk])


@register.filter
def calls(kind: str) -> Any:
    """Name what a policy is about."""
    return CALLS.get(kind, kind)


@register.filter
def translated(text: str) -> str:
    """Say a sentence of ours that was kept as it is in English."""
    return _(text) if text else ""


@register.filter
def silence(name: str) -> Any:
    """Say what happens when nobody answered."""
    return SILENCE.get(name, "")


@register.filter
def moment(when: dt.datetime) -> SafeString:
    """Show a moment in the reader's zone; the page's script writes it as their browser does."""
    return format_html('<time datetime="{}" data-style="moment">{}</time>', iso(when), local(when))
