"""The life of a run, and the steps it takes.

queued ── begin ──▶ running ── ask ──▶ awaiting_human ── continue ──▶ running ── complete ──▶ completed
    any of these three ── pause ──▶ paused ── resume ──▶ running, or awaiting_human where a question is open
    whatever has not ended ── fail ──▶ failed ── retry ──▶ running
    whatever has not ended ── cancel ──▶ cancelled

created → information_review → payload_review → api_call → response_review → completed
"""

from django.db.models import TextChoices

from events.transitions import Transition


class RunStatus(TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    AWAITING_HUMAN = "awaiting_human"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Step(TextChoices):
    CREATED = "created"
    INFORMATION_REVIEW = "information_review"
    PAYLOAD_REVIEW = "payload_review"
    API_CALL = "api_call"
    RESPONSE_REVIEW = "response_review"
    COMPLETED = "completed"


REVIEWS = (Step.INFORMATION_REVIEW, Step.PAYLOAD_REVIEW, Step.RESPONSE_REVIEW)
"""The steps that are there to ask a person; the call itself may be asked about, too."""


def next_step(step: str) -> Step:
    """Return the step after *step*."""
    steps = list(Step)
    return steps[steps.index(Step(step)) + 1]


FINAL = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
ACTIVE = frozenset(RunStatus) - FINAL
MOVING = frozenset({RunStatus.QUEUED, RunStatus.RUNNING})
"""What a worker takes up by itself."""
_WAITS = frozenset({RunStatus.AWAITING_HUMAN})
_RUNS = frozenset({RunStatus.RUNNING})
_PAUSED = frozenset({RunStatus.PAUSED})

BEGIN = Transition("begin", frozenset({RunStatus.QUEUED}), "hitl.run.step", RunStatus.RUNNING)
STEP = Transition("step", _RUNS | _PAUSED, "hitl.run.step")  # a pause lets the step under way end
ASK = Transition("ask", _RUNS, "hitl.run.awaiting_human", RunStatus.AWAITING_HUMAN)
CONTINUE = Transition("continue", _WAITS, "hitl.run.resumed", RunStatus.RUNNING)
COMPLETE = Transition("complete", _RUNS, "hitl.run.completed", RunStatus.COMPLETED, final=True)
FAIL = Transition("fail", ACTIVE, "hitl.run.failed", RunStatus.FAILED, final=True)

PAUSE = Transition("pause", MOVING | _WAITS, "hitl.run.paused", RunStatus.PAUSED)
RESUME = Transition("resume", _PAUSED, "hitl.run.resumed", RunStatus.RUNNING)
RESUME_WAITING = Transition("resume", _PAUSED, "hitl.run.resumed", RunStatus.AWAITING_HUMAN)
RETRY = Transition("retry", frozenset({RunStatus.FAILED}), "hitl.run.resumed", RunStatus.RUNNING)
CANCEL = Transition("cancel", ACTIVE, "hitl.run.cancelled", RunStatus.CANCELLED, final=True)
