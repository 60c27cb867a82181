"""Who calls a site over the network: an agent or a person with a key."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import httpx
from websockets.sync.client import ClientConnection, connect

if TYPE_CHECKING:
    from tests.drills.sites import Site

API = "/api/v1"


class Caller:
    """Call a site's API as whoever holds a key."""

    def __init__(self, site: "Site", key: str, name: str = "") -> None:
        self.site, self.key, self.name = site, key, name
        self.http = httpx.Client(
            base_url=f"{site.url}{API}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=90,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )

    def ask(self, key: str = "", **fields: Any) -> dict[str, Any]:
        """Create an interrupt and return it."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.http.post("/interrupts", json={"reason": "May I go on?", **fields}, headers=headers)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ask_many(self, count: int, **fields: Any) -> list[str]:
        """Create *count* interrupts and return their ids."""
        ids: list[str] = []
        while len(ids) < count:
            items = [{"reason": "May I go on?", **fields}] * min(100, count - len(ids))
            answer = self.http.post("/interrupts/batch", json={"items": items})
            assert answer.status_code == 201, answer.text
            ids += [item["id"] for item in answer.json()["results"]]
        return ids

    def call(self, pk: str, verb: str, **body: Any) -> httpx.Response:
        """Decide *pk*, or whatever else *verb* does."""
        return self.http.post(f"/interrupts/{pk}/{verb}", json=body)

    def decide(self, pk: str, verb: str = "approve", **body: Any) -> None:
        """Decide *pk*, for good."""
        answer = self.call(pk, verb, **body)
        assert answer.status_code == 200, answer.text

    def item(self, pk: str) -> dict[str, Any]:
        answer = self.http.get(f"/interrupts/{pk}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def events(self, after: str = "", **query: Any) -> list[dict[str, Any]]:
        """Return every event after *after*, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.http.get("/events", params={"limit": 1_000, "after": after, **query})
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["results"]
            after = page["cursor"]
            if not page["results"]:
                return found

    def socket(self, path: str = "/ws/agents", **options: Any) -> ClientConnection:
        """Open a socket with the key in its header; the caller closes it."""
        options = {"additional_headers": {"Authorization": f"Bearer {self.key}"}, **options}
        opened: ClientConnection = connect(
            f"{self.site.url.replace('http', 'ws')}{path}", open_timeout=20, **options
        )
        return opened


def position(event_or_cursor: Any) -> int:
    """Return the position in a cursor, or in an event's."""
    cursor = event_or_cursor if isinstance(event_or_cursor, str) else event_or_cursor["cursor"]
    return int(cursor.rpartition(":")[2])


def positions(events: Iterable[Any]) -> list[int]:
    return [position(event) for event in events]
