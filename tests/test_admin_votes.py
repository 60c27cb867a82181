"""Votes and rules on the decision page: who is asked, what their word would be, and what became of it."""

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent
from reviews import follow_up
from reviews.models import Delegation, ReviewItem
from tests.admin import HUMAN_ACTIONS, LIST, decide, page_of, text_of
from tests.conftest import Door
from tests.steps import Enter, Join, MakePolicy, status_of

PAY: dict[str, Any] = {"tool_name": "pay", "tool_args": {"amount": 1250, "to": "ACME"}, "session_id": "s-7"}


@pytest.fixture
def as_cid(make_user: Any, enter: Enter) -> Door:
    return enter(make_user("cid", "reviewer"))


def shown(door: Door, asked: dict[str, Any]) -> str:
    return text_of(door.get(page_of(asked)))


def buttons(door: Door, asked: dict[str, Any]) -> str:
    """Return the words of the page from the panel on."""
    return shown(door, asked).partition("Your decision")[2]


# -- The policy in force ----------------------------------------------------------------------------------


def test_the_rule_in_force_is_shown_with_its_words(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    policy = make_policy(
        name="Pay <b>", pattern="pay", note="Twice.", approval_message="Look at the IBAN.", high_risk=True
    )
    asked = agent.ask(**PAY)

    page = as_ann.get(page_of(asked)).content.decode()

    for words in ("Policy in force", "Pay &lt;b&gt;", "Twice.", "Look at the IBAN.", "High risk"):
        assert words in page
    assert f"/admin/reviews/policy/{policy['id']}/change/" in page


def test_a_condition_that_failed_is_said(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="pay", when="args.sum > 3")

    assert "It asks because its condition could not be judged" in shown(as_ann, agent.ask(**PAY))


def test_what_a_rule_denies_is_shown_as_its_outcome(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(name="No money", pattern="pay", deny=True)

    assert "by the policy No money : nobody may allow this" in shown(as_ann, agent.ask(**PAY))


def test_who_may_make_rules_finds_the_way(agent: Door, as_ann: Door, as_ada: Door) -> None:
    asked = agent.ask(**PAY)
    link = f"/admin/reviews/policy/add/?item={asked['id']}"

    assert link in as_ada.get(page_of(asked)).content.decode()
    assert link not in as_ann.get(page_of(asked)).content.decode()
    decide(as_ann, asked, "approve")
    assert link in as_ada.get(page_of(asked)).content.decode()


# -- Stages and votes -----------------------------------------------------------------------------------


def test_the_first_of_two_votes_and_the_second_approves(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="pay", required_approvals=2)
    asked = agent.ask(**PAY)
    assert "Approve (1 of 2)" in buttons(as_ann, asked)

    answer = decide(as_ann, asked, "approve", note="Fine.")

    assert answer.status_code == 302
    assert "Your approval is counted" in text_of(as_ann.get(LIST))
    page = shown(as_bob, asked)
    assert "1 of 2 ann" in page
    assert "ann approved (1 of 2)" in page
    assert "Approve: last of 2" in page
    assert status_of(agent, asked["id"])["status"] == "pending"
    decide(as_bob, asked, "approve")
    assert status_of(agent, asked["id"])["status"] == "approved"
    assert "2 of 2 ann bob" in shown(as_ann, asked)


def test_stages_follow_each_other(
    agent: Door, ann: User, bob: User, as_ann: Door, as_bob: Door, make_policy: MakePolicy, join: Join
) -> None:
    join("finance", ann)
    join("legal", bob)
    make_policy(
        pattern="pay",
        stages=[{"name": "Money", "reviewers": ["finance"]}, {"name": "Law", "reviewers": ["legal"]}],
    )
    asked = agent.ask(**PAY)
    assert "After you, Law is asked." in buttons(as_ann, asked)
    assert "This is asked of finance." in buttons(as_bob, asked)

    decide(as_ann, asked, "approve")

    assert "Approve: last of 2" in buttons(as_bob, asked)
    decide(as_bob, asked, "approve")
    assert status_of(agent, asked["id"])["status"] == "approved"


def test_who_voted_is_told_so_and_can_still_refuse(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="pay", required_approvals=2)
    asked = agent.ask(**PAY)
    page = as_ann.get(page_of(asked)).content.decode()
    decide(as_ann, asked, "approve")

    panel = as_ann.get(page_of(asked)).content.decode()
    assert "You have approved this. Others have to, as well." in panel
    assert 'value="approve"' not in panel
    assert decide(as_ann, asked, "approve", page=page).status_code == 412
    again = decide(as_ann, asked, "approve", note="Once more.")
    assert again.status_code == 409
    assert "You have voted on this" in text_of(again)
    assert "Once more." in again.content.decode()
    assert decide(as_ann, asked, "reject", note="I was wrong.").status_code == 302


def test_who_is_not_asked_finds_no_verbs_and_a_post_is_refused_with_the_note_kept(
    agent: Door, ann: User, as_bob: Door, make_policy: MakePolicy, join: Join
) -> None:
    join("finance", ann)
    make_policy(pattern="pay", reviewers=["finance"])
    asked = agent.ask(**PAY)
    page = as_bob.get(page_of(asked)).content.decode()
    assert "This is asked of finance. You are not among them" in page
    for verb in ("approve", "edit", "changes", "reject", "claim"):
        assert f'value="{verb}"' not in page

    for verb in ("approve", "reject", "changes", "claim"):
        answer = decide(as_bob, asked, verb, note="Let me.")
        assert answer.status_code == 403
        assert "Only members of finance answer this" in text_of(answer)
        assert "Let me." in answer.content.decode()

    assert as_bob.post(page_of(asked), {"verb": "comment", "body": "Ask ann."}).status_code == 302
    assert status_of(agent, asked["id"])["status"] == "pending"


def test_the_owner_of_an_agent_does_not_approve_its_high_risk(agent: Door, ann: User, as_ann: Door) -> None:
    Agent.objects.update(owner=ann)
    asked = agent.ask(**PAY, priority="high")

    panel = buttons(as_ann, asked)

    assert "the agent that asks is yours" in panel
    assert "Approve" not in panel
    assert decide(as_ann, asked, "approve").status_code == 403


def test_a_substitute_sees_and_takes_the_seat_of_who_is_away(
    agent: Door, ann: User, bob: User, as_bob: Door, as_cid: Door, make_policy: MakePolicy, join: Join
) -> None:
    join("finance", ann)
    now = timezone.now()
    Delegation.objects.create(
        absent=ann, substitute=bob, starts_at=now - dt.timedelta(1), ends_at=now + dt.timedelta(1)
    )
    make_policy(
        pattern="pay", stages=[{"name": "Money", "reviewers": ["finance"]}, {"name": "All", "reviewers": []}]
    )
    asked = agent.ask(**PAY)
    assert "You approve this in the place of ann" in buttons(as_bob, asked)

    decide(as_bob, asked, "approve")

    page = shown(as_cid, asked)
    assert "bob for ann" in page
    assert "bob approved for ann (1 of 1)" in page


def test_a_second_vote_on_a_stale_page_is_refused_with_the_first(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="pay", required_approvals=2)
    asked = agent.ask(**PAY, priority="critical")
    page = as_bob.get(page_of(asked)).content.decode()
    assert decide(as_ann, asked, "approve").status_code == 400
    decide(as_ann, asked, "approve", word="pay")

    answer = decide(as_bob, asked, "approve", page=page, word="pay", note="Me too.")

    assert answer.status_code == 412
    assert "ann approved (1 of 2)" in text_of(answer)
    assert "Me too." in answer.content.decode()
    assert decide(as_bob, asked, "approve", word="pay").status_code == 302
    assert status_of(agent, asked["id"])["status"] == "approved"


def test_what_several_approve_is_edited_by_nobody_alone(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="pay", required_approvals=2)
    asked = agent.ask(**PAY)

    page = as_ann.get(page_of(asked)).content.decode()

    assert "so nobody edits it alone" in page
    assert 'value="edit"' not in page
    assert decide(as_ann, asked, "edit", **{"argument-0": "1"}).status_code == 400


def test_an_answer_that_two_stand_for_is_approved_first_and_then_written(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy
) -> None:
    make_policy(kind="input", required_approvals=2)
    asked = agent.ask(type="input")
    assert 'value="respond"' not in as_ann.get(page_of(asked)).content.decode()
    assert decide(as_ann, asked, "respond", **{"answer-0": "Tuesday"}).status_code == 409

    assert decide(as_ann, asked, "approve").status_code == 302

    assert "Send answer: last of 2" in buttons(as_bob, asked)
    assert decide(as_bob, asked, "approve").status_code == 409
    assert decide(as_bob, asked, "respond", **{"answer-0": "Tuesday"}).status_code == 302
    assert status_of(agent, asked["id"])["response"] == "Tuesday"


def test_a_request_is_approved_before_the_last_fulfills_it(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy
) -> None:
    make_policy(kind="request", required_approvals=2)
    asked = agent.need(required_fields={"key": {"label": "Key", "type": "secret"}})
    page = as_ann.get(page_of(asked)).content.decode()
    assert "Approve (1 of 2)" in text_of(as_ann.get(page_of(asked)))
    assert 'name="answer-0"' not in page
    assert decide(as_ann, asked, "fulfill", **{"answer-0": "sk_1"}).status_code == 409

    assert decide(as_ann, asked, "approve", note="Good.").status_code == 302

    assert 'name="answer-0"' not in as_ann.get(page_of(asked)).content.decode()
    assert "Fulfill: last of 2" in shown(as_bob, asked)
    assert decide(as_bob, asked, "approve").status_code == 409
    assert decide(as_bob, asked, "fulfill", **{"answer-0": "sk_1"}).status_code == 302
    assert agent.get_json(f"/requests/{asked['id']}").json()["status"] == "fulfilled"


def test_what_one_has_voted_on_is_not_their_next(agent: Door, as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="pay", required_approvals=2)
    first, second = agent.ask(**PAY), agent.ask(**PAY)

    assert decide(as_ann, first, "approve")["Location"] == page_of(second)
    assert decide(as_ann, second, "approve")["Location"] == "/admin/inbox/"


# -- Handing over, time, the list -----------------------------------------------------------------------


def test_handing_over_offers_those_who_are_asked(
    agent: Door, ann: User, bob: User, as_ann: Door, as_cid: Door, make_policy: MakePolicy, join: Join
) -> None:
    join("finance", ann, bob)
    make_policy(pattern="pay", reviewers=["finance"])
    asked = agent.ask(**PAY)
    names = [f'<option value="{name}"' in as_cid.get(page_of(asked)).content.decode() for name in
             ("ann", "bob", "cid", "ada")]  # fmt: skip
    assert names == [True, True, False, False]
    refused = decide(as_cid, asked, "reassign", to="cid")
    assert refused.status_code == 400
    assert "cid may not answer this." in text_of(refused)
    assert decide(as_cid, asked, "reassign", to="").status_code == 400

    answer = decide(as_cid, asked, "reassign", to="bob")

    assert answer.status_code == 200
    assert "bob is working on this." in text_of(answer)
    assert "cid handed it to bob" in text_of(answer)
    assert decide(as_ann, asked, "approve").status_code == 409


def test_a_request_that_was_handed_over_is_reviewed_by_who_has_it(
    agent: Door, bob: User, as_ann: Door, as_bob: Door
) -> None:
    asked = agent.need()
    decide(as_ann, asked, "reassign", to="bob")

    assert "Start review" in shown(as_bob, asked)
    assert decide(as_bob, asked, "claim").status_code == 200
    assert agent.get_json(f"/requests/{asked['id']}").json()["status"] == "in_review"


def test_what_is_due_and_what_happens_in_silence_can_be_read(
    agent: Door, as_ann: Door, ann: User, make_policy: MakePolicy, join: Join
) -> None:
    join("finance", ann)
    join("managers", ann)
    make_policy(
        pattern="pay",
        reviewers=["finance"],
        sla={"medium": 7_200},
        remind_after=60,
        escalation=[{"to": "managers", "after": 60}],
    )
    asked = agent.ask(**PAY)
    assert "due in 1 h 59 min" in shown(as_ann, asked)
    assert "in 1 h 59 min" in text_of(as_ann.get(LIST))
    ReviewItem.objects.update(remind_at=timezone.now(), escalate_at=timezone.now())

    assert (follow_up.remind(), follow_up.escalate()) == (1, 1)

    page = shown(as_ann, asked)
    assert "system reminded everybody who is asked" in page
    assert "system asked managers as well" in page
    assert "finance, managers" in page


def test_the_list_says_how_far_the_votes_are(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy
) -> None:
    make_policy(kind="*", required_approvals=2)
    asked, needed = agent.ask(**PAY), agent.need()
    decide(as_ann, asked, "approve")
    decide(as_ann, needed, "approve")

    assert "1 of 2" in text_of(as_bob.get(LIST))
    assert "1 of 2" in text_of(as_bob.get(HUMAN_ACTIONS))
    decide(as_bob, asked, "approve")
    assert "of 2" not in text_of(as_bob.get(LIST, {"state": "decided"}))


def test_the_list_costs_no_more_with_rules_and_votes(
    agent: Door, as_ann: Door, as_bob: Door, make_policy: MakePolicy, django_assert_num_queries: Any
) -> None:
    agent.ask()
    as_ann.get(LIST)
    cache.clear()
    with CaptureQueriesContext(connection) as plain:
        as_ann.get(LIST)
    cost = len(plain)
    make_policy(pattern="pay", required_approvals=2)
    for _ in range(3):
        decide(as_bob, agent.ask(**PAY), "approve")

    cache.clear()
    with django_assert_num_queries(cost):
        as_ann.get(LIST)


def test_a_page_costs_three_more_where_a_rule_is_in_force(
    agent: Door, ann: User, as_ann: Door, make_policy: MakePolicy, join: Join
) -> None:
    join("finance", ann)
    make_policy(pattern="pay", high_risk=True, required_approvals=1, reviewers=["finance"])
    plain, ruled = agent.ask(**{**PAY, "tool_name": "look"}), agent.ask(**PAY)
    as_ann.get(page_of(plain))
    with CaptureQueriesContext(connection) as before:
        as_ann.get(page_of(plain))
    cost = len(before)
    with CaptureQueriesContext(connection) as after:
        as_ann.get(page_of(ruled))

    # whose agent it is, who is in the groups, for whom the reader stands in
    assert len(after) - cost == 3


def test_a_fragment_asks_nothing_about_votes(
    agent: Door, ann: User, as_ann: Door, make_policy: MakePolicy, join: Join
) -> None:
    join("finance", ann)
    make_policy(pattern="pay", high_risk=True, reviewers=["finance"])
    plain, ruled = agent.ask(**{**PAY, "tool_name": "look"}), agent.ask(**PAY)
    with CaptureQueriesContext(connection) as before:
        as_ann.get(page_of(plain), headers={"X-Fragment": "1"})
    cost = len(before)
    with CaptureQueriesContext(connection) as after:
        answer = as_ann.get(page_of(ruled), headers={"X-Fragment": "1"})

    assert len(after) == cost
    assert "0 of 1" in text_of(answer)
