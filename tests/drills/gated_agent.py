"""An agent that makes gated calls, is killed wherever chance says so, and is started again until it is done.

python -m tests.drills.gated_agent SESSION LEDGER HOW DEATHS

Each life is a process of its own, at times there are two at once. All make the same calls, and print what
came of each as JSON once all are settled. HOW is the gate's options as JSON. With a chance that differs from
life to life a process is killed before each request it sends, after each answer it gets, and before and after
the tool does its work; after DEATHS lives nobody is killed any more.
"""

import json
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from contextlib import closing
from functools import partial
from typing import Any

import httpx
from hitl_client import HITL, ApprovalSpent, InterruptSignal, NotApproved, approved_call, session

CALLS = 5
PAUSE = 0.1  # seconds between two looks
CHANCES = [0.001, 0.01, 0.05]
WORST = 0.2  # the chance from the moment an approval is being spent until its outcome is recorded


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


def die_by(chance: float, passing: httpx.Request | httpx.Response) -> None:
    request = passing if isinstance(passing, httpx.Request) else passing.request
    die(WORST if chance and request.url.path.endswith(("/consume", "/outcome")) else chance)


def die(chance: float) -> None:
    if random.random() < chance:
        os.kill(os.getpid(), signal.SIGKILL)


def live(name: str, ledger: Ledger, how: dict[str, Any], chance: float) -> None:
    """Make the calls until all are settled."""
    fate = partial(die_by, chance)
    http = httpx.Client(event_hooks={"request": [fate], "response": [fate]})
    hitl = HITL(http=http, api_key=os.environ["HITL_API_KEY"])

    def pay(order: int, amount: Any, note: Any = None) -> dict[str, Any]:
        die(WORST if chance else 0)
        ruling = approved_call()
        arguments = {"order": order, "amount": amount, "note": note}
        ledger.note(ruling.interrupt_id if ruling else None, arguments)
        die(WORST if chance else 0)
        return {"paid": amount, "note": note}

    def settle(number: int) -> tuple[str, Any]:
        options = how | ({"call_id": f"call_{number}"} if how["mode"] == "wait" else {})
        gated = hitl.gate(**options)(pay)
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
    print(json.dumps(came), flush=True)  # noqa: T201 - the program's answer


def give_birth(*life: Any) -> int:
    """Live a life in a process of its own, which begins as a copy of this one; return its id."""
    if child := os.fork():
        return child
    try:
        random.seed()
        live(*life)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(name: str, path: str, how: str, deaths: int) -> None:
    ledger = Ledger(path)
    for number in range(deaths + 1):
        chance = random.choice(CHANCES) if number < deaths else 0.0
        children = [
            give_birth(name, ledger, json.loads(how), chance) for _ in range(random.choice([1, 1, 2]))
        ]
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        if bad := [end for end in ends if end not in (0, -signal.SIGKILL)]:
            sys.exit(bad[0])
        if not any(ends):
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
