"""What begins to wait while the server stops is answered at once, and not let down."""

import asyncio
import time

import httpx
import pytest

from events.hub import close_hubs
from hitl_project.asgi import application
from tests.conftest import API, Door


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/interrupts/{pk}/wait?timeout=30", "/events?types=x&wait=30"])
def test_a_wait_that_begins_as_the_server_stops_is_answered(agent: Door, path: str) -> None:
    pk, bearer = agent.ask()["id"], {"Authorization": f"Bearer {agent.key}"}  # type: ignore[attr-defined]

    async def call() -> httpx.Response:
        await close_hubs()
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get(f"{API}{path.format(pk=pk)}", headers=bearer)

    begun = time.monotonic()
    answer = asyncio.run(call())

    assert answer.status_code == 200
    assert time.monotonic() - begun < 5
