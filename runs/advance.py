"""Take runs on: what a worker does with one that is due, and how the answer to a question is followed.

Each step is one transaction: the state, the record of the step, the question where there is one, and the
event become true together or not at all. Whoever lost the lease in between changes nothing.
"""

import datetime as dt
from collections.abc import Iterable
from copy import copy

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from events import log
from events.clock import database_now
from events.log import TooManyOpen
from events.models import SYSTEM
from events.transitions import TransitionConflict, perform
from reviews.lifecycle import NOBODY_ANSWERED, Status
from reviews.models import ReviewItem
from reviews.selectors import is_open, is_overdue
from runs import checkpoints, corrections, dispatch, endings, leases, steps, tallies
from runs.checkpoints import Answer
from runs.lifecycle import ASK, BEGIN, CONTINUE, MOVING, STEP, RunStatus, Step, next_step
from runs.models import Checkpoint, CheckpointKind, Run, StepEvent
from runs.record import begin_step, end_step, headline
from runs.steps import Failed, Later, Lost, Passed, Question

AT_ONCE = 100
JUST_NOW_SECONDS = 120
QUESTIONS_AT_ONE_STEP = 20
TIMED_OUT = Failed("approval_timeout", "Nobody answered in time.", "Resume the run to ask again.")
FAULT = Failed(steps.SERVER_FAULT, "The server failed here.", "Tell who runs it; then resume the run.")
logger = structlog.get_logger(__name__)


def advance(run_id: str) -> None:
    """Take the run a step on if it is due, or read the answer it waits for; who is late does nothing."""
    run = leases.take(run_id)
    try:
        _read_answer(run_id) if run is None else _step(run)
    except (Lost, TransitionConflict):  # paused, cancelled, or taken up by somebody else
        logger.info("run_left_alone", run_id=run_id)


def _step(run: Run) -> None:
    if run.step == Step.COMPLETED:
        endings.complete(run)
        return
    try:
        with leases.kept(run):
            outcome = steps.take(run)
        _make_true(copy(run), outcome)  # what is rolled back stays in the object that it was done to
    except Failed as failure:
        endings.fail(run, failure)
    except TooManyOpen:
        leases.put_off(run, 30)
    except (Lost, TransitionConflict, OperationalError):
        raise
    except Exception:  # a fault of ours must not take the run round for ever
        logger.exception("run_stumbled", run_id=run.pk, step=run.step, tries=run.tries)
        if run.tries >= steps.TRIES:
            endings.fail(run, FAULT)
        else:
            leases.put_off(run, 2.0**run.tries, tries=run.tries + 1)


def wake() -> None:
    """Have somebody look at the runs that are due, and at those whose question was answered just now.

    What it reads are the ends of two indexes, however many runs wait.
    """
    due = Run.objects.filter(leases.is_free(), status__in=sorted(MOVING), due_at__lte=Now())
    ids = list(due.order_by("due_at").values_list("pk", flat=True)[:AT_ONCE])
    just_now = Q(resolved_at__gt=Now() - dt.timedelta(seconds=JUST_NOW_SECONDS))
    for answered in (ReviewItem.objects.filter(just_now), ReviewItem.objects.filter(is_overdue())):
        found = _unsettled().filter(interrupt__in=answered.values("pk"))
        ids += found.values_list("run_id", flat=True)[:AT_ONCE]
    _send(ids)


def wake_all() -> None:
    """Do as :func:`wake` does for every answer, however old: for what was decided while nobody looked."""
    still_open = ReviewItem.objects.filter(is_open(), pk=OuterRef("approval_id"))
    _send(_unsettled().filter(~Exists(still_open)).values_list("run_id", flat=True)[:AT_ONCE])


def _unsettled() -> QuerySet[Checkpoint]:
    own = Checkpoint.objects.exclude(kind=CheckpointKind.BROWSER_ACTION)
    return own.filter(settled_at__isnull=True, run__status=RunStatus.AWAITING_HUMAN)


def _send(ids: Iterable[str]) -> None:
    for run_id in dict.fromkeys(ids):
        dispatch.send(run_id)


def _make_true(run: Run, outcome: steps.Outcome) -> None:
    match outcome:
        case Passed():
            _pass(run, outcome)
        case Question():
            _ask(run, outcome)
        case Later():
            leases.put_off(run, outcome.seconds, **outcome.changes)


def _pass(run: Run, passed: Passed) -> None:
    step, after = Step(run.step), next_step(run.step)
    transition = BEGIN if run.status == RunStatus.QUEUED else STEP
    with log.unit_of_work():
        perform(
            transition,
            run,
            actor=SYSTEM,
            changes={"step": after, "due_at": Now(), "tries": 0, **leases.NOBODY, **passed.changes},
            guards={"lease": leases.held(run)},
            data={**headline(run), "step": step, "outcome": "completed", "next": after, **passed.data},
        )
        end_step(run, StepEvent.Outcome.COMPLETED, SYSTEM, passed.message, passed.data)
        begin_step(run, after)
        if run.status == RunStatus.RUNNING:
            dispatch.after_commit(run.pk)


def _ask(run: Run, question: Question) -> None:
    if run.checkpoints.filter(step=run.step).count() >= QUESTIONS_AT_ONE_STEP:
        raise Failed("too_many_questions", "People were asked about this too often.", "Start another run.")
    with log.unit_of_work(open_limit=settings.HITL_OPEN_ITEMS_PER_AGENT):
        perform(
            ASK,
            run,
            actor=SYSTEM,
            changes={**leases.NOBODY, **question.changes},
            guards={"lease": leases.held(run)},
            data={**headline(run), "checkpoint": question.kind, "why": question.reasons},
        )
        checkpoint = checkpoints.ask(run, question)
        log.count(run.stream, tallies.asked(run.step))
        dispatch.after_commit(run.pk)  # a policy may have answered already
    logger.info(
        "run_waits", run_id=run.pk, session_id=run.session_id, step=run.step,
        checkpoint=question.kind, approval_id=checkpoint.approval_id,
    )  # fmt: skip


def _read_answer(run_id: str) -> None:
    """Go on, or end, as people said; do nothing while they can still say it."""
    run = Run.objects.filter(pk=run_id, status=RunStatus.AWAITING_HUMAN).first()
    if run is None or (checkpoint := checkpoints.open_of(run)) is None:
        return
    try:
        if answer := checkpoints.answer_of(run, checkpoint):
            _settle(run, checkpoint, answer)
    except (TransitionConflict, OperationalError, InterfaceError):
        raise
    except Exception:  # nor may an answer that nothing can be made of
        logger.exception("answer_stumbled", run_id=run.pk, approval_id=checkpoint.approval_id)
        with log.unit_of_work():
            endings.fail(run, FAULT)
            checkpoints.settle(checkpoint, checkpoints.UNREAD)


def _settle(run: Run, checkpoint: Checkpoint, answer: Answer) -> None:
    with log.unit_of_work():
        # The run's row before its question's, as everywhere: who cancels it waits, and no two deadlock.
        Run.objects.select_for_update(no_key=True).get(pk=run.pk)
        if checkpoints.settle(checkpoint, answer):
            _follow(run, checkpoint, answer)


def _follow(run: Run, checkpoint: Checkpoint, answer: Answer) -> None:
    took = database_now() - checkpoint.opened_at
    action = "expire" if answer.told.get("reason") == NOBODY_ANSWERED else answer.told["action"]
    by_person = answer.actor.startswith(("user:", "key "))
    log.count(run.stream, tallies.answered(checkpoint.step, action, took if by_person else None))
    if answer.status in (Status.APPROVED, checkpoints.GONE):
        _continue(run, checkpoint, answer)
    elif answer.status == Status.EXPIRED:
        endings.fail(run, TIMED_OUT)
    else:
        endings.cancel(run, actor=answer.actor, reason=answer.reason, told=answer.told)
    logger.info(
        "run_goes_on", run_id=run.pk, session_id=run.session_id, step=checkpoint.step, status=run.status,
        action=action, waited_seconds=round(took.total_seconds(), 3),
    )  # fmt: skip


def _continue(run: Run, checkpoint: Checkpoint, answer: Answer) -> None:
    before = run.payload
    perform(
        CONTINUE,
        run,
        actor=answer.actor,
        changes={"due_at": Now()},
        data={**headline(run), **{name: answer.told[name] for name in ("approval_id", "action", "by")}},
    )
    # An approval that is gone, too old, or that somebody spent already, is none: the step asks again.
    if answer.columns and checkpoints.spend(run, checkpoint):
        Run.objects.filter(pk=run.pk).update(**answer.columns)
        if payload := answer.columns.get("payload"):
            corrections.note(run.tool, run.model, before, payload)
    dispatch.after_commit(run.pk)
