"""Sessions: they end hours after the login, earlier when nobody is at it; no page keeps them by itself."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from agents import callers
from tests.conftest import Door
from tests.identity import enter, is_in

Clock = Callable[..., None]
HIDDEN = {"Sec-Fetch-Mode": "cors"}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a function that moves the clock of the server on."""
    moved, now = dt.timedelta(), timezone.now

    def move(**how_far: float) -> None:
        nonlocal moved
        moved += dt.timedelta(**how_far)

    monkeypatch.setattr(timezone, "now", lambda: now() + moved)
    return move


def test_a_session_ends_hours_after_its_login_whatever_is_done(ann: User, later: Clock) -> None:
    client, _ = enter(ann)
    for _ in range(11):
        later(minutes=62)
        assert is_in(client)

    later(minutes=60)

    assert not is_in(client)


def test_a_session_ends_when_nobody_is_at_it(ann: User, later: Clock) -> None:
    client, _ = enter(ann)
    later(minutes=119)
    assert is_in(client)
    later(minutes=119)
    assert is_in(client)

    later(minutes=121)

    assert not is_in(client)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/admin/inbox/", {"X-Fragment": "1"}),
        ("/admin/inbox/", HIDDEN),
        ("/api/v1/interrupts", {}),
        ("/api/v1/statistics", HIDDEN),
    ],
)
def test_what_pages_ask_by_themselves_keeps_no_session(
    ann: User, later: Clock, path: str, headers: dict[str, str]
) -> None:
    client, _ = enter(ann)
    for _ in range(4):
        later(minutes=29)
        assert client.get(path, headers=headers).status_code == 200

    later(minutes=5)

    assert not is_in(client)


def test_an_ended_session_opens_no_way_in(ann: User, later: Clock) -> None:
    client, _ = enter(ann)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    assert callers.by_cookie(cookie)

    later(minutes=121)

    assert callers.by_cookie(cookie) is None
    assert client.get("/api/v1/interrupts").status_code == 401


def test_a_session_in_use_is_written_rarely(
    ann: User, later: Clock, django_assert_max_num_queries: Any
) -> None:
    client, _ = enter(ann)
    client.get("/admin/preferences/")
    with django_assert_max_num_queries(50) as asked:
        for _ in range(5):
            later(minutes=2)
            client.get("/admin/preferences/")
    assert not [query for query in asked.captured_queries if "UPDATE" in query["sql"]]

    later(minutes=4)
    with django_assert_max_num_queries(50) as asked:
        client.get("/admin/preferences/")

    assert len([query for query in asked.captured_queries if "UPDATE" in query["sql"]]) == 1


def test_both_are_settings_and_idleness_can_be_switched_off(ann: User, later: Clock, settings: Any) -> None:
    settings.HITL_SESSION_HOURS, settings.HITL_SESSION_IDLE_MINUTES = 3, 0
    client, _ = enter(ann)
    later(minutes=179)
    assert is_in(client)

    later(minutes=2)

    assert not is_in(client)


def test_a_session_of_before_there_were_limits_gets_them(as_ann: Door, later: Clock) -> None:
    session = as_ann.session
    del session["ends_at"]
    session.set_expiry(14 * 86_400)
    session.save()
    assert is_in(as_ann)

    later(minutes=121)

    assert not is_in(as_ann)


def test_the_page_says_when_it_ends(ann: User) -> None:
    client, _ = enter(ann)

    page = client.get("/admin/security/").content.decode()

    assert "It ends <time" in page
    assert "after 120 minutes" in page


def test_logging_in_anew_begins_anew_under_another_key(ann: User, bob: User, later: Clock) -> None:
    client, _ = enter(ann)
    first = client.cookies["sessionid"].value
    client.post("/admin/logout/")
    later(hours=1)
    client.post("/admin/login/", {"username": "bob", "password": "bob-has-a-password"})

    assert client.cookies["sessionid"].value != first
    (row,) = Session.objects.all()
    assert row.expire_date > timezone.now() + dt.timedelta(minutes=119)
