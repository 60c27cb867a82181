"""An agent that makes gated calls, and dies by its own hand wherever chance says so.

python -m tests.drills.gated_agent SESSION LEDGER HOW CHANCE

It makes the same calls each time it is started, and prints what came of each as JSON once all are settled.
HOW is the gate's options as JSON. With a probability of CHANCE it is killed before each request it sends,
after each answer it gets, and before and after the tool does its work.
"""

import json
import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing
from functools import partial
from typing import Any

import httpx
from hitl_client import HITL, ApprovalSpent, InterruptSignal, NotApproved, approved_call, session

CALLS = 5
PAUSE = 0.1  # seconds between two looks


class Ledger:
    """What was truly done, by whatever process of the agent: every run of the tool is noted."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.do("CREATE TABLE IF NOT EXISTS run (interrupt TEXT, arguments TEXT)")

    def do(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=30)) as db, db:
            return db.execute(statement, values).fetchall()

    def note(self, interrupt: str | None, arguments: dict[str, Any]) -> None:
        self.do("INSERT INTO run VALUES (?, ?)", interrupt, json.dumps(arguments, sort_keys=True))

    def runs(self) -> list[tuple[str | None, dict[str, Any]]]:
        return [(pk, json.loads(said)) for pk, said in self.do("SELECT interrupt, arguments FROM run")]


def die_by(chance: float, _: Any = None) -> None:
    if random.random() < chance:
        os.kill(os.getpid(), signal.SIGKILL)


def main(name: str, ledger_path: str, how: dict[str, Any], chance: float) -> None:
    ledger, fate = Ledger(ledger_path), partial(die_by, chance)
    http = httpx.Client(event_hooks={"request": [fate], "response": [fate]})
    hitl = HITL(http=http, api_key=os.environ["HITL_API_KEY"])

    def pay(order: int, amount: Any, note: Any = None) -> dict[str, Any]:
        fate()
        ruling = approved_call()
        arguments = {"order": order, "amount": amount, "note": note}
        ledger.note(ruling and ruling.interrupt_id, arguments)
        fate()
        return {"paid": amount, "note": note}

    def settle(number: int) -> tuple[str, Any]:
        call_id = {"call_id": f"call_{number}"} if how["mode"] == "wait" else {}
        gated = hitl.gate(**how, **call_id)(pay)
        try:
            return "result", gated(number // 2, amount=number // 2 * 10)  # each is made twice
        except NotApproved as refusal:
            return "refused", refusal.reason
        except ApprovalSpent:
            return "spent", None

    while True:
        came: list[Any] = []
        with session(name):
            for number in range(CALLS):
                try:
                    came.append(settle(number))
                except InterruptSignal:
                    came.append(None)
        if None not in came:
            break
        time.sleep(PAUSE)
    sys.stdout.write(json.dumps(came))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), float(sys.argv[4]))
