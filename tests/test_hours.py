"""Business hours, as pure arithmetic: against a clock that counts every minute."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviews.hours import BusinessHours, read_hours

PARIS = ZoneInfo("Europe/Paris")
HOURS = read_hours("Mon-Fri 09:00-17:00", "Europe/Paris", ["2026-12-25", "2027-01-01"])
NIGHT = read_hours("Sat-Sun 01:30-03:30", "Europe/Paris", [])
MINUTE = dt.timedelta(minutes=1)


def at(text: str, zone: ZoneInfo = PARIS) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-23T10:00", 2, "2026-11-23T12:00"),
        ("2026-11-23T10:00", 7, "2026-11-23T17:00"),  # until they close is the same day
        ("2026-11-23T10:00", 8, "2026-11-24T10:00"),
        ("2026-11-23T03:00", 1, "2026-11-23T10:00"),
        ("2026-11-23T17:00", 1, "2026-11-24T10:00"),
        ("2026-11-27T16:00", 2, "2026-11-30T10:00"),  # over the weekend
        ("2026-11-28T12:00", 1, "2026-11-30T10:00"),
        ("2026-12-24T16:00", 2, "2026-12-28T10:00"),  # over Christmas and the weekend
        ("2026-12-31T16:00", 2, "2027-01-04T10:00"),
        ("2026-03-27T16:00", 2, "2026-03-30T10:00"),  # over the beginning of summer time
        ("2026-10-23T16:00", 2, "2026-10-26T10:00"),
        ("2026-11-23T10:00", 40, "2026-11-30T10:00"),
    ],
)
def test_hours_pass_only_while_people_work(start: str, hours: int, end: str) -> None:
    assert HOURS.after(at(start), hours * 3_600) == at(end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-29T01:30", "2026-04-04T02:30"),  # that night has one hour: half past two is not there
        ("2026-10-25T01:30", "2026-10-25T03:30"),  # and this one three
        ("2026-06-06T01:30", "2026-06-06T03:30"),
    ],
)
def test_a_night_has_the_hours_that_truly_pass(start: str, end: str) -> None:
    seconds = 3 * 3_600 if start.startswith("2026-10") else 2 * 3_600
    assert NIGHT.after(at(start), seconds) == at(end)


def test_another_zone_asks_about_the_same_moment() -> None:
    tokyo = at("2026-11-23T18:00", ZoneInfo("Asia/Tokyo"))  # ten in Paris

    assert HOURS.after(tokyo, 3_600) == at("2026-11-23T11:00")


def test_where_nobody_ever_works_it_ends_all_the_same() -> None:
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=number) for number in range(6 * 366)]
    never = BusinessHours(frozenset({0}), dt.time(9), dt.time(17), PARIS, frozenset(days))

    assert never.after(at("2026-11-23T10:00"), 60) > at("2031-01-01T00:00")


def is_work(hours: BusinessHours, moment: dt.datetime) -> bool:
    local = moment.astimezone(hours.zone)
    return (
        local.weekday() in hours.days
        and local.date() not in hours.holidays
        and hours.opens <= local.time() < hours.closes
    )


def counted(hours: BusinessHours, start: dt.datetime, minutes: int) -> dt.datetime:
    """Count minute by minute: slow, and plainly right."""
    moment = start.astimezone(dt.UTC)
    while minutes:
        minutes -= is_work(hours, moment)
        moment += MINUTE
    return moment


zones = st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    zone=zones,
    first=st.integers(0, 6),
    last=st.integers(0, 6),
    opens=st.integers(4, 12),
    length=st.integers(1, 11),
    start=st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 12, 31)),
    minutes=st.integers(1, 2_000),
    holidays=st.sets(st.dates(dt.date(2026, 1, 1), dt.date(2027, 12, 31)), max_size=20),
)
def test_it_is_what_a_clock_counts(
    zone: str, first: int, last: int, opens: int, length: int,
    start: dt.datetime, minutes: int, holidays: set[dt.date],
) -> None:  # fmt: skip
    days = frozenset(range(min(first, last), max(first, last) + 1))
    place = ZoneInfo(zone)
    hours = BusinessHours(days, dt.time(opens), dt.time(opens + length), place, frozenset(holidays))
    begin = start.replace(second=0, microsecond=0, tzinfo=dt.UTC)

    assert hours.after(begin, minutes * 60) == counted(hours, begin, minutes)


@pytest.mark.parametrize(
    ("text", "zone", "holidays", "told"),
    [
        ("9 to 5", "UTC", [], "HITL_BUSINESS_HOURS must read like"),
        ("Mon-Foo 09:00-17:00", "UTC", [], "HITL_BUSINESS_HOURS must read like"),
        ("Mon-Fri 09:00-25:00", "UTC", [], "HITL_BUSINESS_HOURS must read like"),
        ("Mon-Fri 17:00-09:00", "UTC", [], "must begin before they end"),
        ("Fri-Mon 09:00-17:00", "UTC", [], "must begin before they end"),
        ("Mon 09:00-09:00", "UTC", [], "must begin before they end"),
        ("Mon 09:00-17:00", "Mars", [], "HITL_BUSINESS_TIME_ZONE must be a zone"),
        ("Mon 09:00-17:00", "../etc/passwd", [], "HITL_BUSINESS_TIME_ZONE must be a zone"),
        ("Mon 09:00-17:00", "UTC", ["Christmas"], "HITL_HOLIDAYS must be days"),
    ],
)
def test_hours_that_cannot_be_read_are_told(text: str, zone: str, holidays: list[str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_hours(text, zone, holidays)
