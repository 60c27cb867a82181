"""What has ended: who decided it, what, when, why and how soon; by filters, a page at a time.

An item that is past its deadline is among them once the sweep has recorded its end, within half a minute.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events.keyset import Page, page_at, rows_after
from events.models import SYSTEM
from events.selectors import last_told
from reviews import presentation, times
from reviews.lifecycle import FINAL, Status
from reviews.models import FAMILIES, INTERRUPTS, ReviewItem
from reviews.selectors import saying
from reviews.templatetags.items import KINDS, STATUSES

PAGE = 50
EDITED = "edited"
_ORDER = ("-resolved_at", "-pk")
_COMMENTED = tuple(f"hitl.interrupt.{verb}" for verb in ("approved", "responded", "rejected"))
_COLUMNS = (
    *("pk", "kind", "title", "agent_id", "agent_name", "session_id", "tool_name", "priority", "status"),
    *("created_at", "resolved_at", "resolved_by", "policy", "votes"),
    *(f"interrupt__{name}" for name in ("tool_args", "modifications", "response", "rejection_reason")),
    *(
        f"actionrequest__{name}"
        for name in ("context", "response_data", "notes", "rejection_reason", "rejection_code")
    ),
)
_SENSIBLE = [MinValueValidator(dt.date(1970, 1, 2)), MaxValueValidator(dt.date(2999, 12, 31))]


def _date(label: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, validators=_SENSIBLE, widget=widget)


def _kinds(noun: str, every: Any) -> list[tuple[str, Any]]:
    return [(noun, every), *((kind.value, KINDS[kind][1]) for kind in FAMILIES[noun])]


def _one_of(names: str, label: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"list": names, "autocomplete": "off"})
    return forms.CharField(label=label, required=False, max_length=255, widget=widget)


class Filters(forms.Form):
    """Say which decisions; what is left empty, or is not valid, narrows nothing."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "id": "searchbar", "placeholder": _("Title, tool, agent or id")}
        ),
    )
    verdict = forms.ChoiceField(
        label=_("Verdict"),
        required=False,
        choices=[
            ("", _("Any")),
            *((status.value, STATUSES[status][1]) for status in Status if status in FINAL),
            (EDITED, _("Approved with edits")),
        ],
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        required=False,
        choices=[
            ("", _("Everything")),
            (_("Interrupts"), _kinds("interrupts", _("Every interrupt"))),
            (_("Human actions"), _kinds("requests", _("Every human action"))),
        ],
    )
    by = _one_of("people", _("Decided by"))
    agent = _one_of("agents", _("Agent"))
    since = _date(_("From"))
    until = _date(_("To"))

    @property
    def matching(self) -> Q:
        """Return what the valid ones among the filters match."""
        self.is_valid()
        asked = {name: value for name, value in self.cleaned_data.items() if value}
        found = Q(resolved_at__isnull=False) & saying(asked.get("q", ""))
        match asked.get("verdict"):
            case None:
                pass
            case "edited":
                found &= Q(status=Status.APPROVED, interrupt__modifications__isnull=False)
            case verdict:
                found &= Q(status=verdict)
        if kind := asked.get("kind"):
            found &= Q(kind__in=FAMILIES.get(kind, (kind,)))
        if by := asked.get("by"):
            found &= Q(resolved_by=by)
        if agent := asked.get("agent"):
            found &= Q(agent_id=agent)
        if since := asked.get("since"):
            found &= Q(resolved_at__gte=_midnight(since))
        if until := asked.get("until"):
            found &= Q(resolved_at__lt=_midnight(until + dt.timedelta(days=1)))
        return found


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time()))


@dataclass(frozen=True, slots=True)
class Decision:
    """Be one line of the page: an item that has ended, and the comment that its end was given."""

    item: Any
    comment: str

    @property
    def child(self) -> Any:
        return self.item.interrupt if self.is_interrupt else self.item.actionrequest

    @property
    def is_interrupt(self) -> bool:
        return self.item.kind in INTERRUPTS

    @property
    def is_edited(self) -> bool:
        return self.is_interrupt and self.item.interrupt.modifications is not None

    @property
    def by_clock(self) -> bool:
        return bool(self.item.resolved_by == SYSTEM)

    @property
    def reason(self) -> str:
        child = self.child
        return str(child.rejection_reason or ("" if self.is_interrupt else child.notes))

    @property
    def code(self) -> str:
        return "" if self.is_interrupt else str(self.child.rejection_code)

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what was asked to run, or the context of a request."""
        found: dict[str, Any] = self.child.tool_args if self.is_interrupt else self.child.context
        return found

    @property
    def final_arguments(self) -> dict[str, Any]:
        """Return the arguments that may run: of what was edited the edited ones."""
        return self.item.interrupt.modifications if self.is_edited else self.arguments

    @property
    def changes(self) -> list[presentation.Change]:
        return presentation.changes(self.arguments, self.final_arguments)

    @property
    def answer(self) -> Any:
        """Return what a person filled in; secret answers are not in it."""
        return self.child.response if self.is_interrupt else self.child.response_data

    @property
    def took(self) -> dt.timedelta:
        lasted: dt.timedelta = self.item.resolved_at - self.item.created_at
        return max(lasted, dt.timedelta(0))

    @property
    def took_words(self) -> str:
        return times.duration(self.took.total_seconds())


def page(matching: Q, query: Mapping[str, str], limit: int) -> tuple[list[Decision], Page]:
    """Return the decisions of the page that *query* names, newest first, and that page."""
    found = page_at(query, ReviewItem.objects.all(), [_rows(matching)], _ORDER, limit=limit)
    return _with_comments(found.rows), found


def older(matching: Q, than: str, limit: int) -> list[Decision]:
    """Return what ended before the item *than* did, newest first; without one, the newest of all."""
    anchor = ReviewItem.objects.filter(pk=than) if than else None
    return _with_comments(rows_after([_rows(matching)], _ORDER, anchor, limit=limit))


def _rows(matching: Q) -> Any:
    return ReviewItem.objects.filter(matching).select_related("interrupt", "actionrequest").only(*_COLUMNS)


def _with_comments(items: list[Any]) -> list[Decision]:
    told = last_told([item.pk for item in items if item.kind in INTERRUPTS], _COMMENTED)
    return [Decision(item, told.get(item.pk, {}).get("comment", "")) for item in items]
