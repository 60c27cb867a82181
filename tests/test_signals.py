"""Listeners inside the process: told after the commit, with what they need, and none can hurt another."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.dispatch import Signal

from agents.callers import of_key
from agents.models import Agent
from events import signals
from interrupts import asking, services
from interrupts.models import Interrupt
from requests_app.services import expire_overdue
from tests.conftest import Door
from tests.steps import let_deadline_pass, status_of

Listen = Callable[[Signal], list[dict[str, Any]]]
Commit = Callable[..., Any]
SECRET = {"key": {"label": "Key", "type": "secret"}}


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Return a function that listens to a signal and gives the list of what it is told."""
    connected: list[tuple[Signal, Any]] = []

    def listen_to(signal: Signal) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []

        def receiver(sender: type, **fields: Any) -> None:
            told.append({"sender": sender, **fields})

        signal.connect(receiver, weak=False)
        connected.append((signal, receiver))
        return told

    yield listen_to
    for signal, receiver in connected:
        signal.disconnect(receiver)


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Commit) -> Callable[[], Any]:
    return lambda: django_capture_on_commit_callbacks(execute=True)


def test_asking_tells_who_asked_what(agent: Door, listen: Listen, commit: Commit) -> None:
    told = listen(signals.interrupt_requested)

    with commit():
        asked = agent.ask(data={"file": "a"}, agent_name="cleaner", session_id="s")
        assert told == []  # not before the commit

    (one,) = told
    assert one["sender"] is Interrupt
    assert isinstance(one["interrupt"], Interrupt)
    assert (one["interrupt"].pk, one["interrupt"].session_id) == (asked["id"], "s")
    assert (one["reason"], one["data"]) == ("Delete the old report?", {"file": "a"})
    assert (one["agent_name"], one["actor"]) == ("cleaner", "agent:janitor")


def test_approving_tells_by_whom_and_with_what(
    agent: Door, as_ann: Door, listen: Listen, commit: Commit
) -> None:
    told, asked = listen(signals.interrupt_approved), agent.ask()

    with commit():
        as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"modifications": {"a": 1}})

    (one,) = told
    assert (one["interrupt"].pk, one["interrupt"].status) == (asked["id"], "approved")
    assert (one["modifications"], one["resolved_by"], one["actor"]) == ({"a": 1}, "ann", "user:ann")


def test_rejecting_tells_why(agent: Door, as_ann: Door, listen: Listen, commit: Commit) -> None:
    told, asked = listen(signals.interrupt_rejected), agent.ask()

    with commit():
        as_ann.post_json(f"/interrupts/{asked['id']}/reject", {"reason": "Keep it."})

    (one,) = told
    assert (one["interrupt"].pk, one["rejection_reason"], one["resolved_by"]) == (
        asked["id"],
        "Keep it.",
        "ann",
    )


def test_an_answer_a_cancelling_and_an_expiry_are_told_too(
    agent: Door, as_ann: Door, listen: Listen, commit: Commit
) -> None:
    responded = listen(signals.interrupt_responded)
    cancelled, expired = listen(signals.interrupt_cancelled), listen(signals.interrupt_expired)
    answered, taken, late = (agent.ask(type="input")["id"] for _ in range(3))
    let_deadline_pass(late)

    with commit():
        as_ann.post_json(f"/interrupts/{answered}/respond", {"response": "Tuesday"})
        agent.post_json(f"/interrupts/{taken}/cancel", {"reason": "Done."})
        services.expire_overdue()

    assert [(one["interrupt"].pk, one["response"]) for one in responded] == [(answered, "Tuesday")]
    assert [(one["interrupt"].pk, one["reason"]) for one in cancelled] == [(taken, "Done.")]
    assert [(one["interrupt"].pk, one["actor"]) for one in expired] == [(late, "system")]


def test_what_is_rolled_back_is_not_told(
    agent: Door, listen: Listen, django_capture_on_commit_callbacks: Commit
) -> None:
    told, asked = listen(signals.interrupt_cancelled), agent.ask()
    interrupt = Interrupt.objects.get(pk=asked["id"])
    caller = _caller_of("janitor")

    def cancel_and_fail() -> None:
        with transaction.atomic():
            services.cancel(interrupt, by=caller)
            raise KeyError

    with django_capture_on_commit_callbacks(execute=True) as callbacks, pytest.raises(KeyError):
        cancel_and_fail()

    assert (told, callbacks) == ([], [])
    assert status_of(agent, asked["id"])["status"] == "pending"


def test_what_lost_the_race_is_not_told(agent: Door, as_ann: Door, listen: Listen, commit: Commit) -> None:
    asked = agent.ask()
    as_ann.post_json(f"/interrupts/{asked['id']}/reject")
    told = listen(signals.interrupt_approved)

    with commit():
        assert as_ann.post_json(f"/interrupts/{asked['id']}/approve").status_code == 409

    assert told == []


def test_a_listener_that_fails_hurts_nobody(
    agent: Door, as_ann: Door, listen: Listen, commit: Commit, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**fields: Any) -> None:
        raise RuntimeError("mail server away")

    signals.interrupt_approved.connect(fail)
    told, asked = listen(signals.interrupt_approved), agent.ask()

    with commit():
        decided = as_ann.post_json(f"/interrupts/{asked['id']}/approve")

    assert (decided.status_code, len(told)) == (200, 1)
    assert status_of(agent, asked["id"])["approved"] is True
    assert "mail server away" in caplog.text
    assert signals.interrupt_approved.disconnect(fail)


def test_a_listener_may_go_on_at_once(agent: Door, as_ann: Door, commit: Commit) -> None:
    def ask_the_next(interrupt: Interrupt, **fields: Any) -> None:
        asking.ask(_caller_of(interrupt.agent_id), {"reason": "And the next?"})

    signals.interrupt_approved.connect(ask_the_next)
    asked = agent.ask()
    with commit():
        as_ann.post_json(f"/interrupts/{asked['id']}/approve")
    signals.interrupt_approved.disconnect(ask_the_next)

    assert agent.get_json("/interrupts", status="pending").json()["results"][0]["reason"] == "And the next?"


def test_every_kind_of_event_with_a_signal_names_its_signal() -> None:
    assert signals.BY_EVENT_TYPE["hitl.interrupt.approved"] is signals.interrupt_approved
    assert signals.BY_EVENT_TYPE["hitl.request.in_review"] is signals.request_in_review
    assert signals.BY_EVENT_TYPE["hitl.run.awaiting_human"] is signals.run_awaiting_human
    assert len(signals.BY_EVENT_TYPE) == 20


def _caller_of(name: str) -> Any:

    key = Agent.objects.get(name=name).keys.first()
    assert key is not None
    return of_key(key)


def test_each_step_of_a_request_is_told_without_its_secrets(
    agent: Door, as_ann: Door, listen: Listen, commit: Commit
) -> None:
    told = {
        name: listen(getattr(signals, f"request_{name}"))
        for name in ("created", "in_review", "fulfilled", "rejected", "cancelled", "expired")
    }
    with commit():
        ids = [agent.need(required_fields=SECRET, workflow_id="w-7")["id"] for _ in range(4)]
        as_ann.post_json(f"/requests/{ids[0]}/start_review")
        answer = {"response_data": {"key": "sk_canary"}, "notes": "Until March."}
        as_ann.post_json(f"/requests/{ids[0]}/fulfill", answer)
        as_ann.post_json(f"/requests/{ids[1]}/reject", {"reason": "No."})
        agent.post_json(f"/requests/{ids[2]}/cancel")
        let_deadline_pass(ids[3])
        expire_overdue()

    assert [one["request"].pk for one in told["created"]] == ids
    ended = {name: [one["request"].pk for one in found] for name, found in told.items() if name != "created"}
    assert ended == {
        "in_review": ids[:1], "fulfilled": ids[:1], "rejected": ids[1:2],
        "cancelled": ids[2:3], "expired": ids[3:],
    }  # fmt: skip
    (fulfilled,) = told["fulfilled"]
    assert (fulfilled["workflow_id"], fulfilled["fulfilled_by"]) == ("w-7", "ann")
    assert "sk_canary" not in str(told)
