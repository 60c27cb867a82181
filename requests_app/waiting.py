"""`GET requests/{id}/wait`, in ASGI."""

from agents.callers import Caller
from requests_app.selectors import list_requests
from requests_app.serializers import document
from reviews.lifecycle import OPEN
from reviews.selectors import one
from reviews.waiting import Sight, waiting_route


def look(caller: Caller, pk: str) -> Sight:
    """Look at one request.

    Raises:
        Problem: 404 when there is none that *caller* may see.
    """
    found = one(list_requests(caller), pk)
    left = found.time_left
    return Sight(
        found.agent_id, found.effective_status in OPEN, left and left.total_seconds(), document(vars(found))
    )


route = waiting_route(r"requests/(?P<pk>[^/]+)/wait", look)
