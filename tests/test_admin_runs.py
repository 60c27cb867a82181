"""Runs in the admin: the list, and the page of each with what happened on it."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from interrupts.models import Interrupt
from tests import run_pages
from tests.admin import text_of
from tests.conftest import API, Door
from tests.providers import HTTPService, Reply
from tests.run_pages import CHAT, HOSTILE, RUNS, Begin, page_of
from tests.runs import answer, go_on, shown, start
from tests.steps import attach

begin = run_pages.begin


def ids_on(found: Any) -> list[str]:
    return [run.pk for run in found.context["cl"].result_list]


# -- The list -------------------------------------------------------------------------------------------


def test_the_list_shows_what_is_under_way_and_links_to_the_question(
    agent: Door, as_ann: Door, begin: Begin
) -> None:
    waits, done = begin(session_id="album-7"), begin(policy="auto")

    answered = as_ann.get(RUNS)

    assert ids_on(answered) == [waits]
    html = answered.content.decode()
    assert f'href="{page_of(waits)}"' in html
    asked = shown(agent, waits, "status")["approval_id"]
    assert f'href="/admin/interrupts/interrupt/{asked}/change/"' in html
    told = text_of(answered)
    assert "/resize janitor · album-7" in told
    assert "Waits for a person" in told
    assert "0 of 5 steps done" in html
    assert ids_on(as_ann.get(RUNS, {"state": "ended"})) == [done]


def test_each_state_has_its_tab_and_the_small_ones_their_figure(
    agent: Door, as_ann: Door, begin: Begin
) -> None:
    waiting, paused, done = begin(), begin(), begin(policy="auto")
    agent.post_json(f"/runs/{paused}/pause")
    failed, cancelled = start(agent, config={"policy": "auto"}, run_input=CHAT), begin()
    assert go_on(failed).status == "failed"
    agent.delete(f"{API}/runs/{cancelled}")

    def on(state: str) -> set[str]:
        return set(ids_on(as_ann.get(RUNS, {"state": state} if state else {})))

    assert on("") == {waiting, paused}
    assert on("waiting") == {waiting}
    assert on("failed") == {failed}
    assert on("ended") == {done, cancelled}
    assert on("all") == {waiting, paused, failed, done, cancelled}
    assert "Under way 2 Waiting for people 1 Failed 1 Ended All" in text_of(as_ann.get(RUNS))


def test_it_is_searched_and_narrowed(agent: Door, rogue: Door, as_ann: Door, begin: Begin) -> None:
    one, two = begin(session_id="album-7"), begin(session_id="album-8")
    agent.post_json(f"/runs/{two}/pause")
    other = start(rogue, run_input={"tool": "openai", "model": "gpt-4o-mini"})

    def found(**query: str) -> set[str]:
        return set(ids_on(as_ann.get(RUNS, query)))

    assert found(q=one) == {one}
    assert found(q="album-8") == {two}
    assert found(q="rogue") == {other}
    assert found(q="4o-mini") == {other}
    assert found(q="rogue album-8") == set()
    assert found(tool="http") == {one, two}
    assert found(status="paused") == {two}
    assert found(status="nonsense", tool="nonsense") == {one, two, other}


def test_fifty_rows_cost_what_one_row_costs_and_nothing_counts_them_all(
    agent: Door, as_ann: Door, begin: Begin, django_assert_num_queries: Any
) -> None:
    begin()
    as_ann.get(RUNS)
    cache.clear()
    with CaptureQueriesContext(connection) as one:
        as_ann.get(RUNS)
    cost = len(one)
    for number in range(51):
        begin(session_id=f"album-{number}")

    cache.clear()
    with django_assert_num_queries(cost) as asked:
        found = as_ann.get(RUNS)

    assert len(ids_on(found)) == 50
    counts = [query["sql"] for query in asked.captured_queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT" in sql for sql in counts)


@pytest.mark.parametrize(
    ("query", "words"),
    [({}, "Nothing is under way"), ({"state": "failed"}, "Nothing here"), ({"q": "x"}, "Nothing matches")],
)
def test_an_empty_list_says_of_what_it_is_empty(as_ann: Door, query: dict[str, str], words: str) -> None:
    assert words in text_of(as_ann.get(RUNS, query))


def test_the_fragment_shows_what_became_of_a_run_that_left_the_list(
    agent: Door, as_ann: Door, begin: Begin
) -> None:
    run_id = begin()
    agent.delete(f"{API}/runs/{run_id}")

    found = as_ann.get(RUNS, headers={"X-Fragment": "1", "X-Known-Items": run_id})

    assert re.search(rf'id="gone".*data-id="{run_id}".*Cancelled', found.content.decode(), re.S)
    assert b"<html" not in found.content


# -- The page -------------------------------------------------------------------------------------------


def test_the_page_tells_what_was_asked_who_answered_and_what_they_changed(
    agent: Door, as_ann: Door, begin: Begin
) -> None:
    run_id = begin(session_id="album-7", title="Holiday")
    answer(as_ann, run_id)
    go_on(run_id)
    answer(as_ann, run_id, "edit", edits={"width": 800}, reason="Wide enough for print")
    go_on(run_id)

    found = as_ann.get(page_of(run_id))

    told, html = text_of(found), found.content.decode()
    assert "A person reviews every such step of this run." in told
    assert re.search(r"Is the payload right\?\s+ann approved with edits\s+after less than 1 s", told)
    assert "Wide enough for print" in told
    assert "<del>640</del>" in html
    assert "<ins>800</ins>" in html
    asked = shown(agent, run_id, "status")["approval_id"]
    assert re.search(
        rf'id="question".*href="/admin/interrupts/interrupt/{asked}/change/">Review<', html, re.S
    )
    assert {segment.state for segment in found.context["segments"]} == {"done", "waits", "ahead"}
    assert "finished the step “Payload review”" in told


def test_the_page_says_what_is_wrong_and_what_was_put_right(agent: Door, as_ann: Door) -> None:
    sent = {"tool": "openai", "model": "gpt-4o-mini", "inputs": {"temperature": "0.5"}}
    run_id = start(agent, run_input=sent)
    go_on(run_id)

    told = text_of(as_ann.get(page_of(run_id)))

    assert re.search(r"Has to be put right prompt .*missing", told), told
    assert "Ready to be called blocked" in told


def test_the_session_s_files_and_answers_are_there(agent: Door, as_ann: Door, begin: Begin) -> None:
    there = agent.post(f"{API}/sessions/album%2F7/files", {"file": SimpleUploadedFile("sea.txt", b"The sea")})
    assert there.status_code == 201, there.content
    earlier = begin(session_id="album/7")
    answer(as_ann, earlier, "reject", reason="Not these.")
    go_on(earlier)
    run_id = begin(session_id="album/7")
    attach(agent, shown(agent, run_id, "status")["approval_id"], name="list.txt")

    found = as_ann.get(page_of(run_id))

    told, html = text_of(found), found.content.decode()
    assert "Not these." in told
    assert f'href="{page_of(earlier)}"' in html
    links = dict(re.findall(r'<a href="(/api[^"]+)" download><bdi>([^<]+)<', html))
    assert set(links.values()) == {"sea.txt", "list.txt"}
    assert {as_ann.get(link).content for link in links} == {b"The sea", b"To be deleted."}


def test_what_the_agent_asks_in_a_browser_stands_beside_the_run(
    agent: Door, as_ann: Door, begin: Begin
) -> None:
    run_id = begin()
    body = {"run_id": run_id, "action_description": "Click Publish", "browser_context": {"url": "x"}}
    asked = agent.post_json("/browser_approvals", body).json()

    before = text_of(as_ann.get(page_of(run_id)))
    as_ann.post_json(f"/interrupts/{asked['id']}/approve")
    after = text_of(as_ann.get(page_of(run_id)))

    assert re.search(r"Click Publish Browser action · just now Waiting", before)
    assert re.search(r"May the agent do this in a browser\? waits for an answer", before)
    assert re.search(r"May the agent do this in a browser\? ann approved", after)

    Interrupt.objects.get(pk=asked["id"]).delete()  # as cleanup does, a month later
    gone = text_of(as_ann.get(page_of(run_id)))
    assert re.search(r"May the agent do this in a browser\? no longer kept", gone)


def test_what_agents_and_providers_write_does_nothing(
    agent: Door, as_ann: Door, settings: Any, service: HTTPService
) -> None:
    service.result = Reply(200, b'{"<b>name</b>": "<script>alert(2)</script>"}')
    sent = {"tool": "http", "model": HOSTILE[:190], "inputs": {"url": f"{service.url}/x", HOSTILE: HOSTILE}}
    run_id = start(agent, config={"policy": "auto"}, run_input=sent, session_id=HOSTILE, user_id=HOSTILE)
    assert go_on(run_id).status == "completed"

    for path in (page_of(run_id), f"{RUNS}?state=all", "/admin/"):
        html = as_ann.get(path).content.decode()
        assert "<script>" not in html
        assert "<img" not in html
        assert "<b>name" not in html
        assert "\u202e" not in html
    assert "⟦U+202E⟧" in as_ann.get(page_of(run_id)).content.decode()


def test_a_person_can_make_the_output_another_and_nothing_else_of_a_response(
    agent: Door, as_ann: Door, begin: Begin
) -> None:
    run_id = begin()
    for _ in range(2):
        answer(as_ann, run_id)
        go_on(run_id)
    edits = {"output": [1, 2], "files": "none", "flags": 3, "confidence": {}, "too_large": "very"}
    assert answer(as_ann, run_id, "edit", edits=edits).status_code == 200
    run = go_on(run_id)

    found = as_ann.get(page_of(run_id))

    assert (run.status, run.response["flags"]) == ("completed", [])
    assert "output JSON [ 1, 2 ]" in text_of(found)


@pytest.mark.parametrize("pk", ["run_nothing", "run_%E2%80%AE", "x" * 200])
def test_a_run_that_there_is_not_is_a_page_that_says_so(as_ann: Door, pk: str) -> None:
    found = as_ann.get(page_of(pk))

    assert found.status_code == 404
    assert b"There is no such run" in found.content


def test_the_page_costs_the_same_however_much_was_asked(
    agent: Door, as_ann: Door, begin: Begin, django_assert_num_queries: Any
) -> None:
    run_id = begin(session_id="album-7")
    body = {"run_id": run_id, "action_description": "Click Publish", "browser_context": {}}
    agent.post_json("/browser_approvals", body)
    as_ann.get(page_of(run_id))
    with CaptureQueriesContext(connection) as one:
        as_ann.get(page_of(run_id))
    cost = len(one)
    answer(as_ann, run_id)
    go_on(run_id)
    for number in range(20):
        agent.post_json("/browser_approvals", {**body, "action_description": f"Click {number}"})

    with django_assert_num_queries(cost):
        as_ann.get(page_of(run_id))
