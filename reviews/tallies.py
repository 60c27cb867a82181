"""What statistics are made of: the names under which a stream's tallies count its items.

    interrupts.asked.approval.3.2026-11-21   asked: kind, priority, day (UTC)
    interrupts.ended.approved.2026-11-21     ended: status, day
    interrupts.took.57344                    answered by a person, in a time of this bucket
    interrupts.microseconds                  the sum of these times

and the same with ``requests``. What is still open has no tally: who moves it does not know from which state.
How long people took is counted once more for the pages, of both alike, in wide buckets of whole seconds:

    waits.kind.approval.48                   by kind
    waits.day.2026-11-21.48                  by the day of the answer
    waits.hour.13.48                         by the hour (UTC) in which it was asked
    waits.group.48.finance                   by each group that was asked at the end; no name: everybody

A stream is an agent's, so how long its answers took needs no name. What came too late is counted by kind:

    waits.late.approval                      answered by a person after it was due
    waits.unanswered.approval                answered by nobody before its deadline

and how people decide, by who did: with a verdict, which is a status or ``edited``, and the same wide buckets

    waits.by.approved.48.ann
"""

import datetime as dt
import hashlib
from collections.abc import Iterable

from reviews.lifecycle import Status

WAITS = "waits."
MICROSECOND = dt.timedelta(microseconds=1)
TIMED = tuple(f"{WAITS}{matter}." for matter in ("kind", "day", "hour", "group"))
LATE, UNANSWERED = f"{WAITS}late.", f"{WAITS}unanswered."
BY, EDITED = f"{WAITS}by.", "edited"
HOUR = dt.timedelta(hours=1) // MICROSECOND
_LONG_BEFORE = dt.timedelta(days=-10_000)
_FINENESS = 3  # binary digits after the first: 8 buckets an octave
_WIDE = 2
_NAME_AT_MOST = 70  # characters of a group: a tally's name has room for a hundred


def of_start(noun: str, kind: str, priority: int, created_at: dt.datetime) -> dict[str, int]:
    """Return what counts when an item has been asked."""
    return {f"{noun}.asked.{kind}.{priority}.{created_at.astimezone(dt.UTC).date()}": 1}


def of_end(noun: str, status: str, ended_at: dt.datetime) -> dict[str, int]:
    """Return what counts when an item has ended."""
    return {f"{noun}.ended.{status}.{ended_at.astimezone(dt.UTC).date()}": 1}


def of_answer(
    noun: str, kind: str, took: dt.timedelta, ended_at: dt.datetime, groups: Iterable[str]
) -> dict[str, int]:
    """Return what counts besides when a person has answered, whom *groups* were asked with."""
    second, ended_at = wide_bucket(took), ended_at.astimezone(dt.UTC)
    return {
        f"{noun}.took.{bucket(took)}": 1,
        f"{noun}.microseconds": took // MICROSECOND,
        f"{WAITS}kind.{kind}.{second}": 1,
        f"{WAITS}day.{ended_at.date()}.{second}": 1,
        f"{WAITS}hour.{(ended_at - took).hour}.{second}": 1,
        **{f"{WAITS}group.{second}.{name[:_NAME_AT_MOST]}": 1 for name in groups or [""]},
    }


def of_miss(
    kind: str,
    took: dt.timedelta | None,
    ended_at: dt.datetime,
    due_at: dt.datetime | None,
    expires_at: dt.datetime | None,
) -> dict[str, int]:
    """Return what counts besides when a person has answered too late, or nobody (*took* is None) in time."""
    promised, missed = (expires_at, UNANSWERED) if took is None else (due_at, LATE)
    return {f"{missed}{kind}": 1} if promised and ended_at > promised else {}


def of_decision(status: str, is_edited: bool, took: dt.timedelta, by: str) -> dict[str, int]:
    """Return what counts besides of who has answered."""
    verdict = EDITED if is_edited and status == Status.APPROVED else status
    return {f"{BY}{verdict}.{wide_bucket(took)}.{_short(by)}": 1}


def _short(name: str) -> str:
    """Return *name*; what is too long ends in a digest, so that two people never count as one."""
    if len(name) <= _NAME_AT_MOST:
        return name
    return f"{name[: _NAME_AT_MOST - 9]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def bucket(took: dt.timedelta) -> int:
    """Return the lower bound, in microseconds, of the bucket that *took* lies in."""
    length = max(took // MICROSECOND, 0)
    return length - length % _width(length)


def wide_bucket(took: dt.timedelta) -> int:
    """Return the lower bound, in whole seconds, of the wide bucket that *took* lies in: four an octave."""
    length = max(took // dt.timedelta(seconds=1), 0)
    return length - length % _width(length, _WIDE)


def wide_bounds(lower: int) -> tuple[int, int]:
    """Return the second where the wide bucket called *lower* begins, and where the next one does."""
    return lower, lower + _width(lower, _WIDE)


def bounds(lower: int) -> tuple[dt.timedelta, dt.timedelta]:
    """Return where the bucket called *lower* begins and where the next one does."""
    # A clock set back makes times below zero: they count as zero.
    begin = lower * MICROSECOND if lower else _LONG_BEFORE
    return begin, (lower + _width(lower)) * MICROSECOND


def _width(length: int, fineness: int = _FINENESS) -> int:
    return 1 << max(length.bit_length() - fineness - 1, 0)
