"""The life of a run against a model of a few lines: whatever is done in whatever order, both say the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as explored
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from interrupts.services import expire_overdue
from runs.models import Run, StepEvent
from tests.conftest import Door
from tests.providers import HTTPService, Seen, Trouble
from tests.runs import go_on, start
from tests.steps import let_deadline_pass

STEPS = ["created", "information_review", "payload_review", "api_call", "response_review", "completed"]
REVIEWS = ("information_review", "payload_review", "response_review")
ENDED = ("completed", "failed", "cancelled")


@dataclass
class Model:
    """Be a run as the contract has it: ``answer`` is what people said to the question it asks."""

    asks: frozenset[str]
    on_timeout: str
    status: str = "queued"
    step: str = "created"
    asking: bool = False
    answer: str = ""
    approved: str = ""
    calls: int = 0
    stays: int = 1

    def go_on(self, *, refused: bool) -> None:
        """Be taken on until it stands still; ``refused``: the provider refuses the next call."""
        while self.status in ("queued", "running", "awaiting_human"):
            if self.status == "awaiting_human":
                if not self.answer:
                    return
                self._follow()
            elif self.step == "completed":
                self.status = "completed"
            elif self.step in self.asks and self.approved != self.step:
                self.status, self.asking = "awaiting_human", True
            elif self.step == "api_call":
                self.calls += 1
                self._fail() if refused else self._pass()
            else:
                self._pass()

    def _pass(self) -> None:
        self.status, self.step = "running", STEPS[STEPS.index(self.step) + 1]
        self.stays += 1

    def _fail(self) -> None:
        self.status = "failed"

    def _follow(self) -> None:
        answer, self.answer, self.asking = self.answer, "", False
        if answer == "approve":
            self.status, self.approved = "running", self.step
        elif answer == "expire":
            self._fail()
        else:
            self.status = "cancelled"

    def decide(self, verb: str) -> int:
        if not self.asking:
            return 404
        if self.answer:
            return 409
        self.answer = verb
        return 200

    def pause(self) -> int:
        if self.status not in ("queued", "running", "awaiting_human"):
            return 409
        self.status = "paused"
        return 200

    def resume(self) -> int:
        if self.status == "paused":
            self.status = "awaiting_human" if self.asking else "running"
            return 200
        if self.status != "failed":
            return 409
        self.status, self.stays = "running", self.stays + 1
        if self.step == "api_call":
            self.step, self.approved = "payload_review", ""
        return 200

    def cancel(self) -> int:
        if self.status in ENDED:
            return 409
        self.status, self.asking, self.answer = "cancelled", False, ""
        return 200

    def let_time_pass(self) -> None:
        if self.asking and not self.answer:
            self.answer = self.on_timeout


class Service(HTTPService):
    """Refuse calls while it is told to."""

    refuses = False

    def receive(self, seen: Seen) -> Trouble:
        trouble = super().receive(seen)
        return Trouble(400) if self.refuses and seen.method == "POST" else trouble

    def calls_of(self, run_id: str) -> int:
        return sum(seen.key.startswith(f"{run_id}:") for seen in self.calls)


class LifeCycle(RuleBasedStateMachine):
    """Do the same to the server and to the model."""

    runs = Bundle("runs")

    def __init__(self, agent: Door, ann: Door, service: Service) -> None:
        super().__init__()
        self.agent, self.ann, self.service = agent, ann, service
        self.models: dict[str, Model] = {}

    @precondition(lambda self: len(self.models) < 3)  # a few that come far, instead of many that do not
    @rule(
        target=runs,
        asks=st.frozensets(st.sampled_from(REVIEWS)),
        on_timeout=st.sampled_from(["expire", "reject"]),
    )
    def start(self, asks: frozenset[str], on_timeout: str) -> str:
        config = {"allowed_steps": sorted(asks), "on_timeout": on_timeout, "timeout_seconds": 600}
        inputs = {"url": f"{self.service.url}/work"}
        run_id = start(self.agent, config=config, run_input={"tool": "http", "inputs": inputs})
        self.models[run_id] = Model(asks, on_timeout)
        return run_id

    @rule(run_id=runs, refused=st.booleans())
    def go_on(self, run_id: str, refused: bool) -> None:
        self.service.refuses = refused
        go_on(run_id)
        self.models[run_id].go_on(refused=refused)

    @rule(run_id=runs, verb=st.sampled_from(["approve", "approve", "approve", "reject"]))
    def decide(self, run_id: str, verb: str) -> None:
        question = self.agent.get_json(f"/runs/{run_id}/status").json()["approval_id"] or "int_none"
        body = {"approval_id": question, "action": verb}
        answer = self.ann.post_json(f"/runs/{run_id}/approve", body)
        assert answer.status_code == self.models[run_id].decide(verb), answer.content

    @rule(run_id=runs, verb=st.sampled_from(["pause", "resume"]))
    def steer(self, run_id: str, verb: str) -> None:
        answer = self.agent.post_json(f"/runs/{run_id}/{verb}")
        assert answer.status_code == getattr(self.models[run_id], verb)(), answer.content

    @rule(run_id=runs, again=st.booleans())
    def approve_all_and_fail(self, run_id: str, again: bool) -> None:
        """Come where single steps seldom lead: to a failed call, and to its second review."""
        self.go_on(run_id, refused=True)
        while self.models[run_id].asking and self.models[run_id].status == "awaiting_human":
            self.decide(run_id, "approve")
            self.go_on(run_id, refused=True)
        if again and self.models[run_id].status == "failed":
            self.steer(run_id, "resume")
            self.go_on(run_id, refused=False)

    @precondition(lambda self: len(self.models) == 3)
    @rule(run_id=runs)
    def cancel(self, run_id: str) -> None:
        answer = self.agent.send_json("DELETE", f"/runs/{run_id}")
        assert answer.status_code == self.models[run_id].cancel(), answer.content

    @rule(run_id=runs, swept=st.booleans())
    def let_time_pass(self, run_id: str, swept: bool) -> None:
        for checkpoint in Run.objects.get(pk=run_id).checkpoints.filter(settled_at__isnull=True):
            if not self.models[run_id].answer:
                let_deadline_pass(checkpoint.approval_id)
        self.models[run_id].let_time_pass()
        if swept:
            expire_overdue()

    @invariant()
    def both_say_the_same(self) -> None:
        for run_id, model in self.models.items():
            run = self.agent.get_json(f"/runs/{run_id}/state").json()
            found = run["status"], run["step"], len(run["step_history"]), bool(run["approval_id"])
            assert found == (model.status, model.step, model.stays, model.asking)
            assert self.service.calls_of(run_id) == model.calls

    @invariant()
    def the_record_is_whole(self) -> None:
        for run_id, model in self.models.items():
            rows = list(StepEvent.objects.filter(run_id=run_id))
            assert [row.number for row in rows] == [*range(1, len(rows) + 1)]
            assert all(row.outcome for row in rows[:-1])
            assert bool(rows[-1].outcome) == (model.status in ENDED)


@pytest.fixture
def service(settings: Any) -> Iterator[Service]:
    settings.HITL_RUN_HOSTS = ["127.0.0.1"]
    with Service() as found:
        yield found


def test_the_life_of_a_run_is_the_one_of_the_model(agent: Door, as_ann: Door, service: Service) -> None:
    class InThisHouse(LifeCycle):
        def __init__(self) -> None:
            super().__init__(agent, as_ann, service)

    run_state_machine_as_test(
        InThisHouse,
        settings=explored(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
