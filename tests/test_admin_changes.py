"""More than yes and no on the decision page: changes wanted, allowed in advance, and what came of it."""

from typing import Any

import pytest

from tests.admin import LIST, decide, page_of, text_of
from tests.conftest import Door
from tests.steps import MakePolicy, status_of
from tests.test_admin_votes import PAY, shown

# -- Changes --------------------------------------------------------------------------------------------


def test_asking_for_changes_needs_words_and_shows_what_they_led_to(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="pay", required_approvals=2)
    asked = agent.ask(**PAY)
    decide(as_bob, asked, "approve")
    refused = decide(as_ann, asked, "changes")
    assert refused.status_code == 400
    assert "Say what should change: the agent is told." in text_of(refused)

    assert decide(as_ann, asked, "changes", note="Half of it.").status_code == 302

    waiting = shown(as_bob, asked)
    assert "revision. You can still decide it as it is." in waiting
    assert "Half of it." in waiting
    assert 'value="approve"' in as_ann.get(page_of(asked)).content.decode()
    told = {"reason": "Pay half?", "tool_args": {"amount": 625, "to": "ACME"}}
    assert agent.post_json(f"/interrupts/{asked['id']}/revise", told).status_code == 200
    revised = shown(as_bob, asked)
    assert "Revision 2: what the agent changed" in revised
    assert "ann asked for: Half of it." in revised
    assert "Delete the old report? Pay half?" in revised
    assert "amount 1250 625" in revised
    assert "those votes have lapsed" in revised
    assert "Approve (1 of 2)" in revised


def test_a_revision_without_votes_before_it_cost_none(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**PAY)
    decide(as_ann, asked, "changes", note="More words.")
    agent.post_json(f"/interrupts/{asked['id']}/revise", {"reason": "Pay the invoice of May?"})

    revised = shown(as_ann, asked)

    assert "what the agent changed" in revised
    assert "lapsed" not in revised


# -- Allow in advance -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reach", "told", "again"),
    [
        ("session", "It is allowed in this session for 8 h.", {"amount": 7, "to": "ACME"}),
        ("arguments", "With exactly these arguments it is allowed for 30 d.", PAY["tool_args"]),
    ],
)
def test_an_approval_allows_what_follows(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy, reach: str, told: str, again: Any
) -> None:
    make_policy(pattern="pay")
    asked = agent.ask(**PAY)

    decide(as_ann, asked, "approve", grant=reach)

    answer = as_ann.get(LIST)
    assert told in text_of(answer)
    assert 'href="/admin/reviews/grant/"' in answer.content.decode()
    assert "ann allowed pay in advance" in shown(as_bob, asked)
    passed = agent.ask(**{**PAY, "tool_args": again})
    page = shown(as_bob, passed)
    assert "at once: ann has allowed this in advance." in page
    assert "system let it pass: ann has allowed this in advance" in page


@pytest.mark.parametrize(
    ("policy", "kind"),
    [({"high_risk": True}, "approval"), ({"required_approvals": 2}, "approval"), ({}, "feedback")],
)
def test_what_is_asked_each_time_is_not_offered_in_advance(
    agent: Door, as_ann: Door, make_policy: MakePolicy, policy: dict[str, Any], kind: str
) -> None:
    make_policy(pattern="pay", **policy)
    asked = agent.ask(**PAY, type=kind)

    assert 'name="grant"' not in as_ann.get(page_of(asked)).content.decode()


def test_what_no_rule_is_about_passes_by_a_grant_and_says_so(agent: Door, as_ann: Door, as_ada: Door) -> None:
    decide(as_ann, agent.ask(**PAY), "approve", grant="session")

    page = shown(as_ada, agent.ask(**PAY))

    assert "ann has allowed this in advance." in page
    assert "Make this a policy" in page


def test_a_grant_that_cannot_be_is_refused_with_why(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="pay", high_risk=True)
    asked = agent.ask(**PAY)

    answer = decide(as_ann, asked, "approve", grant="session")

    assert answer.status_code == 400
    assert "This is asked each time" in text_of(answer)
    assert status_of(agent, asked["id"])["status"] == "pending"


# -- Receipt and outcome --------------------------------------------------------------------------------


def test_the_receipt_is_shown_by_what_it_says_and_never_itself(
    agent: Door, as_ann: Door, settings: Any
) -> None:
    asked = agent.ask(**PAY)
    decide(as_ann, asked, "approve")
    receipt = status_of(agent, asked["id"])["receipt"]

    page = as_ann.get(page_of(asked)).content.decode()

    assert "The agent has not used this approval yet." in page
    assert receipt not in page
    assert as_ann.get(page_of(asked)).context["receipt"]["args_sha256"] in page
    settings.HITL_RECEIPT_KEYS = {9: next(iter(settings.HITL_RECEIPT_KEYS.values()))}
    assert "The key that signed it has been retired" in shown(as_ann, asked)


def test_what_came_of_it_is_shown(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**PAY)
    decide(as_ann, asked, "approve")
    agent.post_json(f"/interrupts/{asked['id']}/consume", {"tool_args": PAY["tool_args"]})
    agent.post_json(
        f"/interrupts/{asked['id']}/outcome", {"status": "failed", "result": {"why": "<b>closed</b>"}}
    )

    page = as_ann.get(page_of(asked)).content.decode()

    assert "The agent used this approval" in page
    assert "It failed" in page
    assert "&lt;b&gt;closed&lt;/b&gt;" in page
