"""What travels between an agent and the server, without the travelling.

A flow is a generator. It yields a `Call` and is sent the response, or has the `httpx.RequestError` thrown
in; it yields a `Pause` and is resumed when that time has passed, or a `Listen` and is told whether there was
anything to listen to. `HITL` and `AsyncHITL` differ only in how
they drive one: where a flow is a `Flow[T]`, the one returns T and the other is awaited for it.
"""

from __future__ import annotations

import email.utils
import logging
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

import httpx

from hitl_client.errors import HITLError, ProblemError, Unavailable, UnexpectedAnswer

log = logging.getLogger("hitl_client")

LONGEST_BACKOFF = 10.0
TRY_LATER = {429, 503}  # said before anything was done
LOST_ON_THE_WAY = {502, 504}
UNSENDABLE = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A request. The server may hold its answer for `held` seconds, and take `seconds` to give it
    (None: as long as the client waits for any)."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    file: tuple[str, bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    held: float = 0
    seconds: float | None = None
    repeatable: bool = True


@dataclass(frozen=True)
class Pause:
    """A time to let pass, in seconds."""

    seconds: float


@dataclass(frozen=True)
class Listen:
    """A wait for word of a subject, or of anything where it is None, for up to so many seconds."""

    subject: str | None
    seconds: float

    def concerns(self, message: Mapping[str, Any]) -> bool:
        """Say whether a message of the stream is an event of this subject."""
        return "id" in message and self.subject in (None, message.get("subject_id"))


Flow: TypeAlias = Generator[Call | Pause | Listen, Any, T]


def exchange(
    compose: Callable[[], Call],
    patience: float,
    *,
    reader: Callable[[httpx.Response], Any] | None = None,
) -> Flow[Any]:
    """Send a call until it is answered and return the JSON, or what `reader` makes of the answer.

    Outages of up to `patience` seconds are ridden out.
    Only a call that does no harm twice is sent again once it may have reached the server.
    """
    deadline = time.monotonic() + patience
    for delay in backoff():
        call, again, asked_for = compose(), True, 0.0
        trouble: Exception
        try:
            response: httpx.Response = yield call
        except UNSENDABLE as error:
            raise HITLError(f"this cannot be sent: {error}") from error
        except httpx.RequestError as error:
            trouble, again = error, call.repeatable or isinstance(error, UNSENT)
        else:
            busy = TRY_LATER | LOST_ON_THE_WAY if call.repeatable else TRY_LATER
            if response.status_code not in busy:
                return (reader or read)(response)
            trouble, asked_for = ProblemError.of(response), retry_after(response)
        left = deadline - time.monotonic()
        said = str(trouble) or type(trouble).__name__
        if not again or left <= 0 or asked_for > left:
            if isinstance(trouble, ProblemError) and trouble.status == 429:
                raise trouble
            raise Unavailable(f"no answer from the server: {said}") from trouble
        delay = max(asked_for, min(delay, left))
        log.warning("No answer from the server (%s); asking again in %.1f s", said, delay)
        yield Pause(delay)


def backoff() -> Iterator[float]:
    """Yield growing delays, each anywhere in its upper half, so that clients do not return in step."""
    longest = 0.25
    while True:
        yield longest * random.uniform(0.5, 1)  # noqa: S311 - nothing secret about it
        longest = min(2 * longest, LONGEST_BACKOFF)


def read_bytes(response: httpx.Response) -> bytes:
    """Return the bytes of a success; raise ProblemError for a refusal."""
    if not response.is_success:
        raise ProblemError.of(response)
    return response.content


def read(response: httpx.Response) -> Any:
    """Return the JSON of a success; raise ProblemError for a refusal."""
    read_bytes(response)
    try:
        return response.json()
    except ValueError as error:
        raise UnexpectedAnswer(f"{response.url} answered {response.text[:80]!r}, which is no JSON") from error


def retry_after(response: httpx.Response) -> float:
    """Read Retry-After, seconds or a date, as seconds from now; 0 if there is none."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return 0.0
