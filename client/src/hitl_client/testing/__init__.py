"""The server in memory, for tests of agents.

    fake = FakeServer()
    hitl = fake.client()
    fake.approve(tool_name="delete_file")
    fake.reject(reason="Ask the owner first")

    janitor.clean_up(hitl)
    assert [item["status"] for item in fake.asked] == ["approved", "rejected"]

It answers as the server does: statuses, codes, fields, events. `FakeServer` is an httpx transport, so that
any httpx client can be one of its clients.
"""

from hitl_client.testing.script import Match, Rule, Unscripted
from hitl_client.testing.server import FakeServer

__all__ = ["FakeServer", "Match", "Rule", "Unscripted"]
