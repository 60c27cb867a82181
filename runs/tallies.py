"""What is counted of runs, in the tallies of their agents' streams: they only grow, as metrics do.

Names read ``run.<what>:<label>:…``. A label is one of a short list, never what an agent wrote.
"""

import datetime as dt
from bisect import bisect_left

LATENCY_SECONDS = (5, 15, 60, 300, 900, 3_600, 14_400, 86_400)
"""The upper bounds of the buckets in which the time is counted that a person took to answer."""


def started() -> dict[str, int]:
    return {"run.started": 1}


def paused() -> dict[str, int]:
    """Count one pause by hand."""
    return {"run.paused": 1}


def asked(step: str) -> dict[str, int]:
    """Count one question to a person."""
    return {f"run.asked:{step}": 1}


def answered(step: str, action: str, took: dt.timedelta | None) -> dict[str, int]:
    """Count the end of one question, and how long a person took; None where it was ended by nobody."""
    if took is None:
        return {f"run.answered:{step}:{action}": 1}
    seconds = max(0, round(took.total_seconds()))
    bounds = [str(bound) for bound in LATENCY_SECONDS] + ["inf"]
    return {
        f"run.answered:{step}:{action}": 1,
        f"run.latency:{step}:{bounds[bisect_left(LATENCY_SECONDS, seconds)]}": 1,
        f"run.latency_sum:{step}": seconds,
    }


def ended(how: str) -> dict[str, int]:
    """Count one end: ``completed`` or ``cancelled``."""
    return {f"run.{how}": 1}


def failed(step: str, tool: str, model: str, code: str) -> dict[str, int]:
    """Count one failure; *model* is empty where it is not registered."""
    return {"run.failed": 1, f"run.failure:{code}:{step}:{tool}:{model}"[:100]: 1}
