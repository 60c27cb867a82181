"""What only a person can do: asked, done, and brought back, with its secrets handed over once."""

import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
from hitl_client import (
    HITL,
    ArgumentsChanged,
    AsyncHITL,
    Expired,
    Pending,
    ProblemError,
    Rejected,
    Secrets,
    SecretsGone,
    SecretsLeased,
    Unavailable,
    WaitTimeout,
    actions,
    durable,
)
from loopback import Fault, Loopback

KEY = ("api_key", "A key for Stripe", "To read invoices.")
FIELDS = {"account": "Account", "api_key": {"label": "Key", "type": "secret"}}
CANARY = "rk_live_canary"


def fulfil(server: Loopback) -> None:
    answer = {"account": "acct_1", "api_key": CANARY}
    (item,) = server.interrupts
    server.fake.decide(item, "fulfill", response_data=answer, notes="Until March.")


def test_what_a_person_supplied_comes_back(agent: Any, server: Loopback) -> None:
    server.soon("fulfilled", response_data={"account": "acct_1"}, notes="Until March.", fulfilled_by="ann")
    request = agent.request_action(*KEY, required_fields=FIELDS, priority="high", context={"env": "test"})
    assert request
    assert (request.id, request.status, request.data) == ("har_0", "fulfilled", {"account": "acct_1"})
    assert (request.notes, request.fulfilled_by) == ("Until March.", "ann")
    sent = server.bodies["har_0"]
    assert sent == {
        "request_type": "api_key", "title": KEY[1], "description": KEY[2], "required_fields": FIELDS,
        "priority": "high", "context": {"env": "test"},
    }  # fmt: skip


def test_a_refusal_says_why_in_words_and_for_programs(agent: Any, server: Loopback) -> None:
    server.soon("rejected", rejection_reason="No contract", rejection_code="cannot_be_done")
    with pytest.raises(Rejected, match="har_0 was rejected by ann: No contract") as refusal:
        agent.request_action(*KEY)
    assert (refusal.value.reason, refusal.value.code) == ("No contract", "cannot_be_done")


def test_what_nobody_did_in_time_is_expired(agent: Any, server: Loopback) -> None:
    server.soon("expired")
    with pytest.raises(Expired):
        agent.request_action(*KEY)


def test_asking_does_not_wait_and_finds_its_request_again(agent: Any, server: Loopback) -> None:
    def ask(**changes: Any) -> Any:
        return agent.request_action(*KEY, workflow_id="w-1", mode="ask", **changes)

    first = ask()
    assert first.is_open
    assert not first
    assert ask().id == first.id
    assert ask(context={"env": "live"}).id != first.id
    server.interrupts[first.id]["status"] = "in_review"
    assert ask().is_open
    server.interrupts[first.id]["status"] = "fulfilled"
    assert ask()
    server.interrupts[first.id]["status"] = "rejected"
    with pytest.raises(Rejected):
        ask()


def test_a_run_ends_at_an_open_request_and_goes_on_when_run_again(hitl: HITL, server: Loopback) -> None:
    def run() -> str:
        return str(hitl.request_action(*KEY, context={"env": "test"}, mode="raise").data["account"])

    stopped = durable(run, session_id="s")
    assert isinstance(stopped, Pending)
    assert (stopped.interrupt_id, stopped.reason) == ("har_0", "A key for Stripe")
    assert stopped.data == {"env": "test"}
    server.interrupts["har_0"]["status"] = "in_review"
    again = durable(run, session_id="s")
    assert isinstance(again, Pending)
    assert again.interrupt_id == "har_0"
    server.interrupts["har_0"]["status"] = "pending"
    server.decide("fulfilled", response_data={"account": "acct_1"})
    assert durable(run, session_id="s").result == "acct_1"  # type: ignore[union-attr]


def test_a_key_stands_for_one_request_however_it_is_described(agent: Any, server: Loopback) -> None:
    first = agent.request_action(*KEY, key="k", mode="ask")
    assert agent.request_action(*KEY[:2], "Other words.", key="k", mode="ask").id == first.id
    with pytest.raises(ArgumentsChanged):
        agent.request_action(*KEY, required_fields={"iban": "IBAN"}, key="k", mode="ask")


def test_what_a_template_says_need_not_be_sent(agent: Any, server: Loopback) -> None:
    said = {"title": "A key", "description": "To read.", "required_fields": FIELDS, "request_type": "api_key"}
    server.fake.templates["api-key"] = said
    assert [template["title"] for template in agent.templates()] == ["A key"]
    first = agent.request_action(template="api-key", context={"service": "stripe"}, key="k", mode="ask")
    assert server.bodies[first.id] == {"template": "api-key", "context": {"service": "stripe"}}
    found = agent.request_action(
        template="api-key", context={"service": "stripe"}, priority="high", key="k", mode="ask"
    )
    assert found.id == first.id


def test_requests_are_looked_up_waited_for_and_taken_back(agent: Any, server: Loopback) -> None:
    with pytest.raises(WaitTimeout):
        agent.request_action(*KEY, wait_timeout=0.1)
    assert agent.wait_request("har_0", timeout=0.1) is None
    assert [request.id for request in agent.requests(limit=1)] == ["har_0"]
    agent.comment("har_0", "It is urgent.")
    assert server.comments == ["It is urgent."]
    assert agent.cancel("har_0")["status"] == agent.cancel("har_0")["status"] == "cancelled"
    assert agent.get_request("har_0").status == "cancelled"
    assert list(agent.list()) == []


def test_secrets_are_lent_to_a_block_and_destroyed_after_it(hitl: HITL, server: Loopback) -> None:
    request = hitl.request_action(*KEY, required_fields=FIELDS, key="k", mode="ask")
    fulfil(server)
    request = hitl.request_action(*KEY, required_fields=FIELDS, key="k")
    assert request.secret_fields == ("api_key",)

    with pytest.raises(ZeroDivisionError), hitl.secrets(request) as values:
        _ = values["api_key"] and 1 / 0
    assert server.interrupts[request.id]["secrets"]["state"] == "revealed"

    server.fake.advance(121)  # the lease has passed
    with hitl.secrets(request) as values:
        assert (values["api_key"], list(values), len(values)) == (CANARY, ["api_key"], 1)
    assert server.interrupts[request.id]["secrets"]["state"] == "acknowledged"
    with pytest.raises(SecretsGone) as gone:
        hitl.reveal(request.id)
    assert gone.value.code == "acknowledged"
    hitl.ack(request.id)  # again: the first answer may have been lost


async def test_secrets_are_lent_to_an_asynchronous_block_too(server: Loopback) -> None:
    async with AsyncHITL(server.url, "hitl_key") as hitl:
        request = await hitl.request_action(*KEY, required_fields=FIELDS, mode="ask")
        fulfil(server)
        async with hitl.secrets(request) as values:
            assert values["api_key"] == CANARY
    assert server.interrupts[request.id]["secrets"]["state"] == "acknowledged"


def test_a_lease_of_another_run_is_told_or_waited_out(
    agent: Any, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "LOOK_AGAIN_SECONDS", 0.1)
    request = agent.request_action(*KEY, required_fields=FIELDS, mode="ask")
    fulfil(server)
    agent.reveal(request.id)
    with pytest.raises(SecretsLeased) as leased:
        agent.reveal(request.id, wait_timeout=0.15)
    assert leased.value.until == server.interrupts[request.id]["secrets"]["lease_expires_at"]
    threading.Timer(0.3, server.fake.advance, [121]).start()
    assert agent.reveal(request.id, wait_timeout=30)["api_key"] == CANARY


def test_an_acknowledgement_whose_answer_was_lost_is_no_error(agent: Any, server: Loopback) -> None:
    request = agent.request_action(*KEY, required_fields=FIELDS, mode="ask")
    fulfil(server)
    agent.reveal(request.id)
    server.faults.append(Fault(handled=True))
    assert agent.ack(request.id)["secrets"]["state"] == "acknowledged"


def test_files_are_attached_and_fetched(agent: Any, server: Loopback, tmp_path: Path) -> None:
    request = agent.request_action(*KEY, mode="ask")
    (tmp_path / "contract.txt").write_bytes(b"Sign here.")
    assert agent.attach(request.id, tmp_path / "contract.txt")["id"] == "att_0"
    assert b'name="file"; filename="contract.txt"' in server.uploads[0]
    assert b"Sign here." in server.uploads[0]
    assert agent.download(request.id, "att_0") == b"Sign here."
    with pytest.raises(ProblemError, match="404"):
        agent.download(request.id, "att_1")
    server.faults.append(Fault(handled=True))
    with pytest.raises(Unavailable):  # it may have arrived: adding it again would add it twice
        agent.attach(request.id, tmp_path / "contract.txt")


def test_secrets_do_not_print_and_are_not_written_anywhere() -> None:
    secrets = Secrets({"api_key": CANARY}, "2026-11-20T12:02:00Z")
    for text in (repr(secrets), str(secrets), f"{secrets}", repr([secrets])):
        assert CANARY not in text
        assert "api_key" in text
    with pytest.raises(TypeError):
        pickle.dumps(secrets)
