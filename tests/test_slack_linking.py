"""Who is who in Slack: linked by a click of their own, asked for by somebody who is there."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User

from agents import presence
from events.models import SYSTEM, Channel, Event, Subscription
from hitl_project.checks import services_have_addresses, slack_is_whole
from reviews import linking
from tests import mails, push
from tests import slack as workspaces
from tests.admin import text_of as page_text
from tests.identity import CONFIRM
from tests.slack import TEAM, Workspace, post, signed, texts
from tests.steps import Enter

workspace, in_slack = workspaces.workspace, workspaces.in_slack
at_once, mailbox = push.at_once, mails.mailbox
InSlack = Callable[..., str]
PREFERENCES = "/admin/preferences/"
OWN = {"language": "", "time_zone": "", "shortcuts": "on"}


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


def test_who_left_their_page_open_is_not_linked_to_somebody_elses_account(
    ann: User, enter: Enter, workspace: Workspace
) -> None:
    door = enter(ann)
    session = door.session
    session[presence.SHOWN] -= 16 * 60
    session.save()

    answer = door.post(PREFERENCES, {**OWN, "slack-member": "U9STRANGER", "try": "slack"})

    assert answer["Location"] == f"{CONFIRM}?{urlencode({'next': PREFERENCES})}"
    assert workspace.calls == []


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
