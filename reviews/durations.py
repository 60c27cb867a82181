"""Durations as people type them: ``4 h``, ``30 min``, ``1 d 4 h``; read into seconds, and written back."""

import re

from django.utils.translation import gettext as _

UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_WORDS = {
    "w": ("w", "week", "weeks"),
    "d": ("d", "day", "days"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "min": ("m", "min", "mins", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds"),
}
_SECONDS = {word: seconds for unit, seconds in UNITS for word in _WORDS[unit]}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]+)[\s,]*", re.ASCII)


def parse(text: str) -> int:
    """Return the whole seconds that *text* says.

    Raises:
        ValueError: it is no duration, or none longer than nothing; the message says how one is written.
    """
    text = text.strip().lower()
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text) or any(unit not in _SECONDS for _number, unit in parts):
        raise ValueError(_("Write it like 30 min, 4 h, 2 d or 1 d 12 h."))
    seconds = round(sum(float(number) * _SECONDS[unit] for number, unit in parts))
    if seconds < 1:
        raise ValueError(_("Write it like 30 min, 4 h, 2 d or 1 d 12 h."))
    return seconds


def write(seconds: int) -> str:
    """Return *seconds* as a person types them, losing none: ``1 d 4 h``."""
    parts = []
    for unit, length in UNITS[1:]:  # 14 d reads better than 2 w
        number, seconds = divmod(seconds, length)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts) or "0 s"
