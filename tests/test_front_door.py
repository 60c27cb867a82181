"""The front door: prefixes, methods, media types, and how every refusal reads."""

from typing import Any

import pytest
from django.test import Client

from events.http import API_PREFIXES
from tests.conftest import API, Door
from tests.steps import problem

PREFIXES = ["/api/v1", "/hitl", "/api/hitl", "/api", "/api/vizra-adk"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_same_api_answers_under_every_prefix(agent: Door, as_ann: Door, prefix: str) -> None:
    asked = agent.post(f"{prefix}/interrupts", {"reason": "x", "session_id": "s"}, "application/json")
    path = f"{prefix}/interrupts/{asked.json()['id']}"

    decided = as_ann.post(f"{path}/approve", {}, "application/json")

    assert (asked.status_code, decided.status_code) == (201, 200)
    assert agent.get(f"{path}/status").json()["approved"] is True
    assert agent.get(f"{prefix}/sessions/s/interrupts").json()["results"][0]["id"] == asked.json()["id"]
    assert agent.get(f"{prefix}/statistics").json()["interrupts"]["total_interrupts"] == 1
    assert len(agent.get(f"{prefix}/events").json()["results"]) == 2


def test_those_are_all_the_prefixes() -> None:
    assert {f"/{prefix}" for prefix in API_PREFIXES} == set(PREFIXES)


def test_pages_link_below_the_prefix_one_came_by(agent: Door) -> None:
    agent.ask()
    agent.ask()

    assert "/hitl/interrupts?" in agent.get("/hitl/interrupts", {"limit": 1}).json()["next"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("put", "/interrupts", {"GET", "POST"}),
        ("delete", "/interrupts", {"GET", "POST"}),
        ("patch", "/interrupts/int_1", {"GET"}),
        ("delete", "/interrupts/int_1", {"GET"}),
        ("post", "/interrupts/int_1/status", {"GET"}),
        ("post", "/interrupts/int_1/wait", {"GET"}),
        ("get", "/interrupts/int_1/approve", {"POST"}),
        ("put", "/interrupts/int_1/cancel", {"POST"}),
        ("get", "/approvals", {"POST"}),
        ("post", "/statistics", {"GET"}),
        ("delete", "/events", {"GET"}),
        ("get", "/ws/ticket", {"POST"}),
        ("trace", "/interrupts", {"GET", "POST"}),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_right(
    agent: Door, as_ann: Door, method: str, path: str, allowed: set[str]
) -> None:
    for door in (agent, as_ann):
        answer = getattr(door, method)(f"{API}{path}")

        problem(answer, 405, "method_not_allowed")
        assert allowed <= set(answer["Allow"].split(", "))
        assert {"POST", "PUT", "PATCH", "DELETE"} & set(answer["Allow"].split(", ")) == allowed - {"GET"}


@pytest.mark.parametrize(
    "path",
    [
        "/interrupts/",
        "/interrupts/batch/x",
        "/nothing",
        "/statistics/",
        "",
        "/",
        "/interrupts/int_1/approves",
    ],
)
def test_what_is_not_a_path_is_a_problem_document(agent: Door, path: str) -> None:
    for method in ("get", "post"):
        problem(getattr(agent, method)(f"{API}{path}"), 404, "not_found")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/json",
        "application/xml",
        "application/json-patch+json",
        "application/octet-stream",
        "nonsense",
    ],
)
def test_a_body_is_json_or_415(agent: Door, media_type: str) -> None:
    answer = agent.post(f"{API}/interrupts", b'{"reason": "x"}', content_type=media_type)

    assert "application/json" in problem(answer, 415, "unsupported_media_type")["detail"]


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json ;a=b"]
)
def test_the_media_type_may_be_written_as_http_allows(agent: Door, media_type: str) -> None:
    answer = agent.post(f"{API}/interrupts", b'{"reason": "x"}', content_type=media_type)

    assert answer.status_code == 201


def test_a_verb_without_a_body_needs_no_media_type(agent: Door, as_ann: Door) -> None:
    path = f"{API}/interrupts/{agent.ask()['id']}"

    assert as_ann.generic("POST", f"{path}/claim", content_type="").status_code == 200
    assert as_ann.generic("POST", f"{path}/approve", b"", content_type="application/json").status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense", ""])
def test_the_answer_is_json_whatever_is_accepted(agent: Door, accept: str) -> None:
    answer = agent.get(f"{API}/interrupts", headers={"Accept": accept})

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_nobody_is_told_how_to_knock(client: Client, db: Any) -> None:
    answer = client.get(f"{API}/interrupts")

    problem(answer, 401, "unauthenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_problem_explains_itself_at_its_type(agent: Door, client: Client) -> None:
    refused = problem(agent.get_json("/interrupts/int_1"), 404)

    assert client.get(refused["type"].partition("#")[0]).status_code == 200
    assert refused["title"] == "Not Found"


def test_a_page_beside_the_api_is_a_problem_document_too(client: Client, db: Any) -> None:
    problem(client.get("/nowhere"), 404, "not_found")
    problem(client.get("/api/v2/interrupts"), 404)


def test_a_fault_of_our_own_says_nothing_but_that(agent: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("interrupts.asking.ask", fail)
    agent.raise_request_exception = False

    answer = agent.post_json("/interrupts", {"reason": "x"})

    problem(answer, 500, "server_error")
    assert b"secret" not in answer.content
