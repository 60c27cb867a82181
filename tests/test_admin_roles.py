"""Who sees and does what in the admin."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from tests.admin import LIST, decide, page_of
from tests.conftest import Door

Enter = Callable[[User], Door]


def test_a_viewer_sees_and_is_told_why_there_are_no_verbs(agent: Door, vic: User, enter: Enter) -> None:
    asked = agent.ask(tool_name="delete_file", tool_args={"path": "/srv/old.csv"})
    door = enter(vic)

    shown = door.get(page_of(asked)).content.decode()

    assert "You may look at this, but not decide it" in shown
    assert 'value="approve"' not in shown


@pytest.mark.parametrize("verb", ["approve", "reject", "cancel", "claim", "release"])
def test_a_viewer_who_posts_a_verb_is_refused(agent: Door, vic: User, enter: Enter, verb: str) -> None:
    asked = agent.ask()

    answer = decide(enter(vic), asked, verb, note="No.")

    assert answer.status_code == 403
    assert agent.get_json(f"/interrupts/{asked['id']}/status").json()["status"] == "pending"


def test_a_viewer_may_comment(agent: Door, vic: User, enter: Enter) -> None:
    asked = agent.ask()

    answer = enter(vic).post(page_of(asked), {"verb": "comment", "body": "Ask the owner first."})

    assert answer.status_code == 302
    history = agent.get_json(f"/interrupts/{asked['id']}").json()["history"]
    assert history[-1]["data"]["body"] == "Ask the owner first."


def test_somebody_without_a_role_finds_nothing(
    agent: Door, make_user: Callable[..., User], enter: Enter
) -> None:
    asked = agent.ask()
    door = enter(make_user("mallory"))

    assert door.get(LIST).status_code == 403
    assert door.get(page_of(asked)).status_code == 403
    assert door.get("/admin/").status_code == 200


def test_somebody_who_is_not_logged_in_is_sent_to_the_login(agent: Door) -> None:
    asked = agent.ask()

    answer = Door().post(page_of(asked), {"verb": "approve"})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


def test_an_auditor_reads_events_and_a_reviewer_does_not(
    agent: Door, carol: User, as_ann: Door, enter: Enter
) -> None:
    asked = agent.ask(reason="Look \u202ehere <b>")
    listed = enter(carol).get("/admin/events/event/", {"q": asked["id"]})
    assert asked["id"] in listed.content.decode()
    event = listed.context["cl"].result_list[0]

    shown = enter(carol).get(f"/admin/events/event/{event.pk}/change/").content.decode()

    assert "⟦U+202E⟧" in shown
    assert "&lt;b&gt;" in shown
    assert enter(carol).post(f"/admin/events/event/{event.pk}/change/", {}).status_code == 403
    assert as_ann.get("/admin/events/event/").status_code == 403


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        ("viewer", ["interrupts/interrupt/", "agents/key/"]),
        ("reviewer", ["interrupts/interrupt/", "agents/key/"]),
        ("auditor", ["interrupts/interrupt/", "events/event/", "agents/agent/"]),
        ("administrator", ["agents/agent/", "agents/key/", "auth/user/", "events/event/"]),
    ],
)
def test_the_overview_links_to_what_a_role_may_open(
    make_user: Callable[..., User], enter: Enter, role: str, paths: list[str]
) -> None:
    door = enter(make_user("someone", role))
    shown = door.get("/admin/").content.decode()

    for path in paths:
        assert f'href="/admin/{path}"' in shown
        assert door.get(f"/admin/{path}").status_code == 200


def test_every_page_has_the_strict_policy(agent: Door, ada: User, enter: Enter) -> None:
    asked = agent.ask()
    door = enter(ada)
    pages = [
        "/admin/login/", "/admin/", "/admin/offline/", LIST, page_of(asked), "/admin/agents/key/add/",
        "/admin/agents/agent/add/",
        "/admin/events/event/", "/admin/interrupts/interrupt/int_nothing/change/", "/admin/auth/user/add/",
    ]  # fmt: skip
    for path in pages:
        answer = door.get(path)
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert b"<style" not in answer.content
        assert b" style=" not in answer.content
