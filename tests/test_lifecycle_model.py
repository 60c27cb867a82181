"""The life cycle against a model of a few lines: whatever is done in whatever order, both say the same."""

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from events.models import Stream
from interrupts.services import expire_overdue
from tests.conftest import Door
from tests.steps import let_deadline_pass

TAKES = {
    "approval": {"approve", "edit", "reject"},
    "confirmation": {"approve", "reject"},
    "input": {"respond", "reject"},
    "feedback": {"respond", "approve", "reject"},
}
BODIES: dict[str, dict[str, Any]] = {
    "approve": {},
    "edit": {"modifications": {"a": 1}},
    "reject": {},
    "respond": {"response": 1},
}
ENDS = {"approve": "approved", "edit": "approved", "respond": "approved", "reject": "rejected"}


@dataclass
class Model:
    """Be an interrupt as the contract has it, without a database."""

    kind: str
    on_timeout: str
    status: str = "pending"
    claimed_by: str = ""
    late: bool = False
    events: int = 1

    @property
    def reads_as(self) -> str:
        if self.status == "pending" and self.late:
            return "expired" if self.on_timeout == "expire" else "rejected"
        return self.status

    def is_free_for(self, name: str) -> bool:
        return self.claimed_by in ("", name)

    def move(self, status: str = "") -> int:
        """Carry a verb out; return what HTTP says."""
        self.events += 1
        if status:
            self.status, self.claimed_by = status, ""
        return 200

    def decide(self, decision: str, name: str) -> int:
        if decision not in TAKES[self.kind]:
            return 400
        if self.reads_as != "pending" or not self.is_free_for(name):
            return 409
        return self.move(ENDS[decision])

    def cancel(self) -> int:
        return self.move("cancelled") if self.reads_as == "pending" else 409

    def claim(self, name: str) -> int:
        if self.reads_as != "pending" or not self.is_free_for(name):
            return 409
        self.claimed_by = name
        return self.move()

    def release(self, name: str) -> int:
        if self.reads_as != "pending" or not self.is_free_for(name):
            return 409
        self.claimed_by = ""
        return self.move()

    def sweep(self) -> int:
        if self.status != "pending" or not self.late:
            return 0
        self.move(self.reads_as)
        return 1


people = st.sampled_from(["ann", "bob"])


class LifeCycle(RuleBasedStateMachine):
    """Do the same to the server and to the model."""

    interrupts = Bundle("interrupts")

    def __init__(self, agent: Door, people: dict[str, Door]) -> None:
        super().__init__()
        self.agent, self.people = agent, people
        self.models: dict[str, Model] = {}
        expire_overdue()  # what an earlier example left behind

    @rule(
        target=interrupts,
        kind=st.sampled_from(sorted(TAKES)),
        on_timeout=st.sampled_from(["expire", "reject"]),
    )
    def ask(self, kind: str, on_timeout: str) -> str:
        interrupt_id = str(self.agent.ask(type=kind, on_timeout=on_timeout)["id"])
        self.models[interrupt_id] = Model(kind, on_timeout)
        return interrupt_id

    @rule(interrupt_id=interrupts, decision=st.sampled_from(sorted(BODIES)), who=people)
    def decide(self, interrupt_id: str, decision: str, who: str) -> None:
        verb = "approve" if decision == "edit" else decision
        answer = self.people[who].post_json(f"/interrupts/{interrupt_id}/{verb}", BODIES[decision])
        assert answer.status_code == self.models[interrupt_id].decide(decision, who), answer.content

    @rule(interrupt_id=interrupts, verb=st.sampled_from(["claim", "release"]), who=people)
    def hold(self, interrupt_id: str, verb: str, who: str) -> None:
        answer = self.people[who].post_json(f"/interrupts/{interrupt_id}/{verb}")
        assert answer.status_code == getattr(self.models[interrupt_id], verb)(who), answer.content

    @rule(interrupt_id=interrupts)
    def cancel(self, interrupt_id: str) -> None:
        answer = self.agent.post_json(f"/interrupts/{interrupt_id}/cancel")
        assert answer.status_code == self.models[interrupt_id].cancel(), answer.content

    @rule(interrupt_id=interrupts)
    def let_time_pass(self, interrupt_id: str) -> None:
        let_deadline_pass(interrupt_id)
        self.models[interrupt_id].late = True

    @rule()
    def sweep(self) -> None:
        assert expire_overdue() == sum(model.sweep() for model in self.models.values())

    @invariant()
    def both_say_the_same(self) -> None:
        for interrupt_id, model in self.models.items():
            item = self.agent.get_json(f"/interrupts/{interrupt_id}").json()
            assert (item["status"], len(item["history"])) == (model.reads_as, model.events)
            if model.reads_as == "pending":
                assert (item["claimed_by"] or "") == model.claimed_by

    def teardown(self) -> None:
        waiting = [model for model in self.models.values() if model.reads_as == "pending"]
        found = self.agent.get_json("/interrupts", pending_only="1", limit=200).json()["results"]
        assert len([one for one in found if one["id"] in self.models]) == len(waiting)
        for interrupt_id, model in self.models.items():
            if model.cancel() == 200:
                self.agent.post_json(f"/interrupts/{interrupt_id}/cancel")
        expire_overdue()
        assert Stream.objects.get(name="janitor").open_items == 0


def test_the_life_of_an_interrupt_is_the_one_of_the_model(agent: Door, as_ann: Door, as_bob: Door) -> None:
    class InThisHouse(LifeCycle):
        def __init__(self) -> None:
            super().__init__(agent, {"ann": as_ann, "bob": as_bob})

    run_state_machine_as_test(
        InThisHouse,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
