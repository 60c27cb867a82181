"""Votes against a model of a few lines: whatever is done in whatever order, both say the same."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agents.models import Agent
from reviews.models import Delegation
from tests.conftest import Door
from tests.steps import Enter, Join, MakeUser

GROUPS = {
    "finance": {"fay", "finn", "both"},
    "legal": {"lea", "len", "both"},
    "": {"fay", "finn", "both", "lea", "len", "sub"},
}
AWAY = {"sub": ["fay", "finn"], "len": ["lea"]}  # who stands in for whom
OWNER = "fay"
STAGES = {
    "one": [("", 1)],
    "two": [("", 2)],
    "of finance": [("finance", 3)],
    "in stages": [("finance", 2), ("legal", 2)],
    "open at last": [("legal", 2), ("", 2)],
}


@dataclass
class Model:
    """Be an item under a policy, as the contract has it."""

    stages: list[tuple[str, int]]
    high_risk: bool
    status: str = "pending"
    stage: int = 0
    votes: list[tuple[str, str, int]] = field(default_factory=list)
    wants_changes: bool = False

    def seats(self, name: str) -> list[str]:
        """Return in whose place *name* may answer now."""
        group = self.stages[self.stage][0]
        if not group:
            return [name]
        return [seat for seat in (name, *AWAY.get(name, [])) if seat in GROUPS[group]]

    def approve(self, name: str) -> int:
        owner = OWNER if self.high_risk else ""
        if self.status != "pending" and len(self.stages) == 1 and self.stages[0][1] == 1:
            return 403 if name == owner else 409
        if name == owner:
            return 403
        if any(name in vote[:2] for vote in self.votes):
            return 409
        if not (seats := self.seats(name)):
            return 403
        taken = {seat for _, seat, _ in self.votes}
        free = [seat for seat in seats if seat != owner and seat not in taken]
        if not free or self.status != "pending":
            return 409
        self.votes.append((name, free[0], self.stage))
        if sum(stage == self.stage for *_, stage in self.votes) == self.stages[self.stage][1]:
            if self.stage == len(self.stages) - 1:
                self.status = "approved"
            else:
                self.stage += 1
        return 200

    def reject(self, name: str) -> int:
        if not self.seats(name):
            return 403
        if self.status != "pending":
            return 409
        self.status = "rejected"
        return 200

    def request_changes(self, name: str) -> int:
        if not self.seats(name):
            return 403
        if self.status != "pending":
            return 409
        self.wants_changes = True
        return 200

    def revise(self) -> int:
        if self.status != "pending" or not self.wants_changes:
            return 409
        self.stage, self.votes, self.wants_changes = 0, [], False
        return 200


names = st.sampled_from(sorted(GROUPS[""]))
VERBS = ["approve"] * 8 + ["request_changes", "reject"]


class Voting(RuleBasedStateMachine):
    """Do the same to the server and to the model, with one item after another."""

    def __init__(self, agent: Door, people: dict[str, Door]) -> None:
        super().__init__()
        self.agent, self.people = agent, people
        self.shown: Any = None

    @initialize(stages=st.sampled_from(sorted(STAGES)), priority=st.sampled_from(["low", "high"]))
    def ask(self, stages: str, priority: str) -> None:
        self.item = str(self.agent.ask(tool_name=stages, priority=priority)["id"])
        self.model, self.shown = Model(STAGES[stages], priority == "high"), None

    @precondition(lambda self: self.model.status != "pending")
    @rule(stages=st.sampled_from(sorted(STAGES)), priority=st.sampled_from(["low", "high"]))
    def ask_again(self, stages: str, priority: str) -> None:
        self.ask(stages, priority)

    @rule(verb=st.sampled_from(VERBS), name=names)
    def decide(self, verb: str, name: str) -> None:
        body = {"comment": "x"} if verb == "request_changes" else {}
        answer = self.people[name].post_json(f"/interrupts/{self.item}/{verb}", body)
        assert answer.status_code == getattr(self.model, verb)(name), answer.content
        # Where the answer shows the item, it need not be read once more.
        self.shown = answer.json() if answer.status_code == 200 else answer.json().get("current")

    @precondition(lambda self: self.model.wants_changes)
    @rule()
    def revise(self) -> None:
        answer = self.agent.post_json(f"/interrupts/{self.item}/revise", {"reason": "Or so?"})
        assert answer.status_code == self.model.revise(), answer.content
        self.shown = answer.json() if answer.status_code == 200 else None

    @invariant()
    def both_say_the_same(self) -> None:
        found = self.shown or self.agent.get_json(f"/interrupts/{self.item}").json()
        assert (found["status"], found["stage"]) == (self.model.status, self.model.stage)
        votes = [(vote["by"], vote["seat"], vote["stage"]) for vote in found["votes"]]
        if sum(number for _, number in self.model.stages) > 1:
            assert votes == self.model.votes


@pytest.fixture
def people(make_user: MakeUser, enter: Enter, join: Join) -> dict[str, Door]:
    users = {name: make_user(name, "reviewer") for name in GROUPS[""]}
    for group in ("finance", "legal"):
        join(group, *(users[name] for name in GROUPS[group]))
    for substitute, absent in [(name, one) for name, found in AWAY.items() for one in found]:
        Delegation.objects.create(
            absent=users[absent],
            substitute=users[substitute],
            starts_at="2020-01-01T00:00:00Z",
            ends_at="2100-01-01T00:00:00Z",
        )
    return {name: enter(user) for name, user in users.items()}


def test_votes_are_those_of_the_model(agent: Door, as_ada: Door, people: dict[str, Door]) -> None:
    Agent.objects.filter(pk="janitor").update(owner=User.objects.get(username=OWNER))
    for name, stages in STAGES.items():
        said: Any = [{"reviewers": [group] if group else [], "required_approvals": n} for group, n in stages]
        body = {"name": name, "pattern": name, "require_approval": True, "stages": said}
        assert as_ada.post_json("/policies", body).status_code == 201

    class InThisHouse(Voting):
        def __init__(self) -> None:
            super().__init__(agent, people)

    run_state_machine_as_test(
        InThisHouse,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # one example says it: each step is a call
            suppress_health_check=list(HealthCheck),
        ),
    )
