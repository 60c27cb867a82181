"""How people decide, on a page for who looks after the record."""

import datetime as dt
import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from events import log
from events.models import Event, Tally
from reviews import recount, services, tallies
from reviews.models import ReviewItem
from tests.admin import decide, form_of, text_of
from tests.conftest import Door
from tests.steps import Enter
from tests.test_response_times import table_of

PAGE = "/admin/oversight/"


def count_decision(by: str, seconds: int, status: str = "approved", looked: int | None = None) -> None:
    """Count a decision as if somebody had taken so many seconds, and had the page open for as many."""
    took, open_for = dt.timedelta(seconds=seconds), None if looked is None else dt.timedelta(seconds=looked)
    with log.unit_of_work():
        log.count("janitor", tallies.of_decision(status, False, took, by, open_for))


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

    assert table_of(answer, "quick") == {"ann": ["2 (50%)", "0 (0%)"], "bob": ["0", "0"]}
    assert "Of 4 approvals 2 came within 5 seconds of the question" in text_of(answer)


def test_how_long_a_page_was_open_before_an_approval_is_told(as_carol: Door) -> None:
    for looked in (2, 40, 40, 90):
        count_decision("ann", 600, looked=looked)
    count_decision("ann", 600)
    count_decision("a.b", 600, "rejected", looked=2)

    answer = as_carol.get(PAGE)

    assert table_of(answer, "looked") == {"ann": ["44 s", "1 min", "4"], "a.b": ["—", "—", "0"]}
    assert table_of(answer, "quick") == {"ann": ["0 (0%)", "1 (20%)"], "a.b": ["0", "0"]}


@pytest.mark.parametrize("minutes", [0, 3])
def test_the_page_of_an_item_says_how_long_it_was_open(
    agent: Door, as_ann: Door, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = agent.ask()
    page = as_ann.get(f"/admin/interrupts/interrupt/{asked['id']}/change/").content.decode()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60 * minutes)

    decide(as_ann, asked, "approve", page=page)

    looked = ReviewItem.objects.get(pk=asked["id"]).looked_time
    assert looked is not None
    assert round(looked.total_seconds() / 60) == minutes
    assert not recount.differences(lambda done: None)
    services.cleanup(0)
    assert not Tally.objects.filter(name__startswith=tallies.LOOKED, count__gt=0).exists()


def test_a_moment_of_another_page_or_person_or_none_counts_for_nothing(
    agent: Door, as_ann: Door, make_user: Callable[..., User], enter: Enter
) -> None:
    asked, others = [agent.ask() for _ in range(4)], enter(make_user("bob", "reviewer"))
    path = "/admin/interrupts/interrupt/{}/change/"
    foreign = form_of(others.get(path.format(asked[0]["id"])).content.decode())["opened"]
    elsewhere = form_of(as_ann.get(path.format(asked[0]["id"])).content.decode())["opened"]
    for one, opened in zip(asked, (foreign, "", "forged:1"), strict=False):
        decide(as_ann, one, "approve", opened=opened)
    decide(as_ann, asked[3], "approve", opened=elsewhere)

    assert set(ReviewItem.objects.values_list("status", "looked_time")) == {("approved", None)}


def test_what_is_decided_together_shares_the_time(agent: Door, as_ann: Door) -> None:
    items = [agent.ask(tool_args={"n": n}) for n in range(2)]
    address = "/admin/inbox/together/?" + "&".join(f"item={item['id']}" for item in items)
    fields = form_of(as_ann.get(address).content.decode())
    shown = [f"{item['id']}:{item['version']}:{item['content_hash']}" for item in items]

    as_ann.post(address, {**fields, "item": shown, "verb": "approve"})

    assert [item.looked_time is None for item in ReviewItem.objects.filter(status="approved")] == [False] * 2


def test_what_is_claimed_now_is_told(agent: Door, as_ann: Door, as_carol: Door) -> None:
    for _ in range(2):
        as_ann.post_json(f"/interrupts/{agent.ask()['id']}/claim")
    as_ann.post_json(f"/interrupts/{agent.ask()['id']}/claim")
    ReviewItem.objects.filter(pk=ReviewItem.objects.latest("pk").pk).update(claimed_until=Now())

    assert table_of(as_carol.get(PAGE), "held") == {"ann": ["2"]}


def test_the_figures_are_a_file_as_well_and_it_is_on_record_who_took_it(
    agent: Door, as_ann: Door, as_carol: Door
) -> None:
    count_decision("=cmd", 64)
    as_ann.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    for page, line in ((PAGE, "Decisions,'=cmd,Approved,1,count,1"), ("/admin/response-times/", "By kind")):
        answer = as_carol.get(f"{page}?format=csv")

        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        text = answer.content.decode("utf-8-sig")
        assert text.splitlines()[0] == "chart,row,figure,value,unit,answers"
        assert line in text
        told = Event.objects.filter(type="hitl.record.exported").latest("position")
        assert (told.subject_id, told.actor) == (page.split("/")[2], "user:carol")
    assert as_ann.get(f"{PAGE}?format=csv").status_code == 403


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
