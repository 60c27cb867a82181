"""What a person is shown of a run: how far it is, what it asked and what people said, what was checked."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from events.models import SYSTEM
from events.untrusted import pretty
from interrupts.models import one_line
from interrupts.questions import CHECKS
from reviews import times
from reviews.lifecycle import OPEN
from reviews.presentation import Argument, Change, argument, arguments
from reviews.templatetags.items import STATUSES as ITEM_STATUSES
from runs.lifecycle import RunStatus, Step
from runs.models import Checkpoint, CheckpointKind, Run, StepEvent

VALUE_LENGTH = 300

STATUSES: dict[str, tuple[str, Any]] = {
    RunStatus.QUEUED: ("hourglass", gettext_lazy("Queued")),
    RunStatus.RUNNING: ("play", gettext_lazy("Running")),
    RunStatus.AWAITING_HUMAN: ("person", gettext_lazy("Waits for a person")),
    RunStatus.PAUSED: ("pause", gettext_lazy("Paused")),
    RunStatus.COMPLETED: ("check", gettext_lazy("Completed")),
    RunStatus.FAILED: ("warning", gettext_lazy("Failed")),
    RunStatus.CANCELLED: ("slash", pgettext_lazy("run", "Cancelled")),
}
STEPS: dict[str, Any] = {
    Step.CREATED: gettext_lazy("Taken up"),
    Step.INFORMATION_REVIEW: gettext_lazy("Information review"),
    Step.PAYLOAD_REVIEW: gettext_lazy("Payload review"),
    Step.API_CALL: gettext_lazy("Call"),
    Step.RESPONSE_REVIEW: gettext_lazy("Response review"),
    Step.COMPLETED: gettext_lazy("Done"),
}
KINDS: dict[str, Any] = {
    CheckpointKind.INFORMATION_REVIEW: gettext_lazy("Are the inputs right?"),
    CheckpointKind.PAYLOAD_SUGGESTION: gettext_lazy("Is the payload right?"),
    CheckpointKind.VALIDATION_REVIEW: gettext_lazy("Something was found: is the payload right?"),
    CheckpointKind.EXECUTION_APPROVAL: gettext_lazy("May it be called?"),
    CheckpointKind.RESPONSE_REVIEW: gettext_lazy("Is the response good?"),
    CheckpointKind.BROWSER_ACTION: gettext_lazy("May the agent do this in a browser?"),
}
SEVERITIES: dict[str, tuple[str, Any]] = {
    "error": ("cross", gettext_lazy("Has to be put right")),
    "warning": ("warning", gettext_lazy("Warning")),
    "info": ("note", gettext_lazy("Note")),
}
ANSWERS: dict[str, tuple[str, Any]] = {
    "approve": ("check", gettext_lazy("approved")),
    "edit": ("pencil", gettext_lazy("approved with edits")),
    "reject": ("cross", gettext_lazy("rejected")),
    "cancel": ("slash", gettext_lazy("taken back")),
    "gone": ("slash", gettext_lazy("lapsed: revised or deleted meanwhile")),
}
_STATES = {
    RunStatus.AWAITING_HUMAN: "waits",
    RunStatus.PAUSED: "paused",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "cancelled",
    RunStatus.COMPLETED: "done",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """Be one step of the track; ``state`` is done, ahead, or how the run stands there."""

    word: Any
    state: str


def step_word(step: str) -> str:
    return str(STEPS.get(step, step))


def track(run: Run) -> list[Segment]:
    """Return the five steps after the first, and how far *run* is in them."""
    steps = list(Step)
    at = steps.index(Step(run.step))
    here = _STATES.get(RunStatus(run.status), "now")
    return [
        Segment(STEPS[step], "done" if place < at else here if place == at else "ahead")
        for place, step in enumerate(steps)
        if place
    ]


def standing(run: Run) -> str:
    """Name the step that *run* is at, or was at when it ended."""
    return step_word(Step.COMPLETED if run.status == RunStatus.COMPLETED else run.step)


def headline_arguments(run: Run) -> list[Argument]:
    """Return the first plain values of the payload, shortened: what the call is about."""
    plain = [found for found in arguments(run.payload) if found.kind != "JSON"]
    return [Argument(found.name, found.kind, one_line(found.text, 60)) for found in plain[:2]]


# -- The timeline -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """Show one question, and its answer where there is one."""

    row: Checkpoint
    icon: str
    word: Any
    by: str = ""
    reason: str = ""
    took: str = ""
    edits: list[Change] = field(default_factory=list)
    is_open: bool = False

    @property
    def why(self) -> list[str]:
        why = self.row.context.get("why", [])
        return [str(reason) for reason in why] if isinstance(why, list) else []


@dataclass(slots=True)
class Stay:
    """Show one stay at a step, with what was asked there."""

    row: StepEvent
    word: Any
    outcome: str
    took: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        return not self.row.outcome and any(asked.is_open for asked in self.asked)

    @property
    def icon(self) -> str:
        return "person" if self.waits else self.outcome


def timeline(
    steps: Iterable[StepEvent], questions: Iterable[Checkpoint], interrupts: Iterable[Any]
) -> list[Stay]:
    """Return the stays of a run at its steps, each with the questions that were asked there."""
    stays = [_stay(row) for row in steps]
    known = {interrupt.pk: interrupt for interrupt in interrupts}
    for question in questions:
        there = [stay for stay in stays if _was_asked_at(question, stay.row)]
        if there:
            there[-1].asked.append(asked(question, known.get(question.approval_id)))
    return stays


def _was_asked_at(question: Checkpoint, row: StepEvent) -> bool:
    return question.step == row.step and question.opened_at >= row.started_at


def _stay(row: StepEvent) -> Stay:
    icons = {"completed": "check", "failed": "warning", "cancelled": "slash"}
    return Stay(row, STEPS.get(row.step, row.step), icons.get(row.outcome, "circle"), _took(row))


def _took(row: StepEvent) -> str:
    return length(row.finished_at - row.started_at) if row.finished_at else ""


def length(took: dt.timedelta) -> str:
    seconds = took.total_seconds()
    return _("less than 1 s") if seconds < 1 else times.duration(seconds)


def asked(row: Checkpoint, interrupt: Any = None) -> Asked:
    """Return how a question and its answer are shown; *interrupt* knows of one that the run has not read."""
    if not row.settled_at:
        return _unread(row, interrupt)
    answer: dict[str, Any] = row.answer
    by, action = str(answer.get("by") or ""), str(answer.get("action", ""))
    icon, word = ANSWERS.get(action, ("note", _("answered")))
    if action == "reject" and by in ("", SYSTEM):
        icon, word = "hourglass", _("nobody answered")
    took = length(row.settled_at - row.opened_at)
    return Asked(row, icon, word, by, str(answer.get("reason") or ""), took, edits(answer.get("edits")))


def _unread(row: Checkpoint, interrupt: Any) -> Asked:
    if interrupt is None and row.interrupt_id is None:  # cleaned up: a browser action is settled by nobody
        return Asked(row, "note", _("no longer kept"))
    if interrupt is None or interrupt.effective_status in OPEN:
        return Asked(row, "clock", _("waits for an answer"), is_open=True)
    icon, word = ITEM_STATUSES[interrupt.effective_status]
    by = interrupt.resolved_by or ""
    took = length(interrupt.resolved_at - row.opened_at) if interrupt.resolved_at else ""
    return Asked(row, icon, str(word).lower(), by, interrupt.rejection_reason, took)


def edits(told: Any) -> list[Change]:
    """Return what a person changed, ``{name: {before, after}}``, shortened: the interrupt has all of it."""
    found = told if isinstance(told, dict) else {}
    return [
        Change(name, _brief(change.get("before")), _brief(change.get("after")))
        for name, change in found.items()
    ]


def _brief(value: Any) -> str | None:
    return None if value is None else Truncator(pretty(value)).chars(VALUE_LENGTH)


# -- What was checked, and what came of it ------------------------------------------------------------


def checks(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the checkpoints of a validation, each with its issues."""
    return [
        {
            "word": CHECKS.get(found["checkpoint"], found["checkpoint"]),
            "passed": found["passed"],
            "issues": [_issue(issue) for issue in found["issues"]],
        }
        for found in summary.get("checkpoints", [])
    ]


def _issue(issue: dict[str, Any]) -> dict[str, Any]:
    icon, word = SEVERITIES.get(issue["severity"], SEVERITIES["info"])
    return {**issue, "icon": icon, "word": word}


def fixes(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was put right by itself: in words, and from what to what."""
    return [
        {"what": fix["fixed"], "change": Change(fix["field"], _brief(fix["before"]), _brief(fix["after"]))}
        for fix in summary.get("fixes", [])
    ]


def output(response: dict[str, Any]) -> list[Argument]:
    """Return what a provider answered, name by name where it has names."""
    found = response.get("output")
    if found is None:
        return []
    return arguments(found) if isinstance(found, dict) else [argument(_("output"), found)]


# -- History ------------------------------------------------------------------------------------------

_EVENTS: dict[str, tuple[str, Any]] = {
    "hitl.run.started": ("play", gettext_lazy("started it")),
    "hitl.run.step": ("check", gettext_lazy("finished the step “%(step)s”")),
    "hitl.run.awaiting_human": ("person", gettext_lazy("asked a person: %(checkpoint)s")),
    "hitl.run.paused": ("pause", gettext_lazy("paused it")),
    "hitl.run.resumed": ("play", gettext_lazy("let it go on")),
    "hitl.run.completed": ("check", gettext_lazy("completed it")),
    "hitl.run.failed": ("warning", gettext_lazy("ended it: it failed")),
    "hitl.run.cancelled": ("slash", gettext_lazy("cancelled it")),
}


def history_lines(record: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each event of a run says to a person."""
    return [_history_line(event) for event in record]


def pause(record: list[dict[str, Any]]) -> dict[str, Any]:
    """Return by whom, when and why a run was paused last; empty where it never was."""
    paused = [event for event in record if event["type"] == "hitl.run.paused"]
    return _history_line(paused[-1]) if paused else {}


def _history_line(event: dict[str, Any]) -> dict[str, Any]:
    data = event["data"]
    icon, verb = _EVENTS.get(event["type"], ("note", event["type"]))
    if "%(" in str(verb):
        kind = data.get("checkpoint", "")
        words = {"step": step_word(data.get("step", "")), "checkpoint": KINDS.get(kind, kind)}
        verb = str(verb) % words
    error = data.get("error") or {}
    note = data.get("reason") or error.get("message", "")
    return {"icon": icon, "actor": event["actor"], "verb": verb, "note": note, "at": event["occurred_at"]}
