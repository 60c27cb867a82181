"""Clicks in Slack: who may answer by one, what it decides, and what is no click of Slack's."""

import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.db import connection

from events.models import Event, SlackMessage
from hitl_project.limits import limit_of
from interrupts import slack
from interrupts.models import Interrupt
from reviews import linking
from reviews.models import ReviewItem
from tests import mails, push
from tests import slack as workspaces
from tests.admin import text_of as page_text
from tests.conftest import Door
from tests.providers import Trouble
from tests.slack import Workspace, buttons, post, signed, texts, time_passes, told
from tests.steps import Enter, Join, MakePolicy, event_types, let_deadline_pass, status_of

workspace, in_slack = workspaces.workspace, workspaces.in_slack
at_once, mailbox = push.at_once, mails.mailbox
InSlack = Callable[..., str]
PREFERENCES = "/admin/preferences/"
OWN = {"language": "", "time_zone": "", "shortcuts": "on"}


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
