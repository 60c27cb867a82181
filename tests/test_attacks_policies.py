"""What an agent may try so that a rule about it does not hold, or holds the server up."""

import time
from typing import Any

import pytest
from django.contrib.auth.models import User

from reviews.conditions import Condition
from reviews.models import Policy
from tests.admin import decide, page_of
from tests.conftest import Door
from tests.steps import Join, MakePolicy, status_of

LONG = "The condition would run long over arguments of this size."


@pytest.mark.parametrize(
    ("when", "args"),
    [
        # Compiled anew for each element, 50 ms each time.
        (r"args.to.exists(a, a.matches('^[\\w.]{1,64}@example\\.com$'))", {"to": ["eve@example.org"] * 200}),
        # Each sum copies all before it: ten gigabytes.
        ("+".join(["args.s"] * 280) + " == ''", {"s": "a" * 200_000}),
        ("args.l. // hidden\n exists(x, args.l.exists(x, args.l.exists(x, x > 9)))", {"l": [1] * 300}),
    ],
)
def test_no_arguments_keep_a_condition_busy(
    agent: Door, make_policy: MakePolicy, when: str, args: dict[str, Any]
) -> None:
    make_policy(pattern="*", when=when, deny=True)

    answer = agent.post_json("/policies/evaluate", {"tool_name": "x", "tool_args": args}).json()

    assert (answer["decision"], answer["failure"]) == ("ask", LONG)


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        (r"args.to.exists(a, !a.matches('@example\\.com$'))", True),
        (r"args.to.exists(a, a.matches(r'^[\w.+-]+@example\.net$'))", False),
        ("args.text.contains('.map(x, y) + matches(z)') // .map(x, 1) + matches(y)", False),
        ("args.to.all(// whoever\n a, a.size() > 9)", True),
        ("args.first + ' ' + args.last == 'Eve Moneypenny'", True),
    ],
)
def test_an_ordinary_condition_does_not_run_long(when: str, holds: bool) -> None:
    args = {"to": ["eve@example.org"] * 20, "text": "a" * 2_000, "first": "Eve", "last": "Moneypenny"}

    assert Condition(when).holds(args, "bot", "") is holds


def test_an_answer_under_a_grant_is_confirmed_to_nobody_when_the_grant_is_gone(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="pay")
    call = {"tool_name": "pay", "session_id": "night"}
    asked = agent.ask(**call)
    as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"grant": "session"})
    allowed = agent.post_json("/policies/evaluate", call)
    assert allowed.json()["decision"] == "allow"

    as_ann.send_json("DELETE", f"/grants/{allowed.json()['grant']}")
    answer = agent.post_json("/policies/evaluate", call, **{"If-None-Match": allowed["ETag"]})

    assert (answer.status_code, answer.json()["decision"]) == (200, "ask")


def test_arguments_that_no_condition_can_read_do_not_pass_under_a_grant_of_the_session(
    agent: Door, as_ann: Door, make_policy: MakePolicy, join: Join, bob: User
) -> None:
    join("board", bob)
    make_policy(name="Small", pattern="pay", when="args.sum < 10")
    make_policy(name="Large", pattern="pay", priority=200, reviewers=["board"])
    call = {"tool_name": "pay", "session_id": "night"}
    asked = agent.ask(**call, tool_args={"sum": 1})
    as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"grant": "session"})

    said = [agent.ask(**call, tool_args={"sum": sum_})["status"] for sum_ in (2, 50, "50")]

    assert said == ["approved", "pending", "pending"]


def test_arguments_that_somebody_has_seen_pass_though_no_condition_can_read_them(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(name="Small", pattern="pay", when="args.sum < 10")
    call = {"tool_name": "pay", "session_id": "night", "tool_args": {"sum": "50"}}
    asked = agent.ask(**call)

    as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"grant": "arguments"})

    assert agent.ask(**call)["status"] == "approved"


@pytest.mark.parametrize("verb", ["approve", "reject", "claim"])
def test_who_is_not_asked_and_posts_all_the_same_is_told_so(
    agent: Door, as_ann: Door, bob: User, make_policy: MakePolicy, join: Join, verb: str
) -> None:
    join("board", bob)
    make_policy(pattern="pay", reviewers=["board"])
    asked = agent.ask(tool_name="pay")

    answer = decide(as_ann, asked, verb, note="No.")

    assert answer.status_code == 403
    assert "Only members of board answer this" in answer.content.decode()
    assert status_of(agent, asked["id"])["status"] == "pending"


def test_who_is_not_asked_does_not_start_a_review(
    agent: Door, as_ann: Door, bob: User, make_policy: MakePolicy, join: Join
) -> None:
    join("board", bob)
    make_policy(kind="request", pattern="*", reviewers=["board"])
    asked = agent.need()

    assert decide(as_ann, asked, "claim").status_code == 403


def test_what_cannot_be_seen_does_not_move_what_is_edited(agent: Door, as_ann: Door) -> None:
    sent = {"path": {"a\u202eb": ["\u200bx", "é\U0001f600"]}}
    asked = agent.ask(tool_name="pay", tool_args=sent)

    page = as_ann.get(page_of(asked)).content.decode()

    assert "\\u202e" in page
    assert "é\U0001f600" in page
    assert not {"\u202e", "\u200b"} & set(page)
    assert decide(as_ann, asked, "approve", page=page).status_code == 302
    assert status_of(agent, asked["id"])["modifications"] is None


def test_many_conditions_together_keep_nobody_waiting(agent: Door, make_policy: MakePolicy) -> None:
    """Each may take some milliseconds of the processor; all of them would take seconds from everybody."""
    when = "args.l.all(x, args.l.all(y, x + y < 0 || true)) && false"
    Policy.objects.bulk_create(
        Policy(name=f"Slow {number}", pattern="*", when=when, decision="deny") for number in range(1_000)
    )
    make_policy(name="Last", pattern="*", allow_auto=True, priority=1_000)  # and all are read anew
    args = {"l": [1] * 75}
    agent.post_json("/policies/evaluate", {"tool_name": "warm"})

    begun = time.thread_time()
    answer = agent.post_json("/policies/evaluate", {"tool_name": "x", "tool_args": args}).json()

    assert time.thread_time() - begun < 1
    assert answer["decision"] == "ask"
    assert answer["failure"] == "The conditions together would run long over these arguments."
