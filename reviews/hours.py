"""Business hours: durations that do not pass at night, at weekends and on holidays."""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TEXT = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? ((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)")
_LONGEST = 5 * 366  # days to look ahead; a duration of a year at one hour a day does not end before


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """Say on which *days* (0 is Monday) and between which hours of *zone* people work."""

    days: frozenset[int]
    opens: dt.time
    closes: dt.time
    zone: ZoneInfo
    holidays: frozenset[dt.date]

    def after(self, start: dt.datetime, seconds: int) -> dt.datetime:
        """Return the moment at which *seconds* of business hours have passed since *start*."""
        left = dt.timedelta(seconds=seconds)
        first = start.astimezone(self.zone).date()
        for number in range(_LONGEST):
            day = first + dt.timedelta(days=number)
            if day.weekday() not in self.days or day in self.holidays:
                continue
            opens, closes = self._at(day, self.opens), self._at(day, self.closes)
            begins = max(opens, start)
            if begins < closes and begins + left <= closes:
                return begins + left
            left -= max(closes - begins, dt.timedelta())
        return start + dt.timedelta(days=_LONGEST)

    def _at(self, day: dt.date, time: dt.time) -> dt.datetime:
        # In UTC: the difference of two moments in one zone ignores its summer time.
        return dt.datetime.combine(day, time, self.zone).astimezone(dt.UTC)


def read_hours(text: str, zone: str, holidays: Collection[str]) -> BusinessHours:
    """Read hours written as ``Mon-Fri 09:00-17:00``, a time zone's name and days as ``2026-12-25``.

    Raises:
        ValueError: one of them cannot be read; the message says which and how it is written.
    """
    found = _TEXT.fullmatch(text.strip().lower())
    if not found or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
        raise ValueError(f"HITL_BUSINESS_HOURS must read like 'Mon-Fri 09:00-17:00', not {text!r}.")
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    opens, closes = dt.time.fromisoformat(found[3]), dt.time.fromisoformat(found[4])
    if opens >= closes or first > last:
        raise ValueError("HITL_BUSINESS_HOURS must begin before they end, in the day and in the week.")
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(
            f"HITL_BUSINESS_TIME_ZONE must be a zone such as Europe/Paris, not {zone!r}."
        ) from None
    try:
        free = frozenset(dt.date.fromisoformat(day.strip()) for day in holidays if day.strip())
    except ValueError:
        raise ValueError("HITL_HOLIDAYS must be days such as 2026-12-25, separated by commas.") from None
    return BusinessHours(frozenset(range(first, last + 1)), opens, closes, place, free)
