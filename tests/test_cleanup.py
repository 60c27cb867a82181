"""What was resolved long ago is deleted; the record of it stays."""

import datetime as dt
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models.functions import Now

from events.models import Event
from interrupts.models import Interrupt
from reviews.models import Delegation, Grant, ReviewItem
from reviews.services import cleanup
from reviews.tasks import cleanup_resolved_items
from tests.conftest import Door
from tests.steps import event_types, let_deadline_pass, problem

PERIOD = {"starts_at": "2030-07-01T00:00:00Z", "ends_at": "2030-07-15T00:00:00Z"}


def resolved_days_ago(agent: Door, as_ann: Door, days: float, verb: str = "approve") -> str:
    asked = agent.ask()
    as_ann.post_json(f"/interrupts/{asked['id']}/{verb}")
    ReviewItem.objects.filter(pk=asked["id"]).update(resolved_at=Now() - dt.timedelta(days=days))
    return str(asked["id"])


def test_only_what_was_resolved_long_ago_goes(agent: Door, as_ann: Door) -> None:
    old = [resolved_days_ago(agent, as_ann, 31, verb) for verb in ("approve", "reject", "cancel")]
    young = resolved_days_ago(agent, as_ann, 29)
    waiting, overdue = agent.ask()["id"], agent.ask()["id"]
    ReviewItem.objects.update(created_at=Now() - dt.timedelta(days=400))
    let_deadline_pass(overdue, seconds=100 * 86_400)

    assert cleanup(30) == 3

    assert set(ReviewItem.objects.values_list("pk", flat=True)) == {young, waiting, overdue}
    assert set(Interrupt.objects.values_list("pk", flat=True)) == {young, waiting, overdue}
    for gone in old:
        problem(agent.get_json(f"/interrupts/{gone}"), 404)


def test_the_record_survives_and_stays_whole(agent: Door, as_ann: Door) -> None:
    old = resolved_days_ago(agent, as_ann, 31)
    before = list(Event.objects.order_by("pk").values())

    cleanup(30)

    assert list(Event.objects.order_by("pk").values()) == before
    assert event_types(old) == ["hitl.interrupt.requested", "hitl.interrupt.approved"]
    assert [one["subject_id"] for one in agent.get_json("/events").json()["results"]] == [old, old]
    call_command("verify_events")


def test_the_setting_says_how_long(agent: Door, as_ann: Door, settings: Any) -> None:
    resolved_days_ago(agent, as_ann, 8)
    assert cleanup() == 0

    settings.HITL_CLEANUP_DAYS = 7

    assert cleanup() == 1


def test_it_takes_any_number(agent: Door, as_ann: Door, monkeypatch: Any) -> None:
    monkeypatch.setattr("reviews.services.BATCH", 2)
    for _ in range(5):
        resolved_days_ago(agent, as_ann, 31)

    assert cleanup(30) == 5


def test_a_day_has_one_cleanup(agent: Door, as_ann: Door) -> None:
    resolved_days_ago(agent, as_ann, 31)
    cleanup_resolved_items()
    assert ReviewItem.objects.count() == 0
    resolved_days_ago(agent, as_ann, 31)

    cleanup_resolved_items()

    assert ReviewItem.objects.count() == 1


def test_a_key_is_kept_as_long_as_its_interrupt(agent: Door, as_ann: Door) -> None:
    asked = agent.post_json("/interrupts", {"reason": "x"}, **{"Idempotency-Key": "k"}).json()
    as_ann.post_json(f"/interrupts/{asked['id']}/approve")
    ReviewItem.objects.update(resolved_at=Now() - dt.timedelta(days=31))
    cleanup(30)

    again = agent.post_json("/interrupts", {"reason": "x"}, **{"Idempotency-Key": "k"})

    assert (again.status_code, again.json()["id"] == asked["id"]) == (201, False)


def test_what_was_allowed_in_advance_goes_long_after_its_end(agent: Door, as_ann: Door, bob: User) -> None:
    for session in ("old", "new"):
        asked = agent.ask(tool_name="pay", session_id=session)
        as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"grant": "session"})
        as_ann.post_json("/delegations", {"substitute": "bob", "note": session, **PERIOD})
    long_ago = Now() - dt.timedelta(days=31)
    Grant.objects.filter(session_id="old").update(expires_at=long_ago)
    Delegation.objects.filter(note="old").update(starts_at=long_ago - dt.timedelta(days=1), ends_at=long_ago)

    cleanup()

    assert list(Grant.objects.values_list("session_id", flat=True)) == ["new"]
    assert list(Delegation.objects.values_list("note", flat=True)) == ["new"]
