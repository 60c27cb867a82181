"""What people decided when this agent asked the like before: the most alike first, each with what differs."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, F, JSONField, TextField, Value, When
from django.db.models.functions import Cast, Length
from django.utils.text import Truncator

from events.selectors import last_told
from reviews.lifecycle import Status
from reviews.models import ReviewItem
from reviews.presentation import Change, changes

SHOWN, LOOKED_AT, SCANNED = 5, 50, 500
DIFFERENCES, VALUE_LENGTH, COMPARED_CHARACTERS = 3, 60, 20_000
ALLOWED = frozenset({Status.APPROVED, Status.FULFILLED})
_DECIDED = ("hitl.interrupt.approved", "hitl.interrupt.responded", "hitl.request.fulfilled")
_COLUMNS = ("pk", "kind", "title", "status", "resolved_by", "resolved_at", "given", "said")


@dataclass(frozen=True, slots=True)
class Precedent:
    """Show one decision: its item, why, whether it was of edits, and what else was asked then."""

    item: ReviewItem
    reason: str
    is_edited: bool
    is_same: bool
    differs: list[Change]
    more: int


@dataclass(frozen=True, slots=True)
class Past:
    """Say how the last decisions of this sort went, and show those most alike."""

    allowed: int
    decided: int
    alike: list[Precedent]


def of(item: ReviewItem) -> Past | None:
    """Return what people decided of the same tool and agent, or without a tool of the same kind.

    Only the newest of them are looked at, and only what a person decided counts. Two queries.
    """
    rows = list(_decided_like(item))
    if not rows:
        return None
    given = getattr(item, item.judged_column)
    alike = sorted(rows, key=lambda row: _likeness(row["given"], given), reverse=True)[:SHOWN]
    told = last_told([row["pk"] for row in alike], _DECIDED)
    allowed = sum(row["status"] in ALLOWED for row in rows)
    return Past(allowed, len(rows), [_precedent(row, given, told.get(row["pk"], {})) for row in alike])


def _decided_like(item: ReviewItem) -> Any:
    """Return the newest decisions, newest first; arguments too long to be compared are left out of them."""
    model, column = type(item), item.judged_column
    sort = {"tool_name": item.tool_name} if item.tool_name else {"agent": item.agent_id}
    newest = ReviewItem.objects.filter(**sort).order_by("-pk").values("pk")[:SCANNED]
    rows = model._base_manager.filter(
        pk__in=newest,
        agent=item.agent_id,
        response_time__isnull=False,
        status__in=[*ALLOWED, Status.REJECTED],
    )
    rows = rows if item.tool_name else rows.filter(kind=item.kind, tool_name="")
    short = When(size__lte=COMPARED_CHARACTERS, then=F(column))
    return (
        rows.exclude(pk=item.pk)
        .annotate(size=Length(Cast(column, TextField())), said=F("rejection_reason"))
        .annotate(given=Case(short, default=Value(None, JSONField()), output_field=JSONField()))
        .order_by("-pk")
        .values(*_COLUMNS)[:LOOKED_AT]
    )


def _likeness(given: Any, now: dict[str, Any]) -> tuple[bool, bool, int]:
    """Say how much alike two sets of arguments are: the same, the same names, how many the same values."""
    if not isinstance(given, dict):
        return (False, False, 0)
    same = sum(name in now and now[name] == value for name, value in given.items())
    return (given == now, given.keys() == now.keys(), same)


def _precedent(row: dict[str, Any], now: dict[str, Any], told: dict[str, Any]) -> Precedent:
    given = row.pop("given")
    reason = row.pop("said") or told.get("comment") or told.get("notes") or ""
    found = changes(given, now) if isinstance(given, dict) else []
    return Precedent(
        item=ReviewItem(**row),
        reason=Truncator(reason).chars(300),
        is_edited=told.get("modifications") is not None,
        is_same=isinstance(given, dict) and not found,
        differs=[Change(each.name, _short(each.old), _short(each.new)) for each in found[:DIFFERENCES]],
        more=max(0, len(found) - DIFFERENCES),
    )


def _short(text: str | None) -> str | None:
    return None if text is None else Truncator(" ".join(text.split())).chars(VALUE_LENGTH)
