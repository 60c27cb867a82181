"""Write runs, their steps and their questions as the contract has them."""

from typing import Any

from events.clock import iso
from interrupts.models import Interrupt
from interrupts.serializers import document as interrupt_document
from reviews.models import Attachment
from runs.lifecycle import RunStatus
from runs.models import Checkpoint, CheckpointKind, Run, StepEvent
from runs.providers.provider import Provider


def status(run: Run) -> dict[str, Any]:
    """Return how *run* stands, and what it waits for."""
    question = run.questions[0] if run.questions else None  # type: ignore[attr-defined]
    interrupt = question.interrupt if question else None
    return {
        "id": run.pk,
        "run_id": run.pk,
        "status": run.status,
        "step": run.step,
        "current_step": run.step,
        "session_id": run.session_id,
        "user_id": run.user_id,
        "agent": run.agent_id,
        "tool": run.tool,
        "model": run.model,
        "approval_id": question.approval_id if question else None,
        "checkpoint": question.kind if question else None,
        "pending_actions": interrupt.allowed_decisions if interrupt else [],
        "checkpoint_context": question.context if question else None,
        "expires_at": iso(interrupt.expires_at) if interrupt else None,
        "last_approval": run.approval or None,
        "result": run.response.get("output"),
        "files": run.response.get("files", []),
        "error": run.error if run.status in (RunStatus.FAILED, RunStatus.CANCELLED) else None,
        "created_at": iso(run.created_at),
        "resolved_at": iso(run.resolved_at),
        "version": run.version,
        "url": f"/admin/runs/run/{run.pk}/change/",
    }


def document(run: Run) -> dict[str, Any]:
    """Return the whole run."""
    return {
        **status(run),
        "run_input": run.run_input,
        "hitl_config": run.hitl_config,
        "hitl_enabled": run.gated,
        "payload": run.payload,
        "validation": run.validation,
        "response": run.response,
        "attempt": run.attempt,
        "key": run.idempotency_key,
    }


def state(run: Run) -> dict[str, Any]:
    """Return the run with the record of its steps and of what people said."""
    return {
        **document(run),
        "step_history": [step(row) for row in run.steps.all()],
        "approvals": [checkpoint(row) for row in run.checkpoints.all()],
    }


def step(row: StepEvent) -> dict[str, Any]:
    """Return one stay at a step."""
    took = row.finished_at and (row.finished_at - row.started_at).total_seconds()
    return {
        "number": row.number,
        "step": row.step,
        "status": row.outcome or "running",
        "actor": row.actor,
        "message": row.message,
        "data": row.data,
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at),
        "duration_seconds": took,
    }


def checkpoint(row: Checkpoint) -> dict[str, Any]:
    """Return one question, and its answer where there is one."""
    answer, settled_at = row.answer, row.settled_at
    if row.kind == CheckpointKind.BROWSER_ACTION and row.interrupt:  # no run reads the answer
        settled_at = settled_at or row.interrupt.resolved_at
        said = {"action": row.interrupt.status, "by": row.interrupt.resolved_by}
        answer = answer or (said if settled_at else {})
    return {
        "approval_id": row.approval_id,
        "checkpoint": row.kind,
        "step": row.step,
        "context": row.context,
        "answer": answer or None,
        "opened_at": iso(row.opened_at),
        "settled_at": iso(settled_at),
    }


def question(interrupt: Interrupt) -> dict[str, Any]:
    """Return a question that waits for a person, as the interrupt it is, with what it is about."""
    row = interrupt.checkpoint
    return {
        **interrupt_document(vars(interrupt)),
        "approval_id": interrupt.pk,
        "checkpoint": row.kind,
        "step": row.step,
        "user_id": interrupt.metadata.get("user_id", ""),
        "checkpoint_context": row.context,
        "pending_actions": interrupt.allowed_decisions,
    }


def file(row: Attachment, below: str) -> dict[str, Any]:
    """Return a file of a session; it is to be had *below* this address."""
    shown = ("id", "name", "content_type", "size", "sha256", "added_by")
    told = {name: getattr(row, name) for name in shown}
    return {
        **told,
        "reference": f"attachment:{row.pk}",
        "created_at": iso(row.created_at),
        "url": f"{below}/{row.pk}",
    }


def provider(found: Provider) -> dict[str, Any]:
    """Return what can be said of a provider without calling it."""
    why = found.unavailable()
    return {
        "name": found.name,
        "title": found.title,
        "also_called": list(found.also_called),
        "available": not why,
        "reason": why or None,
        "repeats_safely": found.repeats_safely,
        "capabilities": found.capabilities(""),
    }
