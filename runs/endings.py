"""How a run comes to its end: complete, failed or cancelled."""

from typing import Any

import structlog

from events import log
from events.models import SYSTEM
from events.transitions import perform
from runs import checkpoints, leases, registry, tallies
from runs.lifecycle import CANCEL, COMPLETE, FAIL
from runs.models import Run, StepEvent
from runs.record import end_step, headline
from runs.steps import OF_THE_PROVIDER, UNHEARD, Failed

logger = structlog.get_logger(__name__)


def complete(run: Run) -> None:
    """End *run*, which has taken all of its steps."""
    with log.unit_of_work():
        perform(
            COMPLETE,
            run,
            actor=SYSTEM,
            changes=leases.NOBODY,
            guards={"lease": leases.held(run)},
            data={**headline(run), "flags": run.response.get("flags", [])},
        )
        end_step(run, StepEvent.Outcome.COMPLETED, SYSTEM, "The run is complete.")
        log.count(run.stream, tallies.ended("completed"))


def fail(run: Run, failure: Failed) -> None:
    """End *run* because of *failure*; it can be resumed.

    What nobody knows the end of may be under way there: its ``handle`` is kept.
    """
    error = {
        "code": failure.code, "message": str(failure), "suggestion": failure.suggestion, "step": run.step
    }  # fmt: skip
    done_with = {} if failure.code in UNHEARD else {"handle": ""}
    with log.unit_of_work():
        perform(
            FAIL,
            run,
            actor=SYSTEM,
            changes={"error": error, "tries": 0, **leases.NOBODY, **done_with},
            guards={"lease": leases.held(run)},
            data={**headline(run), "error": _told(error)},
        )
        end_step(run, StepEvent.Outcome.FAILED, SYSTEM, str(failure), {"code": failure.code})
        log.count(run.stream, tallies.failed(run.step, run.tool, _registered(run), failure.code))
    logger.warning(
        "run_failed", run_id=run.pk, session_id=run.session_id, step=run.step, code=failure.code
    )  # fmt: skip


def _told(error: dict[str, Any]) -> dict[str, Any]:
    """Return what the record says of *error*: a provider's words may repeat an input, and go with the run."""
    theirs = error["code"] in OF_THE_PROVIDER
    return {"code": error["code"], "step": error["step"]} if theirs else error


def _registered(run: Run) -> str:
    """Return the pattern by which the tables know the model; what an agent made up is not counted apart."""
    row = registry.in_force(registry.known_models(run.tool), run.model)
    return row.pattern if row else ""


def cancel(run: Run, *, actor: str, reason: str, told: dict[str, Any]) -> None:
    """End *run* because somebody wants it so, and take back what it asks."""
    with log.unit_of_work():
        error = {"code": "cancelled", "message": reason, "suggestion": "", "step": run.step}
        perform(
            CANCEL,
            run,
            actor=actor,
            changes={"error": error, **leases.NOBODY},
            data={**headline(run), "reason": reason, **told},
        )
        end_step(run, StepEvent.Outcome.CANCELLED, actor, reason)
        checkpoints.withdraw(run, actor=actor, reason=reason or "The run was cancelled.")
        log.count(run.stream, tallies.ended("cancelled"))
