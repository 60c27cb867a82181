"""Receipts: what a person approved, verified by who knows nothing but the public keys."""

import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from structlog.testing import capture_logs

from events.canonical import sha256
from events.models import Event
from hitl_project.environment import new_key
from tests import live, receipts
from tests.conftest import API, Door
from tests.live import LiveServer, Operator
from tests.receipts import ARGUMENTS, Approve, claims_of, part, receipt_of, set_clock
from tests.steps import MakeAgent, MakePolicy, problem, status_of
from tests.test_docs import blocks

server, key, ann_live = live.server, live.key, live.ann
approve = receipts.approve
KEYS, JWKS = "HITL_RECEIPT_KEYS", "/.well-known/jwks.json"
# -- What it says ---------------------------------------------------------------------------------------


def test_a_receipt_says_what_was_approved_and_by_whom(agent: Door, approve: Approve, settings: Any) -> None:
    pk = approve()

    receipt, item = receipt_of(agent, pk), agent.get_json(f"/interrupts/{pk}").json()

    assert jwt.get_unverified_header(receipt) == {"alg": "EdDSA", "kid": "1", "typ": "JWT"}
    claims = claims_of(receipt)
    assert dt.datetime.fromtimestamp(claims["iat"], dt.UTC) - dt.datetime.fromisoformat(
        item["resolved_at"]
    ) < dt.timedelta(seconds=2)
    assert claims == {
        "iss": settings.HITL_DEPLOYMENT_ID,
        "sub": pk,
        "jti": f"{pk}.1",
        "iat": claims["iat"],
        "exp": claims["iat"] + 72 * 3_600,
        "agent": "janitor",
        "session_id": "s-7",
        "tool": "pay",
        "args_sha256": hashlib.sha256('{"amount":1250.5,"note":"ä","to":"DE02 1203"}'.encode()).hexdigest(),
        "content_hash": item["content_hash"],
        "approvers": ["ann"],
        "policy": None,
        "single_use": True,
    }


def test_what_the_person_edited_is_what_is_signed(agent: Door, approve: Approve) -> None:
    claims = claims_of(receipt_of(agent, approve(modifications={"amount": 5})))

    assert claims["args_sha256"] == sha256({"amount": 5})


def test_a_revision_has_a_receipt_of_its_own(agent: Door, as_ann: Door) -> None:
    pk = agent.ask(tool_args={"amount": 9})["id"]
    as_ann.post_json(f"/interrupts/{pk}/request_changes", {"comment": "Less."})
    agent.post_json(f"/interrupts/{pk}/revise", {"tool_args": {"amount": 1}})
    as_ann.post_json(f"/interrupts/{pk}/approve")

    claims = claims_of(receipt_of(agent, pk))

    assert (claims["jti"], claims["args_sha256"]) == (f"{pk}.2", sha256({"amount": 1}))


def test_all_who_allowed_it_and_their_policy_are_named(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy
) -> None:
    make_policy(name="payments", required_approvals=2)
    pk = agent.ask()["id"]
    as_bob.post_json(f"/interrupts/{pk}/approve")
    as_ann.post_json(f"/interrupts/{pk}/approve")

    claims = claims_of(receipt_of(agent, pk))

    assert (claims["approvers"], claims["policy"]) == (["bob", "ann"], "payments")


def test_who_was_decided_for_by_a_back_end_is_named(
    agent: Door, make_agent: MakeAgent, approve: Approve
) -> None:
    pk = approve(make_agent("janitor", ("read", "on_behalf")), user_id="eve@example.com")

    assert claims_of(receipt_of(agent, pk))["approvers"] == ["eve@example.com"]


def test_only_what_a_person_approved_has_one(agent: Door, as_ann: Door, settings: Any) -> None:
    waiting, refused, answered = agent.ask(), agent.ask(), agent.ask(type="input")
    as_ann.post_json(f"/interrupts/{refused['id']}/reject")
    as_ann.post_json(f"/interrupts/{answered['id']}/respond", {"response": "blue"})
    settings.HITL_ENABLED = False
    waved_through = agent.ask()

    for item in (waiting, refused, answered, waved_through):
        assert status_of(agent, item["id"])["receipt"] is None


def test_who_waits_is_handed_it_and_nobody_else_finds_it(agent: Door, rogue: Door, as_ann: Door) -> None:
    pk = agent.ask()["id"]
    with capture_logs() as lines:
        approved = as_ann.post_json(f"/interrupts/{pk}/approve")

    receipt = agent.get_json(f"/interrupts/{pk}/wait", timeout=1).json()["receipt"]

    assert receipt == receipt_of(agent, pk)
    shown = [approved, agent.get_json(f"/interrupts/{pk}"), agent.get_json("/interrupts")]
    told = [*(answer.content.decode() for answer in shown), *Event.objects.values_list("data", flat=True)]
    assert all(receipt not in text and "receipt" not in text for text in [*told, str(lines)])
    problem(rogue.get_json(f"/interrupts/{pk}/status"), 404)


# -- The public keys ------------------------------------------------------------------------------------


def test_the_public_keys_are_there_for_everybody_and_nothing_else_is(
    client: Client, settings: Any, django_assert_num_queries: Any, db: None
) -> None:
    settings.HITL_RECEIPT_KEYS = {7: new_key(), 3: new_key()}

    with django_assert_num_queries(0):
        answer = client.get(JWKS)

    assert (answer["Content-Type"], answer["Cache-Control"]) == (
        "application/jwk-set+json",
        "public, max-age=300",
    )
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")
    keys = answer.json()["keys"]
    assert [one["kid"] for one in keys] == ["7", "3"]
    for one, seed in zip(keys, settings.HITL_RECEIPT_KEYS.values(), strict=True):
        assert set(one) == {"kty", "crv", "x", "kid", "use", "alg"}
        assert (one["kty"], one["crv"], one["use"], one["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")
        assert one["x"] != seed.rstrip("=")


# -- Offline: the verifier of the guide -----------------------------------------------------------------


@pytest.fixture
def guide() -> Any:
    """Return what the guide's program defines."""
    [program] = blocks("docs/receipts.md", "python")
    assert len([line for line in program.splitlines() if line.strip()]) <= 40
    defined: dict[str, Any] = {}
    exec(program, defined)
    return defined


@pytest.fixture
def tool(guide: Any, client: Client, tmp_path: Path, db: None) -> Iterator[Any]:
    """A tool server that has fetched the public keys, and knows nothing else of us."""
    verifier = guide["Receipts"](client.get(JWKS).json(), tmp_path / "spent.sqlite3")
    yield verifier
    verifier.spent.close()


def refused(
    guide: Any, tool: Any, receipt: str, why: str, name: str = "pay", arguments: Any = ARGUMENTS
) -> None:
    with pytest.raises(guide["Refused"], match=why):
        tool.spend(receipt, name, arguments)


def test_a_tool_server_takes_a_receipt_once(agent: Door, approve: Approve, guide: Any, tool: Any) -> None:
    receipt = receipt_of(agent, approve())

    assert tool.spend(receipt, "pay", dict(reversed(ARGUMENTS.items())))["approvers"] == ["ann"]
    refused(guide, tool, receipt, "spent")
    assert tool.spend(receipt_of(agent, approve()), "pay", ARGUMENTS)


def test_it_takes_it_for_no_other_tool_and_no_other_arguments(
    agent: Door, approve: Approve, guide: Any, tool: Any
) -> None:
    receipt = receipt_of(agent, approve())

    refused(guide, tool, receipt, "another tool", name="refund")
    for other in ({**ARGUMENTS, "amount": 1250.51}, {**ARGUMENTS, "more": 1}, {}):
        refused(guide, tool, receipt, "other arguments", arguments=other)
    assert tool.spend(receipt, "pay", ARGUMENTS)


def test_it_takes_none_that_has_expired(
    agent: Door, approve: Approve, guide: Any, tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, dt.timedelta(hours=-73))

    refused(guide, tool, receipt_of(agent, approve()), "expired")


def test_a_rotated_keys_receipts_are_good_until_it_is_retired(
    agent: Door, approve: Approve, guide: Any, client: Client, settings: Any, tmp_path: Path
) -> None:
    def fetched() -> Any:
        verifier = guide["Receipts"](client.get(JWKS).json(), ":memory:")
        opened.append(verifier)
        return verifier

    opened: list[Any] = []
    old = receipt_of(agent, approve())
    settings.HITL_RECEIPT_KEYS = {2: new_key(), **settings.HITL_RECEIPT_KEYS}
    new = receipt_of(agent, approve())
    assert jwt.get_unverified_header(new)["kid"] == "2"
    assert fetched().spend(old, "pay", ARGUMENTS)
    assert fetched().spend(new, "pay", ARGUMENTS)

    del settings.HITL_RECEIPT_KEYS[1]

    refused(guide, fetched(), old, "no such key")
    assert fetched().spend(new, "pay", ARGUMENTS)
    for verifier in opened:
        verifier.spent.close()


def unsigned(claims: dict[str, Any], jwk: dict[str, str]) -> str:
    return f"{part({'alg': 'none', 'kid': '1', 'typ': 'JWT'})}.{part(claims)}."


def by_hmac(claims: dict[str, Any], jwk: dict[str, str]) -> str:
    """Sign with the public key for a password."""
    signed = f"{part({'alg': 'HS256', 'kid': '1', 'typ': 'JWT'})}.{part(claims)}"
    public = base64.urlsafe_b64decode(jwk["x"] + "=")
    return f"{signed}.{part(hmac.digest(public, signed.encode(), 'sha256'))}"


def by_another(claims: dict[str, Any], jwk: dict[str, str]) -> str:
    """Sign with a key of one's own under the name of the server's, and enclose it."""
    own = Ed25519PrivateKey.generate()
    enclosed = jwt.algorithms.OKPAlgorithm.to_jwk(own.public_key(), as_dict=True)
    return jwt.encode(claims, own, "EdDSA", headers={"kid": "1", "jwk": enclosed})


@pytest.mark.parametrize("forge", [unsigned, by_hmac, by_another])
def test_it_takes_no_forgery(
    agent: Door, approve: Approve, guide: Any, tool: Any, client: Client, forge: Callable[..., str]
) -> None:
    receipt = receipt_of(agent, approve())
    [jwk] = client.get(JWKS).json()["keys"]
    wanted = {"amount": 1_000_000}

    forged = forge({**claims_of(receipt), "args_sha256": sha256(wanted)}, jwk)

    refused(guide, tool, forged, ".", arguments=wanted)
    header, _, signature = receipt.split(".")
    refused(guide, tool, f"{header}.{forged.split('.')[1]}.{signature}", ".", arguments=wanted)


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "é.é.é", "e30.e30.e30"])
def test_it_takes_nothing_that_is_no_receipt(guide: Any, tool: Any, text: str) -> None:
    refused(guide, tool, text, ".")


def test_a_real_server_hands_out_what_the_guides_verifier_takes(
    server: LiveServer, key: str, ann_live: Operator, guide: Any, tmp_path: Path
) -> None:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as agent:
        question = {"reason": "Pay?", "tool_name": "pay", "tool_args": ARGUMENTS}
        pk = agent.post(f"{API}/interrupts", json=question).raise_for_status().json()["id"]
        ann_live.decide(pk)
        receipts = [
            agent.get(f"{API}/interrupts/{pk}/{route}").json()["receipt"] for route in ("wait", "status")
        ]
        tool = guide["Receipts"](httpx.get(f"{server.url}{JWKS}").json(), tmp_path / "spent.sqlite3")

        assert receipts[0] == receipts[1]
        assert tool.spend(receipts[0], "pay", ARGUMENTS)["approvers"] == ["ann"]
        tool.spent.close()
        body = {"tool_args": ARGUMENTS, "receipt": receipts[0]}
        assert agent.post(f"{API}/interrupts/{pk}/consume", json=body).status_code == 200
