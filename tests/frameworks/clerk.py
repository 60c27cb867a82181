"""What the clerks of `programs/*_clerk.py` do, and what is told of it."""

import json
from pathlib import Path
from typing import Any

from tests.frameworks.harness import PATIENCE, Agent
from tests.live import Operator

EDITED = {"account": "ann's choice", "amount": 12.5, "urgent": True, "notes": []}
SPENT = "The call was not made again: "


def waiting(ann: Operator, session: str, count: int) -> dict[str, str]:
    """Return the ids of what is asked, by call, as soon as all is."""
    found = ann.wait_for(count, session_id=session)
    return {item["call_id"].removeprefix("call-"): item["id"] for item in found}


def ledger(folder: Path) -> list[list[Any]]:
    """Return what the tools did: name, arguments, and the approval they ran under."""
    lines = (folder / "ledger").read_text().splitlines() if (folder / "ledger").exists() else []
    return sorted((json.loads(line) for line in lines), key=str)


def outcome(ann: Operator, item_id: str) -> tuple[bool, str | None]:
    """Say whether an approval is spent, and on what."""
    item = ann.http.get(f"/api/v1/interrupts/{item_id}").json()
    return item["consumed_at"] is not None, item["outcome"]


def printed(agent: Agent) -> str:
    """Return what a program of the guide prints."""
    said, complained = agent.process.communicate(timeout=PATIENCE)
    assert agent.process.returncode == 0, complained
    return said.strip()


def policies_of(session: str) -> list[dict[str, Any]]:
    """Let the clerk of a session look things up, and never drop a table."""
    terms: dict[str, dict[str, Any]] = {
        "look_up": {"allow_auto": True},
        "drop_table": {"deny": True, "note": "Never."},
    }
    here = f'session_id == "{session}"'
    return [
        {"name": f"{session} {name}", "pattern": name, "when": here, **term} for name, term in terms.items()
    ]
