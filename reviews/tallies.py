"""What statistics are made of: the names under which a stream's tallies count its items.

    interrupts.asked.approval.3.2026-11-21   asked: kind, priority, day (UTC)
    interrupts.ended.approved                ended: status
    interrupts.took.57344                    answered by a person, in a time of this bucket
    interrupts.microseconds                  the sum of these times

and the same with ``requests``. What is still open has no tally: who moves it does not know from which state.
"""

import datetime as dt

MICROSECOND = dt.timedelta(microseconds=1)
HOUR = dt.timedelta(hours=1) // MICROSECOND
_LONG_BEFORE = dt.timedelta(days=-10_000)
_FINENESS = 3  # binary digits after the first: 8 buckets an octave


def of_start(noun: str, kind: str, priority: int, created_at: dt.datetime) -> dict[str, int]:
    """Return what counts when an item has been asked."""
    return {f"{noun}.asked.{kind}.{priority}.{created_at.astimezone(dt.UTC).date()}": 1}


def of_end(noun: str, status: str, took: dt.timedelta | None) -> dict[str, int]:
    """Return what counts when an item has ended, answered by a person where it *took* time."""
    ended = {f"{noun}.ended.{status}": 1}
    if took is None:
        return ended
    return {**ended, f"{noun}.took.{bucket(took)}": 1, f"{noun}.microseconds": took // MICROSECOND}


def bucket(took: dt.timedelta) -> int:
    """Return the lower bound, in microseconds, of the bucket that *took* lies in."""
    length = max(took // MICROSECOND, 0)
    return length - length % _width(length)


def bounds(lower: int) -> tuple[dt.timedelta, dt.timedelta]:
    """Return where the bucket called *lower* begins and where the next one does."""
    # A clock set back makes times below zero: they count as zero.
    begin = lower * MICROSECOND if lower else _LONG_BEFORE
    return begin, (lower + _width(lower)) * MICROSECOND


def _width(length: int) -> int:
    return 1 << max(length.bit_length() - _FINENESS - 1, 0)
