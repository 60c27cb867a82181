"""A policy tested against what was asked in the last thirty days: what would have gone otherwise."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from events.models import Event
from reviews import rehearsal
from reviews.models import Policy, ReviewItem
from tests.admin import text_of
from tests.conftest import Door
from tests.steps import MakePolicy, rows
from tests.test_admin_policies import PAGES, change_page, typed


def trial(door: Door, path: str = f"{PAGES}add/", **fields: Any) -> rehearsal.Rehearsal:
    """Press the button that tests what is typed."""
    answer = door.post(path, typed(_test="1", **fields))
    assert answer.status_code == 200, answer
    found: rehearsal.Rehearsal = answer.context["report"]["found"]
    return found


def titles(found: rehearsal.Rehearsal) -> list[str]:
    return [line.item.title for line in found.lines]


def refunds(agent: Door, *amounts: int) -> None:
    for amount in amounts:
        agent.ask(reason=f"Refund {amount}?", tool_name="refund", tool_args={"amount": amount})


def test_what_would_have_gone_otherwise_is_counted_and_listed(agent: Door, as_ada: Door) -> None:
    refunds(agent, 50, 150, 250)
    agent.ask(reason="Another tool?", tool_name="other")

    answer = as_ada.post(f"{PAGES}add/", typed(_test="1", when="args.amount > 100", decision="deny"))

    shown = text_of(answer)
    assert "2 of 4 items would have gone otherwise." in shown
    assert "Refund 250? janitor · refund" in shown
    assert "no policy denies Refunds" in shown
    assert "Refund 50?" not in shown
    assert titles(answer.context["report"]["found"]) == ["Refund 250?", "Refund 150?"]


def test_a_test_writes_nothing(agent: Door, as_ada: Door, make_policy: MakePolicy) -> None:
    refunds(agent, 50)
    made = make_policy(name="Refunds", pattern="refund")
    before = (rows(), Event.objects.count(), Policy.objects.values().get())

    trial(as_ada)
    trial(as_ada, change_page(made), version="1", decision="deny", note="Never")

    assert (rows(), Event.objects.count(), Policy.objects.values().get()) == before


def test_an_edited_policy_stands_in_the_place_of_itself(
    agent: Door, as_ada: Door, make_policy: MakePolicy
) -> None:
    made = make_policy(name="Refunds", pattern="refund", when="args.amount > 100")
    refunds(agent, 50, 150)

    same = trial(as_ada, change_page(made), when="args.amount > 100")
    wider = trial(as_ada, change_page(made), when="args.amount > 10")
    gone = trial(as_ada, change_page(made), when="args.amount > 200")

    assert not same.otherwise
    assert (titles(wider), wider.counts) == (["Refund 50?"], {"ask": 1})
    assert (titles(gone), gone.counts) == (["Refund 150?"], {"allow": 1})


def test_the_place_among_the_others_is_kept(agent: Door, as_ada: Door, make_policy: MakePolicy) -> None:
    make_policy(name="First", priority=10, pattern="refund")
    refunds(agent, 50)

    assert not trial(as_ada, priority="20", decision="deny").otherwise
    assert trial(as_ada, priority="5", decision="deny").counts == {"deny": 1}


def test_other_people_answering_the_same_is_otherwise_and_another_name_is_not(
    agent: Door, as_ada: Door, make_policy: MakePolicy
) -> None:
    make_policy(name="First", priority=10, pattern="refund")
    refunds(agent, 50)

    assert not trial(as_ada, priority="5").otherwise
    others = trial(as_ada, priority="5", reviewers=["administrator"])
    assert others.counts == {"others": 1}


def test_what_other_policies_changed_is_only_counted(
    agent: Door, as_ada: Door, make_policy: MakePolicy
) -> None:
    refunds(agent, 50)
    make_policy(name="Since", pattern="refund", deny=True)

    found = trial(as_ada, pattern="something_else")

    assert (found.otherwise, found.elsewhere) == (0, 1)


def test_requests_are_held_against_their_type_and_context(agent: Door, as_ada: Door) -> None:
    agent.need(title="A key for Stripe", context={"service": "stripe"})
    agent.need(title="A key for Maps", context={"service": "maps"})

    found = trial(as_ada, kind="request", pattern="api_key", when='args.service == "stripe"', decision="deny")

    assert (found.looked_at, titles(found)) == (2, ["A key for Stripe"])


def test_what_was_allowed_in_advance_without_a_policy_is_compared_as_well(
    agent: Door, as_ada: Door, as_ann: Door
) -> None:
    call = {"tool_name": "refund", "tool_args": {"amount": 1}, "session_id": "s-1"}
    first = agent.ask(**call)
    as_ann.post_json(f"/interrupts/{first['id']}/approve", {"grant": "session"})
    assert agent.ask(**call)["status"] == "approved"

    answer = as_ada.post(f"{PAGES}add/", typed(_test="1"))

    assert "no policy asks Refunds" in text_of(answer)
    assert answer.context["report"]["found"].otherwise == 2


def test_a_condition_that_fails_would_ask(agent: Door, as_ada: Door) -> None:
    agent.ask(tool_name="refund", tool_args={"sum": 1})

    found = trial(as_ada, when="args.amount > 1", decision="deny")

    assert found.counts == {"ask": 1}
    assert "missing" in found.lines[0].now["failure"]


def test_what_is_older_than_thirty_days_is_left_out(agent: Door, as_ada: Door) -> None:
    refunds(agent, 50)
    ReviewItem.objects.update(created_at=Now() - dt.timedelta(days=31))
    refunds(agent, 60)

    assert trial(as_ada, decision="deny").looked_at == 1


@pytest.mark.parametrize(("limit", "patience"), [(2, 10.0), (100, -1.0)])
def test_it_says_when_it_looked_at_the_newest_only(
    agent: Door, as_ada: Door, monkeypatch: pytest.MonkeyPatch, limit: int, patience: float
) -> None:
    refunds(agent, 50, 60, 70)
    monkeypatch.setattr(rehearsal, "AT_MOST", limit)
    monkeypatch.setattr(rehearsal, "SECONDS", patience)

    answer = as_ada.post(f"{PAGES}add/", typed(_test="1", decision="deny"))

    found = answer.context["report"]["found"]
    assert found.is_cut
    assert found.looked_at == (limit if patience > 0 else 0)
    assert f"Only the newest {found.looked_at} were looked at." in text_of(answer)


def test_how_much_is_read_does_not_grow_with_what_is_looked_at(agent: Door, as_ada: Door) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert trial(as_ada, decision="deny").otherwise
        return len(seen)

    refunds(agent, 50)
    few = queries()
    refunds(agent, *range(20))

    assert queries() == few


def test_a_mistake_in_the_form_is_told_instead(agent: Door, as_ada: Door) -> None:
    answer = as_ada.post(f"{PAGES}add/", typed(_test="1", when="args."))

    assert "report" not in answer.context
    assert answer.context["form"].errors["when"]
