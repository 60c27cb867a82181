"""The list of human actions: what waits, by urgency; its tabs, filters and figures; what it costs."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin import HUMAN_ACTIONS, decide, page_of, text_of
from tests.conftest import Door
from tests.steps import let_deadline_pass


def ids_on(answer: Any) -> list[str]:
    return [item.pk for item in answer.context["cl"].result_list]


def test_the_list_shows_requests_by_urgency_and_nothing_else(agent: Door, as_ann: Door) -> None:
    low, high = agent.need(priority="low"), agent.need(priority="high", request_type="legal_document")
    agent.ask()

    answer = as_ann.get(HUMAN_ACTIONS)

    assert ids_on(answer) == [high["id"], low["id"]]
    shown = answer.content.decode()
    assert f'href="{page_of(high)}"' in shown
    assert "#document" in shown
    assert as_ann.get("/human-actions")["Location"] == HUMAN_ACTIONS


@pytest.mark.parametrize("state", ["in_review", "fulfilled", "rejected", "lapsed"])
def test_each_state_has_its_tab(agent: Door, as_ann: Door, state: str) -> None:
    asked = {name: agent.need() for name in ("in_review", "fulfilled", "rejected", "lapsed")}
    agent.need()
    decide(as_ann, asked["in_review"], "claim")
    decide(as_ann, asked["fulfilled"], "fulfill")
    decide(as_ann, asked["rejected"], "reject", note="No.")
    let_deadline_pass(asked["lapsed"]["id"])

    assert ids_on(as_ann.get(HUMAN_ACTIONS, {"state": state})) == [asked[state]["id"]]
    assert len(ids_on(as_ann.get(HUMAN_ACTIONS, {"state": "all"}))) == 5
    assert len(ids_on(as_ann.get(HUMAN_ACTIONS))) == 2


@pytest.mark.parametrize("query", [{"type": "payment_authorization"}, {"priority": "high"}])
def test_it_is_narrowed_by_type_and_priority_and_says_who_reviews(
    agent: Door, as_ann: Door, query: dict[str, str]
) -> None:
    asked = agent.need(request_type="payment_authorization", priority="high")
    agent.need()
    decide(as_ann, asked, "claim")

    answer = as_ann.get(HUMAN_ACTIONS, query)

    assert ids_on(answer) == [asked["id"]]
    assert re.search(r'data-label="Reviewer"><span class="holder">.*ann</span>', answer.content.decode())


def test_the_figures_stand_above_the_list_and_in_its_fragment(agent: Door, as_ann: Door) -> None:
    agent.need()
    decide(as_ann, agent.need(), "fulfill")

    for headers in ({}, {"X-Fragment": "1"}):
        shown = text_of(as_ann.get(HUMAN_ACTIONS, headers=headers))
        assert re.search(r"Pending 1 Total 2 Fulfilled 1 Avg response \d+ s", shown), shown


def test_fifty_rows_cost_what_one_row_costs(
    agent: Door, as_ann: Door, django_assert_num_queries: Any
) -> None:
    agent.need()
    as_ann.get(HUMAN_ACTIONS)
    cache.clear()
    with CaptureQueriesContext(connection) as one:
        as_ann.get(HUMAN_ACTIONS)
    cost = len(one)
    for _ in range(50):
        agent.need(required_fields={"key": {"label": "Key", "type": "secret"}, "account": "Account"})

    cache.clear()
    with django_assert_num_queries(cost):
        answer = as_ann.get(HUMAN_ACTIONS)

    assert len(ids_on(answer)) == 50


@pytest.mark.parametrize(
    ("query", "words"), [({}, "Nothing waits for you"), ({"state": "rejected"}, "Nothing here"),
                         ({"q": "nobody"}, "Nothing matches")],
)  # fmt: skip
def test_an_empty_list_says_of_what_it_is_empty(as_ann: Door, query: dict[str, str], words: str) -> None:
    assert words in text_of(as_ann.get(HUMAN_ACTIONS, query))


def test_the_overview_and_every_page_count_both_kinds(agent: Door, as_ann: Door) -> None:
    asked = agent.need(priority="critical", expires_in=60)
    agent.ask(priority="high")

    answer = as_ann.get("/admin/")

    cards = {"waiting": 2, "overdue": 0, "soon": 1, "urgent": 2, "median": "—", "fulfilled": 0}
    assert answer.context["cards"] == cards
    assert answer.context["waiting"] == {"interrupts": 1, "requests": 1, "all": 2}
    for address in (HUMAN_ACTIONS, page_of(asked)):
        assert f'href="{address}"' in answer.content.decode()
