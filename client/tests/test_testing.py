"""The fake server in a test of somebody's agent: who decides what, and what nobody decides."""

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from hitl_client import HITL, Denied, Expired, InterruptSignal, ProblemError, Rejected, WaitTimeout
from hitl_client.testing import FakeServer, Unscripted

DELETE: Any = {"tool_name": "delete_file", "tool_args": {"path": "a.txt"}}


@pytest.fixture
def fake() -> FakeServer:
    return FakeServer()


@pytest.fixture
def hitl(fake: FakeServer) -> HITL:
    return fake.client()


def test_the_first_rule_that_fits_decides(fake: FakeServer, hitl: HITL) -> None:
    fake.reject(tool_name="drop_*", reason="Never")
    fake.approve(times=1, modifications={"path": "b.txt"}, by="ann")
    fake.approve(where=lambda item: item["priority"] == "low")
    fake.respond("Tuesday", type="input", about="Which *?")
    with pytest.raises(Rejected, match="rejected by operator: Never"):
        hitl.require_approval("Drop it?", tool_name="drop_table")
    first = hitl.require_approval("Delete it?", **DELETE)
    assert (first.arguments, first.resolved_by) == ({"path": "b.txt"}, "ann")
    assert hitl.require_approval("Delete it?", priority="low", **DELETE).arguments == {"path": "a.txt"}
    assert hitl.require_input("Which day?") == "Tuesday"
    assert [item["status"] for item in fake.asked] == ["rejected", "approved", "approved", "approved"]


def test_a_wait_that_would_never_end_says_so(fake: FakeServer, hitl: HITL) -> None:
    fake.approve(tool_name="send_*")
    with pytest.raises(
        Unscripted, match=r"int_0 \(approval: delete_file\).*fake\.approve\(\).*tool_name='send_\*'"
    ):
        hitl.require_approval("Delete it?", **DELETE)
    assert issubclass(Unscripted, AssertionError)


async def test_so_it_does_to_whoever_awaits(fake: FakeServer) -> None:
    async with fake.async_client() as hitl:
        with pytest.raises(Unscripted):
            await hitl.require_approval("Delete it?")


def test_what_nobody_could_decide_is_a_mistake_of_the_script(fake: FakeServer, hitl: HITL) -> None:
    fake.approve(modifications={"shell": True})
    with pytest.raises(Unscripted, match=r"modifications\.shell: There is no such field"):
        hitl.gate(tool_name="delete_file")(lambda path: path)("a.txt")
    fake.fulfill({"iban": "DE1"})
    with pytest.raises(Unscripted, match=r"account: This field is required\."):
        hitl.request_action("custom", "An account", "To pay.", required_fields={"account": "Account"})


def test_a_rule_decides_what_is_open_already(fake: FakeServer, hitl: HITL) -> None:
    def run() -> Any:
        with hitl.session("s"):
            return hitl.require_approval("Delete it?", mode="raise", **DELETE)

    with pytest.raises(InterruptSignal):
        run()
    fake.approve()
    assert run()


def test_what_is_left_open_is_waited_for(fake: FakeServer, hitl: HITL) -> None:
    fake.leave()
    with pytest.raises(WaitTimeout):
        hitl.require_approval("Deploy?", wait_timeout=1.1)
    threading.Timer(0.1, fake.decide, ["int_1", "approve"]).start()
    assert hitl.require_approval("Deploy?")


async def test_waiting_for_it_holds_up_nobody_else(fake: FakeServer) -> None:
    fake.leave()
    async with fake.async_client() as hitl:
        waiting = asyncio.create_task(hitl.require_approval("Deploy?"))
        while not fake.asked:
            await asyncio.sleep(0.01)
        fake.decide("int_0", "approve")
        assert await waiting


def test_the_clock_can_be_put_forward(fake: FakeServer, hitl: HITL) -> None:
    fake.expire(about="Deploy?")
    with pytest.raises(Expired):
        hitl.require_approval("Deploy?")
    item = hitl.batch([{"reason": "Delete it?", "expires_in": 60}])[0]
    fake.advance(61)
    assert hitl.status(item["id"])["status"] == "expired"


def test_policies_are_scripted_too(fake: FakeServer, hitl: HITL) -> None:
    fake.deny("pay", when=lambda args: args["amount"] > 100, note="Too much")
    fake.allow("pay")
    pay = hitl.gate(tool_name="pay")(lambda amount: amount)
    assert pay(5) == 5
    with pytest.raises(Denied, match="Too much"):
        pay(500)
    assert fake.asked == []


def test_a_file_that_is_asked_for_comes_as_bytes(fake: FakeServer, hitl: HITL) -> None:
    fake.fulfill({"scan": b"%PDF-"}, notes="Signed.")
    request = hitl.request_action(
        "legal_document",
        "The contract",
        "Signed.",
        required_fields={"scan": {"label": "Scan", "type": "file"}},
    )
    assert hitl.download(request.id, request.data["scan"]) == b"%PDF-"


def test_what_people_may_do_an_agent_may_not(fake: FakeServer, hitl: HITL) -> None:
    item = hitl.batch([{"reason": "Delete it?"}])[0]
    with httpx.Client(transport=fake, base_url=hitl.base_url) as http:
        assert http.post(f"/api/v1/interrupts/{item['id']}/approve", json={}).status_code == 403
    with pytest.raises(ProblemError, match="404"):
        fake.decide("int_9", "approve")


def test_a_revision_is_asked_after_changes_were_wanted(fake: FakeServer, hitl: HITL) -> None:
    item = hitl.batch([{"reason": "Delete it?", **DELETE}])[0]
    with pytest.raises(ProblemError, match="409"):
        hitl.revise(item["id"], tool_args={"path": "b.txt"})
    fake.decide(item["id"], "request_changes", comment="Only b.txt.")
    assert hitl.get(item["id"])["changes_requested_at"]
    assert hitl.revise(item["id"], tool_args={"path": "b.txt"})["revision"] == 2
    fake.approve()
    assert hitl.wait(item["id"]).arguments == {"path": "b.txt"}


def test_what_only_a_real_server_knows_is_named(hitl: HITL) -> None:
    with pytest.raises(Unscripted, match="real one"):
        hitl.start_run({"tool": "http"})


CODE = Path(__file__).parents[2] / "docs" / "agents" / "testing.md"


@pytest.mark.parametrize("number", range(5))
async def test_the_tests_of_the_guide_pass(fake: FakeServer, number: int) -> None:
    names: dict[str, Any] = {}
    exec("".join(re.findall(r"^```python\n(.*?)^```", CODE.read_text(), re.M | re.S)), names)
    tests = [test for name, test in names.items() if name.startswith("test_")]
    assert len(tests) == 5
    if (result := tests[number](fake)) is not None:
        await result
