"""A gated call runs once and as it was approved, whoever dies, whatever breaks, however often it is told.

See `gated_agent.py` for how the agents live and die.
"""

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.drills.callers import Caller
from tests.drills.gated_agent import CALLS, Ledger
from tests.drills.sites import Site, counts
from tests.drills.wires import breaking_wire
from tests.live import ROOT

AT_ONCE = 4
SESSIONS = counts(3, 200)
DEATHS = counts(6, 20)
DECISIONS = ["approve", "edit", "reject", "respond"]
EDITS: list[Any] = [1, 1.0, 2.5, "7", None, True, [1, 1.0, {"ü": None}]]


@contextmanager
def deciding(agent: Caller, *people: Caller) -> Iterator[None]:
    """Have people decide what the agent asks, soon, anyhow, and at times both at once."""
    over = threading.Event()

    def work(person: Caller) -> None:
        while not over.wait(random.random() * 0.3):
            waiting = agent.http.get("/interrupts", params={"pending_only": "true", "limit": 200}).json()
            for item in waiting["results"]:
                verb, body = an_answer_to(item)
                answer = person.call(item["id"], verb, **body)
                assert answer.status_code in (200, 409), answer.text

    with ThreadPoolExecutor(len(people)) as threads:
        working = [threads.submit(work, person) for person in people]
        try:
            yield
        finally:
            over.set()
        for one in working:
            one.result()


def an_answer_to(item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    match random.choice(DECISIONS):
        case "edit":
            edited = item["tool_args"] | {"amount": random.choice(EDITS), "note": random.choice(EDITS)}
            return "approve", {"modifications": edited}
        case "reject":
            return "reject", {"reason": f"Not {item['id']}"}
        case "respond":
            return "respond", {"response": {"instead": random.choice(EDITS)}}
    return "approve", {}


def drive(name: str, ledger: Path, url: str, key: str, how: dict[str, Any]) -> list[Any]:
    """Let the agent live and die until it is done; return what came of its calls."""
    command = ["-m", "tests.drills.gated_agent", name, str(ledger), json.dumps(how), str(DEATHS)]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "HITL_URL": url, "HITL_API_KEY": key},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("mode", ["raise", "wait"])
@pytest.mark.parametrize("how", [{"report": "result", "idempotent": True}, {"report": True}], ids=str)
def test_what_was_approved_runs_and_nothing_else_does(
    site: Site, tmp_path: Path, ann: Caller, bob: Caller, how: dict[str, Any], mode: str
) -> None:
    agent = site.agent()
    names = [f"drill-{number}" for number in range(SESSIONS)]
    asked = {**how, "mode": mode, "allowed_decisions": DECISIONS}

    with (
        breaking_wire(site.port, 0.01) as url,
        deciding(agent, ann, bob),
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        driven = {name: pool.submit(drive, name, tmp_path / name, url, agent.key, asked) for name in names}
        came = {name: one.result() for name, one in driven.items()}

    for name in names:
        found = agent.http.get("/interrupts", params={"session_id": name, "limit": 200}).json()["results"]
        check(found, Ledger(str(tmp_path / name)).runs(), came[name], at_most_once=how["report"] is True)


def check(
    items: list[dict[str, Any]],
    runs: list[tuple[str | None, dict[str, Any]]],
    came: list[Any],
    *,
    at_most_once: bool,
) -> None:
    """Compare what was decided with what was done, and with what the agent was told."""
    assert len(items) == CALLS  # whoever was killed or told twice, each call was asked about once
    approved = {item["id"]: item for item in items if item["decision"] in ("approve", "edit")}
    times = Counter(pk for pk, _ in runs)
    assert times.keys() <= approved.keys()
    for pk, arguments in runs:
        wanted = approved[str(pk)]["modifications"] or approved[str(pk)]["tool_args"]
        assert json.dumps(arguments, sort_keys=True) == json.dumps(wanted, sort_keys=True)
    told = Counter(json.dumps(one, sort_keys=True) for one in came)
    for item in items:
        match item["decision"]:
            case "reject":
                answer: list[Any] = ["refused", f"Not {item['id']}"]
            case "respond":
                answer = ["result", item["response"]]
            case _:
                wanted = item["modifications"] or item["tool_args"]
                answer = ["result", {"paid": wanted["amount"], "note": wanted["note"]}]
        if at_most_once and item["id"] in approved:
            assert times[item["id"]] <= 1
            assert item["outcome"] in (["succeeded"] if times[item["id"]] else []) + [None, ""]
        elif item["id"] in approved:
            assert times[item["id"]] >= 1
            assert (item["outcome"], item["outcome_result"]) == ("succeeded", answer[1])
        else:
            assert item["consumed_at"] is None
        if not (at_most_once and item["id"] in approved):
            told[json.dumps(answer, sort_keys=True)] -= 1
    assert all(left >= 0 for left in told.values())
    if not at_most_once:
        assert not +told
