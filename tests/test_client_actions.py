"""Action requests through the client: what a person supplies, secrets, templates and files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hitl_client import (
    HITL,
    ActionRequest,
    AsyncHITL,
    Cancelled,
    Expired,
    ProblemError,
    Rejected,
    SecretsGone,
    SecretsLeased,
)

from tests import agent_side, live
from tests.live import LiveServer, Operator

pytestmark = pytest.mark.sqlite

server, key, ann = live.server, live.key, live.ann
hitl, session, soon = agent_side.hitl, agent_side.session, agent_side.soon

KEY: dict[str, Any] = {
    "request_type": "api_key",
    "title": "A key for Stripe",
    "description": "To read invoices.",
    "required_fields": {"account": "Account", "api_key": {"label": "Key", "type": "secret"}},
}


def test_a_request_brings_back_what_a_person_supplied(
    hitl: HITL, session: str, soon: Callable[..., None]
) -> None:
    answers = {"account": "acct_1", "api_key": "rk_canary"}
    soon("fulfill", "requests", response_data=answers, notes="Until March.")
    request = hitl.request_action(**KEY, session_id=session, priority="high", expires_in=600)
    assert (request.data, request.secret_fields) == ({"account": "acct_1"}, ("api_key",))
    assert (request.fulfilled_by, request.notes) == ("ann", "Until March.")

    with pytest.raises(ZeroDivisionError), hitl.secrets(request) as values:
        _ = values["api_key"] and 1 / 0
    with pytest.raises(SecretsLeased, match="410") as leased:
        hitl.reveal(request.id)
    assert leased.value.until == values.lease_expires_at
    assert hitl.ack(request.id)["secrets"]["state"] == "acknowledged"
    assert hitl.ack(request.id)["secrets"]["state"] == "acknowledged"
    with pytest.raises(SecretsGone) as gone, hitl.secrets(request):
        pass
    assert gone.value.code == "acknowledged"


def test_a_block_that_ends_well_has_its_secrets_destroyed(
    hitl: HITL, session: str, soon: Callable[..., None]
) -> None:
    soon("fulfill", "requests", response_data={"account": "acct_1", "api_key": "rk_canary"})
    with hitl.secrets(hitl.request_action(**KEY, session_id=session)) as values:
        assert dict(values) == {"api_key": "rk_canary"}
    [request] = hitl.requests(session_id=session)
    assert request.item["secrets"]["state"] == "acknowledged"


def test_a_request_that_is_turned_down_says_why(hitl: HITL, session: str, soon: Callable[..., None]) -> None:
    soon("reject", "requests", reason="No contract", code="cannot_be_done")
    with pytest.raises(Rejected, match="rejected by ann: No contract") as refusal:
        hitl.request_action(**KEY, session_id=session)
    assert refusal.value.code == "cannot_be_done"
    with pytest.raises(Expired):
        hitl.request_action(**KEY, session_id=session, expires_in=1)


def test_a_workflow_finds_its_request_again_in_another_process(
    server: LiveServer, key: str, ann: Operator, session: str
) -> None:
    def ask(**changes: Any) -> ActionRequest:
        with HITL(server.url, key) as hitl:
            return hitl.request_action(**{**KEY, **changes}, workflow_id=session, mode="ask")

    first = ask()
    assert first.is_open
    assert ask(description="Worded otherwise.").id == first.id
    assert ask(context={"env": "test"}).id != first.id
    ann.decide(first.id, "start_review")
    assert ask().status == "in_review"
    ann.decide(first.id, "fulfill", response_data={"account": "acct_1", "api_key": "rk_canary"})
    assert ask().data == {"account": "acct_1"}


async def test_a_request_can_be_awaited_and_taken_back(
    server: LiveServer, key: str, ann: Operator, session: str
) -> None:
    async with AsyncHITL(server.url, key) as hitl:
        request = await hitl.request_action(**KEY, session_id=session, mode="ask")
        assert await hitl.wait_request(request.id, timeout=0.1) is None
        assert [found.id async for found in hitl.requests(session_id=session)] == [request.id]
        await hitl.comment(request.id, "It is urgent.")
        assert "It is urgent." in str((await hitl.get_request(request.id)).item["history"])
        assert (await hitl.cancel(request.id))["status"] == "cancelled"
        with pytest.raises(Cancelled):
            await hitl.wait_request(request.id)


def test_a_template_is_named_and_its_fields_are_filled_in(
    hitl: HITL, session: str, soon: Callable[..., None]
) -> None:
    answers = {"api_key": "rk_test_canary", "environment": "test", "permissions": "Read invoices"}
    soon("fulfill", "requests", response_data=answers)
    request = hitl.request_action(
        template="service-api-key", context={"service": "stripe"}, session_id=session, key=session
    )
    assert request.item["request_type"] == "api_key"
    assert request.data == {"environment": "test", "permissions": "Read invoices"}
    again = hitl.request_action(
        template="service-api-key",
        title="Worded otherwise",
        context={"service": "stripe"},
        session_id=session,
        key=session,
    )
    assert again.id == request.id


def test_files_go_both_ways(hitl: HITL, ann: Operator, session: str, tmp_path: Path) -> None:
    draft, signed = b"Draft of the contract", b"%PDF-1.7\nsigned\n%%EOF\n"
    (tmp_path / "draft.txt").write_bytes(draft)
    request = hitl.request_action(
        "legal_document",
        "The contract, signed",
        "Please print, sign and scan it.",
        required_fields={"contract": {"label": "The scan", "type": "file"}},
        session_id=session,
        mode="ask",
    )
    attached = hitl.attach(request.id, tmp_path / "draft.txt")
    assert (attached["name"], attached["size"]) == ("draft.txt", len(draft))
    added = ann.http.post(
        f"/api/v1/requests/{request.id}/attachments",
        files={"file": ("signed.pdf", signed)},
        headers={"X-CSRFToken": ann.http.cookies["csrftoken"]},
    ).json()["attachment"]
    ann.decide(request.id, "fulfill", response_data={"contract": added["id"]})

    done = hitl.wait_request(request.id)
    assert done is not None
    assert hitl.download(done.id, done.data["contract"]) == signed
    assert hitl.download(done.id, attached["id"]) == draft
    with pytest.raises(ProblemError, match="404"):
        hitl.download(done.id, "att_nowhere")
    with pytest.raises(ProblemError, match="409"):
        hitl.attach(done.id, tmp_path / "draft.txt")
