"""The record of a run's steps, and what its events begin with."""

from typing import Any

from django.db.models.functions import Now

from runs.lifecycle import Step
from runs.models import Run, StepEvent


def begin_step(run: Run, step: Step) -> None:
    """Note that *run* is at *step* now."""
    StepEvent.objects.create(run=run, number=run.steps.count() + 1, step=step)


def end_step(
    run: Run, outcome: StepEvent.Outcome, actor: str, message: str, data: dict[str, Any] | None = None
) -> None:
    """Note that the step under way is over, by whom and how."""
    run.steps.filter(outcome="").update(
        outcome=outcome, actor=actor, message=message, data=data or {}, finished_at=Now()
    )


def headline(run: Run) -> dict[str, Any]:
    """Return what every event of a run begins with."""
    return {"step": run.step, "tool": run.tool, "model": run.model, "user_id": run.user_id}
