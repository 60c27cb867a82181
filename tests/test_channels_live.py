"""By a real server's own clock: what is critical reaches a person by two channels within seconds."""

import time
from typing import Any

import httpx
import pytest

from tests import live, mails
from tests import slack as workspaces
from tests.mails import MailServer
from tests.slack import PATH, SECRET, TEAM, TOKEN, Workspace, signed, texts

mailbox, workspace = mails.mailbox, workspaces.workspace
SECONDS = 12  # of the clock: five until it looks, three until an id has settled
SUBSCRIBE = f"""
from django.contrib.auth.models import User
from events.models import Channel
from reviews import telling
ann = User.objects.get(username="ann")
ann.email = "ann@example.com"; ann.save()
telling.subscribe(ann, Channel.MAIL, lowest=4)
telling.subscribe(ann, Channel.SLACK, lowest=1, address="{TEAM}:U1ANN")
"""


@pytest.mark.sqlite
@pytest.mark.slow
def test_what_is_critical_reaches_a_person_by_mail_and_slack_within_seconds(
    mailbox: MailServer, workspace: Workspace, settings: Any
) -> None:
    told = {
        "HITL_EMAIL_URL": settings.HITL_EMAIL_URL,
        "HITL_SLACK_TOKEN": TOKEN,
        "HITL_SLACK_SIGNING_SECRET": SECRET,
        "HITL_SLACK_URL": settings.HITL_SLACK_URL,
        "HITL_PUBLIC_URL": "https://hitl.example.com",
    }
    with (
        live.running(**told) as server,
        live.Operator(server),
        httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.key}"}) as ask,
    ):
        server.manage("shell", "-v", "0", "-c", SUBSCRIBE)
        body = {"reason": "Stop the line?", "tool_name": "stop", "tool_args": {}}
        begins = time.monotonic()
        ask.post("/api/v1/interrupts", json={**body, "priority": "critical"}).raise_for_status()
        while not (mailbox.mails and workspace.messages):
            assert time.monotonic() - begins < SECONDS, (mailbox.mails, workspace.calls)
            time.sleep(0.1)
        assert mailbox.mails[0]["Subject"] == "Urgent: A question waits"
        assert "Priority: Critical" in texts(workspace.told("U1ANN")[0])

        # and what a click can decide is decided by one
        plain = ask.post("/api/v1/interrupts", json={**body, "reason": "Go on?"}).raise_for_status().json()
        begins = time.monotonic()
        while len(workspace.messages) < 2:
            assert time.monotonic() - begins < SECONDS
            time.sleep(0.1)
        content, headers = signed(workspace.payload("U1ANN", "approve"))
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        assert httpx.post(f"{server.url}{PATH}", content=content, headers=headers).status_code == 200
        status = ask.get(f"/api/v1/interrupts/{plain['id']}/status").json()["status"]
        assert status == "approved"
