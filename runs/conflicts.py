"""Say why a run could not be moved."""

from typing import Any

from events.problems import Problem
from events.transitions import TransitionConflict
from runs.lifecycle import FINAL, RunStatus

_WAITS = "The run waits for a person. Answer it: see approval_id. It goes on by itself then."


def conflict(error: TransitionConflict, current: dict[str, Any]) -> Problem:
    """Explain *error* by what the run is, as *current* shows it."""
    status, verb = current["status"], error.transition.verb
    if status in FINAL and not (status == RunStatus.FAILED and verb == "resume"):
        return Problem(409, f"already_{status}", f"This run is {status} already.", current=current)
    if verb == "pause":
        return Problem(409, "already_paused", "This run is paused already.", current=current)
    if status == RunStatus.AWAITING_HUMAN:
        return Problem(409, "awaiting_human", _WAITS, current=current)
    told = f"This run is {status}; only a paused or failed one can be resumed."
    if status == RunStatus.FAILED:
        told = "This run has failed at this very moment. Resume it once more."
    return Problem(409, "not_paused", told, current=current)
