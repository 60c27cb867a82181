"""`GET interrupts/{id}/wait`, in ASGI."""

from agents.callers import Caller
from interrupts import exchange, selectors
from interrupts.serializers import status
from reviews.lifecycle import OPEN
from reviews.waiting import Sight, waiting_route


def look(caller: Caller, pk: str, dialect: str | None = None) -> Sight:
    """Look at one interrupt, in a *dialect* where one is named.

    Raises:
        Problem: 404 when there is none that *caller* may see.
    """
    if dialect is not None:
        return exchange.look(caller, pk, dialect)
    row = selectors.status_row(caller, pk)
    left = row["time_left"]
    return Sight(row["agent_id"], row["effective_status"] in OPEN, left and left.total_seconds(), status(row))


route = waiting_route(r"interrupts/(?P<pk>[^/]+)/wait", look, "dialect")
