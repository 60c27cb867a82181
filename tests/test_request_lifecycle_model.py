"""The life of a request against a model of a few lines: whatever is done in whatever order, both agree."""

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from events.models import Stream
from requests_app.models import Secret
from requests_app.services import expire_overdue
from tests.conftest import Door
from tests.steps import let_deadline_pass

FIELDS = {"name": "Account name", "key": {"label": "Key", "type": "secret"}}
ANSWERS: list[dict[str, Any]] = [{"name": "A-1", "key": "sk_1"}, {"name": "A-1"}, {"name": "", "key": "sk_1"}]


@dataclass
class Model:
    """Be a request as the contract has it, without a database."""

    status: str = "pending"
    holder: str = ""
    late: bool = False
    secret: str = ""
    events: int = 1

    @property
    def reads_as(self) -> str:
        return "expired" if self.late and self.status in ("pending", "in_review") else self.status

    @property
    def is_open(self) -> bool:
        return self.reads_as in ("pending", "in_review")

    def move(self, status: str = "") -> int:
        """Carry a verb out; return what HTTP says."""
        self.events += 1
        self.status = status or self.status
        if not self.is_open:
            self.holder = ""
        return 200

    def may(self, who: str) -> bool:
        return self.is_open and self.holder in ("", who)

    def start_review(self, who: str) -> int:
        if not self.may(who):
            return 409
        self.holder = who
        return self.move("in_review")

    def release(self, who: str) -> int:
        if self.reads_as != "in_review" or not self.may(who):
            return 409
        self.holder = ""
        return self.move("pending")

    def fulfill(self, who: str, answer: dict[str, Any]) -> int:
        if not all(answer.get(name) for name in FIELDS):
            return 400
        if not self.may(who):
            return 409
        self.secret = "sealed"
        return self.move("fulfilled")

    def reject(self, who: str) -> int:
        return self.move("rejected") if self.may(who) else 409

    def cancel(self) -> int:
        return self.move("cancelled") if self.is_open else 409

    def reveal(self) -> int:
        if self.status != "fulfilled":
            return 409
        if self.secret != "sealed":
            return 410
        self.secret = "revealed"
        return self.move()

    def ack(self) -> int:
        if self.status != "fulfilled" or self.secret == "sealed":
            return 409
        if self.secret == "acknowledged":
            return 410
        self.secret = "acknowledged"
        return self.move()

    def sweep(self) -> int:
        if not self.late or self.status not in ("pending", "in_review"):
            return 0
        self.move("expired")
        return 1


people = st.sampled_from(["ann", "bob"])


class LifeCycle(RuleBasedStateMachine):
    """Do the same to the server and to the model."""

    requests = Bundle("requests")

    def __init__(self, agent: Door, people: dict[str, Door]) -> None:
        super().__init__()
        self.agent, self.people = agent, people
        self.models: dict[str, Model] = {}
        expire_overdue()  # what an earlier example left behind

    def does(self, door: Door, pk: str, verb: str, body: dict[str, Any], expected: int) -> None:
        answer = door.post_json(f"/requests/{pk}/{verb}", body)
        assert answer.status_code == expected, (verb, answer.content)

    @rule(target=requests)
    def ask(self) -> str:
        pk = str(self.agent.need(required_fields=FIELDS)["id"])
        self.models[pk] = Model()
        return pk

    @rule(pk=requests, verb=st.sampled_from(["start_review", "release"]), who=people)
    def hold(self, pk: str, verb: str, who: str) -> None:
        self.does(self.people[who], pk, verb, {}, getattr(self.models[pk], verb)(who))

    @rule(pk=requests, who=people, answer=st.sampled_from(ANSWERS))
    def fulfill(self, pk: str, who: str, answer: dict[str, Any]) -> None:
        expected = self.models[pk].fulfill(who, answer)
        self.does(self.people[who], pk, "fulfill", {"response_data": answer}, expected)

    @rule(pk=requests, who=people)
    def reject(self, pk: str, who: str) -> None:
        self.does(self.people[who], pk, "reject", {"reason": "No."}, self.models[pk].reject(who))

    @rule(pk=requests, verb=st.sampled_from(["cancel", "reveal", "ack"]))
    def of_the_agent(self, pk: str, verb: str) -> None:
        self.does(self.agent, pk, verb, {}, getattr(self.models[pk], verb)())

    @rule(pk=requests)
    def let_time_pass(self, pk: str) -> None:
        let_deadline_pass(pk)
        self.models[pk].late = True

    @rule()
    def sweep(self) -> None:
        assert expire_overdue() == sum(model.sweep() for model in self.models.values())

    @invariant()
    def both_say_the_same(self) -> None:
        for pk, model in self.models.items():
            item = self.agent.get_json(f"/requests/{pk}").json()
            assert (item["status"], len(item["history"])) == (model.reads_as, model.events)
            assert (item["secrets"] or {"state": ""})["state"] == model.secret
            assert Secret.objects.filter(request=pk).exists() == (model.secret in ("sealed", "revealed"))

    def teardown(self) -> None:
        for pk, model in self.models.items():
            if model.cancel() == 200:
                self.agent.post_json(f"/requests/{pk}/cancel")
        expire_overdue()
        assert Stream.objects.get_or_create(name="janitor")[0].open_items == 0


def test_the_life_of_a_request_is_the_one_of_the_model(agent: Door, as_ann: Door, as_bob: Door) -> None:
    class InThisHouse(LifeCycle):
        def __init__(self) -> None:
            super().__init__(agent, {"ann": as_ann, "bob": as_bob})

    run_state_machine_as_test(
        InThisHouse,
        settings=settings(
            max_examples=10,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
