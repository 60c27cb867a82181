"""A call as its headers tell it, for the routes that are answered before Django: who calls, and may they."""

from collections.abc import Mapping

import orjson
import structlog
from django.http import QueryDict

from agents import callers, throttles
from agents.callers import Caller
from agents.permissions import Access
from events.problems import CONTENT_TYPE, Problem, from_exception, server_error

Answer = tuple[int, bytes, dict[str, str]]
"""Status, body and headers."""

log = structlog.get_logger(__name__)


class Call:
    """Hold the headers of a call, by lower-case name, its query and its body."""

    def __init__(self, headers: Mapping[str, str], query: bytes | str = b"", body: bytes = b"") -> None:
        self.headers, self.body, self._query = headers, body, query

    @property
    def query(self) -> QueryDict:
        return QueryDict(self._query)

    def caller(self, access: Access) -> Caller:
        """Return who calls, if *access* admits them and they are within the limit of calls.

        Raises:
            Problem: 401 without a key or session that holds, 429 beyond the limit.
            PermissionDenied: *access* does not admit them.
        """
        scheme, _, text = self.headers.get("authorization", "").partition(" ")
        try:
            if scheme.lower() == "bearer":
                found: Caller | None = callers.by_key(text.strip())
            else:
                found = callers.by_cookie(self.headers.get("cookie", ""))
        except callers.Refused as refusal:
            raise _unauthenticated(str(refusal)) from None
        if found is None:
            raise _unauthenticated("Send `Authorization: Bearer hitl_…`, or log in at /admin/login/.")
        access.check(found)
        if not throttles.allow(found):
            seconds = str(int(throttles.seconds_left()) + 1)
            raise Problem(
                429,
                "throttled",
                f"Too many calls. Try again in {seconds} s.",
                headers={"Retry-After": seconds},
            )
        return found


def refused(error: Exception, path: str) -> Answer:
    """Answer *error* with its problem document; what nobody expected is logged and answered with 500."""
    problem = from_exception(error)
    if problem is None:
        log.error("call_failed", path=path, exc_info=error)
        return 500, server_error().content, {"Content-Type": CONTENT_TYPE}
    body = orjson.dumps(problem.document())
    return problem.status, body, {"Content-Type": CONTENT_TYPE, **problem.headers}


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="hitl"'})
