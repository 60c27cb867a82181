"""Template tags for runs: how one stands, how far it is, what it asks."""

import datetime as dt
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from events.untrusted import visible
from reviews import times
from reviews.templatetags.items import icon
from runs import presentation
from runs.models import Run
from runs.models.runs import where

register = template.Library()


@register.simple_tag
def run_status(name: str) -> SafeString:
    """Show the status of a run by shape, colour and word."""
    shape, word = presentation.STATUSES[name]
    return format_html('<span class="chip run-{}">{}{}</span>', name, icon(shape), word)


@register.simple_tag
def run_called(run: Any) -> SafeString:
    """Name what a row's run calls: its model, or where its ``address`` leads."""
    return visible(run.model or where(run.address))


@register.simple_tag
def run_track(run: Run) -> SafeString:
    """Show how far a run is: a segment for each step, and the name of the one it is at."""
    segments = presentation.track(run)
    number = sum(segment.state == "done" for segment in segments)
    told = _("%(done)d of %(all)d steps done") % {"done": number, "all": len(segments)}
    drawn = format_html_join("", '<i class="is-{}"></i>', ((segment.state,) for segment in segments))
    return format_html(
        '<span class="track"><span class="track-line" role="img" aria-label="{}">{}</span>'
        '<span class="track-word">{}</span></span>',
        told,
        drawn,
        presentation.standing(run),
    )


@register.filter
def step_word(step: str) -> str:
    """Name a step for people; one that there is not any more by its own name."""
    return visible(presentation.step_word(step))


@register.filter
def checkpoint_word(kind: str) -> str:
    """Say what is asked at a checkpoint."""
    return visible(presentation.KINDS.get(kind, kind))


@register.filter
def about(seconds: float | None) -> str:
    """Write the upper bound of a time that was only counted in a bucket."""
    if seconds is None:
        return "—"
    if seconds == float("inf"):
        return _("over a day")
    return _("under %(length)s") % {"length": times.duration(seconds)}


@register.simple_tag
def lasted(start: dt.datetime, end: dt.datetime) -> str:
    """Write how long something took that is over."""
    return presentation.length(end - start)
