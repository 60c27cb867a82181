"""However many vote at once, exactly the votes that are needed count, nobody's twice, and it ends once."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests.drills.callers import Caller
from tests.drills.cast import VOTERS
from tests.drills.sites import Site, counts

CALLS = 2 * VOTERS  # everybody clicks twice
FINAL = {"hitl.interrupt.approved": "approved", "hitl.interrupt.rejected": "rejected"}
POLICIES: dict[str, dict[str, Any]] = {
    "two of three": {"reviewers": ["three"], "required_approvals": 2},
    "two of all": {"required_approvals": 2},
    "five of finance": {"reviewers": ["finance"], "required_approvals": 5},
    "two stages": {
        "stages": [
            {"reviewers": ["finance"], "required_approvals": 2},
            {"reviewers": ["legal"], "required_approvals": 2},
        ]
    },
}


@pytest.fixture(scope="module")
def voters(site: Site) -> list[Caller]:
    return [site.person(f"voter-{number:02}") for number in range(VOTERS)]


def race(voters: list[Caller], pk: str, refusing: int) -> list[tuple[str, str, int]]:
    """Let everybody vote at the same moment, twice; return who did what, and the answer."""
    start = Barrier(CALLS)
    verbs = ["reject"] * refusing + ["approve"] * (VOTERS - refusing)
    random.shuffle(verbs)

    def vote(voter: Caller, verb: str) -> tuple[str, str, int]:
        start.wait(60)
        return voter.name, verb, voter.call(pk, verb).status_code

    with ThreadPoolExecutor(CALLS) as threads:
        calls = [threads.submit(vote, *one) for one in zip(voters, verbs, strict=True) for _ in range(2)]
        return [call.result() for call in calls]


def finish(voters: list[Caller], pk: str, asker: Caller) -> list[tuple[str, str, int]]:
    """Let one after another vote until it is decided: a later group may have come too early."""
    done = []
    for voter in voters:
        if asker.item(pk)["is_resolved"]:
            break
        done.append((voter.name, "approve", voter.call(pk, "approve").status_code))
    return done


@pytest.mark.parametrize("refusing", [0, 3])
@pytest.mark.parametrize("name", POLICIES)
def test_32_voters_at_one_item(
    site: Site, asker: Caller, voters: list[Caller], name: str, refusing: int
) -> None:
    ada, fields = site.person("ada"), POLICIES[name]
    body = {"name": asker.name, "agent_pattern": asker.name, "require_approval": True, **fields}
    policy = ada.http.post("/policies", json=body).json()
    asked = [asker.ask() for _ in range(counts(4, 200))]
    for item in asked:
        answers = race(voters, item["id"], refusing)
        answers += finish(voters, item["id"], asker)
        check(asker.item(item["id"]), answers)
    assert ada.http.delete(f"/policies/{policy['id']}").status_code == 204

    events = Counter((event["subject_id"], event["type"]) for event in asker.events())
    for item in asked:
        assert sum(events[item["id"], final] for final in FINAL) == 1


def check(item: dict[str, Any], answers: list[tuple[str, str, int]]) -> None:
    assert {code for *_, code in answers} <= {200, 403, 409}, answers
    said = Counter(verb for _, verb, code in answers if code == 200)
    votes, stages = item["votes"], item["policy"]["stages"]
    types = Counter(event["type"] for event in item["history"])
    assert len({vote["by"] for vote in votes}) == len({vote["seat"] for vote in votes}) == len(votes)
    assert {vote["by"] for vote in votes} == {
        who for who, verb, code in answers if (verb, code) == ("approve", 200)
    }
    assert said["approve"] == len(votes)
    found = Counter(vote["stage"] for vote in votes)
    needed = {number: stage["required_approvals"] for number, stage in enumerate(stages)}
    if item["status"] == "approved":
        assert (found, said["reject"]) == (needed, 0)
        assert types["hitl.item.voted"] == len(votes) - 1
    else:
        assert (item["status"], said["reject"]) == ("rejected", 1)
        assert all(found[number] <= needed[number] for number in found)
        assert types["hitl.item.voted"] == len(votes) < sum(needed.values())
