"""The record of one item, told from its events alone: it is there long after the item was cleaned up.

Each event is held against its hash and against the one before it in its stream, so the page itself shows
whether what it tells is what was written. That the stream was not rewritten as a whole, only a checkpoint
kept elsewhere can prove (see :mod:`events.verification`).
"""

from dataclasses import dataclass
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from events.clock import iso
from events.models import Event
from events.untrusted import pretty
from events.verification import fitting
from reviews import presentation

AUDIT = "events.view_event"
SHOWN = 1_000
PROOF = "python manage.py verify_events --checkpoint heads.json"
VERDICTS = {
    *(f"hitl.interrupt.{verb}" for verb in ("approved", "rejected", "responded", "cancelled", "expired")),
    *(f"hitl.request.{verb}" for verb in ("fulfilled", "rejected", "cancelled", "expired")),
}


@dataclass(frozen=True, slots=True)
class Chapter:
    """Be one event: what it says to a person, what it says word for word, and whether its hash fits."""

    event: Event
    line: dict[str, Any]
    text: str
    fits: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say how an item ended, and why: from the event of its end and the last one that asked."""

    event: Event
    data: dict[str, Any]
    asked: dict[str, Any]

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what was asked to run, or the context of a request."""
        found: dict[str, Any] = self.asked.get("tool_args", self.asked.get("context")) or {}
        return found

    @property
    def changes(self) -> list[presentation.Change]:
        """Return what else was approved than was asked."""
        modified = self.data.get("modifications")
        return [] if modified is None else presentation.changes(self.arguments, modified)

    @property
    def why(self) -> list[str]:
        """Return the words that were left with the decision."""
        names = ("rejection_reason", "reason", "comment", "notes")
        return [str(self.data[name]) for name in names if self.data.get(name)]


def story(site: Any, request: HttpRequest, subject: str) -> HttpResponse:
    """Show why something was decided, what happened to it, and whether the record of it is whole."""
    if not request.user.has_perm(AUDIT):
        raise PermissionDenied
    events = list(Event.objects.filter(subject_id=subject).order_by("stream", "position")[:SHOWN])
    if not events:
        raise Http404(_("The record has nothing of this id."))
    chapters = _chapters(events)
    sound = [chapter.event for chapter in chapters if chapter.fits]
    context = {
        **site.each_context(request),
        "title": _("Record of %(subject)s") % {"subject": subject},
        "subject": subject,
        "chapters": chapters,
        "verdict": _verdict(sound),
        "asked": _last_asked(sound),
        "broken": [chapter for chapter in chapters if not chapter.fits],
        "more": len(events) == SHOWN,
        "proof": PROOF,
    }
    return TemplateResponse(request, "hitl/story.html", context)


def _chapters(events: list[Event]) -> list[Chapter]:
    """Return what each of *events* says; one that was altered says nothing but its bare text."""
    fits = fitting(events)
    told = [_document(event) if event.pk in fits else _unread(event) for event in events]
    return [
        Chapter(
            event,
            line,
            pretty(document["data"]) if event.pk in fits else event.data,
            event.pk in fits,
        )
        for event, document, line in zip(events, told, presentation.history_lines(told), strict=True)
    ]


def _document(event: Event) -> dict[str, Any]:
    return {**_unread(event), "type": event.type, "data": orjson.loads(event.data)}


def _unread(event: Event) -> dict[str, Any]:
    when = iso(event.occurred_at)
    return {"id": event.pk, "type": "", "actor": event.actor, "occurred_at": when, "data": {}}


def _verdict(events: list[Event]) -> Verdict | None:
    last = next((event for event in reversed(events) if event.type in VERDICTS), None)
    return None if last is None else Verdict(last, orjson.loads(last.data), _last_asked(events))


def _last_asked(events: list[Event]) -> dict[str, Any]:
    """Return what was asked at the end: what a revision leaves out is as it was."""
    asked: dict[str, Any] = {}
    for event in events:
        if event.type in presentation.ASKED:
            asked |= orjson.loads(event.data)
    return asked
