"""The one way a status changes.

A :class:`Transition` is a row of an app's life-cycle table. :func:`perform` carries it out as a conditional
UPDATE judged by the database: one row moved, or a :class:`TransitionConflict` that says what the subject is
now. The event is written in the same transaction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Model, Q
from django.db.models.functions import Now

from events import log, signals
from events.clock import overdue
from events.models import Subject


@dataclass(frozen=True, slots=True)
class Transition:
    """Say from which states a verb leads where, and how the event is called.

    ``target`` is empty for a verb that leaves the status as it is. ``final`` ends the life: ``resolved_at``
    is set and the stream has one open item less. ``when_overdue`` is for the clock alone: it moves only
    what is past its deadline, while every other verb moves only what is not; unless ``any_time`` says that
    the deadline was for something that has been done. A ``quiet`` one leaves ``version`` as it is: nothing
    that a person reads before deciding has changed.
    """

    verb: str
    sources: frozenset[str]
    event: str
    target: str = ""
    final: bool = False
    when_overdue: bool = False
    any_time: bool = False
    quiet: bool = False

    def allowed(self) -> Q:
        """Match the subjects that this transition can move now, by the database's clock."""
        allowed = Q(status__in=self.sources)
        if self.any_time:
            return allowed
        return allowed & (overdue() if self.when_overdue else Q(expires_at__isnull=True) | ~overdue())


class TransitionConflict(Exception):
    """The subject was not in a state that the verb starts from; nothing was changed.

    ``reason`` is empty, or the name of the guard that failed although the state would have allowed the verb.
    """

    def __init__(self, transition: Transition, subject_id: str, reason: str = "") -> None:
        super().__init__(f"{subject_id} could not be moved by {transition.verb!r} ({reason or 'state'}).")
        self.transition = transition
        self.subject_id = subject_id
        self.reason = reason


def perform(
    transition: Transition,
    subject: Subject,
    *,
    actor: str,
    changes: Mapping[str, Any] | None = None,
    child_changes: Mapping[str, Any] | None = None,
    guards: Mapping[str, Q] | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Move *subject* by *transition*, write its event, and refresh *subject*.

    *changes* are columns of the table that holds the status, *child_changes* those of the subject's own
    table where it inherits. *guards* are further conditions of the UPDATE by name.

    Raises:
        TransitionConflict: the row did not match; outside the transaction, with nothing changed.
    """
    rows = _lifecycle_rows(subject).filter(pk=subject.pk)
    conditions = transition.allowed()
    for guard in (guards or {}).values():
        conditions &= guard
    with log.unit_of_work():
        moved = rows.filter(conditions).update(**_columns(transition), **(changes or {}))
        if moved:
            if child_changes:
                type(subject)._base_manager.filter(pk=subject.pk).update(**child_changes)
            subject.refresh_from_db()
            _record(transition, subject, actor, data or {})
    if not moved:
        raise TransitionConflict(transition, subject.pk, _failed_guard(rows, transition, guards or {}))


def perform_all(
    transition: Transition,
    subjects: Iterable[Subject],
    *,
    actor: str,
    changes: Mapping[str, Any],
    data: dict[str, Any],
) -> int:
    """Move every one of *subjects* that can still be moved, in one UPDATE; return how many were.

    All must be of one class. This is the sweep's way: who was decided in between is left alone.
    """
    by_id = {subject.pk: subject for subject in subjects}
    if not by_id:
        return 0
    rows = _lifecycle_rows(next(iter(by_id.values())))
    with log.unit_of_work():
        movable = rows.filter(transition.allowed(), pk__in=by_id).order_by("pk")
        ids = list(movable.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True))
        moved = rows.filter(pk__in=ids)
        moved.update(**_columns(transition), **changes)
        for pk, ended_at in moved.order_by("pk").values_list("pk", "resolved_at"):
            by_id[pk].status, by_id[pk].resolved_at = transition.target, ended_at
            _record(transition, by_id[pk], actor, data)
    return len(ids)


def _columns(transition: Transition) -> dict[str, Any]:
    columns: dict[str, Any] = {} if transition.quiet else {"version": F("version") + 1}
    if transition.target:
        columns["status"] = transition.target
    if transition.final:
        columns["resolved_at"] = Now()
    return columns


def _record(transition: Transition, subject: Subject, actor: str, data: dict[str, Any]) -> None:
    data = {"status": subject.status, **data}
    log.record(
        subject.stream,
        transition.event,
        subject.pk,
        actor=actor,
        session_id=subject.session,
        data=data,
        opens=-1 if transition.final and subject.counts_as_open else 0,
        counts=subject.counts_of_end if transition.final else None,
    )
    signals.after_commit(transition.event, subject, actor, data)


def _lifecycle_rows(subject: Subject) -> Any:
    """Return the rows of the table that holds the status: the topmost concrete model.

    Updating through a child would select the ids first and then update by id alone, and two could win.
    """
    parents = subject._meta.all_parents
    root: type[Model] = next((model for model in parents if not model._meta.abstract), type(subject))
    return root._base_manager.all()


def _failed_guard(rows: Any, transition: Transition, guards: Mapping[str, Q]) -> str:
    if not rows.filter(transition.allowed()).exists():
        return ""
    return next((name for name, guard in guards.items() if not rows.filter(guard).exists()), "changed")
