"""Two people do not work on the same question."""

import datetime as dt
from typing import Any

from django.contrib.auth.models import User
from django.db.models.functions import Now

from reviews.models import ReviewItem
from tests.admin import page_of, text_of
from tests.conftest import Door
from tests.steps import Enter, event_types, problem, status_of


def claim(door: Door, interrupt_id: str) -> None:
    assert door.post_json(f"/interrupts/{interrupt_id}/claim").status_code == 200


def test_a_claim_shows_who_has_it_and_for_ten_minutes(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    taken = as_ann.post_json(f"/interrupts/{asked['id']}/claim").json()

    assert taken["claimed_by"] == "ann"
    until = dt.datetime.fromisoformat(taken["claimed_until"])
    left = until - dt.datetime.fromisoformat(asked["created_at"])
    assert dt.timedelta(minutes=9) < left < dt.timedelta(minutes=11)
    assert agent.get_json(f"/interrupts/{asked['id']}").json()["claimed_by"] == "ann"
    assert event_types(asked["id"])[1:] == ["hitl.item.claimed"]


def test_what_somebody_works_on_nobody_else_decides(agent: Door, as_ann: Door, as_bob: Door) -> None:
    asked = agent.ask()
    claim(as_ann, asked["id"])

    for verb in ("claim", "approve", "reject", "release", "request_changes"):
        body = {"comment": "x"} if verb == "request_changes" else {}
        refused = problem(as_bob.post_json(f"/interrupts/{asked['id']}/{verb}", body), 409, "claimed")
        assert "ann" in refused["detail"]
        assert refused["current"]["claimed_by"] == "ann"
    assert status_of(agent, asked["id"])["status"] == "pending"


def test_who_holds_it_decides_and_holds_it_no_longer(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    claim(as_ann, asked["id"])

    decided = as_ann.post_json(f"/interrupts/{asked['id']}/approve").json()

    assert (decided["status"], decided["claimed_by"], decided["claimed_until"]) == ("approved", None, None)


def test_claiming_again_renews(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    claim(as_ann, asked["id"])

    claim(as_ann, asked["id"])


def test_given_back_it_is_free(agent: Door, as_ann: Door, as_bob: Door) -> None:
    asked = agent.ask()
    claim(as_ann, asked["id"])

    given = as_ann.post_json(f"/interrupts/{asked['id']}/release").json()

    assert given["claimed_by"] is None
    claim(as_bob, asked["id"])
    assert event_types(asked["id"])[1:] == ["hitl.item.claimed", "hitl.item.released", "hitl.item.claimed"]


def test_an_administrator_takes_it_away(
    agent: Door, as_ann: Door, as_bob: Door, ada: User, enter: Enter
) -> None:
    asked = agent.ask()
    claim(as_ann, asked["id"])

    assert enter(ada).post_json(f"/interrupts/{asked['id']}/release").status_code == 200

    claim(as_bob, asked["id"])


def test_a_claim_lapses(agent: Door, as_ann: Door, as_bob: Door) -> None:
    asked = agent.ask()
    claim(as_ann, asked["id"])
    ReviewItem.objects.filter(pk=asked["id"]).update(claimed_until=Now() - dt.timedelta(seconds=1))

    assert agent.get_json(f"/interrupts/{asked['id']}").json()["claimed_by"] is None
    assert as_bob.post_json(f"/interrupts/{asked['id']}/approve").status_code == 200


def test_the_agent_takes_back_what_somebody_works_on(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    claim(as_ann, asked["id"])

    assert agent.post_json(f"/interrupts/{asked['id']}/cancel").json()["status"] == "cancelled"


def test_nobody_cancels_behind_the_back_of_who_holds_it(agent: Door, as_ann: Door, as_bob: Door) -> None:
    asked = agent.ask()
    as_ann.post_json(f"/interrupts/{asked['id']}/claim")

    problem(as_bob.post_json(f"/interrupts/{asked['id']}/cancel"), 409, "claimed")
    assert as_ann.post_json(f"/interrupts/{asked['id']}/cancel").json()["status"] == "cancelled"


# -- Leases -------------------------------------------------------------------------------------------


def renew(door: Door, asked: dict[str, Any]) -> int:
    """Say that somebody is still at it, as their page does."""
    status: int = door.post(page_of(asked), {"verb": "renew"}).status_code
    return status


def test_who_is_still_at_it_holds_it_longer_and_nobody_hears_of_it(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    claim(as_ann, asked["id"])
    rows = ReviewItem.objects.filter(pk=asked["id"])
    rows.update(claimed_until=Now() + dt.timedelta(minutes=1))
    before = rows.get()

    assert renew(as_ann, asked) == 204

    after = rows.get()
    assert after.claimed_until
    assert before.claimed_until
    assert after.claimed_until - before.claimed_until > dt.timedelta(minutes=8)
    assert after.version == before.version
    assert event_types(asked["id"])[1:] == ["hitl.item.claimed"]


def test_what_was_lost_is_not_renewed(agent: Door, as_ann: Door, as_bob: Door) -> None:
    never, lapsed, taken, decided = (agent.ask() for _ in range(4))
    for asked in (lapsed, taken, decided):
        claim(as_ann, asked["id"])
    ReviewItem.objects.filter(pk__in=[lapsed["id"], taken["id"]]).update(claimed_until=Now())
    claim(as_bob, taken["id"])
    as_ann.post_json(f"/interrupts/{decided['id']}/approve")

    assert [renew(as_ann, asked) for asked in (never, lapsed, taken, decided)] == [409] * 4
    assert agent.get_json(f"/interrupts/{taken['id']}").json()["claimed_by"] == "bob"


def test_who_may_not_decide_renews_nothing(agent: Door, carol: User, enter: Enter) -> None:
    assert renew(enter(carol), agent.ask()) == 403


def test_a_request_in_review_is_renewed_too(agent: Door, as_ann: Door) -> None:
    asked = agent.need()
    assert renew(as_ann, asked) == 409
    as_ann.post_json(f"/requests/{asked['id']}/start_review")

    assert renew(as_ann, asked) == 204


def test_who_opens_what_somebody_holds_is_told_who_and_until_when(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    asked = agent.ask()
    claim(as_ann, asked["id"])

    assert "ann is working on this. The claim ends in 9 min" in text_of(as_bob.get(page_of(asked)))
