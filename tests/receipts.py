"""What the stories of receipts share: something approved, its receipt, and spending it."""

import base64
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from events.clock import database_now
from tests.conftest import Door
from tests.steps import status_of

ARGUMENTS = {"to": "DE02 1203", "amount": 1250.5, "note": "ä"}
Approve = Callable[..., str]


@pytest.fixture
def approve(agent: Door, as_ann: Door) -> Approve:
    """Return a function that asks to pay, has ann approve, and gives the interrupt's id."""

    def ask_and_approve(door: Door = as_ann, asked: dict[str, Any] | None = None, **body: Any) -> str:
        question = {"tool_name": "pay", "tool_args": ARGUMENTS, "session_id": "s-7", **(asked or {})}
        pk = str(agent.ask(**question)["id"])
        assert door.post_json(f"/interrupts/{pk}/approve", body).status_code == 200
        return pk

    return ask_and_approve


def receipt_of(door: Door, pk: str) -> str:
    return str(status_of(door, pk)["receipt"])


def claims_of(receipt: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(receipt, options={"verify_signature": False})
    return claims


def consume(door: Door, pk: str, arguments: Any = ARGUMENTS, **body: Any) -> Any:
    return door.post_json(f"/interrupts/{pk}/consume", {"tool_args": arguments, **body})


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead: dt.timedelta) -> None:
    """Let the database's clock say another time than that of this machine."""
    monkeypatch.setattr("interrupts.services.database_now", lambda: database_now() + ahead)


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
