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
    waits.looked.12.ann                      with its page open for so long before they approved

All these are of what is there: cleanup takes its own off again. What Prometheus counts must never fall:

    ever.asked.approval.3                    asked: kind, priority
    ever.ended.interrupts.approved           ended
    ever.took.approval.300                   answered by a person, within so many seconds and not within fewer
    ever.microseconds.approval               the sum of these times
    ever.late.approval, ever.unanswered.approval
"""

import datetime as dt
import hashlib
from collections.abc import Iterable

from reviews.lifecycle import Status

WAITS, EVER = "waits.", "ever."
MICROSECOND = dt.timedelta(microseconds=1)
TIMED = tuple(f"{WAITS}{matter}." for matter in ("kind", "day", "hour", "group"))
LATE, UNANSWERED = f"{WAITS}late.", f"{WAITS}unanswered."
BY, EDITED, LOOKED = f"{WAITS}by.", "edited", f"{WAITS}looked."
HOUR = dt.timedelta(hours=1) // MICROSECOND
SECONDS = (5, 30, 60, 300, 900, 3_600, 14_400, 86_400, 604_800)
"""The bounds of the times that are counted for good."""
_LONG_BEFORE = dt.timedelta(days=-10_000)
_FINENESS = 3  # binary digits after the first: 8 buckets an octave
_WIDE = 2
_NAME_AT_MOST = 70  # characters of a group: a tally's name has room for a hundred


def of_start(noun: str, kind: str, priority: int, created_at: dt.datetime) -> dict[str, int]:
    """Return what counts when an item has been asked."""
    asked = f"asked.{kind}.{priority}"
    return {f"{noun}.{asked}.{created_at.astimezone(dt.UTC).date()}": 1, f"{EVER}{asked}": 1}


def of_end(noun: str, status: str, ended_at: dt.datetime) -> dict[str, int]:
    """Return what counts when an item has ended."""
    day = ended_at.astimezone(dt.UTC).date()
    return {f"{noun}.ended.{status}.{day}": 1, f"{EVER}ended.{noun}.{status}": 1}


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
        f"{EVER}took.{kind}.{_bound(took)}": 1,
        f"{EVER}microseconds.{kind}": took // MICROSECOND,
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
    if not promised or ended_at <= promised:
        return {}
    return {f"{missed}{kind}": 1, f"{EVER}{missed.removeprefix(WAITS)}{kind}": 1}


def of_decision(
    status: str, is_edited: bool, took: dt.timedelta, by: str, looked: dt.timedelta | None
) -> dict[str, int]:
    """Return what counts besides of who has answered, and how long they had *looked* at it."""
    verdict = EDITED if is_edited and status == Status.APPROVED else status
    counts = {f"{BY}{verdict}.{wide_bucket(took)}.{_short(by)}": 1}
    if looked is not None and status == Status.APPROVED:
        counts[f"{LOOKED}{wide_bucket(looked)}.{_short(by)}"] = 1
    return counts


def lasting(counts: dict[str, int]) -> dict[str, int]:
    """Return those of *counts* that stay when what they count is cleaned up."""
    return {name: number for name, number in counts.items() if name.startswith(EVER)}


def _bound(took: dt.timedelta) -> str:
    return next((str(most) for most in SECONDS if took <= dt.timedelta(seconds=most)), "inf")


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
