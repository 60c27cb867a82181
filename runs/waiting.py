"""`GET runs/{id}/wait`, in ASGI."""

from agents.callers import Caller
from reviews.selectors import one
from reviews.waiting import Sight, waiting_route
from runs.lifecycle import ACTIVE
from runs.selectors import runs
from runs.serializers import status


def look(caller: Caller, pk: str) -> Sight:
    """Look at one run.

    Raises:
        Problem: 404 when there is none that *caller* may see.
    """
    found = one(runs(caller), pk)
    return Sight(found.stream, found.status in ACTIVE, None, status(found))


route = waiting_route(r"runs/(?P<pk>[^/]+)/wait", look)
