"""Language, time zone and shortcuts are as each person chose; programs are spoken to in English."""

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import Preferences
from reviews.models import Delegation, ReviewItem
from tests import messages
from tests.admin import HUMAN_ACTIONS, LIST, decide, page_of, text_of
from tests.conftest import Door
from tests.steps import Enter, problem

PAGE = "/admin/preferences/"
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


def choose(door: Door, **chosen: str) -> Any:
    """Save preferences; what is not said stays unset, as in a form."""
    return door.post(PAGE, {"language": "", "time_zone": "", "shortcuts": "on", **chosen})


def words_of(answer: Any) -> dict[str, Any]:
    """Return the words that a page gives to its scripts."""
    found = re.search(r'<script id="hitl-words"[^>]*>(.*?)</script>', answer.content.decode(), re.DOTALL)
    assert found
    words: dict[str, Any] = json.loads(found[1])
    return words


def english_on(answer: Any) -> set[str]:
    """Return the sentences of ours on a German page that are still in English."""
    translated = {
        message.id
        for message in messages.read("de")
        if isinstance(message.id, str) and message.id not in ("", message.string)
    }
    html = answer.content.decode()
    said = {text.strip() for text in re.findall(r">([^<>]+)<", html)}
    said |= set(re.findall(r'(?:title|placeholder|aria-label)="([^"]+)"', html))
    # The German of one string may be the English of another: "Name" is "name", and "Text" is "Text".
    # And what stands in the record is a name: who acted, for one.
    return (said & translated) - {message.string for message in messages.read("de")} - {"system"}


@pytest.fixture
def door(db: None) -> Door:
    """Somebody who is not logged in."""
    return Door()


@pytest.fixture
def in_german(as_ada: Door) -> Door:
    """ada at pages in German."""
    assert choose(as_ada, language="de")["Location"] == PAGE
    return as_ada


# -- Language -------------------------------------------------------------------------------------------


def test_every_main_page_is_in_the_language_that_was_chosen(
    in_german: Door, agent: Door, make_policy: Callable[..., Any]
) -> None:
    asked = agent.ask(tool_name="refund", tool_args={"amount": 3}, priority="critical")
    needed = agent.need(required_fields={"key": {"label": "Schlüssel", "type": "secret"}})
    made = make_policy(name="Erstattungen", pattern="refund", high_risk=True)
    policies = "/admin/reviews/policy/"
    paths = [
        "/admin/", LIST, f"{LIST}?state=decided", HUMAN_ACTIONS, page_of(asked), page_of(needed),
        policies, f"{policies}add/", f"{policies}{made['id']}/change/", f"{policies}{made['id']}/history/",
        f"{policies}reviewers/", "/admin/reviews/grant/", "/admin/reviews/delegation/",
        "/admin/reviews/delegation/add/", "/admin/runs/run/", "/admin/agents/key/", "/admin/agents/key/add/",
        "/admin/agents/agent/", "/admin/agents/agent/add/", "/admin/requests_app/requesttemplate/add/",
        "/admin/requests_app/probe/add/", "/admin/runs/registeredmodel/add/", "/admin/events/event/", PAGE,
    ]  # fmt: skip
    for path in paths:
        answer = in_german.get(path)
        assert answer.status_code == 200, path
        assert '<html lang="de" dir="ltr">' in answer.content.decode()
        assert answer["Content-Language"] == "de"
        assert english_on(answer) == set(), path


def test_what_is_refused_on_a_page_is_in_its_language(in_german: Door, agent: Door) -> None:
    asked = agent.ask(priority="critical", tool_name="wipe_disk")
    assert "Tippen Sie das Wort wie gezeigt" in text_of(decide(in_german, asked, "approve"))
    assert "Sagen Sie, warum: Der Agent erfährt diesen Grund." in text_of(decide(in_german, asked, "reject"))
    needed = agent.need(required_fields={"on": {"label": "Am", "type": "date"}})
    refused = text_of(decide(in_german, needed, "fulfill", **{"answer-0": "gestern"}))
    assert "Schreiben Sie ein Datum wie 2030-01-31." in refused
    assert "Hier ist nichts" in text_of(in_german.get("/admin/interrupts/interrupt/int_none/change/"))


def test_who_is_too_late_is_told_so_in_their_language(in_german: Door, as_ann: Door, agent: Door) -> None:
    asked = agent.ask()
    page = in_german.get(page_of(asked)).content.decode()
    decide(as_ann, asked, "approve")

    assert "Dies ist schon freigegeben (von ann)." in text_of(decide(in_german, asked, "approve", page=page))


def test_the_login_is_in_the_language_of_the_browser(door: Door, ann: User) -> None:
    page = door.get("/admin/login/", headers=GERMAN)
    assert '<html lang="de"' in page.content.decode()
    assert "Anmelden" in text_of(page)
    wrong = door.post("/admin/login/", {"username": "ann", "password": "no"}, headers=GERMAN)
    assert "Bitte" in text_of(wrong)
    assert '<html lang="en"' in door.get("/admin/login/").content.decode()
    assert '<html lang="en"' in door.get("/admin/login/", headers={"Accept-Language": "xx"}).content.decode()


def test_a_form_of_another_session_is_refused_in_the_language_of_the_browser(ann: User) -> None:
    door = Door(enforce_csrf_checks=True)
    refused = door.post("/admin/login/", {"username": "ann"}, headers=GERMAN)
    assert refused.status_code == 403
    assert "Diese Seite ist abgelaufen" in text_of(refused)


def test_what_was_chosen_stands_above_the_browser_and_outlasts_a_logout(
    in_german: Door, ada: User, enter: Enter
) -> None:
    in_german.post("/admin/logout/")
    back = enter(ada).get("/admin/", headers={"Accept-Language": "es"})
    assert '<html lang="de"' in back.content.decode()
    assert '<html lang="de"' in in_german.get("/admin/login/", headers=GERMAN).content.decode()


def test_a_language_that_is_no_longer_offered_is_that_of_the_browser(in_german: Door, ada: User) -> None:
    Preferences.objects.filter(user=ada).update(language="tlh", time_zone="Mars/Olympus")
    answer = in_german.get("/admin/", headers=GERMAN)
    assert (answer.status_code, answer["Content-Language"]) == (200, "de")


def test_the_api_speaks_english_whoever_asks(in_german: Door, agent: Door, door: Door) -> None:
    asked = agent.ask()
    told = problem(in_german.post_json(f"/interrupts/{asked['id']}/approve", {"nonsense": 1}), 400)
    assert told["errors"] == {"nonsense": ["There is no such field."]}
    told = problem(agent.get("/api/v1/interrupts/int_none", headers=GERMAN), 404)
    assert told["detail"].startswith("There is nothing here")
    told = problem(door.get("/api/v1/interrupts", headers=GERMAN), 401)
    assert told["detail"].startswith("Send `Authorization")
    in_german.post_json(f"/interrupts/{asked['id']}/approve")
    told = problem(in_german.post_json(f"/interrupts/{asked['id']}/reject", {"reason": "x"}), 409)
    assert told["detail"] == "This is already approved (by ada)."


def test_what_is_recorded_is_the_same_in_every_language(in_german: Door, as_ann: Door, agent: Door) -> None:
    first, second = agent.ask(reason="One?"), agent.ask(reason="Two?")
    decide(in_german, first, "approve", note="ok")
    decide(as_ann, second, "approve", note="ok")

    def kept(asked: dict[str, Any]) -> list[tuple[str, list[str]]]:
        events = agent.get_json(f"/interrupts/{asked['id']}").json()["history"]
        return [(event["type"], sorted(event["data"])) for event in events]

    assert kept(first) == kept(second)
    assert "freigegeben" not in agent.get_json(f"/interrupts/{first['id']}").content.decode()


# -- Time -----------------------------------------------------------------------------------------------


def test_moments_are_in_the_zone_that_was_chosen_and_name_it(as_ada: Door, agent: Door) -> None:
    asked = agent.ask()
    ReviewItem.objects.filter(pk=asked["id"]).update(expires_at=dt.datetime(2040, 1, 2, 3, 4, tzinfo=dt.UTC))

    assert "2040-01-02 03:04 UTC" in text_of(as_ada.get(page_of(asked)))
    choose(as_ada, time_zone="Asia/Kolkata")
    assert "2040-01-02 08:34 IST" in text_of(as_ada.get(page_of(asked)))
    assert " IST" in text_of(as_ada.get("/admin/events/event/"))
    assert " IST" in text_of(as_ada.get("/admin/agents/agent/"))


def test_times_are_typed_in_the_zone_that_was_chosen(as_ada: Door, ada: User, bob: User) -> None:
    choose(as_ada, time_zone="Asia/Kolkata")
    page = as_ada.get("/admin/reviews/delegation/add/").content.decode()
    assert re.search(r'name="zone" value="Asia/Kolkata"', page)
    assert "<b data-time-zone>Asia/Kolkata</b>" in page

    typed = {"starts_at": "2030-07-01T09:00", "ends_at": "2030-07-02T09:00"}
    as_ada.post("/admin/reviews/delegation/add/", {"absent": "ada", "substitute": "bob", **typed})
    assert Delegation.objects.get().starts_at == dt.datetime(2030, 7, 1, 3, 30, tzinfo=dt.UTC)


def test_the_scripts_of_a_page_know_what_was_chosen(as_ada: Door) -> None:
    assert words_of(as_ada.get("/admin/"))["preferences"] == {
        "shortcuts": True, "time_zone": "", "language": "en",
    }  # fmt: skip
    choose(as_ada, language="de", time_zone="Europe/Berlin", shortcuts="")
    assert words_of(as_ada.get("/admin/"))["preferences"] == {
        "shortcuts": False, "time_zone": "Europe/Berlin", "language": "de",
    }  # fmt: skip


# -- What is kept ---------------------------------------------------------------------------------------


def test_nobody_sets_the_preferences_of_somebody_else(
    as_ann: Door, as_bob: Door, ann: User, bob: User
) -> None:
    choose(as_ann, language="de")
    choose(as_bob, language="en", time_zone="UTC", user=str(ann.pk), id=str(ann.pk), pk=str(ann.pk))
    kept = {row.user.username: (row.language, row.time_zone) for row in Preferences.objects.all()}
    assert kept == {"ann": ("de", ""), "bob": ("en", "UTC")}


def test_preferences_are_of_who_is_logged_in(door: Door) -> None:
    assert door.get(PAGE)["Location"].startswith("/admin/login/")
    assert choose(door, language="de").status_code == 302
    assert not Preferences.objects.exists()


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"time_zone": "Europe/Atlantis"}, "There is no time zone Europe/Atlantis. Choose one of the list"),
        ({"time_zone": "../../etc/passwd"}, "There is no time zone ../../etc/passwd."),
        ({"time_zone": "Europe/Berlin\x00"}, "Null characters are not allowed."),
        ({"time_zone": "x" * 10_000}, "Ensure this value has at most 64 characters"),
        ({"language": "fr"}, "Choose one of the languages listed here."),
        ({"language": "<script>"}, "Choose one of the languages listed here."),
    ],
)
def test_what_is_no_zone_or_language_is_refused_in_a_sentence(
    as_ann: Door, chosen: dict[str, str], told: str
) -> None:
    answer = choose(as_ann, **chosen)
    assert answer.status_code == 200
    assert told in text_of(answer)
    assert not Preferences.objects.exists()


@pytest.mark.parametrize(
    "chosen", [{}, {"language": "de", "time_zone": "Europe/Berlin"}], ids=["none", "some"]
)
def test_preferences_cost_no_page_a_query(as_ann: Door, agent: Door, chosen: dict[str, str]) -> None:
    agent.ask()
    if chosen:
        choose(as_ann, **chosen)
    with CaptureQueriesContext(connection) as asked:
        as_ann.get(LIST)

    mentioned = [query["sql"] for query in asked.captured_queries if "agents_preferences" in query["sql"]]
    assert len(mentioned) == 1
    assert 'FROM "auth_user" LEFT OUTER JOIN "agents_preferences"' in mentioned[0]
