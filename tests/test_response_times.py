"""How long people take, and how the days went: on the overview and on a page of its own."""

import datetime as dt
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from events import log
from interrupts import services as interrupts
from reviews import tallies
from reviews.models import ReviewItem
from reviews.tallies import wide_bounds, wide_bucket
from tests.admin import text_of
from tests.conftest import Door
from tests.steps import MakePolicy, let_deadline_pass

PAGE = "/admin/response-times/"


def table_of(answer: Any, name: str) -> dict[str, list[str]]:
    """Return the table below a chart: the texts of its rows by their label."""
    (chart,) = [chart for chart in answer.context["charts"] if chart.name == name]
    return {
        str(label): [cell.text for cell in cells] + ([] if count is None else [str(count)])
        for label, cells, count in chart.table
    }


def count_answer(kind: str, hour: int, minutes: int, *groups: str) -> None:
    """Count an answer as if a person had taken so many minutes, asked at that hour."""
    took = dt.timedelta(minutes=minutes)
    asked_at = dt.datetime(2026, 3, 5, hour, tzinfo=dt.UTC)
    with log.unit_of_work():
        log.count("janitor", tallies.of_answer("interrupts", kind, took, asked_at + took, groups))


def test_the_page_tells_apart_kinds_groups_and_hours(agent: Door, as_ann: Door) -> None:
    for minutes in (8, 8, 8, 64):
        count_answer("approval", 9, minutes, "finance", "legal.eu")
    count_answer("input", 23, 128)

    answer = as_ann.get(PAGE)

    assert table_of(answer, "kinds") == {"Input": ["2 h 8 min", "2 h 8 min", "1"]} | {
        "Approval": ["8 min", "1 h 4 min", "4"]
    }
    assert table_of(answer, "groups") == {
        "Everybody who may decide": ["2 h 8 min", "2 h 8 min", "1"],
        "finance": ["8 min", "1 h 4 min", "4"],
        "legal.eu": ["8 min", "1 h 4 min", "4"],
    }
    hours = table_of(answer, "hours")
    assert len(hours) == 24
    assert (hours["09:00"], hours["23:00"]) == (
        ["8 min", "1 h 4 min", "4"],
        ["2 h 8 min", "2 h 8 min", "1"],
    )
    assert hours["00:00"] == ["—", "—", "0"]
    assert "Slowest: Input, where half of the answers took longer than 2 h 8 min." in text_of(answer)


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_what_a_chart_is_drawn_from_is_written_the_same_in_every_language(
    as_ann: Door, language: str
) -> None:
    count_answer("approval", 9, 8)

    page = as_ann.get(PAGE, headers={"Accept-Language": language}).content.decode()

    drawn = [float(value) for value in re.findall(r'data-value="([^"]+)"', page)]
    assert f'<html lang="{language}"' in page
    assert len(drawn) == 8
    assert all(480 * 7 / 8 <= value <= 480 * 9 / 8 for value in drawn)


def test_an_answer_counts_for_the_groups_that_were_asked(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="refund", stages=[{"reviewers": ["reviewer"], "required_approvals": 1}])
    as_ann.post_json(f"/interrupts/{agent.ask(tool_name='refund')['id']}/approve")
    as_ann.post_json(f"/interrupts/{agent.ask()['id']}/reject")
    agent.post_json(f"/interrupts/{agent.ask()['id']}/cancel")

    groups = table_of(as_ann.get(PAGE), "groups")

    assert {name: row[-1] for name, row in groups.items()} == {
        "reviewer": "1",
        "Everybody who may decide": "1",
    }


def test_the_page_tells_how_long_the_busiest_agents_wait(
    agent: Door, rogue: Door, as_ann: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reviews.waits.AGENTS_SHOWN", 1)
    for door in (agent, rogue, rogue):
        as_ann.post_json(f"/interrupts/{door.ask()['id']}/approve")

    assert table_of(as_ann.get(PAGE), "agents") == {"rogue": ["0 s", "0 s", "2"]}


def test_the_page_tells_what_was_answered_late_and_what_nobody_answered(agent: Door, as_ann: Door) -> None:
    in_time, late, missed, refused = (agent.ask(type="input")["id"] for _ in range(4))
    ReviewItem.objects.filter(pk=late).update(due_at=Now())
    ReviewItem.objects.filter(pk=refused).update(on_timeout="reject")
    for pk in (in_time, late):
        as_ann.post_json(f"/interrupts/{pk}/respond", {"response": "x"})
    for pk in (missed, refused):
        let_deadline_pass(pk)
    agent.post_json(f"/interrupts/{agent.ask()['id']}/cancel")
    interrupts.expire_overdue()

    answer = as_ann.get(PAGE)

    assert table_of(answer, "misses") == {"Input": ["1", "2"]}
    assert "1 were answered after they were due; nobody answered 2 in time." in text_of(answer)


def test_before_the_first_answer_both_pages_say_so(agent: Door, as_ann: Door) -> None:
    agent.ask()

    assert "Nobody has answered yet" in text_of(as_ann.get(PAGE))
    assert "Nothing has been decided yet" in text_of(as_ann.get("/admin/"))
    assert "<canvas" not in as_ann.get("/admin/").content.decode()


def test_the_overview_draws_the_days_and_what_waits(agent: Door, as_ann: Door) -> None:
    for verb in ("approve", "approve", "reject"):
        as_ann.post_json(f"/interrupts/{agent.ask()['id']}/{verb}")
    as_ann.post_json(f"/requests/{agent.need()['id']}/fulfill", {"response_data": {}})
    agent.ask(priority="critical")

    answer = as_ann.get("/admin/")

    *before, today = table_of(answer, "decided").values()
    assert today == ["2", "1", "1"]
    assert before == [["0", "0", "0"]] * 13
    assert list(table_of(answer, "waits").values())[-1] == ["0 s", "4"]
    assert table_of(answer, "priorities") == {"Critical": ["1"], "High": ["0"], "Medium": ["0"], "Low": ["0"]}
    assert answer.context["cards"]["fulfilled"] == 1
    assert answer.context["cards"]["median"] == "0 s"
    told = text_of(answer)
    assert "4 ended in the last 14 days." in told
    assert "1 wait; 1 of them are high or critical." in told


@pytest.mark.parametrize("path", [PAGE, "/admin/"])
def test_a_page_of_figures_costs_the_same_whatever_was_decided(
    agent: Door, as_ann: Door, django_assert_num_queries: Any, path: str
) -> None:
    as_ann.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    as_ann.get(path)
    cache.clear()
    with CaptureQueriesContext(connection) as one:
        as_ann.get(path)
    cost = len(one)
    for hour in range(24):
        count_answer("input", hour, hour + 1, "finance")
    cache.clear()

    with django_assert_num_queries(cost):
        as_ann.get(path)


def test_wide_buckets_follow_each_other_and_tell_a_time_to_an_eighth() -> None:
    lower, seen = 0, 0
    while lower < 10**8:  # three years
        begin, end = wide_bounds(lower)
        for second in {begin, end - 1}:
            assert wide_bucket(dt.timedelta(seconds=second)) == lower
            assert abs((begin + end) / 2 - second) <= max(second / 8, 0.5)
        lower, seen = end, seen + 1
    assert seen < 110
    assert wide_bucket(dt.timedelta(seconds=-1)) == 0


def test_the_name_of_a_long_group_fits_a_tally(db: None) -> None:
    count_answer("approval", 3, 60 * 24 * 900, "g" * 150)
