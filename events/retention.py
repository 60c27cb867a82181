"""Let go of what the record has held longer than ``HITL_RECORD_DAYS``, and still be able to prove the rest.

Only the beginning of a stream is let go, up to the first event that is younger, or about something that is
still there, or that a receiver has not had yet. Position and hash of the last one let go stay: the rest of
the chain goes on from them. They are told on the stream ``system`` as well.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from itertools import takewhile

from django.conf import settings

from events import log
from events.clock import database_now
from events.models import SYSTEM, Delivery, Event, Stream

BATCH = 1_000
LET_GO = "hitl.record.let_go"
InUse = Callable[[Iterable[str]], set[str]]


def let_go(in_use: InUse, days: int | None = None) -> int:
    """Let go of what is older than *days* (``HITL_RECORD_DAYS``; 0 keeps all); return how many events.

    *in_use* says which of some subjects are still there.
    """
    days = settings.HITL_RECORD_DAYS if days is None else days
    if not days:
        return 0
    before = database_now() - dt.timedelta(days=days)
    names = list(Stream.objects.order_by("name").values_list("name", flat=True))
    return sum(_shorten(name, before, in_use) for name in names)


def _shorten(name: str, before: dt.datetime, in_use: InUse) -> int:
    """Let go of the beginning of one stream, a batch a transaction."""
    count = 0
    while batch := _beginning(name, before, in_use):
        last = batch[-1]
        with log.unit_of_work():
            # In the order in which whoever records something locks them.
            held = (
                Stream.objects.select_for_update(no_key=True).filter(name__in={name, SYSTEM}).order_by("name")
            )
            begins = {stream.name: stream.begins_after for stream in held}[name]
            if begins >= last.position:  # another clock was here
                continue
            Stream.objects.filter(name=name).update(begins_after=last.position, begins_hash=last.hash)
            Event.objects.filter(stream=name, position__lte=last.position).delete()
            told = {"position": last.position, "hash": last.hash, "events": len(batch)}
            log.record(SYSTEM, LET_GO, name, actor=SYSTEM, data=told)
        count += len(batch)
    return count


def _beginning(name: str, before: dt.datetime, in_use: InUse) -> list[Event]:
    """Return the first events of a stream that may all be let go."""
    columns = ("pk", "position", "subject_id", "occurred_at", "hash")
    first = list(Event.objects.filter(stream=name).order_by("position").only(*columns)[:BATCH])
    old = list(takewhile(lambda event: event.occurred_at < before, first))
    wanted = in_use({event.subject_id for event in old}) if old else set()
    unsent = set(
        Delivery.objects.filter(event__in=[event.pk for event in old]).values_list("event_id", flat=True)
    )
    return list(takewhile(lambda event: event.subject_id not in wanted and event.pk not in unsent, old))
