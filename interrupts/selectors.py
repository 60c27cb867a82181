"""Reads of interrupts. What is overdue reads as timed out, whether or not the sweep has come by."""

from typing import Any

from django.db.models import QuerySet

from agents.callers import Caller
from events.problems import not_found
from events.statements import Parameter, Prepared
from interrupts.models import Interrupt
from reviews.selectors import (
    BY_URGENCY,
    is_open,
    one,
    shown_to,
    time_left,
    visible_to,
    with_due,
    with_effective_status,
)

STATUS_FIELDS = (
    "pk", "agent_id", "effective_status", "time_left", "version", "allowed_decisions", "modifications",
    "response", "rejection_reason", "resolved_by", "resolved_at", "expires_at", "receipt",
)  # fmt: skip


def interrupts(caller: Caller) -> Any:
    """Return the interrupts that *caller* may see, each with its effective status and holder."""
    return shown_to(caller, Interrupt.objects.all())


def interrupt(caller: Caller, pk: str) -> Interrupt:
    """Return one interrupt.

    Raises:
        Problem: 404 when there is none that *caller* may see.
    """
    found: Interrupt = one(interrupts(caller), pk)
    return found


def status_row(caller: Caller, pk: str) -> dict[str, Any]:
    """Return the columns that :func:`interrupts.serializers.status` shows, of one interrupt.

    Raises:
        Problem: 404 when there is none that *caller* may see.
    """
    found = None
    if pk.isprintable():
        own = caller.user is None
        found = _of_agent.first(pk=pk, agent=caller.agent) if own else _status_rows(caller, pk).first()
    if found is None:
        raise not_found()
    return dict(zip(STATUS_FIELDS, found, strict=True))


def _status_rows(caller: Caller, pk: str) -> Any:
    rows = with_effective_status(visible_to(caller, Interrupt.objects.filter(pk=pk)))
    return rows.annotate(time_left=time_left()).values_list(*STATUS_FIELDS)


_of_agent = Prepared(lambda: _status_rows(Caller("", "", agent=Parameter("agent")), Parameter("pk")))


def get_pending(session_id: str = "", agent_name: str = "") -> Any:
    """Return what waits for a person, of one session or agent name where given."""
    rows = with_due(Interrupt.objects.filter(is_open())).order_by(*BY_URGENCY)
    if session_id:
        rows = rows.filter(session_id=session_id)
    return rows.filter(agent_name=agent_name) if agent_name else rows


def get_for_session(session_id: str, *, pending_only: bool = False) -> QuerySet[Interrupt]:
    """Return the interrupts of a session, newest first: the way back for who lost an id."""
    rows = Interrupt.objects.filter(session_id=session_id).order_by("-pk")
    return rows.filter(is_open()) if pending_only else rows
