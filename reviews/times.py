"""Say how long ago, or how soon, in the words that the pages' own clock uses as well."""

import datetime as dt

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from events.clock import iso, local

MINUTE, HOUR, DAY = 60, 3_600, 86_400
SOON_SECONDS = 15 * MINUTE


def duration(seconds: float) -> str:
    """Write a length of time in its two largest units: ``4 h 3 min``."""
    whole = int(abs(seconds))
    if whole < MINUTE:
        return _("%(n)d s") % {"n": whole}
    if whole < HOUR:
        return _("%(n)d min") % {"n": whole // MINUTE}
    if whole < DAY:
        hours, minutes = _("%(n)d h") % {"n": whole // HOUR}, whole % HOUR // MINUTE
        return f"{hours} {_('%(n)d min') % {'n': minutes}}" if minutes else hours
    days, hours_left = _("%(n)d d") % {"n": whole // DAY}, whole % DAY // HOUR
    return f"{days} {_('%(n)d h') % {'n': hours_left}}" if hours_left else days


def phrase(moment: dt.datetime, style: str) -> str:
    """Write *moment* seen from now, as a deadline (``due``), a wait (``since``) or a time past (``ago``)."""
    seconds = (moment - timezone.now()).total_seconds()
    length = duration(seconds)
    if style == "since":
        return length
    if style == "ago":
        return _("just now") if seconds > -5 else _("%(length)s ago") % {"length": length}
    return (_("in %(length)s") if seconds > 0 else _("%(length)s late")) % {"length": length}


def time_element(moment: dt.datetime | None, style: str) -> SafeString:
    """Return a ``<time>`` whose words are right now and are kept right by the page."""
    if moment is None:
        return format_html('<span class="quiet">{}</span>', "—")
    seconds = (moment - timezone.now()).total_seconds()
    urgency = "late" if seconds <= 0 else "soon" if seconds <= SOON_SECONDS else ""
    return format_html(
        '<time datetime="{}" data-style="{}" title="{}"{}>{}</time>',
        iso(moment),
        style,
        local(moment, seconds=True),
        format_html(' class="{}"', urgency) if style == "due" and urgency else "",
        phrase(moment, style),
    )
