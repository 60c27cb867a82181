"""The same verbs and reads from code of one's own inside the process."""

from django.contrib.auth.models import User

from agents.callers import of_user
from interrupts import selectors, services
from interrupts.models import Interrupt
from tests.conftest import Door
from tests.steps import let_deadline_pass


def test_what_waits_is_found_by_session_and_agent(agent: Door) -> None:
    here = agent.ask(session_id="s-1", agent_name="billing")
    agent.ask(session_id="s-2", agent_name="billing")
    over = agent.ask(session_id="s-1", agent_name="billing")
    let_deadline_pass(over["id"])

    assert [item.pk for item in selectors.get_pending(session_id="s-1")] == [here["id"]]
    assert selectors.get_pending(agent_name="billing").count() == 2
    assert not selectors.get_pending(agent_name="nobody")


def test_a_session_is_found_whole_or_open(agent: Door, as_ann: Door) -> None:
    decided, waiting = agent.ask(session_id="s-1"), agent.ask(session_id="s-1")
    as_ann.post_json(f"/interrupts/{decided['id']}/approve")

    assert [item.pk for item in selectors.get_for_session("s-1")] == [waiting["id"], decided["id"]]
    assert [item.pk for item in selectors.get_for_session("s-1", pending_only=True)] == [waiting["id"]]


def test_verbs_are_functions(agent: Door, ann: User) -> None:
    yes, no = (Interrupt.objects.get(pk=agent.ask()["id"]) for _ in range(2))

    services.approve(yes, by=of_user(ann), modifications={"limit": 5})
    services.reject(no, by=of_user(ann), reason="Not today.")

    assert (yes.status, yes.modifications, yes.resolved_by) == ("approved", {"limit": 5}, "ann")
    status = selectors.status_row(of_user(ann), no.pk)
    assert (status["effective_status"], status["rejection_reason"]) == ("rejected", "Not today.")
