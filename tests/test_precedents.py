"""What was decided before, and what else is going on: shown beside what is asked now."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from interrupts.models import Interrupt
from reviews import precedents
from tests.admin import page_of, text_of
from tests.conftest import Door
from tests.runs import go_on, shown, start
from tests.steps import MakeAgent

# session, user, permissions of the user and of its groups, item, record, files, badges, ballot and people;
# then what was decided before with its reasons, and the rest of the session
QUERIES = 14


def refund(agent: Door, amount: float, order: str = "A-1", **fields: Any) -> dict[str, Any]:
    call = {"tool_name": "refund", "tool_args": {"amount": amount, "order": order}}
    return agent.ask(reason=f"Refund {amount} of {order}", **call, **fields)


def past_of(asked: dict[str, Any]) -> precedents.Past:
    found = precedents.of(Interrupt.objects.get(pk=asked["id"]))
    assert found
    return found


def test_the_like_that_was_decided_before_is_shown_with_what_differs(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    as_ann.post_json(f"/interrupts/{refund(agent, 20)['id']}/approve", {"comment": "As agreed."})
    as_bob.post_json(f"/interrupts/{refund(agent, 900)['id']}/reject", {"reason": "Too much <b>."})
    edited = {"modifications": {"amount": 5, "order": "A-1"}}
    as_ann.post_json(f"/interrupts/{refund(agent, 50)['id']}/approve", edited)

    shown = text_of(as_ann.get(page_of(refund(agent, 20))))

    assert "2 of the last 3 were allowed." in shown
    assert "by ann · just now · the same arguments As agreed." in re.sub(r"\d+ s ago", "just now", shown)
    assert "amount 900 → 20" in shown
    assert "amount 50 → 20" in shown
    assert "with edits" in shown
    assert "Too much &lt;b&gt;." in shown


def test_the_most_alike_come_first(agent: Door, as_ann: Door) -> None:
    other_names = agent.ask(reason="Other names", tool_name="refund", tool_args={"sum": 1})
    same, near, far = refund(agent, 20), refund(agent, 30), refund(agent, 40, "B-2")
    for asked in (near, same, far, other_names):
        as_ann.post_json(f"/interrupts/{asked['id']}/approve")

    found = past_of(refund(agent, 20)).alike

    assert [each.item.pk for each in found] == [each["id"] for each in (same, near, far, other_names)]
    assert [each.is_same for each in found] == [True, False, False, False]


def test_five_are_shown_of_all_that_are_counted(agent: Door, as_ann: Door) -> None:
    for number in range(7):
        as_ann.post_json(f"/interrupts/{refund(agent, number)['id']}/approve")

    found = past_of(refund(agent, 100))

    assert (found.allowed, found.decided, len(found.alike)) == (7, 7, 5)


def test_of_another_agent_or_tool_and_of_what_nobody_decided_nothing_is_shown(
    agent: Door, rogue: Door, as_ann: Door
) -> None:
    as_ann.post_json(f"/interrupts/{refund(rogue, 20)['id']}/approve")
    as_ann.post_json(f"/interrupts/{agent.ask(tool_name='look')['id']}/approve")
    agent.post_json(f"/interrupts/{refund(agent, 20)['id']}/cancel")
    refund(agent, 20)
    asked = refund(agent, 20)

    assert precedents.of(Interrupt.objects.get(pk=asked["id"])) is None
    assert "How this was decided before" not in text_of(as_ann.get(page_of(asked)))


def test_without_a_tool_it_is_the_kind_that_counts(agent: Door, as_ann: Door) -> None:
    as_ann.post_json(f"/interrupts/{agent.ask(type='confirmation')['id']}/approve")
    as_ann.post_json(f"/interrupts/{agent.ask(tool_name='look')['id']}/approve")
    as_ann.post_json(f"/requests/{agent.need()['id']}/fulfill", {"response_data": {}})

    assert past_of(agent.ask(type="confirmation")).decided == 1
    assert "1 of the last 1 was allowed." in text_of(as_ann.get(page_of(agent.need())))


def test_arguments_too_long_to_compare_are_counted_all_the_same(agent: Door, as_ann: Door) -> None:
    long = agent.ask(tool_name="refund", tool_args={"text": "x" * 30_000})
    as_ann.post_json(f"/interrupts/{long['id']}/approve")

    (found,) = past_of(refund(agent, 1)).alike

    assert (found.differs, found.is_same) == ([], False)


def test_what_else_the_session_asks_is_one_click_away(agent: Door, rogue: Door, as_ann: Door) -> None:
    asked, other = refund(agent, 1, session_id="s-1"), refund(agent, 2, session_id="s-1")
    refund(agent, 3, session_id="s-2")
    refund(rogue, 4, session_id="s-1")
    as_ann.post_json(f"/interrupts/{other['id']}/approve")

    shown = as_ann.get(page_of(asked))

    assert [each.pk for each in shown.context["around"]["items"]] == [other["id"]]
    assert f'href="{page_of(other)}"' in shown.content.decode()


def test_a_run_tells_how_far_it_is_but_not_to_another_agents_item(
    make_agent: MakeAgent, agent: Door, as_ann: Door
) -> None:
    run_id = start(agent, config={"policy": "auto"}, run_input={"tool": "http", "inputs": {"width": 640}})
    go_on(run_id)
    own = {"id": shown(agent, run_id, "status")["approval_id"]}
    strange = make_agent("other").ask(run_id=run_id)

    page = as_ann.get(page_of(own))
    assert [step["verb"] for step in page.context["around"]["steps"]] == [
        "started",
        "finished the step “created”",
        "asked a person",
    ]
    assert "The run so far" in text_of(page)
    assert "The run so far" not in text_of(as_ann.get(page_of(strange)))


@pytest.mark.parametrize("rows", [1, 30])
def test_a_page_asks_no_more_whatever_was_decided_before(agent: Door, as_ann: Door, rows: int) -> None:
    for number in range(rows):
        done = refund(agent, number, session_id="s")
        as_ann.post_json(f"/interrupts/{done['id']}/approve", {"comment": "Fine."})
    asked = refund(agent, 100, session_id="s")
    as_ann.get(page_of(asked))

    with CaptureQueriesContext(connection) as queries:
        as_ann.get(page_of(asked))

    assert len(queries) == QUERIES
