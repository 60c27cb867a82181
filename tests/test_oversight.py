"""How people decide, on a page for who looks after the record."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from events import log
from reviews import tallies
from tests.admin import text_of
from tests.conftest import Door
from tests.steps import Enter
from tests.test_response_times import table_of

PAGE = "/admin/oversight/"


def count_decision(by: str, seconds: int, status: str = "approved") -> None:
    """Count a decision as if somebody had taken so many seconds."""
    with log.unit_of_work():
        log.count("janitor", tallies.of_decision(status, False, dt.timedelta(seconds=seconds), by))


@pytest.fixture
def as_carol(make_user: Callable[..., User], enter: Enter) -> Door:
    return enter(make_user("carol", "auditor"))


def test_the_page_tells_how_each_person_decides(
    agent: Door, make_user: Callable[..., User], enter: Enter, as_carol: Door
) -> None:
    ann, dotted = enter(make_user("ann", "reviewer")), enter(make_user("a.b.c", "reviewer"))
    ann.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    ann.post_json(f"/interrupts/{agent.ask(tool_args={'a': 1})['id']}/approve", {"modifications": {"a": 2}})
    ann.post_json(f"/interrupts/{agent.ask()['id']}/reject")
    ann.post_json(f"/requests/{agent.need()['id']}/fulfill", {"response_data": {}})
    dotted.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    agent.post_json(f"/interrupts/{agent.ask()['id']}/cancel")

    answer = as_carol.get(PAGE)

    assert table_of(answer, "verdicts") == {
        "ann": ["1 (25%)", "1 (25%)", "1 (25%)", "1 (25%)", "4"],
        "a.b.c": ["1 (100%)", "0 (0%)", "0 (0%)", "0 (0%)", "1"],
    }
    assert table_of(answer, "people") == {"ann": ["0 s", "0 s", "4"], "a.b.c": ["0 s", "0 s", "1"]}


def test_an_approval_within_five_seconds_of_the_question_is_told(as_carol: Door) -> None:
    for seconds in (0, 4, 5, 600):
        count_decision("ann", seconds)
    count_decision("ann", 1, "rejected")
    count_decision("bob", 1, "rejected")

    answer = as_carol.get(PAGE)

    assert table_of(answer, "quick") == {"ann": ["2 (50%)"], "bob": ["0"]}
    assert "2 of 4 approvals came within 5 seconds of the question." in text_of(answer)


def test_long_names_that_begin_alike_are_told_apart(as_carol: Door) -> None:
    for name in ("n" * 149 + "1", "n" * 149 + "2"):
        count_decision(name, 60 * 60 * 24 * 900, "fulfilled")

    assert len(table_of(as_carol.get(PAGE), "verdicts")) == 2


def test_before_the_first_decision_the_page_says_so(agent: Door, as_carol: Door) -> None:
    agent.ask()

    assert "Nobody has answered yet" in text_of(as_carol.get(PAGE))


def test_the_page_leads_only_those_there_who_may_see_it(
    agent: Door, make_user: Callable[..., User], enter: Enter
) -> None:
    for role, may in (("viewer", False), ("reviewer", False), ("auditor", True), ("administrator", True)):
        door = enter(make_user(f"a-{role}", role))
        assert door.get(PAGE).status_code == (200 if may else 403)
        for page in ("/admin/response-times/", "/admin/"):
            assert (PAGE in door.get(page).content.decode()) == may
    for outsider in (agent, Door()):
        assert outsider.get(PAGE)["Location"].startswith("/admin/login/")
