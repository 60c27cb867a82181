"""Lists: what they hold, how they are narrowed, and how one turns their pages."""

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import API, Door
from tests.steps import MakeAgent, let_deadline_pass, problem


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["results"]]


def follow(door: Door, link: str) -> Any:
    parts = urlsplit(link)
    return door.get(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})


def test_a_list_is_newest_first_and_holds_only_what_the_agent_asked(
    agent: Door, rogue: Door, as_ann: Door
) -> None:
    mine = [agent.ask()["id"] for _ in range(3)]
    theirs = rogue.ask()["id"]

    assert ids(agent.get_json("/interrupts")) == mine[::-1]
    assert ids(rogue.get_json("/interrupts")) == [theirs]
    assert ids(as_ann.get_json("/interrupts")) == [theirs, *mine[::-1]]


def test_the_items_of_a_list_are_the_items_themselves(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(tool_args={"a": 1})
    as_ann.post_json(f"/interrupts/{asked['id']}/claim")

    (listed,) = agent.get_json("/interrupts").json()["results"]

    alone = agent.get_json(f"/interrupts/{asked['id']}").json()
    del alone["history"], alone["attachments"]
    assert listed == alone


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("session_id", "s-1", "s-2"),
        ("agent_name", "refunds", "janitor-2"),
        ("type", "input", "approval"),
        ("priority", "high", "low"),
        ("tool_name", "drop_table", "send_email"),
        ("run_id", "run-1", "run-2"),
        ("batch_id", "b-1", "b-2"),
    ],
)
def test_a_list_is_narrowed_by_what_was_sent(agent: Door, name: str, value: str, other: str) -> None:
    wanted = agent.ask(**{name: value})
    agent.ask(**{name: other})

    assert ids(agent.get_json("/interrupts", **{name: value})) == [wanted["id"]]
    assert ids(agent.get_json("/interrupts", **{name: value, "limit": 1})) == [wanted["id"]]


def test_urgent_finds_what_is_critical(agent: Door) -> None:
    wanted = agent.ask(priority="critical")

    assert ids(agent.get_json("/interrupts", priority="urgent")) == [wanted["id"]]


def test_a_list_is_narrowed_by_the_status_that_holds_now(agent: Door, as_ann: Door) -> None:
    asked = {
        name: agent.ask(on_timeout="reject" if name == "silence" else "expire")["id"]
        for name in ("pending", "approved", "rejected", "cancelled", "expired", "silence")
    }
    as_ann.post_json(f"/interrupts/{asked['approved']}/approve")
    as_ann.post_json(f"/interrupts/{asked['rejected']}/reject")
    agent.post_json(f"/interrupts/{asked['cancelled']}/cancel")
    let_deadline_pass(asked["expired"])
    let_deadline_pass(asked["silence"])

    for status in ("pending", "approved", "cancelled", "expired"):
        assert ids(agent.get_json("/interrupts", status=status)) == [asked[status]], status
    assert ids(agent.get_json("/interrupts", status="rejected")) == [asked["silence"], asked["rejected"]]
    for yes in ("true", "1"):
        assert ids(agent.get_json("/interrupts", pending_only=yes)) == [asked["pending"]]
    for no in ("false", "0"):
        assert len(ids(agent.get_json("/interrupts", pending_only=no))) == 6


def test_a_list_is_narrowed_by_time(agent: Door) -> None:
    first, second = agent.ask(), agent.ask()
    moment = second["created_at"]
    long_ago = dt.datetime(2000, 1, 1, tzinfo=dt.UTC).isoformat()

    assert second["id"] not in ids(agent.get_json("/interrupts", created_before=moment))
    assert ids(agent.get_json("/interrupts", created_after=moment)) == []
    assert set(ids(agent.get_json("/interrupts", created_after=long_ago))) == {first["id"], second["id"]}
    assert ids(agent.get_json("/interrupts", created_before=long_ago)) == []
    for odd_zone in ("0331-02-21T08:15:01+20:43", "2000-01-01T00:00:00-23:59", "2000-01-01T00:00:00"):
        assert len(ids(agent.get_json("/interrupts", created_after=odd_zone))) == 2


def test_a_search_looks_into_title_and_tool(agent: Door) -> None:
    invoice = agent.ask(reason="Pay the Invoice of March")["id"]
    tool = agent.ask(tool_name="make_payment")["id"]

    assert ids(agent.get_json("/interrupts", q="invoice")) == [invoice]
    assert ids(agent.get_json("/interrupts", q="make_pay")) == [tool]
    assert ids(agent.get_json("/interrupts", q=tool)) == [tool]
    assert ids(agent.get_json("/interrupts", q="%")) == []
    assert ids(agent.get_json("/interrupts", q="100 %_'\"\\")) == []


def test_filters_go_together(agent: Door) -> None:
    wanted = agent.ask(session_id="s", tool_name="t")["id"]
    agent.ask(session_id="s")
    agent.ask(tool_name="t")

    found = agent.get_json("/interrupts", session_id="s", tool_name="t", status="pending", pending_only="1")
    assert ids(found) == [wanted]


def test_a_session_and_an_agent_have_lists_of_their_own(agent: Door, as_ann: Door) -> None:
    first = agent.ask(session_id="s/1 ü", agent_name="refunds")["id"]
    second = agent.ask(session_id="s/1 ü", agent_name="refunds")["id"]
    agent.ask(session_id="s/2", agent_name="mails")
    as_ann.post_json(f"/interrupts/{first}/approve")

    for path in (
        "/sessions/s/1 ü/interrupts",
        "/sessions/s%2F1%20%C3%BC/interrupts",
        "/agents/refunds/interrupts",
    ):
        assert ids(agent.get_json(path)) == [second, first]
        assert ids(agent.get_json(path, pending_only="true")) == [second]
        assert ids(agent.get_json(path, status="approved")) == [first]
    assert ids(agent.get_json("/sessions/unknown/interrupts")) == []


def test_pages_turn_both_ways_and_show_everything_once(agent: Door) -> None:
    asked = [agent.ask(session_id="s")["id"] for _ in range(7)][::-1]
    agent.ask(session_id="other")

    there = [agent.get_json("/interrupts", limit=3, session_id="s")]
    while link := there[-1].json()["next"]:
        there.append(follow(agent, link))
    back = [there[-1]]
    while link := back[-1].json()["previous"]:
        back.append(follow(agent, link))

    assert [ids(page) for page in there] == [asked[:3], asked[3:6], asked[6:]]
    assert [ids(page) for page in back] == [asked[6:], asked[3:6], asked[:3]]
    assert there[0].json()["previous"] is None


def test_pages_stay_put_while_new_questions_come_in(agent: Door) -> None:
    asked = [agent.ask()["id"] for _ in range(4)][::-1]
    first = agent.get_json("/interrupts", limit=2)
    new = agent.ask()["id"]

    second = follow(agent, first.json()["next"])

    assert ids(second) == asked[2:]
    assert ids(follow(agent, second.json()["previous"])) == asked[:2]
    assert new in ids(agent.get_json("/interrupts", limit=1))


@pytest.mark.parametrize(("count", "limit"), [(0, 1), (1, 1), (2, 2), (3, 200)])
def test_the_last_page_says_so(agent: Door, count: int, limit: int) -> None:
    for _ in range(count):
        agent.ask()

    page = agent.get_json("/interrupts", limit=limit).json()

    assert (len(page["results"]), page["next"], page["previous"]) == (count, None, None)


def test_a_page_has_fifty_items_unless_asked_otherwise(agent: Door) -> None:
    agent.post_json("/interrupts/batch", {"items": [{"reason": "x"}] * 51})

    page = agent.get_json("/interrupts")

    assert len(ids(page)) == 50
    assert len(ids(follow(agent, page.json()["next"]))) == 1
    assert len(ids(agent.get_json("/interrupts", limit=200))) == 51


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in ("0", "201", "-1", "ten", "1.5", "", "٣", "1e1", " 1")),
        *(("cursor", value) for value in ("x", "bm9uZQ==", "%00", "bjo=", "cDoA", "ö", "n:int_1", "=")),
        *(("status", value) for value in ("open", "PENDING", "", "in_review", "pending,approved")),
        *(("type", value) for value in ("question", "", "api_key")),
        *(("priority", value) for value in ("urgentest", "3", "")),
        *(("pending_only", value) for value in ("yes", "", "TRUE ")),
        *(("created_after", value) for value in ("yesterday", "", "2024-13-01T00:00:00Z", "99999-01-01")),
        *(("created_after", value) for value in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")),
        *(("created_before", value) for value in ("soon", "1704067200x")),
        ("offset", "10"),
        ("page", "2"),
        ("Status", "pending"),
        ("session", "s"),
        ("agent", "janitor"),
        ("session_id", ""),
        ("session_id", "\x00"),
        ("q", "\x00"),
        ("key", "\x00"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(agent: Door, name: str, value: str) -> None:
    refused = problem(agent.get_json("/interrupts", **{name: value}), 400, "invalid")

    assert list(refused["errors"]) == [name]


@pytest.mark.parametrize("path", ["/sessions/s/interrupts", "/agents/a/interrupts"])
def test_the_short_lists_refuse_as_the_long_one_does(agent: Door, path: str) -> None:
    problem(agent.get_json(path, status="open"), 400, "invalid")
    problem(agent.get_json(path, colour="red"), 400, "invalid")
    problem(agent.get_json(path, cursor="x"), 400, "invalid")


@pytest.mark.parametrize("path", ["/sessions/\x00/interrupts", "/agents/a\x00b/interrupts"])
def test_a_name_that_cannot_be_has_no_list(agent: Door, path: str) -> None:
    problem(agent.get_json(path), 400, "invalid")


def test_a_cursor_of_someone_else_shows_nothing_of_theirs(agent: Door, make_agent: MakeAgent) -> None:
    other = make_agent("other")
    for door in (agent, other) * 3:
        door.ask()

    stolen = follow(other, agent.get_json("/interrupts", limit=1).json()["next"])

    assert {one["agent"] for one in stolen.json()["results"]} <= {"other"}


def test_a_parameter_given_twice_is_refused(agent: Door) -> None:
    errors = problem(agent.get(f"{API}/interrupts?status=pending&status=approved"), 400)["errors"]

    assert "status" in errors
