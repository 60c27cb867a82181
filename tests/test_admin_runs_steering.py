"""What people do with runs in the admin, who may, and what the overview says of them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from events.models import Event
from runs.models import Run
from tests import run_pages
from tests.admin import text_of
from tests.conftest import Door
from tests.run_pages import CHAT, RUNS, Begin, page_of
from tests.runs import answer, go_on, shown, start
from tests.steps import Enter

begin = run_pages.begin


def steer(door: Door, run_id: str, verb: str, **typed: str) -> Any:
    return door.post(page_of(run_id), {"verb": verb, **typed})


# -- Steering -------------------------------------------------------------------------------------------


def test_a_run_is_paused_resumed_and_cancelled_on_its_page(agent: Door, as_ann: Door, begin: Begin) -> None:
    run_id = begin()

    assert steer(as_ann, run_id, "pause", reason="Lunch").status_code == 302
    paused = text_of(as_ann.get(page_of(run_id)))
    assert re.search(r"ann paused it just now .* Lunch", paused)
    assert steer(as_ann, run_id, "resume").status_code == 302
    assert shown(agent, run_id)["status"] == "awaiting_human"
    assert steer(as_ann, run_id, "cancel", reason="No longer needed").status_code == 302

    run = shown(agent, run_id)
    assert (run["status"], run["error"]["message"]) == ("cancelled", "No longer needed")
    ended = text_of(as_ann.get(page_of(run_id)))
    assert "No longer needed" in ended
    assert "nothing left to steer" in ended


def test_cancelling_needs_a_reason(agent: Door, as_ann: Door, begin: Begin) -> None:
    run_id = begin()

    refused = steer(as_ann, run_id, "cancel", reason="  ")

    assert refused.status_code == 400
    assert "Say why: the agent is told this reason." in text_of(refused)
    assert shown(agent, run_id)["status"] == "awaiting_human"


def test_a_failed_step_is_retried_on_the_page(agent: Door, as_ann: Door, settings: Any) -> None:
    run_id = start(agent, config={"policy": "auto"}, run_input=CHAT)
    assert go_on(run_id).status == "failed"
    page = as_ann.get(page_of(run_id))
    assert "Retry the step" in text_of(page)
    assert 'value="cancel"' not in page.content.decode()
    assert "Resume the run once that is done." in text_of(page)

    assert steer(as_ann, run_id, "retry").status_code == 302

    assert (shown(agent, run_id)["status"], shown(agent, run_id)["step"]) == ("running", "payload_review")


def test_what_no_longer_goes_comes_back_as_the_page_with_why(agent: Door, as_ann: Door, begin: Begin) -> None:
    run_id = begin()
    agent.post_json(f"/runs/{run_id}/pause")

    refused = steer(as_ann, run_id, "pause", reason="Lunch")

    assert refused.status_code == 409
    told = text_of(refused)
    assert "This run is paused already." in told
    assert ">\nLunch</textarea>" in refused.content.decode()
    assert "Resume" in told


def test_another_run_of_the_session_keeps_a_failed_one_from_going_on(
    agent: Door, as_ann: Door, begin: Begin
) -> None:
    failed = start(agent, config={"policy": "auto"}, run_input=CHAT, session_id="album-7")
    assert go_on(failed).status == "failed"
    begin(session_id="album-7")

    refused = steer(as_ann, failed, "retry")

    assert refused.status_code == 409
    assert "Another run of this session is under way." in text_of(refused)


@pytest.mark.parametrize("verb", ["", "explode", "approve"])
def test_a_verb_that_there_is_not_changes_nothing(agent: Door, as_ann: Door, begin: Begin, verb: str) -> None:
    run_id = begin()

    assert steer(as_ann, run_id, verb).status_code == 400
    assert shown(agent, run_id)["status"] == "awaiting_human"


def test_looking_changes_nothing(agent: Door, as_ann: Door, begin: Begin) -> None:
    run_id = begin()
    before = (Run.objects.values().get(pk=run_id), Event.objects.count())

    for verb in ("pause", "cancel"):
        as_ann.get(page_of(run_id), {"verb": verb, "reason": "x"})
    as_ann.get(RUNS)

    assert (Run.objects.values().get(pk=run_id), Event.objects.count()) == before


# -- Who may --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["pause", "resume", "retry", "cancel"])
def test_a_viewer_looks_and_steers_nothing(
    agent: Door, vic: User, enter: Enter, begin: Begin, verb: str
) -> None:
    run_id, door = begin(), enter(vic)

    told = door.get(page_of(run_id))

    assert "You may look at this, but not steer it." in text_of(told)
    assert 'id="steer"' not in told.content.decode()
    assert steer(door, run_id, verb, reason="x").status_code == 403
    assert shown(agent, run_id)["status"] == "awaiting_human"


def test_somebody_without_a_role_finds_nothing(
    make_user: Callable[..., User], enter: Enter, begin: Begin
) -> None:
    run_id, door = begin(), enter(make_user("mallory"))

    assert door.get(RUNS).status_code == 403
    assert door.get(page_of(run_id)).status_code == 403
    assert steer(door, run_id, "pause").status_code == 403
    assert RUNS not in door.get("/admin/").content.decode()


def test_a_form_of_another_site_steers_nothing(agent: Door, ann: User, begin: Begin) -> None:
    run_id, door = begin(), Door(enforce_csrf_checks=True)
    door.force_login(ann)

    assert steer(door, run_id, "pause").status_code == 403
    assert shown(agent, run_id)["status"] == "awaiting_human"


def test_an_agent_s_key_opens_no_page(agent: Door, begin: Begin) -> None:
    found = agent.get(page_of(begin()))

    assert (found.status_code, found["Location"].partition("?")[0]) == (302, "/admin/login/")


# -- The overview ---------------------------------------------------------------------------------------


def test_the_overview_says_what_waits_what_fails_and_how_fast_people_are(
    agent: Door, as_ann: Door, begin: Begin
) -> None:
    begin()
    answered, paused = begin(), begin()
    answer(as_ann, answered)
    go_on(answered)
    agent.post_json(f"/runs/{paused}/pause")
    failed = start(agent, config={"policy": "auto"}, run_input=CHAT)
    go_on(failed)

    told = text_of(as_ann.get("/admin/"))

    assert "2 wait for people 1 paused 1 failed in 24 hours" in told
    assert "Information review 3 1 under 5 s" in told
    assert re.search(r"provider_unavailable Call openai \S* ?1", told)


def test_the_overview_is_silent_about_runs_before_the_first(as_ann: Door) -> None:
    assert 'id="runs"' not in as_ann.get("/admin/").content.decode()
