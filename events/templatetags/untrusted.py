"""Template tags for text that strangers wrote."""

from typing import Any

from django import template
from django.utils.safestring import SafeString

from events import untrusted

register = template.Library()


@register.filter
def visible(text: object) -> SafeString:
    """Escape *text* and write out what could not be seen in it."""
    return untrusted.visible(str(text))


@register.filter
def marked(text: object) -> str:
    """Write out what could not be seen in *text*, without markup."""
    return untrusted.marked(str(text))


@register.filter
def pretty(value: Any) -> str:
    """Write a JSON value for reading."""
    return untrusted.pretty(value)


@register.inclusion_tag("hitl/long_text.html")
def long_text(text: object, label: str = "") -> dict[str, Any]:
    """Show *text* as it is; folded where it is long, so that who decides has opened it."""
    whole = str(text)
    return {
        "text": whole,
        "label": label,
        "is_long": untrusted.is_long(whole),
        "beginning": "\n".join(whole[:240].splitlines()[:3]),
        "characters": len(whole),
        "lines": whole.count("\n") + 1,
    }
