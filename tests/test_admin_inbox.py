"""The inbox: all that waits for a person, of every kind, in one list."""

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reviews.models import ReviewItem
from tests.admin import decide, page_of, text_of
from tests.conftest import Door
from tests.steps import let_deadline_pass

INBOX = "/admin/inbox/"


def ids_on(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [item.pk for item in answer.context["cl"].result_list]


def tab_counts(answer: Any) -> dict[str, str]:
    shown = re.search(r'<nav class="tabs".*?</nav>', answer.content.decode(), re.S)
    assert shown is not None
    links = re.findall(r">([^<>]+?)(?: <span class=\"tab-count\">(\d+\+?)</span>)?</a>", shown[0])
    return dict(links)


def test_it_shows_both_kinds_soonest_first_and_then_by_urgency(agent: Door, as_ann: Door) -> None:
    low = agent.ask(priority="low")
    critical = agent.need(priority="critical", expires_in=7200)
    high = agent.ask(priority="high", expires_in=3600)
    soon = agent.need(priority="low", expires_in=800)

    answer = as_ann.get(INBOX)

    assert ids_on(answer) == [asked["id"] for asked in (soon, critical, high, low)]
    shown = answer.content.decode()
    for asked in (low, critical, high, soon):
        assert f'href="{page_of(asked)}"' in shown
    assert re.search("Due within 15 minutes.*A key for Stripe.*Later", text_of(answer))


def test_an_sla_brings_forward_what_would_expire_much_later(agent: Door, as_ann: Door) -> None:
    critical, promised = agent.ask(priority="critical"), agent.ask()
    ReviewItem.objects.filter(pk=promised["id"]).update(due_at=timezone.now())

    assert ids_on(as_ann.get(INBOX)) == [promised["id"], critical["id"]]
    assert ids_on(as_ann.get(INBOX, {"state": "overdue"})) == [promised["id"]]


def test_each_tab_shows_and_counts_its_own(agent: Door, as_ann: Door, as_bob: Door) -> None:
    free, mine, bobs = agent.ask(), agent.need(), agent.ask()
    soon, late, decided = agent.ask(expires_in=600), agent.ask(), agent.ask()
    decide(as_ann, mine, "claim")
    decide(as_bob, bobs, "claim")
    decide(as_ann, decided, "approve")
    let_deadline_pass(late["id"])

    tabs = {
        "": {free["id"], mine["id"], bobs["id"], soon["id"]},
        "mine": {mine["id"]},
        "free": {free["id"], soon["id"]},
        "soon": {soon["id"]},
        "overdue": {late["id"]},
        "decided": {late["id"], decided["id"]},
    }
    for state, expected in tabs.items():
        assert set(ids_on(as_ann.get(INBOX, {"state": state} if state else {}))) == expected, state
    assert tab_counts(as_ann.get(INBOX)) == {
        "Waiting": "4", "Mine": "1", "Nobody&#x27;s": "2", "Overdue": "1", "Due in 15 min": "1",
        "Decided": "", "All": "",
    }  # fmt: skip


def test_what_was_handed_over_is_the_receivers(agent: Door, as_ann: Door, bob: User) -> None:
    asked = agent.ask()
    decide(as_ann, asked, "reassign", to="bob")
    as_bob = Door()
    as_bob.force_login(bob)

    assert ids_on(as_bob.get(INBOX, {"state": "mine"})) == [asked["id"]]
    assert ids_on(as_ann.get(INBOX, {"state": "mine"})) == []


def test_it_is_narrowed_by_agent_kind_priority_and_words(agent: Door, rogue: Door, as_ann: Door) -> None:
    refund = agent.ask(reason="Refund the chair", tool_name="stripe.refund", priority="high")
    theirs, key = rogue.ask(reason="Refund it all"), agent.need(title="A key for the chair shop")

    def found(**query: str) -> set[str]:
        return set(ids_on(as_ann.get(INBOX, query)))

    assert found(agent="rogue") == {theirs["id"]}
    assert found(type="api_key") == {key["id"]}
    assert found(priority="high") == {refund["id"]}
    assert found(q="CHAIR") == {refund["id"], key["id"]}
    assert found(q="refund chair") == {refund["id"]}
    assert found(q="stripe.ref") == {refund["id"]}
    assert found(q=key["id"]) == {key["id"]}
    assert found(q="rogue") == {theirs["id"]}
    assert found(q="%") == found(agent="nobody") == set()


@pytest.mark.parametrize(
    "query",
    [
        {"after": "nothing"},
        {"before": "\x1f"},
        {"state": "?"},
        {"priority": "x"},
        {"after": "int_1", "q": "a"},
    ],
)
def test_an_address_that_names_nothing_shows_the_list(
    agent: Door, as_ann: Door, query: dict[str, str]
) -> None:
    agent.ask(reason="a")
    assert len(ids_on(as_ann.get(INBOX, query))) == 1


def test_pages_lead_through_all_of_it_and_back(agent: Door, as_ann: Door) -> None:
    for priority in ("low", "critical"):
        items = [
            {"reason": f"{priority} {i}", "priority": priority, "expires_in": 600 + 60 * i} for i in range(55)
        ]
        agent.post_json("/interrupts/batch", {"items": items})
    everything = [*as_ann.get(INBOX).context["cl"].queryset.order_by("part", "-priority", "due", "pk")]
    whole = [item.pk for item in everything]

    pages, seen, url = [], [], INBOX
    while url:
        answer = as_ann.get(url)
        pages.append(ids_on(answer))
        seen += pages[-1]
        url = answer.context["cl"].next_url and INBOX + answer.context["cl"].next_url
    back = as_ann.get(INBOX + answer.context["cl"].previous_url)

    assert seen == whole
    assert [len(page) for page in pages] == [50, 50, 10]
    assert ids_on(back) == pages[1]
    assert ids_on(as_ann.get(INBOX + back.context["cl"].previous_url)) == pages[0]


def test_a_search_begins_on_the_first_page_whatever_page_it_is_typed_on(agent: Door, as_ann: Door) -> None:
    agent.post_json("/interrupts/batch", {"items": [{"reason": f"Move {i}?"} for i in range(51)]})
    first = as_ann.get(INBOX, {"priority": "medium"})

    second = as_ann.get(INBOX + first.context["cl"].next_url)

    assert len(ids_on(second)) == 1
    form = second.content.decode().partition('class="search"')[2].partition("</form>")[0]
    assert 'name="priority"' in form
    assert 'name="after"' not in form


def test_the_last_page_costs_what_the_first_costs(
    agent: Door, as_ann: Door, django_assert_max_num_queries: Any
) -> None:
    agent.ask()
    as_ann.get(INBOX)
    with CaptureQueriesContext(connection) as one:
        as_ann.get(INBOX)
    for _ in range(2):
        agent.post_json("/interrupts/batch", {"items": [{"reason": f"Move {i}?"} for i in range(60)]})
    with CaptureQueriesContext(connection) as first:
        page = as_ann.get(INBOX)
    # the row that it begins behind, and up to two ranges more
    with django_assert_max_num_queries(len(one) + 3) as deep:
        as_ann.get(INBOX + page.context["cl"].next_url)

    assert len(first) == len(one) <= 10
    for query in [*first.captured_queries, *deep.captured_queries]:
        assert "OFFSET" not in query["sql"]
        assert "COUNT(" not in query["sql"] or "LIMIT" in query["sql"]


def test_the_old_address_of_an_item_leads_to_its_page(agent: Door, as_ann: Door) -> None:
    asked = agent.need()

    answer = as_ann.get(f"/admin/reviews/reviewitem/{asked['id']}/change/")

    assert (answer.status_code, answer["Location"]) == (302, page_of(asked))
    assert as_ann.get("/admin/reviews/reviewitem/int_nothing/change/").status_code == 404


def test_the_next_item_is_the_next_of_the_inbox_whatever_its_kind(agent: Door, as_ann: Door) -> None:
    asked, need = agent.ask(priority="high"), agent.need(priority="high", expires_in=600)
    agent.ask()

    answer = decide(as_ann, asked, "approve")

    assert (answer.status_code, answer["Location"]) == (302, page_of(need))


def test_who_may_only_look_ticks_nothing(agent: Door, vic: User, as_ann: Door) -> None:
    agent.ask()
    as_vic = Door()
    as_vic.force_login(vic)

    assert 'class="pick"' in as_ann.get(INBOX).content.decode()
    shown = as_vic.get(INBOX).content.decode()
    assert 'class="pick"' not in shown
    assert "data-claim" not in shown


def test_what_is_due_at_one_moment_is_neither_lost_nor_shown_twice(agent: Door, as_ann: Door) -> None:
    for _ in range(2):
        agent.post_json("/interrupts/batch", {"items": [{"reason": "?"}] * 60})
    ReviewItem.objects.update(expires_at=Now() + dt.timedelta(days=1))

    seen, url = [], INBOX
    while url:
        answer = as_ann.get(url)
        seen += ids_on(answer)
        url = answer.context["cl"].next_url and INBOX + answer.context["cl"].next_url

    assert seen == sorted(ReviewItem.objects.values_list("pk", flat=True))
