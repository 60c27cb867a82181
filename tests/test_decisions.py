"""The page of decisions and its file: what they show, to whom, and at what cost."""

import csv
import datetime as dt
import json
import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from hitl_project.pages.decision_file import HEADER, as_csv, off_the_loop
from hitl_project.pages.decisions import Filters
from interrupts.services import expire_overdue
from reviews.models import ReviewItem
from tests.admin import page_of, text_of
from tests.conftest import Door
from tests.steps import Enter, MakePolicy, let_deadline_pass, rows

PAGE, EXPORT = "/admin/decisions/", "/admin/decisions/export/"
CALL = {"tool_name": "refund", "tool_args": {"order": "A-1", "amount": 400}}


def ids_on(answer: Any) -> list[str]:
    return [decision.item.pk for decision in answer.context["decisions"]]


def export(door: Door, **query: str) -> list[dict[str, str]]:
    """Return the rows of the file, each by its header."""
    answer: Any = door.get(EXPORT, query)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text, newline="")))


def decide(door: Door, asked: dict[str, Any], verb: str, **body: Any) -> dict[str, Any]:
    noun = "interrupts" if asked["id"].startswith("int_") else "requests"
    answer = door.post_json(f"/{noun}/{asked['id']}/{verb}", body)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def decide_many(agent: Door, operator: Door, number: int) -> list[str]:
    """Have *number* questions approved in one moment; return their ids, newest first."""
    made = []
    for begin in range(0, number, 50):
        items = [{"reason": f"Move {n}?"} for n in range(begin, min(begin + 50, number))]
        answer = agent.post_json("/interrupts/batch", {"items": items})
        made += [item["id"] for item in answer.json()["results"]]
    for pk in made:
        assert operator.post_json(f"/interrupts/{pk}/approve").status_code == 200
    moment = ReviewItem.objects.filter(pk=made[0]).values("resolved_at")
    ReviewItem.objects.filter(pk__in=made).update(resolved_at=moment)
    return sorted(made, reverse=True)


# -- The page -------------------------------------------------------------------------------------------


def test_what_ended_by_a_person_the_clock_or_its_agent_is_there_newest_first(
    agent: Door, as_ann: Door
) -> None:
    approved, lapsed, taken_back, done = agent.ask(), agent.ask(), agent.ask(), agent.need()
    agent.ask(reason="Still open")
    decide(as_ann, approved, "approve", comment="Go on")
    let_deadline_pass(lapsed["id"])
    expire_overdue()
    decide(agent, taken_back, "cancel", reason="No longer needed")
    decide(as_ann, done, "fulfill", response_data={}, notes="It is in the vault")

    answer = as_ann.get(PAGE)

    assert ids_on(answer) == [done["id"], taken_back["id"], lapsed["id"], approved["id"]]
    told = text_of(answer)
    for words in ("Go on", "the clock", "No longer needed", "It is in the vault", "ann", "janitor"):
        assert words in told
    for item in (approved, done):
        assert f'href="{page_of(item)}"' in answer.content.decode()


def test_an_edit_shows_what_became_of_the_arguments_and_the_policy_then_in_force(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(name="Large refunds", pattern="refund")
    asked = agent.ask(**CALL)
    decide(as_ann, asked, "approve", modifications={"order": "A-1", "amount": 40})

    shown = as_ann.get(PAGE).content.decode()

    assert "<del>400</del>" in shown
    assert "<ins>40</ins>" in shown
    assert "with edits" in shown
    assert "Large refunds" in shown


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"verdict": "approved"}, "refund"), ({"verdict": "edited"}, ""), ({"verdict": "fulfilled"}, "key"),
        ({"verdict": "rejected"}, "mail"), ({"kind": "requests"}, "key"), ({"kind": "api_key"}, "key"),
        ({"kind": "interrupts"}, "mail refund"), ({"kind": "confirmation"}, "mail"), ({"by": "bob"}, "mail"),
        ({"agent": "rogue"}, "mail"), ({"agent": "nobody"}, ""), ({"q": "chair"}, "refund"),
        ({"q": "stripe CHAIR"}, "refund"), ({"q": "rogue"}, "mail"), ({"since": "2999-12-31"}, ""),
        ({"until": "1999-12-31"}, ""), ({"since": "2020-01-01", "until": "2999-12-31"}, "key mail refund"),
    ],
)  # fmt: skip
def test_filters_narrow_the_page_and_its_file_alike(
    agent: Door, rogue: Door, as_ann: Door, as_bob: Door, query: dict[str, str], expected: str
) -> None:
    made = {
        "refund": agent.ask(reason="Refund the chair", tool_name="stripe.refund"),
        "mail": rogue.ask(reason="Send it?", type="confirmation"),
        "key": agent.need(),
    }
    decide(as_ann, made["refund"], "approve")
    decide(as_bob, made["mail"], "reject", reason="No")
    decide(as_ann, made["key"], "fulfill", response_data={})

    wanted = {made[name]["id"] for name in expected.split()}
    assert set(ids_on(as_ann.get(PAGE, query))) == wanted
    assert {line["id"] for line in export(as_ann, **query)} == wanted


def test_days_are_whole_ones_and_the_last_is_among_them(agent: Door, as_ann: Door) -> None:
    pk = decide(as_ann, agent.ask(), "approve")["id"]
    ReviewItem.objects.filter(pk=pk).update(resolved_at=dt.datetime(2026, 3, 5, 23, 59, 59, tzinfo=dt.UTC))

    for since, until, found in (("05", "05", [pk]), ("04", "04", []), ("06", "06", []), ("01", "05", [pk])):
        query = {"since": f"2026-03-{since}", "until": f"2026-03-{until}"}
        assert ids_on(as_ann.get(PAGE, query)) == found


@pytest.mark.parametrize(
    "query",
    [
        {"verdict": "nonsense"}, {"kind": "nonsense"}, {"since": "yesterday"}, {"since": "0001-01-01"},
        {"until": "9999-12-31"}, {"by": "x" * 300}, {"after": "nonsense"}, {"after": "é"},
        {"before": "\u202e"}, {"before": "x" * 999}, {"q": "%'\"\\"}, {"q": "x " * 99},
        {"since": "2026-01-01T00:00"}, {"nobody": "1"},
    ],
)  # fmt: skip
def test_no_query_breaks_the_page_or_the_file(agent: Door, as_ann: Door, query: dict[str, str]) -> None:
    decide(as_ann, agent.ask(), "approve")

    assert as_ann.get(PAGE, query).status_code == 200
    export(as_ann, **query)


def test_a_filter_that_is_not_valid_is_named_and_narrows_nothing(agent: Door, as_ann: Door) -> None:
    pk = decide(as_ann, agent.ask(), "approve")["id"]

    answer = as_ann.get(PAGE, {"since": "yesterday"})

    assert ids_on(answer) == [pk]
    assert "Enter a valid date." in text_of(answer)


def test_pages_follow_each_other_both_ways_even_within_one_moment(
    agent: Door, as_ann: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl_project.pages.record.PAGE", 5)
    made = decide_many(agent, as_ann, 12)

    first = as_ann.get(PAGE, {"by": "ann"})
    second = as_ann.get(PAGE + first.context["older"])
    third = as_ann.get(PAGE + second.context["older"])
    assert ids_on(first) + ids_on(second) + ids_on(third) == made
    assert "by=ann" in third.context["newer"]
    assert (first.context["newer"], third.context["older"]) == ("", "")

    assert ids_on(as_ann.get(PAGE + third.context["newer"])) == made[5:10]
    assert ids_on(as_ann.get(PAGE + second.context["newer"])) == made[:5]
    assert as_ann.get(PAGE + second.context["newer"]).context["newer"] == ""
    assert [line["id"] for line in export(as_ann)] == made


def test_fifty_lines_cost_what_one_costs_and_nothing_counts_or_skips(
    agent: Door, as_ann: Door, django_assert_num_queries: Any
) -> None:
    decide(as_ann, agent.ask(), "approve")
    as_ann.get(PAGE)
    cache.clear()
    with CaptureQueriesContext(connection) as one:
        as_ann.get(PAGE)
    cost = len(one)
    decide_many(agent, as_ann, 60)
    cache.clear()

    with django_assert_num_queries(cost) as fifty:
        assert len(ids_on(as_ann.get(PAGE))) == 50

    about_items = [query["sql"] for query in fifty.captured_queries if "resolved_at" in query["sql"]]
    assert about_items
    assert not any("OFFSET" in sql or "COUNT(" in sql for sql in about_items)


def test_what_agents_wrote_is_inert_on_the_page(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(reason="<script>x</script>\u202e", tool_args={"<b>x": "<img src=x>"}, tool_name="<i>x")
    decide(as_ann, asked, "approve")

    shown = as_ann.get(PAGE).content.decode()

    for markup in ("<script>x", "<b>x", "<img src=x", "<i>x", "\u202e"):
        assert markup not in shown
    assert "U+202E" in shown


def test_looking_writes_nothing(agent: Door, as_ann: Door) -> None:
    decide(as_ann, agent.ask(), "approve")
    before = rows()

    as_ann.get(PAGE)

    assert rows() == before


# -- The file -------------------------------------------------------------------------------------------


def test_a_line_says_who_when_what_why_and_how_long(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**CALL, session_id="s-1", priority="high")
    decide(as_ann, asked, "approve", modifications={"order": "A-1", "amount": 40}, comment="Only, half")
    ReviewItem.objects.update(created_at=Now() - dt.timedelta(hours=1), resolved_at=Now())

    (line,) = export(as_ann)

    assert tuple(line) == HEADER
    item = ReviewItem.objects.get()
    assert item.resolved_at is not None
    assert line["ended_at"] == item.resolved_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert float(line["seconds"]) == pytest.approx(3600, abs=0.1)
    assert (line["verdict"], line["edited"], line["decided_by"]) == ("approved", "yes", "ann")
    assert (line["comment"], line["priority"], line["session_id"]) == ("Only, half", "high", "s-1")
    assert (line["arguments"], line["final_arguments"]) == (
        '{"order":"A-1","amount":400}',
        '{"order":"A-1","amount":40}',
    )


@pytest.mark.parametrize(
    "words", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\uff1d1", "\u00a0-1", "=1\n+2", '"=1"', "1-1"]
)
def test_no_cell_is_a_formula(agent: Door, as_ann: Door, words: str) -> None:
    asked = agent.ask(reason=f"{words} x", agent_name=words)
    decide(as_ann, asked, "reject", reason=words, comment=words)

    (line,) = export(as_ann)

    for name in ("title", "reason", "comment", "agent_name"):
        assert line[name].lstrip()[:1] not in {"=", "+", "-", "@", "\uff1d", ""}, name
    assert line["reason"].replace("'", "").strip() == words.strip()


@pytest.mark.parametrize("words", ["x;=cmd|' /C calc'!A0;", "x; +1", "x\n=1", "x\r\n@SUM(A1)", ";\uff1d1"])
def test_no_cell_is_a_formula_where_a_semicolon_ends_one(agent: Door, as_ann: Door, words: str) -> None:
    asked = agent.ask(reason=f"{words} x", tool_name="t", tool_args={"a": words}, session_id=words[:9])
    decide(as_ann, asked, "reject", reason=words)

    answer: Any = as_ann.get(EXPORT)
    _header, *lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()

    cells = [cell for line in lines for cell in line.split(";")]
    assert not [cell for cell in cells if re.match(r"\s*[=+@\uff1d]", cell)]
    (line,) = export(as_ann)
    assert json.loads(line["arguments"]) == {"a": words}


def test_a_secret_answer_is_in_no_cell(agent: Door, as_ann: Door) -> None:
    asked = agent.need(required_fields={"user": "User", "word": {"label": "Password", "type": "secret"}})
    decide(as_ann, asked, "fulfill", response_data={"user": "svc", "word": "hunter2-hunter2"})

    answer: Any = as_ann.get(EXPORT)
    file = b"".join(answer.streaming_content)

    assert b"svc" in file
    assert b"hunter2" not in file
    assert "hunter2" not in as_ann.get(PAGE).content.decode()


def test_the_file_is_named_typed_and_marked_for_spreadsheets(agent: Door, as_ann: Door) -> None:
    decide(as_ann, agent.ask(reason="Größe ändern?"), "approve")

    answer: Any = as_ann.get(EXPORT)

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="decisions-20')
    assert "no-store" in answer["Cache-Control"]
    file = b"".join(answer.streaming_content)
    assert file.startswith(b"\xef\xbb\xbfid,kind,")
    assert "Größe ändern?".encode() in file


def test_the_file_is_read_in_parts_as_it_is_asked_for(
    agent: Door, as_ann: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl_project.pages.decision_file.PART", 2)
    decide_many(agent, as_ann, 5)
    pieces = as_csv(Filters({}).matching)

    with CaptureQueriesContext(connection) as none:
        next(pieces)
    with CaptureQueriesContext(connection) as one:
        assert next(pieces).count(b"\r\n") == 2

    assert (len(none), len(one)) == (0, 2)
    assert b"".join(pieces).count(b"\r\n") == 3


async def test_a_server_of_many_gets_each_piece_only_when_it_asks() -> None:
    given = []

    def pieces() -> Any:
        for piece in (b"a", b"b"):
            given.append(piece)
            yield piece

    asked = off_the_loop(pieces())
    assert await anext(asked) == b"a"
    assert given == [b"a"]
    assert [piece async for piece in asked] == [b"b"]


@pytest.mark.parametrize("path", [PAGE, EXPORT, "/admin/response-times/"])
def test_only_who_may_look_at_items_gets_the_record(
    agent: Door, make_user: Callable[..., User], enter: Enter, path: str
) -> None:
    for role in ("viewer", "reviewer", "auditor", "administrator"):
        assert enter(make_user(f"a-{role}", role)).get(path).status_code == 200
    assert enter(make_user("mallory")).get(path).status_code == 403
    for door in (agent, Door()):
        answer = door.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")
