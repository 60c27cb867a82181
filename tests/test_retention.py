"""The beginning of the record is let go in time; the rest can be proved, and nobody misses it unawares."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from events import receivers, retention
from events.clock import database_now
from events.log import CHAINED, digest
from events.models import SYSTEM, Delivery, Event, Stream
from events.retention import LET_GO
from reviews import services
from runs.retention import still_there
from runs.tasks import shorten_record
from tests.conftest import Door

LONG_AGO = dt.timedelta(days=100)


def make_older(upto: int, stream: str = "janitor") -> None:
    """Have the events of *stream* up to that position happened a hundred days earlier, and chain all anew."""
    Event.objects.filter(stream=stream, position__lte=upto).update(occurred_at=F("occurred_at") - LONG_AGO)
    head = ""
    for event in Event.objects.filter(stream=stream).order_by("position"):
        head = digest(head, tuple(getattr(event, name) for name in CHAINED))
        Event.objects.filter(pk=event.pk).update(hash=head)
    Stream.objects.filter(name=stream).update(head_hash=head)


def positions(stream: str = "janitor") -> list[int]:
    return list(Event.objects.filter(stream=stream).order_by("position").values_list("position", flat=True))


def shorten(days: int = 30) -> int:
    return retention.let_go(still_there, days)


@pytest.fixture
def old(agent: Door, as_ann: Door) -> Door:
    """An agent with two approvals of long ago, which were cleaned up, and one of today."""
    for _ in range(2):
        as_ann.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    services.cleanup(0)
    make_older(upto=4)
    agent.ask()
    return agent


def test_what_is_older_is_let_go_and_it_is_on_record(old: Door) -> None:
    last = Event.objects.get(stream="janitor", position=4)

    assert shorten() == 4

    assert positions() == [5]
    stream = Stream.objects.get(name="janitor")
    assert (stream.begins_after, stream.begins_hash) == (4, last.hash)
    told = Event.objects.get(type=LET_GO)
    assert (told.stream, told.subject_id, told.actor) == (SYSTEM, "janitor", "system")
    assert json.loads(told.data) == {"position": 4, "hash": last.hash, "events": 4}
    assert shorten() == 0
    call_command("verify_events")


def test_without_the_setting_everything_stays(old: Door, settings: Any) -> None:
    shorten_record()
    assert positions() == [1, 2, 3, 4, 5]
    settings.HITL_RECORD_DAYS = 101
    assert retention.let_go(still_there) == 0
    settings.HITL_RECORD_DAYS = 99
    assert retention.let_go(still_there) == 4


def test_it_goes_by_batches_and_stops_where_something_is_still_there(
    agent: Door, as_ann: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(3):
        as_ann.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    services.cleanup(0)
    agent.ask()  # is still open
    as_ann.post_json(f"/interrupts/{agent.ask()['id']}/approve")
    make_older(upto=9)

    assert shorten() == 6

    assert positions() == [7, 8, 9]
    call_command("verify_events")


def test_what_a_receiver_has_not_had_yet_stays(old: Door) -> None:
    webhook, _secret = receivers.create("https://ledger.invalid/hooks/1", label="Ledger", actor="user:ada")
    third = Event.objects.get(stream="janitor", position=3)
    Delivery.objects.create(webhook=webhook, event=third, subject_id=third.subject_id)

    assert shorten() == 2

    assert positions() == [3, 4, 5]


def test_a_reader_who_missed_what_was_let_go_is_told_and_one_who_begins_is_not(old: Door) -> None:
    epoch = Stream.objects.get(name="janitor").epoch
    shorten()

    answer = old.get_json(f"/events?after={epoch}:2")
    assert (answer.status_code, answer.json()["code"]) == (409, "reset")
    assert answer.json()["cursor"] == f"{epoch}:4"
    for after in (f"?after={epoch}:4", ""):
        found = old.get_json(f"/events{after}").json()
        assert [event["cursor"] for event in found["results"]] == [f"{epoch}:5"]


def test_the_page_of_the_record_still_knows_what_fits(old: Door, carol: Any, enter: Any) -> None:
    shorten()
    asked = Event.objects.get(stream="janitor", position=5)

    page = enter(carol).get(f"/admin/record/{asked.subject_id}/").content.decode()

    assert "it is what was written" in page


def test_what_is_exported_afterwards_is_proved_from_where_it_begins(old: Door, tmp_path: Path) -> None:
    shorten()
    beginning, file = tmp_path / "beginning.json", tmp_path / "record.jsonl"
    call_command("verify_events", write_beginning=beginning)
    with file.open("w") as out:
        call_command("export_events", stdout=out)

    call_command("verify_events", file=file, checkpoint=beginning, goes_on=True)
    with pytest.raises(CommandError, match="should go on at position 1, not at 5"):
        call_command("verify_events", file=file)


def test_a_checkpoint_from_before_says_that_it_is_too_old(old: Door, tmp_path: Path) -> None:
    kept = tmp_path / "heads.json"
    call_command("verify_events", write_checkpoint=kept)  # at position 5, which stays
    early = tmp_path / "early.json"
    first = Event.objects.get(stream="janitor", position=2)
    early.write_text(json.dumps({"janitor": {"position": 2, "hash": first.hash}}))
    shorten()

    call_command("verify_events", checkpoint=kept)
    with pytest.raises(CommandError, match="begins after position 4, and what was kept is from before"):
        call_command("verify_events", checkpoint=early)


def test_a_beginning_that_somebody_else_cut_off_is_found(old: Door) -> None:
    cut = Event.objects.get(stream="janitor", position=3)
    Event.objects.filter(stream="janitor", position__lte=3).delete()
    with pytest.raises(CommandError, match="position 1 is missing"):
        call_command("verify_events")
    Stream.objects.filter(name="janitor").update(begins_after=3, begins_hash=cut.hash)
    with pytest.raises(CommandError, match="its beginning is missing, and the record does not say why"):
        call_command("verify_events")


def test_the_stream_that_tells_of_it_is_let_go_as_well(old: Door) -> None:
    shorten()
    make_older(upto=len(positions(SYSTEM)), stream=SYSTEM)

    assert shorten() > 0

    assert Event.objects.get(type=LET_GO).subject_id == SYSTEM
    call_command("verify_events")


def test_a_younger_event_is_never_let_go_for_an_older_one_behind_it(old: Door) -> None:
    Event.objects.filter(stream="janitor", position=2).update(occurred_at=database_now())

    assert shorten() == 1
