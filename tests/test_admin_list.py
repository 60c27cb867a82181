"""The list of interrupts: what it shows, in which order, and at what cost."""

from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reviews.models import ReviewItem
from tests.admin import LIST, decide, page_of, text_of
from tests.conftest import Door
from tests.steps import let_deadline_pass


def ids_on(answer: Any) -> list[str]:
    return [item.pk for item in answer.context["cl"].result_list]


def test_what_is_due_soon_comes_first_then_the_rest_by_urgency_and_deadline(
    agent: Door, as_ann: Door
) -> None:
    now = agent.ask(priority="low", expires_in=60)
    low = agent.ask(priority="low", expires_in=3000)
    late = agent.ask(priority="high", expires_in=7200)
    soon = agent.ask(priority="high", expires_in=3600)
    critical = agent.ask(priority="critical", expires_in=9000)
    decide(as_ann, agent.ask(), "approve")

    assert ids_on(as_ann.get(LIST)) == [asked["id"] for asked in (now, critical, soon, late, low)]


def test_an_overdue_item_reads_as_what_silence_means(agent: Door, as_ann: Door) -> None:
    expired, rejected = agent.ask(), agent.ask(on_timeout="reject")
    for asked in (expired, rejected):
        let_deadline_pass(asked["id"])

    assert ids_on(as_ann.get(LIST)) == []
    decided = as_ann.get(LIST, {"state": "decided"})
    assert {item.pk: item.effective_status for item in decided.context["cl"].result_list} == {
        expired["id"]: "expired",
        rejected["id"]: "rejected",
    }
    assert len(ids_on(as_ann.get(LIST, {"state": "overdue"}))) == 2


def test_a_row_links_to_the_plain_id_and_carries_its_version(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(tool_name="delete_file")

    shown = as_ann.get(LIST).content.decode()

    assert f'href="{page_of(asked)}"' in shown
    assert f'data-id="{asked["id"]}" data-version="1.pending."' in shown
    assert "<time datetime=" in shown


def test_filters_and_search_narrow(agent: Door, as_ann: Door) -> None:
    refund = agent.ask(
        reason="Refund the chair", tool_name="stripe.refund", priority="high", session_id="s-1"
    )
    answer = agent.ask(reason="Which slot?", type="input")

    assert ids_on(as_ann.get(LIST, {"priority": "high"})) == [refund["id"]]
    assert ids_on(as_ann.get(LIST, {"type": "input"})) == [answer["id"]]
    for words in ("refund chair", "stripe", "s-1", refund["id"]):
        assert ids_on(as_ann.get(LIST, {"q": words})) == [refund["id"]]
    assert "Nothing matches" in text_of(as_ann.get(LIST, {"q": "nobody"}))


@pytest.mark.parametrize(
    "query",
    [
        {"q": "%'\"\\"}, {"p": "-3"}, {"p": "9" * 30}, {"p": "x"}, {"state": "nonsense"},
        {"priority": "nonsense"}, {"type": "payment_authorization"}, {"title__regex": "(a+)+$"},
        {"_facets": "1"},
        {"all": ""},
    ],
)  # fmt: skip
def test_no_query_breaks_the_list(agent: Door, as_ann: Door, query: dict[str, str]) -> None:
    agent.ask()

    assert as_ann.get(LIST, query, follow=True).status_code == 200


def test_fifty_rows_cost_what_one_row_costs_and_nothing_counts_the_table(
    agent: Door, as_ann: Door, django_assert_num_queries: Any
) -> None:
    agent.ask()
    as_ann.get(LIST)
    cache.clear()
    with CaptureQueriesContext(connection) as one:
        as_ann.get(LIST)
    cost = len(one)
    agent.post_json("/interrupts/batch", {"items": [{"reason": f"Move {i}?"} for i in range(59)]})

    with django_assert_num_queries(cost) as fifty:
        answer = as_ann.get(LIST)

    assert len(ids_on(answer)) == 50
    assert cost <= 9
    for query in fifty.captured_queries:
        counts = "COUNT(" in query["sql"]
        assert not counts or "LIMIT" in query["sql"]
    behind = ids_on(answer)[-1]
    assert len(ids_on(as_ann.get(LIST, {"after": behind}))) == 10


def test_the_empty_list_is_drawn(as_ann: Door) -> None:
    assert "Nothing waits for you" in text_of(as_ann.get(LIST))


def test_nothing_can_be_added_deleted_or_done_in_bulk(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    assert as_ann.get(f"{LIST}add/").status_code == 403
    assert as_ann.post(f"{LIST}{asked['id']}/delete/", {"post": "yes"}).status_code == 403
    as_ann.post(LIST, {"action": "delete_selected", "_selected_action": [asked["id"]], "post": "yes"})
    assert ReviewItem.objects.filter(pk=asked["id"]).exists()


def test_a_fragment_is_the_results_alone_with_what_has_left_them(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    gone, stays = agent.ask(reason="This one goes"), agent.ask(reason="This one stays")
    decide(as_bob, gone, "approve")

    answer = as_ann.get(
        LIST, headers={"X-Fragment": "1", "X-Known-Items": f"{gone['id']},{stays['id']},nothing"}
    )

    shown = answer.content.decode()
    assert "<html" not in shown
    assert [item.pk for item in answer.context["gone"]] == [gone["id"]]
    assert 'data-open="no"' in shown
    assert "bob" in shown


def test_the_overview_counts_and_links(agent: Door, as_ann: Door) -> None:
    urgent, overdue = agent.ask(priority="critical", expires_in=60), agent.ask()
    let_deadline_pass(overdue["id"])

    answer = as_ann.get("/admin/")

    cards = {"waiting": 1, "overdue": 1, "soon": 1, "urgent": 1, "median": "—", "fulfilled": 0}
    assert answer.context["cards"] == cards
    for state in ("", "?state=overdue", "?state=soon", "?priority=critical"):
        assert f'href="/admin/inbox/{state}"' in answer.content.decode()
    assert f'href="{LIST}"' in answer.content.decode()
    assert f'href="{page_of(urgent)}"' in answer.content.decode()
