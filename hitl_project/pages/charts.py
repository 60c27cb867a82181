"""The charts of the pages: what each says, and the table that it is drawn from.

The table is the truth: it is there without scripts, and the page's script reads nothing else.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from reviews import times
from reviews.lifecycle import FINAL, Status
from reviews.models import Kind, Priority
from reviews.oversight import QUICK_SECONDS, VERDICTS, Person
from reviews.tallies import EDITED
from reviews.templatetags.items import KINDS, PRIORITIES, STATUSES
from reviews.waits import AGENTS_SHOWN, Days, Miss, Wait

DAYS_SHOWN = 14
MEDIAN, P95 = "median", "p95"
_VERDICTS = [status for status in Status if status in FINAL]


@dataclass(frozen=True, slots=True)
class Cell:
    """Be a figure of a table: the number that is drawn, None for a gap, and how it is written."""

    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Be a chart: *shape* and *unit* are those of js/charts.js; a *series* is its colour's name and a word.

    *counts* is how many answers each row is about, where a figure is not a count itself.
    """

    name: str
    shape: str
    unit: str
    title: str
    says: str
    first: str
    series: Sequence[tuple[str, Any]]
    rows: Sequence[tuple[Any, Sequence[Cell]]]
    counts: Sequence[int] = ()

    @property
    def is_flat(self) -> bool:
        """Say whether there is nothing to draw: no figure is more than nothing."""
        return not any(cell.value for _label, cells in self.rows for cell in cells)

    @property
    def table(self) -> list[tuple[Any, Sequence[Cell], int | None]]:
        counts: Sequence[int | None] = self.counts or [None] * len(self.rows)
        return [(label, cells, count) for (label, cells), count in zip(self.rows, counts, strict=True)]


# -- The overview -------------------------------------------------------------------------------------


def of_days(found: Days) -> list[Chart]:
    """Return the charts of the last days: what was decided, and how long it took people."""
    today = timezone.now().astimezone(dt.UTC).date()
    shown = [today - dt.timedelta(days=back) for back in reversed(range(DAYS_SHOWN))]
    ended: list[dict[str, int]] = [found.ended.get(str(day), {}) for day in shown]
    present = [status for status in _VERDICTS if any(day.get(status) for day in ended)]
    told = {"count": sum(sum(day.values()) for day in ended), "days": DAYS_SHOWN}
    waits = [found.waits.get(str(day)) for day in shown]
    return [
        Chart(
            name="decided",
            shape="stacked",
            unit="count",
            title=_("Decided each day"),
            says=_("%(count)d ended in the last %(days)d days.") % told,
            first=_("Day (UTC)"),
            series=[(status.value, STATUSES[status][1]) for status in present],
            rows=[
                (_day(day), [_count(counts.get(status, 0)) for status in present])
                for day, counts in zip(shown, ended, strict=True)
            ],
        ),
        Chart(
            name="waits",
            shape="line",
            unit="seconds",
            title=_("Median wait"),
            says=_says_of_wait(found.wait),
            first=_("Day (UTC)"),
            series=[(MEDIAN, _("Median wait"))],
            rows=[
                (_day(day), [_seconds(wait.median if wait else None)])
                for day, wait in zip(shown, waits, strict=True)
            ],
            counts=[wait.count if wait else 0 for wait in waits],
        ),
    ]


def of_priorities(waiting: dict[Priority, int]) -> Chart:
    """Return the chart of what waits by priority."""
    return Chart(
        name="priorities",
        shape="bars",
        unit="count",
        title=_("Waiting by priority"),
        says=_("%(count)d wait; %(urgent)d of them are high or critical.")
        % {
            "count": sum(waiting.values()),
            "urgent": sum(count for rank, count in waiting.items() if rank >= Priority.HIGH),
        },
        first=_("Priority"),
        series=[("waiting", _("Waiting"))],
        rows=[(PRIORITIES[rank][2], [_count(waiting[rank])]) for rank in reversed(Priority)],
    )


# -- Response times -----------------------------------------------------------------------------------


def of_waits(found: dict[str, dict[str, Wait]]) -> list[Chart]:
    """Return the charts of how long people took: by kind, by group, by hour."""
    kinds = {KINDS[Kind(name)][1]: wait for name, wait in found.get("kind", {}).items()}
    groups = {name or _("Everybody who may decide"): wait for name, wait in found.get("group", {}).items()}
    hours = {f"{hour:02}:00": found.get("hour", {}).get(str(hour)) for hour in range(24)}
    return [
        _chart_of_waits("kinds", "across", _("By kind"), _("Kind"), _slowest_first(kinds)),
        _chart_of_waits("groups", "across", _("By reviewer group"), _("Asked"), _slowest_first(groups)),
        _chart_of_waits("hours", "bars", _("By the hour of asking"), _("Hour (UTC)"), hours),
    ]


def of_agents(found: dict[str, Wait]) -> Chart:
    """Return the chart of how long the answers to the busiest agents took."""
    title = _("By agent, the %(count)d that got most answers") % {"count": AGENTS_SHOWN}
    return _chart_of_waits("agents", "across", title, _("Agent"), _slowest_first(found))


def of_misses(found: dict[str, Miss]) -> Chart:
    """Return the chart of what came too late, by kind."""
    late, unanswered = (
        sum(getattr(miss, name) for miss in found.values()) for name in ("late", "unanswered")
    )
    return Chart(
        name="misses",
        shape="across",
        unit="count",
        title=_("Too late"),
        says=_("%(late)d were answered after they were due; nobody answered %(unanswered)d in time.")
        % {"late": late, "unanswered": unanswered},
        first=_("Kind"),
        series=[("late", _("Answered late")), ("unanswered", _("Not answered in time"))],
        rows=[
            (KINDS[Kind(name)][1], [_count(miss.late), _count(miss.unanswered)])
            for name, miss in found.items()
        ],
    )


# -- Oversight ----------------------------------------------------------------------------------------


def of_people(found: dict[str, Person]) -> list[Chart]:
    """Return the charts of how each person decides: which way, how soon, and what nobody can have read."""
    words = {status.value: STATUSES[status][1] for status in _VERDICTS} | {EDITED: _("Approved with edits")}
    quick, glances, approved = (
        sum(getattr(one, name) for one in found.values()) for name in ("quick", "glances", "approved")
    )
    decided, seconds = sum(one.wait.count for one in found.values()), {"seconds": QUICK_SECONDS}
    return [
        Chart(
            name="verdicts",
            shape="across-stacked",
            unit="count",
            title=_("Decisions"),
            says=ngettext("%(count)d decision of people.", "%(count)d decisions of people.", decided)
            % {"count": decided},
            first=_("Decided by"),
            series=[(verdict, words[verdict]) for verdict in VERDICTS],
            rows=[
                (name, [_share(one.verdicts[verdict], one.wait.count) for verdict in VERDICTS])
                for name, one in found.items()
            ],
            counts=[one.wait.count for one in found.values()],
        ),
        _chart_of_waits(
            "people",
            "across",
            _("From the question to the decision"),
            _("Decided by"),
            {name: one.wait for name, one in found.items()},
        ),
        _chart_of_waits(
            "looked",
            "across",
            _("With the page open before approving"),
            _("Decided by"),
            {name: one.looked for name, one in found.items()},
            says=_("Of what was approved by the API it is not known."),
        ),
        Chart(
            name="quick",
            shape="across",
            unit="count",
            title=_("Too quick to have been read"),
            says=_(
                "Of %(approved)d approvals %(quick)d came within %(seconds)d seconds of the question, and for"
                " %(glances)d the page was open no longer."
            )
            % {"quick": quick, "glances": glances, "approved": approved, **seconds},
            first=_("Decided by"),
            series=[
                ("quick", _("Within %(seconds)d seconds of the question") % seconds),
                ("glances", _("Page open for less than %(seconds)d seconds") % seconds),
            ],
            rows=[
                (name, [_share(one.quick, one.approved), _share(one.glances, one.approved)])
                for name, one in found.items()
            ],
        ),
    ]


def of_held(found: dict[str, int]) -> Chart:
    """Return the chart of who has claimed how much now."""
    return Chart(
        name="held",
        shape="across",
        unit="count",
        title=_("Claimed now"),
        says=ngettext("%(count)d item is claimed.", "%(count)d items are claimed.", sum(found.values()))
        % {"count": sum(found.values())},
        first=_("Claimed by"),
        series=[("waiting", _("Claimed"))],
        rows=[(name, [_count(number)]) for name, number in found.items()],
    )


def _chart_of_waits(
    name: str,
    shape: str,
    title: str,
    first: str,
    waits: dict[Any, Wait | None] | dict[Any, Wait],
    says: str = "",
) -> Chart:
    return Chart(
        name=name,
        shape=shape,
        unit="seconds",
        title=title,
        says=says or _says_of_slowest(waits),
        first=first,
        series=[(MEDIAN, _("Median")), (P95, _("95 of 100 within"))],
        rows=[
            (label, [_seconds(wait.median if wait else None), _seconds(wait.p95 if wait else None)])
            for label, wait in waits.items()
        ],
        counts=[wait.count if wait else 0 for wait in waits.values()],
    )


def _slowest_first(waits: dict[Any, Wait]) -> dict[Any, Wait]:
    return dict(sorted(waits.items(), key=lambda found: -found[1].median))


def _says_of_slowest(waits: dict[Any, Wait | None] | dict[Any, Wait]) -> str:
    answered = [(label, wait) for label, wait in waits.items() if wait]
    if not answered:
        return _("Nobody has answered yet.")
    label, wait = max(answered, key=lambda found: found[1].median)
    told = {"label": label, "length": times.duration(wait.median)}
    return _("Slowest: %(label)s, where half of the answers took longer than %(length)s.") % told


def _says_of_wait(wait: Wait | None) -> str:
    if wait is None:
        return _("Nobody has answered yet.")
    told = {"count": wait.count, "length": times.duration(wait.median)}
    return _("Half of all %(count)d answers came within %(length)s.") % told


def _count(number: int) -> Cell:
    return Cell(number, str(number))


def _share(number: int, of: int) -> Cell:
    return Cell(number, f"{number} ({number / of:.0%})" if of else str(number))


def _seconds(seconds: float | None) -> Cell:
    return Cell(None, "—") if seconds is None else Cell(seconds, times.duration(seconds))


def _day(day: dt.date) -> str:
    return date_format(day, "j M")
