"""Call services: all of a call in one time limit, answers of bounded size, failures in our words.

Nothing is retried here: whoever called decides, by what :class:`ProviderError` says.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache, wraps
from typing import TypeVar

import httpx
from asgiref.sync import async_to_sync
from django.conf import settings

from events import outbound
from runs.providers.provider import ProviderError

CONNECT_SECONDS = 10
RETRY_IN = 5.0
"""Seconds to wait where nobody said how long."""
T = TypeVar("T")


class Unreadable(httpx.TransportError):
    """The service sent what is not read to its end; the message goes on after its name."""


class Exchange:
    """Carry out the requests of one call, all of them within ``HITL_RUN_CALL_SECONDS``."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._ends = time.monotonic() + settings.HITL_RUN_CALL_SECONDS

    def do(self, work: Callable[[httpx.AsyncClient], Awaitable[T]], *, repeats: bool) -> T:
        """Return what *work* returns; *repeats* says that doing it twice does no harm.

        Raises:
            ProviderError: it did not come to an end, and is uncertain unless it *repeats*.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise self._took_too_long(repeats=True)
        try:
            return async_to_sync(_in_time)(work, left)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise ProviderError(f"{self.title} cannot be reached.", retry_in=RETRY_IN) from None
        except (TimeoutError, httpx.TimeoutException):
            raise self._took_too_long(repeats) from None
        except Unreadable as error:
            raise ProviderError(f"{self.title} {error}", uncertain=not repeats) from None
        except httpx.InvalidURL:
            raise ProviderError("The inputs are too long for an address.") from None
        except (httpx.HTTPError, OSError):
            # Without its cause: what a library says of a request may repeat a header.
            raise broken_off(f"{self.title} broke off the connection.", repeats) from None

    def _took_too_long(self, repeats: bool) -> ProviderError:
        return broken_off(
            f"{self.title} did not answer within {settings.HITL_RUN_CALL_SECONDS} seconds.", repeats
        )


def broken_off(message: str, repeats: bool) -> ProviderError:
    """Return the failure of a request that was sent and has no answer."""
    if repeats:
        return ProviderError(message, retry_in=RETRY_IN)
    told = "It may have been carried out. Look there before you have it called again."
    return ProviderError(message, suggestion=told, uncertain=True)


def for_a_minute(read: Callable[..., T]) -> Callable[..., T]:
    """Keep in this process what *read* returned, for up to a minute; what it raises is not kept."""

    @lru_cache(maxsize=64)
    def kept(minute: int, *args: str) -> T:
        return read(*args)

    @wraps(read)
    def asked(*args: str) -> T:
        return kept(int(time.monotonic() // 60), *args)

    return asked


async def _in_time(work: Callable[[httpx.AsyncClient], Awaitable[T]], seconds: float) -> T:
    """Await *work*; asynchronous because only so the whole of it can be given a limit."""
    client = httpx.AsyncClient(
        transport=_Bounded(verify=outbound.tls(), trust_env=False),
        headers={"Accept-Encoding": "identity", "User-Agent": "hitl-server"},
        timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )
    async with asyncio.timeout(seconds), client:
        return await work(client)


class _Bounded(httpx.AsyncHTTPTransport):
    """Refuse answers beyond the size of an attachment, and packed ones, which could hide any size."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise Unreadable("packed its answer, though it was asked not to.")
        # Text is UTF-8, whatever it says: httpx trips over a charset that is no codec for text.
        answer.headers["Content-Type"] = (
            answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        )
        assert isinstance(answer.stream, httpx.AsyncByteStream)  # noqa: S101 - says so to mypy
        answer.stream = _Counted(answer.stream, settings.HITL_ATTACHMENT_MAX_MIB)
        return answer


class _Counted(httpx.AsyncByteStream):
    """Stop reading after so many MiB."""

    def __init__(self, inner: httpx.AsyncByteStream, mib: int) -> None:
        self._inner, self._mib = inner, mib

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._mib * 1024 * 1024
        async for part in self._inner:
            left -= len(part)
            if left < 0:
                raise Unreadable(f"answered with more than {self._mib} MiB.")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
