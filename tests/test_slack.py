"""Questions in Slack: what is shown there, to whom, and what becomes of a message."""

import datetime as dt
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from events.models import SlackMessage, Subscription
from events.transports import slack as transport
from interrupts import slack
from reviews.models import ReviewItem
from reviews.redaction import has_secrets
from tests import mails, push
from tests import slack as workspaces
from tests.conftest import Door
from tests.providers import Trouble
from tests.slack import CALL, Workspace, buttons, post, signed, texts, time_passes, told
from tests.steps import Enter, MakePolicy, attach, let_deadline_pass, status_of

workspace, in_slack = workspaces.workspace, workspaces.in_slack
at_once, mailbox = push.at_once, mails.mailbox
InSlack = Callable[..., str]
PREFERENCES = "/admin/preferences/"
OWN = {"language": "", "time_zone": "", "shortcuts": "on"}


# -- What is shown --------------------------------------------------------------------------------------


def test_a_question_comes_once_with_all_that_a_click_decides(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent, reason="Delete the old report?", priority="medium", data={"size": 12})
    assert slack.tell_by_slack() == 0

    (message,) = workspace.told(member)
    shown = texts(message)
    for part in ("Wants to call delete_file", "Delete the old report?", '"path": "/tmp/a"', '"size": 12',
                 "janitor", "Priority: Medium", "Until: ", "The agent says:"):  # fmt: skip
        assert part in shown
    assert buttons(message) == ["approve", "reject", "open"]
    page = f"https://hitl.example.com/admin/interrupts/interrupt/{asked['id']}/change/"
    assert page in json.dumps(message)
    assert message["text"] == "A question waits"
    assert "confirm" not in json.dumps(message)


def test_what_is_of_high_risk_asks_again(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    told(agent, priority="high")
    (message,) = workspace.told(member)
    pressed = [one for one in message["blocks"][-1]["elements"] if one["action_id"] != "open"]
    assert all(one["confirm"]["title"]["text"] == "Are you sure?" for one in pressed)


HOSTILE = "<!channel> <@U1> *bold* <https://evil.example.com|Approve> :skull: &amp; @here \u202egnp"


def test_what_an_agent_wrote_calls_nobody_and_hides_nothing(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    told(agent, reason=HOSTILE, tool_name="<!here>", tool_args={"<!everyone>": HOSTILE}, agent_name="<@U2>")

    (message,) = workspace.told(member)
    assert '"mrkdwn"' not in json.dumps(message)
    assert not set("<>&") & set(message["text"])
    assert "⟦U+202E⟧" in texts(message)
    assert "\u202e" not in texts(message)
    objects: list[dict[str, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            objects.extend([value] if value.get("type") == "plain_text" else [])
            value = list(value.values())
        for inner in value if isinstance(value, list) else []:
            walk(inner)

    walk(message["blocks"])
    assert all(one["emoji"] is False for one in objects)


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": "critical"},
        {"type": "input"},
        {"type": "feedback"},
        {"allowed_decisions": ["approve"]},
        {"tool_args": {"text": "x " * 2_000}},
        {"data": {"text": "x " * 2_000}},
        {"tool_args": {"password": "canary"}},
        {"tool_args": {"deep": [{"api_key": "canary"}]}},
        {"reason": "Use Bearer canary-canary?"},
        {"reason": "Pay 5 euros?", "tool_name": "pay", "tool_args": {"amount": 5_000}},
    ],
)
def test_what_a_click_cannot_decide_whole_only_leads_to_its_page(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, fields: dict[str, Any]
) -> None:
    member = in_slack(ann)
    asked = told(agent, **{"reason": "Delete the reportcanary?", **fields})
    (message,) = workspace.told(member)
    assert buttons(message) == ["open"]
    assert "canary" not in json.dumps(message)
    assert "delete_file" not in json.dumps(message)

    # and who makes a button for it decides nothing
    payload = workspace.payload(member, "open")
    item = ReviewItem.objects.get(pk=asked["id"])
    payload["actions"] = [{"action_id": "approve", "value": slack.shown(item)}]
    assert post(signed(payload)).status_code == 200
    assert status_of(agent, asked["id"])["status"] == "pending"
    assert workspace.whispers == ["This takes more than a click: decide it on its page."]


def test_what_several_approve_or_has_a_file_only_leads_to_its_page(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, make_policy: MakePolicy
) -> None:
    make_policy(pattern="pay", required_approvals=2)
    member = in_slack(ann)
    told(agent, tool_name="pay")
    with_file = agent.ask(**CALL)
    attach(agent, with_file["id"])
    slack.tell_by_slack()
    assert [buttons(one) for one in workspace.told(member)] == [["open"], ["open"]]


def test_a_request_only_leads_to_its_page(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = agent.need()
    slack.tell_by_slack()
    (message,) = workspace.told(member)
    assert f"/admin/requests_app/actionrequest/{asked['id']}/change/" in json.dumps(message)
    assert "Stripe" not in json.dumps(message)


def test_a_digest_counts_and_what_is_urgent_comes_at_once_by_itself(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann, digest_minutes=60)
    for priority in ("low", "high", "medium"):
        agent.ask(**CALL, priority=priority)
    assert slack.tell_by_slack() == 1

    single, counted = workspace.told(member)
    assert buttons(single) == ["approve", "reject", "open"]
    assert texts(counted).startswith("2 questions wait for you.\nPriority: Medium")
    assert "https://hitl.example.com/admin/inbox/" in json.dumps(counted)
    agent.ask(**CALL)
    assert slack.tell_by_slack() == 0


def test_a_flood_is_a_few_messages_and_a_count(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    for _number in range(slack.SINGLY + 4):
        agent.ask(**CALL)
    assert slack.tell_by_slack() == 1
    assert len(workspace.told(member)) == slack.SINGLY + 1
    assert "4 questions wait for you." in texts(workspace.told(member)[-1])


def test_a_message_is_in_the_language_of_who_reads_it(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, enter: Enter
) -> None:
    enter(ann).post(PREFERENCES, {**OWN, "language": "de"})
    member = in_slack(ann)
    told(agent, priority="critical")
    assert workspace.told(member)[0]["text"] == "Dringend: Eine Frage wartet"


@pytest.mark.parametrize(
    ("value", "is_secret"),
    [
        ({"a": [{"b": {"c": {"d": {"e": {"password": 1}}}}}]}, True),
        ({"a": ["://user:word@host"]}, True),
        ({"path": "/tmp/a", "n": 5, "ok": None}, False),
        (["x" * 500], False),
    ],
)
def test_secrets_are_found_however_deep_they_are(value: Any, is_secret: bool) -> None:
    assert has_secrets(value) is is_secret


# -- What becomes of a message --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "words"),
    [("approve", "Approved by bob, "), ("cancel", "Cancelled by "), ("expire", "Expired")],
)
def test_a_message_says_what_became_of_it_elsewhere(
    agent: Door, ann: User, as_bob: Door, in_slack: InSlack, workspace: Workspace, ends: str, words: str
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    match ends:
        case "approve":
            as_bob.post_json(f"/interrupts/{asked['id']}/approve")
        case "cancel":
            agent.post_json(f"/interrupts/{asked['id']}/cancel")
        case _:
            let_deadline_pass(asked["id"])
    assert slack.tell_by_slack() == 1
    (message,) = workspace.told(member)
    assert buttons(message) == ["open"]
    assert words in texts(message)
    assert not SlackMessage.objects.exists()
    assert slack.tell_by_slack() == 0


def test_a_message_of_a_page_says_what_became_of_it_too(
    agent: Door, ann: User, as_bob: Door, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent, priority="critical", reason="canary")
    as_bob.post_json(f"/interrupts/{asked['id']}/approve")
    slack.tell_by_slack()
    (message,) = workspace.told(member)
    assert "Approved by bob" in texts(message)
    assert "canary" not in json.dumps(message)


def test_a_message_is_tried_again_and_one_that_is_gone_is_forgotten(
    agent: Door, ann: User, as_bob: Door, in_slack: InSlack, workspace: Workspace
) -> None:
    in_slack(ann)
    asked = told(agent)
    as_bob.post_json(f"/interrupts/{asked['id']}/approve")
    workspace.refusal = "internal_error"
    assert slack.tell_by_slack() == 0
    assert slack.tell_by_slack() == 0
    assert len(workspace.called("chat.update")) == 1  # not at once
    time_passes()
    workspace.refusal = "message_not_found"
    assert slack.tell_by_slack() == 0
    assert not SlackMessage.objects.exists()


def test_a_message_about_what_was_cleaned_up_is_forgotten(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    in_slack(ann)
    asked = told(agent)
    ReviewItem.objects.filter(pk=asked["id"]).delete()
    assert slack.tell_by_slack() == 0
    assert not SlackMessage.objects.exists()


@pytest.mark.parametrize("number", [1, 10])
def test_a_look_asks_no_more_however_many_messages_wait(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, number: int,
    django_assert_num_queries: Any,
) -> None:  # fmt: skip
    in_slack(ann, digest_minutes=0)
    for _number in range(number):
        told(agent)
    with django_assert_num_queries(7):
        assert slack.tell_by_slack() == 0


# -- What goes wrong ------------------------------------------------------------------------------------


def test_slack_s_wish_to_wait_is_honoured_and_what_was_sent_is_not_sent_again(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    for _number in range(3):
        agent.ask(**CALL)
    workspace.trouble(
        Trouble(),
        Trouble(),
        Trouble(429, b'{"ok":false,"error":"ratelimited"}', headers={"Retry-After": "90"}),
    )
    assert slack.tell_by_slack() == 0
    left = Subscription.objects.get().not_before - dt.datetime.now(dt.UTC)
    assert 70 < left.total_seconds() < 100
    assert slack.tell_by_slack() == 0
    time_passes()
    assert slack.tell_by_slack() == 1
    assert len(workspace.told(member)) == 3


@pytest.mark.parametrize("refusal", ["account_inactive", "invalid_auth", "token_revoked", "missing_scope"])
def test_what_an_administrator_has_to_mend_is_said_once_and_without_the_token(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, refusal: str, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    in_slack(ann)
    agent.ask()
    workspace.refusal = refusal
    for _number in range(3):
        slack.tell_by_slack()
        time_passes()
    assert caplog.text.count("slack_refuses") == 1
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "trouble", [Trouble(500), Trouble(cut=True), Trouble(200, b"no json"), Trouble(seconds=30)]
)
def test_a_slack_that_is_unwell_is_tried_again_later(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, trouble: Trouble,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(transport, "SECONDS", 0.3)
    in_slack(ann)
    agent.ask()
    workspace.trouble(trouble)
    assert slack.tell_by_slack() == 0
    time_passes()
    assert slack.tell_by_slack() == 1
