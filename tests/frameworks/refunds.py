"""What the agents of `programs/*_refunds.py` are asked to do, and what is decided about it."""

import json
from pathlib import Path
from typing import Any

from tests.live import Operator

KEPT = {"express": True}
REFUNDS: dict[str, dict[str, Any]] = {
    order: {"order": order, "amount": 10, **KEPT} for order in ("plain", "dear", "twice", "asked")
}
EDITED = {"order": "dear", "amount": 7.5, "express": False}
REFUSAL = "A person refused this call: It was refunded in May"
ANSWER = "Send a voucher instead"


def policies_of(framework: str, prefix: str = "") -> list[dict[str, Any]]:
    """Let agents look orders up, have people asked about writing one off, and let nobody close the shop."""
    terms: dict[str, dict[str, Any]] = {
        "look_up": {"allow_auto": True},
        "write_off": {"require_approval": True},
        "close_shop": {"deny": True, "note": "Never"},
    }
    return [
        {"name": f"{framework}: {name}", "pattern": f"{prefix}{name}", **term} for name, term in terms.items()
    ]


def decide(ann: Operator, item: dict[str, Any]) -> None:
    """Decide about a refund, each in another way."""
    match item["tool_args"]["order"]:
        case "dear":
            ann.decide(item["id"], modifications=EDITED)
        case "twice":
            ann.decide(item["id"], "reject", reason="It was refunded in May")
        case "asked":
            ann.decide(item["id"], "respond", response=ANSWER)
        case _:
            ann.decide(item["id"])


def ran(folder: Path) -> list[Any]:
    """Return which tools ran and with what, `in_order`."""
    file = folder / "ran"
    return in_order(*map(json.loads, file.read_text().splitlines())) if file.exists() else []


def in_order(*calls: list[Any]) -> list[Any]:
    """Bring calls into an order of which the agents know nothing."""
    return sorted(calls, key=lambda call: json.dumps(call, sort_keys=True))


def record(ann: Operator, item: dict[str, Any]) -> tuple[bool, str | None]:
    """Return whether an approval was spent, and what came of it."""
    found = ann.http.get(f"/api/v1/interrupts/{item['id']}").json()
    return found["consumed_at"] is not None, found["outcome"]
