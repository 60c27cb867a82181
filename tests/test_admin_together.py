"""Several alike, decided together: what is refused, and that each is decided as it was shown."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.admin import decide, text_of
from tests.conftest import Door
from tests.steps import MakePolicy, attach, event_types, status_of

TOGETHER = "/admin/inbox/together/"
CALL: dict[str, Any] = {"tool_name": "refund", "tool_args": {"order": "A-1", "currency": "EUR"}}


def show(door: Door, *asked: dict[str, Any]) -> Any:
    return door.get(TOGETHER, {"item": [item["id"] for item in asked]})


def press(door: Door, shown: Any, verb: str, note: str = "") -> Any:
    items = re.findall(r'name="item" value="([^"]+)"', shown.content.decode())
    return door.post(TOGETHER, {"item": items, "verb": verb, "note": note})


def statuses(door: Door, *asked: dict[str, Any]) -> list[str]:
    return [status_of(door, item["id"])["status"] for item in asked]


def test_what_was_ticked_is_shown_whole_and_approved(agent: Door, as_ann: Door) -> None:
    first = agent.ask(reason="Refund A-1?", **CALL)
    second = agent.ask(
        reason="Refund A-2?", tool_name="refund", tool_args={"order": "A-2", "currency": "EUR"}
    )
    left = agent.ask(**CALL)

    shown = show(as_ann, first, second)
    answer = press(as_ann, shown, "approve", "As agreed.")

    assert re.search(
        "Decide 2 together.*same in all currency EUR.*Refund A-1.*order A-1.*order A-2", text_of(shown)
    )
    assert (answer.status_code, answer["Location"]) == (302, "/admin/inbox/")
    assert statuses(agent, first, second, left) == ["approved", "approved", "pending"]
    assert "2 approved." in text_of(as_ann.get("/admin/inbox/"))
    assert event_types(first["id"])[-1] == "hitl.interrupt.approved"


def test_looking_decides_nothing(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**CALL)
    as_ann.get(TOGETHER, {"item": asked["id"], "verb": "approve"})
    assert statuses(agent, asked) == ["pending"]


def test_a_rejection_needs_a_reason_and_each_agent_gets_it(agent: Door, as_ann: Door) -> None:
    asked = [agent.ask(**CALL), agent.ask(**CALL)]
    shown = show(as_ann, *asked)

    refused = press(as_ann, shown, "reject")
    assert refused.status_code == 400
    assert "Say why" in text_of(refused)
    assert statuses(agent, *asked) == ["pending", "pending"]

    press(as_ann, shown, "reject", "Not this week.")
    assert [status_of(agent, item["id"])["rejection_reason"] for item in asked] == ["Not this week."] * 2


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"tool_name": "wipe_disk"}, "different tools"),
        ({**CALL, "priority": "high"}, "one by one"),
        ({**CALL, "priority": "critical"}, "one by one"),
        ({**CALL, "type": "input"}, "more than a yes or a no"),
        ({**CALL, "allowed_decisions": ["approve"]}, "more than a yes or a no"),
        ({**CALL, "reason": "Long.\n" * 100}, "long text"),
        ({**CALL, "tool_args": {"script": "echo\n" * 60}}, "long text"),
    ],
)
def test_what_is_not_alike_or_needs_a_closer_look_is_refused(
    agent: Door, as_ann: Door, other: dict[str, Any], why: str
) -> None:
    asked = [agent.ask(**CALL), agent.ask(**other)]

    shown = show(as_ann, *asked)

    assert why in text_of(shown)
    assert 'value="approve"' not in shown.content.decode()
    assert press(as_ann, shown, "approve").status_code == 400
    assert statuses(agent, *asked) == ["pending", "pending"]


def test_twenty_is_the_most(agent: Door, as_ann: Door) -> None:
    asked = agent.post_json("/interrupts/batch", {"items": [{"reason": "Same?", **CALL}] * 21}).json()[
        "results"
    ]

    refused = press(as_ann, show(as_ann, *asked), "approve")
    assert "At most 20" in text_of(refused)
    assert set(statuses(agent, *asked)) == {"pending"}

    press(as_ann, show(as_ann, *asked[:20]), "approve")
    assert statuses(agent, *asked) == ["approved"] * 20 + ["pending"]


def test_what_changed_or_was_taken_meanwhile_is_left_and_said(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    same, revised, decided, held = (agent.ask(**CALL) for _ in range(4))
    shown = show(as_ann, same, revised, decided, held)
    decide(as_bob, decided, "reject", note="No.")
    decide(as_bob, held, "claim")
    decide(as_bob, revised, "changes", note="Half of it.")
    agent.post_json(f"/interrupts/{revised['id']}/revise", {"tool_args": {"order": "A-9"}})

    answer = press(as_ann, shown, "approve", "Fine.")

    assert answer.status_code == 409
    assert statuses(agent, same, revised, decided, held) == ["approved", "pending", "rejected", "pending"]
    for said in (
        "1 approved.",
        "3 were left.",
        "no longer open",
        "bob holds it",
        "changed since it was shown",
    ):
        assert said in text_of(answer), said
    assert statuses(agent, same, revised) == ["approved", "pending"]
    assert press(as_ann, answer, "approve").status_code == 302
    assert statuses(agent, revised, held) == ["approved", "pending"]


def test_a_line_without_what_was_shown_of_it_is_not_decided(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**CALL)

    for forged in (asked["id"], f"{asked['id']}:1:", f"{asked['id']}:1:{'0' * 64}", "", ":", "\x00"):
        answer = as_ann.post(TOGETHER, {"item": [forged], "verb": "approve"})
        assert answer.status_code in (400, 409), forged

    assert statuses(agent, asked) == ["pending"]


def test_one_who_is_not_asked_decides_none_of_it(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(name="Finance", pattern="refund", reviewers=["administrator"])
    asked = agent.ask(**CALL)

    answer = press(as_ann, show(as_ann, asked), "approve")

    assert answer.status_code == 409
    assert statuses(agent, asked) == ["pending"]


def test_what_the_agent_attached_is_shown_as_well(agent: Door, as_ann: Door) -> None:
    asked = [agent.ask(data={"draft": "Dear all"}), agent.ask(data={"draft": "Dear nobody"})]

    assert re.search("attached draft Dear all.*attached draft Dear nobody", text_of(show(as_ann, *asked)))


def test_what_has_a_file_is_looked_at_alone(agent: Door, as_ann: Door) -> None:
    plain, asked = agent.ask(**CALL), agent.ask(**CALL)
    shown = show(as_ann, plain, asked)
    assert attach(agent, asked["id"]).status_code == 201

    assert "more than a yes or a no" in text_of(show(as_ann, plain, asked))
    assert press(as_ann, shown, "approve").status_code == 400
    assert statuses(agent, plain, asked) == ["pending", "pending"]


def test_one_vote_of_several_is_not_told_as_an_approval(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(name="Two", pattern="refund", required_approvals=2)
    asked = agent.ask(reason="Refund A-1?", **CALL)

    press(as_ann, show(as_ann, asked), "approve")

    told = text_of(as_ann.get("/admin/inbox/"))
    assert "Your approval is counted: Refund A-1?" in told
    assert "1 approved." not in told
    assert statuses(agent, asked) == ["pending"]


def test_it_is_for_who_may_decide(agent: Door, vic: User, carol: User) -> None:
    asked = agent.ask(**CALL)
    for person in (vic, carol):
        door = Door()
        door.force_login(person)
        assert show(door, asked).status_code == 403
        assert door.post(TOGETHER, {"item": f"{asked['id']}:1:x", "verb": "approve"}).status_code == 403
    assert show(Door(), asked).status_code == 302
    assert agent.get(TOGETHER).status_code == 302


def test_a_hostile_text_is_inert_there(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(
        reason="<script>alert(1)</script> \u202egpj.exe", tool_name="x", tool_args={"<b>": "</dd><img>"}
    )

    shown = show(as_ann, asked).content.decode()

    assert "<script>alert" not in shown
    assert "<img>" not in shown
    assert "\u202e" not in shown
