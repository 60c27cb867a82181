"""What agents and people do with a run: start, pause, resume and cancel it, answer what it asks.

How a run goes on by itself is in :mod:`runs.advance`.
"""

import datetime as dt
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from agents.callers import Caller
from events import log, signals
from events.canonical import fingerprint
from events.ids import new_id
from events.models import SYSTEM
from events.problems import Problem, invalid, not_found
from events.transitions import TransitionConflict, perform
from interrupts import asking
from interrupts import services as interrupts
from interrupts.models import Interrupt, one_line
from reviews import attachments
from runs import asked, checkpoints, dispatch, endings, tallies
from runs.lifecycle import (
    ACTIVE,
    FINAL,
    PAUSE,
    RESUME,
    RESUME_WAITING,
    RETRY,
    RunStatus,
    Step,
)
from runs.models import Checkpoint, CheckpointKind, Run, StepEvent
from runs.record import begin_step, headline
from runs.steps import UNHEARD

STARTED = "hitl.run.started"
SUPERSEDED = "A newer run of the same session took its place."
AT_ONCE = 100
logger = structlog.get_logger(__name__)


# -- Starting ---------------------------------------------------------------------------------------------


def start(by: Caller, body: dict[str, Any], *, key: str = "", gated: bool = True) -> tuple[Run, bool]:
    """Start the run that *body* describes; return it and whether it is new.

    The run of the same agent that is under way in the same session is cancelled: a session has one.

    Raises:
        Problem: 400 for a tool that does not exist, 422 for a key used for another body, 429 for an agent
            that has too many runs or files.
    """
    digest = fingerprint({"body": body, "gated": gated}) if key else ""
    for _ in range(3):
        if key and (earlier := Run.objects.filter(agent_id=by.agent, idempotency_key=key).first()):
            if earlier.body_digest != digest:
                told = "This Idempotency-Key was used for another body. Take a new one."
                raise Problem(422, "key_reused", told)
            return earlier, False
        run = _drafted(by, body, gated)
        run.idempotency_key, run.body_digest = key, digest
        _check_room(by.agent)
        try:
            _write(run, by)
        except (IntegrityError, TransitionConflict):  # another of this session or key, or the end of one
            continue
        return run, True
    raise Problem(409, "conflict", "Other runs of this session start at this moment. Try again.")


def _write(run: Run, by: Caller) -> None:
    with log.unit_of_work():
        _supersede(run)
        run.save(force_insert=True)
        StepEvent.objects.create(run=run, number=1, step=Step.CREATED)
        told = {"status": run.status, **headline(run)}
        log.record(
            run.stream, STARTED, run.pk,
            actor=by.actor, session_id=run.session_id, data=told, counts=tallies.started(),
        )  # fmt: skip
        signals.after_commit(STARTED, run, by.actor, told)
        dispatch.after_commit(run.pk)


def _drafted(by: Caller, body: dict[str, Any], gated: bool) -> Run:
    sent = {**body["run_input"], **body.get("original_input", {})}
    session = body.get("session_id", sent.get("session_id", ""))
    user = body.get("user_id", sent.get("user_id", ""))
    found = asked.read({**sent, "session_id": session, "user_id": user})
    return Run(
        id=new_id("run"),
        status=RunStatus.QUEUED,
        agent_id=by.agent,
        user_id=user,
        session_id=session,
        run_input=found.run_input,
        hitl_config=body.get("hitl_config", {}),
        gated=gated,
        tool=found.tool,
        model=found.model,
    )


def _check_room(agent: str) -> None:
    attachments.check_quota(agent)
    limit = settings.HITL_OPEN_ITEMS_PER_AGENT
    if Run.objects.filter(agent_id=agent, status__in=sorted(ACTIVE))[:limit].count() >= limit:
        raise Problem(
            429, "too_many_open", f"This agent may have {limit:,} runs under way. Cancel some, or wait.",
            headers={"Retry-After": "60"},
        )  # fmt: skip


def _supersede(run: Run) -> None:
    if not run.session_id:
        return
    under_way = Run.objects.filter(
        agent_id=run.agent_id, session_id=run.session_id, status__in=sorted(ACTIVE)
    )
    for older in under_way:
        endings.cancel(older, actor=SYSTEM, reason=SUPERSEDED, told={"superseded_by": run.pk})


def cancel(run: Run, *, by: Caller, reason: str = "") -> None:
    """End *run* and take back what it asks.

    Raises:
        TransitionConflict: it has ended already.
    """
    endings.cancel(run, actor=by.actor, reason=reason, told={"by": by.name})


# -- Stopping and going on by hand ------------------------------------------------------------------------


def pause(run: Run, *, by: Caller, reason: str = "") -> None:
    """Stop *run* after the step under way; what it asks stays open, and the answer is kept for later.

    Raises:
        TransitionConflict: it has ended, or is paused already.
    """
    with log.unit_of_work():
        perform(PAUSE, run, actor=by.actor, data={**headline(run), "reason": reason, "by": by.name})
        log.count(run.stream, tallies.paused())
    logger.info("run_paused", run_id=run.pk, session_id=run.session_id, step=run.step, by=by.name)


def resume(run: Run, *, by: Caller) -> None:
    """Let *run* go on from where it was paused, or failed. It goes past no question that is not answered.

    A call that failed is reviewed again before it is made again.

    Raises:
        TransitionConflict: it is neither paused nor failed.
        Problem: 409 ``superseded`` when its session has another run by now.
    """
    try:
        with log.unit_of_work():
            _retry(run, by) if run.status == RunStatus.FAILED else _resume(run, by)
            dispatch.after_commit(run.pk)
    except IntegrityError:
        raise Problem(
            409, "superseded", "Another run of this session is under way. Cancel it first."
        ) from None
    logger.info("run_resumed", run_id=run.pk, session_id=run.session_id, step=run.step, by=by.name)


def _resume(run: Run, by: Caller) -> None:
    transition = RESUME_WAITING if checkpoints.open_of(run) else RESUME
    changes = {"due_at": Now()} if transition is RESUME else {}
    perform(transition, run, actor=by.actor, changes=changes, data={**headline(run), "by": by.name})


def _retry(run: Run, by: Caller) -> None:
    is_new_call = run.step == Step.API_CALL and not run.handle
    again = Step.PAYLOAD_REVIEW if is_new_call else Step(run.step)
    columns: dict[str, Any] = {"step": again, "resolved_at": None, "due_at": Now(), "submitted_at": None}
    if is_new_call:
        known = run.error.get("code") not in UNHEARD
        columns |= {"attempt": run.attempt + known, "approval": {}}
    data = {**headline(run), "by": by.name, "after": run.error.get("code", "")}
    as_it_was = {"same": Q(version=run.version)}  # the columns were reckoned from it
    perform(RETRY, run, actor=by.actor, changes=columns, guards=as_it_was, data=data)
    begin_step(run, again)


def decide(
    run: Run,
    *,
    by: Caller,
    approval_id: str,
    action: str,
    edits: dict[str, Any] | None = None,
    reason: str = "",
    content_hash: str = "",
) -> None:
    """Answer a question of *run*: ``approve``, ``edit`` (an approval with *edits* put over what was asked)
    or ``reject``. Whatever becomes of the run follows from the interrupt.

    Raises:
        Problem: 404 for a question that is not this run's, 400 for edits without ``edit`` or the reverse,
            and what the verbs of interrupts raise.
        TransitionConflict: the question is no longer open.
    """
    if bool(edits) != (action == "edit"):
        raise invalid({"edits": ["Give edits with the action edit, and with no other."]})
    checkpoint = run.checkpoints.filter(approval_id=approval_id).select_related("interrupt").first()
    if checkpoint is None or checkpoint.interrupt is None:
        raise not_found()
    interrupt = checkpoint.interrupt
    if action == "reject":
        interrupts.reject(interrupt, by=by, reason=reason, content_hash=content_hash)
    else:
        modifications = _with(edits, interrupt.tool_args) if edits else None
        interrupts.approve(
            interrupt, by=by, modifications=modifications, comment=reason, content_hash=content_hash
        )


def _with(edits: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return *arguments* with *edits* put over them; a null takes one out, as in a JSON merge patch."""
    kept = {name: value for name, value in arguments.items() if name not in edits}
    return {**kept, **{name: value for name, value in edits.items() if value is not None}}


def request_browser_approval(by: Caller, body: dict[str, Any], *, key: str = "") -> tuple[Interrupt, bool]:
    """Ask a person to allow what an agent is about to do in a browser; return the interrupt.

    ``run_id`` may name a run of ours, whose page then shows it, or be any label.
    """
    run = Run.objects.filter(pk=body["run_id"], agent_id=by.agent).first()
    context = body.get("browser_context", {})
    asked_for: dict[str, Any] = {
        "type": "approval",
        "reason": one_line(body["action_description"], checkpoints.REASON_LIMIT),
        "tool_name": "browser",
        "tool_args": context,
        "data": {"checkpoint": CheckpointKind.BROWSER_ACTION, "action": body["action_description"]},
        "session_id": body.get("session_id") or (run.session_id if run else ""),
        "run_id": body["run_id"],
        "step_name": "browser_action",
        "metadata": {"user_id": body.get("user_id", "")},
        **{name: body[name] for name in ("priority", "expires_in", "on_timeout") if name in body},
    }
    assignee = checkpoints.person(body.get("user_id", ""))
    interrupt, new = asking.ask(by, asked_for, key=key, assignee=assignee)
    if run is not None:  # and where a crash came between the two, asking again with the key makes up for it
        told = {"run": run, "interrupt": interrupt, "step": run.step, "context": asked_for["data"]}
        Checkpoint.objects.get_or_create(
            approval_id=interrupt.pk, defaults={**told, "kind": CheckpointKind.BROWSER_ACTION}
        )
    return interrupt, new


def finished_elsewhere(run_id: str) -> None:
    """Look at once at a call under way: its provider says that it has finished."""
    waiting = Run.objects.filter(pk=run_id, status=RunStatus.RUNNING, step=Step.API_CALL).exclude(handle="")
    if waiting.update(due_at=Now()):
        dispatch.send(run_id)


def cleanup(days: int | None = None) -> int:
    """Delete the runs that ended *days* ago (``HITL_CLEANUP_DAYS``), and old files; return how many.

    Events stay, and the files of a session as long as it has a run under way.
    """
    kept = dt.timedelta(days=settings.HITL_CLEANUP_DAYS if days is None else days)
    count = 0
    while deleted := _delete_some(kept):
        count += deleted
    under_way = Run.objects.filter(
        agent_id=OuterRef("agent_id"), session_id=OuterRef("session_id"), status__in=sorted(ACTIVE)
    )
    return count + attachments.cleanup(kept, needed=Exists(under_way.exclude(session_id="")))


def _delete_some(kept: dt.timedelta) -> int:
    """Delete up to a hundred; locked, so that none is resumed between the look and the deletion."""
    old = Run.objects.filter(status__in=sorted(FINAL), resolved_at__lt=Now() - kept).order_by("resolved_at")
    with transaction.atomic():
        ids = list(old.select_for_update().values_list("pk", flat=True)[:AT_ONCE])
        Run.objects.filter(pk__in=ids).delete()
    return len(ids)
