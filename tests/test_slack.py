"""Questions in Slack: what is shown there, who may answer by a click, and what becomes of a message."""

import datetime as dt
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now

from events.models import SYSTEM, Channel, Event, SlackMessage, Subscription
from events.transports import slack as transport
from hitl_project.checks import services_have_addresses, slack_is_whole
from hitl_project.limits import limit_of
from interrupts import slack
from interrupts.models import Interrupt
from reviews import linking
from reviews.models import ReviewItem
from reviews.redaction import has_secrets
from tests import mails, push
from tests import slack as workspaces
from tests.admin import text_of as page_text
from tests.conftest import Door
from tests.providers import Trouble
from tests.slack import TEAM, Workspace, buttons, post, signed, texts
from tests.steps import Enter, Join, MakePolicy, attach, event_types, let_deadline_pass, status_of

workspace, in_slack = workspaces.workspace, workspaces.in_slack
at_once, mailbox = push.at_once, mails.mailbox
InSlack = Callable[..., str]
PREFERENCES = "/admin/preferences/"
OWN = {"language": "", "time_zone": "", "shortcuts": "on"}
CALL = {"tool_name": "delete_file", "tool_args": {"path": "/tmp/a", "force": True}}


def told(agent: Door, **fields: Any) -> dict[str, Any]:
    """Ask, and have everybody told."""
    asked = agent.ask(**{**CALL, **fields})
    assert slack.tell_by_slack() >= 1
    return asked


def time_passes() -> None:
    Subscription.objects.update(not_before=Now())
    SlackMessage.objects.update(not_before=Now())


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


# -- Clicks ---------------------------------------------------------------------------------------------


def test_a_click_decides_as_the_operator_and_the_message_says_so(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    assert workspace.click(member, "approve", note="Fine by me").status_code == 200

    assert status_of(agent, asked["id"])["status"] == "approved"
    event = Event.objects.get(subject_id=asked["id"], type="hitl.interrupt.approved")
    data = orjson.loads(event.data)
    assert (event.actor, data["via"], data["comment"]) == ("user:ann", "slack", "Fine by me")
    (message,) = workspace.told(member)
    assert buttons(message) == ["open"]
    assert "Approved by ann, " in texts(message)
    assert not SlackMessage.objects.exists()
    assert workspace.whispers == []


@pytest.mark.parametrize(
    ("note", "reason"),
    [("Too old", "Too old"), ("", "Rejected in Slack, without a word why."), ("x" * 5_000, "x" * 1_000)],
)
def test_a_click_rejects_with_what_was_typed(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, note: str, reason: str
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    workspace.click(member, "reject", note=note)
    found = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert (found["status"], found["rejection_reason"]) == ("rejected", reason)


def test_what_was_approved_on_a_page_says_nothing_of_slack(
    agent: Door, as_bob: Door, in_slack: InSlack, ann: User, workspace: Workspace
) -> None:
    in_slack(ann)
    asked = told(agent)
    as_bob.post_json(f"/interrupts/{asked['id']}/approve")
    event = Event.objects.get(subject_id=asked["id"], type="hitl.interrupt.approved")
    assert "via" not in orjson.loads(event.data)


def undecided(agent: Door, asked: dict[str, Any]) -> bool:
    return bool(status_of(agent, asked["id"])["status"] == "pending")


def test_a_stranger_decides_nothing_and_is_told_so(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    assert workspace.click("U9STRANGER", "approve", of=member).status_code == 200
    assert undecided(agent, asked)
    assert workspace.whispers == ["This Slack account is not linked to anybody here: nothing was decided."]


@pytest.mark.parametrize("lost", ["unlinked", "inactive", "not staff", "other team"])
def test_who_is_no_operator_any_more_decides_nothing(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, lost: str
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    payload = workspace.payload(member, "approve")
    match lost:
        case "unlinked":
            linking.unlink(ann)
        case "inactive":
            User.objects.filter(pk=ann.pk).update(is_active=False)
        case "not staff":
            User.objects.filter(pk=ann.pk).update(is_staff=False)
        case _:
            payload["team"]["id"] = "T2OTHER"
    assert post(signed(payload)).status_code == 200
    assert undecided(agent, asked)
    assert "not linked" in workspace.whispers[0]


def test_who_lost_the_role_or_is_not_asked_decides_nothing(
    agent: Door, ann: User, bob: User, in_slack: InSlack, workspace: Workspace, make_policy: MakePolicy,
    join: Join,
) -> None:  # fmt: skip
    join("finance", ann)
    make_policy(pattern="pay", reviewers=["finance"])
    member, other = in_slack(ann), in_slack(bob)
    asked = told(agent, tool_name="pay")
    assert workspace.told(other) == []
    for verb in ("approve", "reject"):
        workspace.click(other, verb, of=member)
    assert undecided(agent, asked)
    assert all("Only members of finance answer this" in one for one in workspace.whispers)
    ann.groups.clear()
    workspace.click(member, "approve")
    assert undecided(agent, asked)
    assert "does not let you decide" in workspace.whispers[-1]


def test_an_agent_s_owner_does_not_approve_what_is_of_high_risk(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent, priority="high")
    ReviewItem.objects.get(pk=asked["id"]).agent.__class__.objects.update(owner=ann)
    workspace.click(member, "approve")
    assert undecided(agent, asked)
    assert "its agent is yours" in workspace.whispers[0]


def test_what_somebody_else_holds_is_left_to_them(
    agent: Door, ann: User, as_bob: Door, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    as_bob.post_json(f"/interrupts/{asked['id']}/claim")
    workspace.click(member, "approve")  # the message is older than the claim
    workspace.click(member, "approve")
    assert undecided(agent, asked)
    assert workspace.whispers == ["bob is working on this. Wait for them to release it."]


def test_a_request_that_comes_again_does_nothing_again(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    request = signed(workspace.payload(member, "approve"))
    assert post(request).status_code == 200
    calls = len(workspace.calls)
    assert post(request).status_code == 200
    assert len(workspace.calls) == calls
    assert event_types(asked["id"]).count("hitl.interrupt.approved") == 1


def test_a_click_on_what_is_decided_says_so(
    agent: Door, ann: User, as_bob: Door, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    payload = workspace.payload(member, "reject")
    as_bob.post_json(f"/interrupts/{asked['id']}/approve")
    assert post(signed(payload)).status_code == 200
    assert status_of(agent, asked["id"])["status"] == "approved"
    assert "Approved by bob, " in texts(workspace.told(member)[0])


def test_what_has_changed_is_not_approved_and_the_message_shows_what_it_is_now(
    agent: Door, ann: User, as_bob: Door, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    before = workspace.payload(member, "approve")
    as_bob.post_json(f"/interrupts/{asked['id']}/request_changes", {"comment": "Not this one"})
    agent.post_json(f"/interrupts/{asked['id']}/revise", {"tool_args": {"path": "/etc"}})
    assert post(signed(before)).status_code == 200

    assert undecided(agent, asked)
    (message,) = workspace.told(member)
    assert "It has changed since it was shown" in texts(message)
    assert '"path": "/etc"' in texts(message)
    workspace.click(member, "approve")
    assert status_of(agent, asked["id"])["status"] == "approved"


def test_what_was_changed_behind_the_api_is_not_approved(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    Interrupt.objects.filter(pk=asked["id"]).update(tool_args={"path": "/etc"})
    workspace.click(member, "approve")
    assert undecided(agent, asked)
    assert workspace.whispers == ["What was shown is not what is stored. Read it again, then decide."]


def test_what_is_overdue_is_not_approved(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    let_deadline_pass(asked["id"])
    workspace.click(member, "approve")
    assert status_of(agent, asked["id"])["status"] == "expired"
    assert "Expired: nobody answered in time." in texts(workspace.told(member)[0])


@pytest.mark.parametrize(
    "value", ["", "x", "int_01ARZ3NDEKTSV4RRFFQ69G5FAV:1:abc", ":::", "int_%00", "é" * 50]
)
def test_a_button_of_nothing_decides_nothing(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, value: str
) -> None:
    member = in_slack(ann)
    told(agent)
    payload = workspace.payload(member, "approve")
    payload["actions"][0]["value"] = value
    assert post(signed(payload)).status_code == 200
    assert workspace.whispers


@pytest.mark.slow
def test_two_clicks_at_once_are_one_decision(
    transactional_db: None, agent: Door, ann: User, bob: User, in_slack: InSlack, workspace: Workspace
) -> None:
    members = [in_slack(ann), in_slack(bob)]
    for _round in range(5):
        asked = told(agent)
        requests = [
            signed(workspace.payload(member, verb))
            for member, verb in zip(members * 2, ("approve", "reject", "reject", "approve"), strict=True)
        ]
        statuses: list[int] = []

        def send(request: Any) -> None:
            statuses.append(post(request).status_code)  # noqa: B023 - joined within the round
            connection.close()

        threads = [threading.Thread(target=send, args=[request]) for request in requests]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 4
        endings = [one for one in event_types(asked["id"]) if one.startswith("hitl.interrupt.")]
        assert len(endings) == 2, endings  # asked, and answered once
        slack.tell_by_slack()


# -- The endpoint ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [301, -301, 100_000])
def test_an_old_signature_is_none(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, age: int
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    assert post(signed(workspace.payload(member, "approve"), age=age)).status_code == 401
    assert undecided(agent, asked)


def test_a_forged_signature_is_none(agent: Door, ann: User, in_slack: InSlack, workspace: Workspace) -> None:
    member = in_slack(ann)
    asked = told(agent)
    payload = workspace.payload(member, "approve")
    content, headers = signed(payload)
    forged = [
        signed(payload, secret="another-secret"),
        (content, {}),
        (content, {**headers, "X-Slack-Signature": ""}),
        (content, {**headers, "X-Slack-Signature": "v0=é"}),
        (content, {**headers, "X-Slack-Request-Timestamp": "x"}),
        (content, {**headers, "X-Slack-Request-Timestamp": "٣"}),
        (content, {**headers, "X-Slack-Request-Timestamp": "9" * 400}),
        (content + b"&x=1", headers),
        signed(None, body=b"payload=\xff"),
    ]
    for request in forged:
        assert post(request).status_code == 401
    assert undecided(agent, asked)
    assert workspace.calls[-1].path == "/api/chat.postMessage"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"payload", b"payload=", b"payload={", b"payload=[]", b"payload=null", b"payload={}", b"x=1",
        b"payload=1&payload=2", b"%00", b"payload={%22type%22:%22block_actions%22}",
        b"payload={%22type%22:%22block_actions%22,%22user%22:5,%22actions%22:[1]}",
        b"payload={%22type%22:%22block_actions%22,%22user%22:{%22id%22:5},%22actions%22:[{%22action_id%22:1}]}",
    ],
)  # fmt: skip
def test_what_is_signed_and_makes_no_sense_is_a_clear_refusal(
    db: None, workspace: Workspace, body: bytes
) -> None:
    assert post(signed(None, body=body)).status_code == 400


def test_what_is_no_click_is_let_be(db: None, workspace: Workspace) -> None:
    assert post(signed({"type": "view_closed"})).status_code == 200


def test_a_long_body_is_not_read_and_a_get_is_none(db: None, workspace: Workspace) -> None:
    assert post(signed(None, body=b"payload=" + b"x" * 70_000)).status_code == 413
    assert Door().get("/hooks/slack").status_code == 405
    assert limit_of("/hooks/slack") == 64 * 1024


@pytest.mark.parametrize("missing", ["HITL_SLACK_TOKEN", "HITL_SLACK_SIGNING_SECRET"])
def test_a_server_without_slack_has_nothing_there(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace, settings: Any, missing: str,
    enter: Enter, django_assert_num_queries: Any,
) -> None:  # fmt: skip
    in_slack(ann)
    setattr(settings, missing, "")
    assert post(signed({})).status_code == 404
    assert "Member id" not in page_text(enter(ann).get(PREFERENCES))
    with django_assert_num_queries(0):
        assert slack.tell_by_slack() == 0


def test_a_slack_that_hangs_keeps_nobody_from_deciding(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    asked = told(agent)
    request = signed(workspace.payload(member, "approve"))
    workspace.trouble(Trouble(seconds=30))
    begins = time.monotonic()
    assert post(request).status_code == 200
    assert time.monotonic() - begins < 3
    assert status_of(agent, asked["id"])["status"] == "approved"
    time_passes()
    assert slack.tell_by_slack() == 1  # the clock says it there
    assert "Approved by ann" in texts(workspace.told(member)[0])


def test_a_whisper_goes_to_slack_alone(
    agent: Door, ann: User, in_slack: InSlack, workspace: Workspace
) -> None:
    member = in_slack(ann)
    told(agent)
    with Workspace() as elsewhere:
        payload = workspace.payload(member, "approve", response_url=f"{elsewhere.url}/responses/1")
        payload["user"]["id"] = "U9STRANGER"
        assert post(signed(payload)).status_code == 200
        assert elsewhere.calls == []


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


@pytest.mark.parametrize("number", [1, 20])
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


# -- Linking --------------------------------------------------------------------------------------------


def linked_events() -> list[tuple[str, str]]:
    found = Event.objects.filter(stream=SYSTEM, type__startswith="hitl.user.slack").order_by("position")
    return list(found.values_list("type", "actor"))


def test_a_person_is_linked_by_their_own_click_and_unlinks(
    ann: User, enter: Enter, workspace: Workspace
) -> None:
    door = enter(ann)
    page = door.post(PREFERENCES, {**OWN, "slack-member": "u1ann", "try": "slack"}, follow=True)
    assert "A message is on its way" in page_text(page)
    (message,) = workspace.told("U1ANN")
    assert "ann of this server" in texts(message)
    assert not Subscription.objects.exists()

    assert workspace.click("U1ANN", "link").status_code == 200
    kept = Subscription.objects.get()
    assert (kept.user, kept.channel, kept.address) == (ann, Channel.SLACK, f"{TEAM}:U1ANN")
    assert "You are ann here now." in texts(workspace.told("U1ANN")[0])
    assert "To U1ANN." in page_text(door.get(PREFERENCES))

    page = door.post(PREFERENCES, {**OWN, "slack-lowest": "3", "try": "slack"}, follow=True)
    assert Subscription.objects.get().lowest == 3
    assert "This is a test." in texts(workspace.told("U1ANN")[-1])
    door.post(PREFERENCES, {**OWN, "slack-lowest": ""})
    assert not Subscription.objects.exists()
    assert linked_events() == [
        ("hitl.user.slack_linked", "user:ann"),
        ("hitl.user.slack_unlinked", "user:ann"),
    ]


def test_a_link_holds_once(ann: User, workspace: Workspace) -> None:
    assert linking.ask(ann, "U1ANN") == ""
    first, second = (signed(workspace.payload("U1ANN", "link"), age=age) for age in (1, 0))
    post(first)
    linking.unlink(ann)
    post(second)
    assert not Subscription.objects.exists()
    assert workspace.whispers == ["This button was pressed before."]


def test_a_link_is_for_who_was_asked_and_for_a_while(
    ann: User, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    linking.ask(ann, "U1ANN")
    workspace.click("U9STRANGER", "link", of="U1ANN")
    workspace.click("U1ANN", "link", team={"id": "T2OTHER"})
    forged = workspace.payload("U1ANN", "link")
    forged["actions"][0]["value"] += "x"
    post(signed(forged))
    monkeypatch.setattr(linking, "SECONDS", -1)
    workspace.click("U1ANN", "link")
    assert not Subscription.objects.exists()
    assert workspace.whispers == [
        "Somebody else was asked.",
        "This is another workspace than the one this server is in.",
        "This button has expired. Ask for another message under Preferences.",
        "This button has expired. Ask for another message under Preferences.",
    ]


def test_a_member_is_one_operator(ann: User, bob: User, in_slack: InSlack, workspace: Workspace) -> None:
    member = in_slack(ann)
    linking.ask(bob, member)
    workspace.click(member, "link")
    assert Subscription.objects.get().user == ann
    assert workspace.whispers == ["This Slack account is linked to somebody else here."]
    assert linked_events() == []


def test_who_may_not_log_in_any_more_is_not_linked(ann: User, workspace: Workspace) -> None:
    linking.ask(ann, "U1ANN")
    User.objects.update(is_active=False)
    workspace.click("U1ANN", "link")
    assert not Subscription.objects.exists()


def test_a_person_asks_for_few_messages(ann: User, workspace: Workspace) -> None:
    answers = [linking.ask(ann, "U1ANN") for _number in range(linking.ASKED_AN_HOUR + 1)]
    assert answers[:-1] == [""] * linking.ASKED_AN_HOUR
    assert "Wait an hour" in answers[-1]


@pytest.mark.parametrize("member", ["ann", "<@U1>", "U1 U2", "D012345", ""])
def test_what_is_no_member_is_asked_nothing(
    ann: User, enter: Enter, workspace: Workspace, member: str
) -> None:
    enter(ann).post(PREFERENCES, {**OWN, "slack-member": member, "try": "slack"})
    assert workspace.calls == []


# -- Settings -------------------------------------------------------------------------------------------


def test_what_is_missing_is_said_in_a_sentence(settings: Any) -> None:
    assert slack_is_whole(None) == []
    settings.HITL_SLACK_TOKEN = "xoxb-1"
    (error,) = slack_is_whole(None)
    assert (error.id, "HITL_SLACK_SIGNING_SECRET is not" in str(error.msg)) == ("hitl.E011", True)
    settings.HITL_SLACK_SIGNING_SECRET, settings.HITL_PUBLIC_URL = "x", ""
    (warning,) = slack_is_whole(None)
    assert (warning.id, "no links" in str(warning.msg)) == ("hitl.W005", True)
    settings.HITL_PUBLIC_URL = "https://hitl.example.com"
    assert slack_is_whole(None) == []
    settings.HITL_SLACK_URL = "http://slack.example.com/api/"
    assert "HITL_SLACK_URL" in str(services_have_addresses(None)[0].msg)
