"""Whatever is sent to the routes of runs, and whatever a provider answers, is met with a sentence."""

import json
from typing import Any

import pytest

from events.models import Event
from runs.models import Run
from tests.conftest import API, Door
from tests.providers import HTTPService, Reply, in_json
from tests.runs import answer, attach_to_session, go_on, resize, shown, start
from tests.steps import problem

AUTO = {"policy": "auto"}
ODD_IDS = ["run_", "run_%00", "run_" + "9" * 3_000, "run_\u202e", "%ED%A0%80", "..", "' OR 1=1 --", "🦊"]
PARTS = ["", "/status", "/state", "/steps", "/wait", "/pause", "/resume", "/approve"]
NO_OBJECTS = [
    b"[]",
    b"{",
    b"null",
    b"\xff",
    b'{"run_input":{"prompt":"\\ud800"}}',
    b'{"a":1,"a":1}',
    b"[" * 9999,
]
FILTERS = ["status=odd", "step=odd", "limit=0", "cursor=x", "created_after=yesterday", "unheard=1", "key=%00"]
QUERIES = ["enable_hitl=perhaps", "unheard=1", "user_id=%00", "session_id=" + "x" * 300]


def nested(depth: int) -> Any:
    return json.loads("[" * depth + "]" * depth)


# -- Bodies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "run_input"),
        ({"run_input": None}, "run_input"),
        ({"run_input": []}, "run_input"),
        ({"run_input": {"tool": "unheard"}}, "run_input.tool"),
        ({"run_input": {"tool": 1}}, "run_input.tool"),
        ({"run_input": {"inputs": "x"}}, "run_input.inputs"),
        ({"run_input": {"inputs": {"a": nested(40)}}}, ""),
        ({"run_input": {"model": "x" * 200}}, "run_input.model"),
        ({"run_input": {"inputs": {"model": "x" * 200}}}, "run_input.model"),
        ({"run_input": {"prompt": 7}}, "run_input.prompt"),
        ({"run_input": {"agent_tool_config": {"http": 1}}}, "run_input.agent_tool_config"),
        ({"run_input": {"agent_tool_config": {"http": {"data": []}}}}, "run_input.agent_tool_config"),
        ({"run_input": {"agent_tool_config": {"a": {}, "b": {}}}}, "run_input.tool"),
        ({"run_input": {}, "original_input": 1}, "original_input"),
        ({"run_input": {}, "original_input": {"tool": ["http"]}}, ""),
        ({"run_input": {}, "user_id": "x" * 300}, "user_id"),
        ({"run_input": {}, "session_id": "a\u0000b"}, ""),
        ({"run_input": {}, "session_id": 7}, "session_id"),
        ({"run_input": {"session_id": "x" * 300}}, "run_input.session_id"),
        ({"run_input": {}, "unheard": 1}, "unheard"),
        ({"run_input": {}, "hitl_config": {"policy": "never"}}, "hitl_config.policy"),
        ({"run_input": {}, "hitl_config": {"unheard": 1}}, "hitl_config.unheard"),
        ({"run_input": {}, "hitl_config": {"allowed_steps": ["created"]}}, "hitl_config.allowed_steps.0"),
        ({"run_input": {}, "hitl_config": {"timeout_seconds": 0}}, "hitl_config.timeout_seconds"),
        ({"run_input": {}, "hitl_config": {"timeout_seconds": 10**12}}, "hitl_config.timeout_seconds"),
        ({"run_input": {}, "hitl_config": {"timeout_seconds": True}}, "hitl_config.timeout_seconds"),
        ({"run_input": {}, "hitl_config": {"on_timeout": "approve"}}, "hitl_config.on_timeout"),
        (
            {"run_input": {}, "hitl_config": {"review_thresholds": {"confidence_min": 2}}},
            "hitl_config.review_thresholds.confidence_min",
        ),
    ],
)
def test_a_run_that_cannot_be_started_says_what_is_wrong(agent: Door, body: Any, named: str) -> None:
    found = problem(agent.post_json("/run", body), 400)

    assert named in found["errors"] or not named, found
    assert not Run.objects.exists()


@pytest.mark.parametrize("raw", NO_OBJECTS)
def test_what_is_no_object_is_refused(agent: Door, raw: bytes) -> None:
    for path in ("/run", "/teams/run", "/browser_approvals"):
        refused = agent.post(f"{API}{path}", raw, content_type="application/json")
        problem(refused, 400)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_that_means_nothing_is_refused(agent: Door, query: str) -> None:
    problem(agent.post_json(f"/teams/run?{query}", {"tool": "http"}), 400)


@pytest.mark.parametrize("query", FILTERS)
def test_a_filter_that_means_nothing_is_refused(agent: Door, query: str) -> None:
    for path in ("/runs", "/runs/active"):
        problem(agent.get(f"{API}{path}?{query}"), 400)


@pytest.mark.parametrize("run_id", ODD_IDS)
@pytest.mark.parametrize("part", PARTS)
def test_an_id_of_nothing_is_not_found(agent: Door, run_id: str, part: str) -> None:
    path = f"{API}/runs/{run_id}{part}"
    body = {"approval_id": "int_1", "action": "approve"} if part == "/approve" else {}
    verb = agent.post if part in ("/pause", "/resume", "/approve") else agent.get
    options: Any = {"content_type": "application/json"} if verb == agent.post else {}

    answered = verb(path, body, **options)

    assert answered.status_code in (400, 403, 404), answered.content
    assert answered["Content-Type"] == "application/problem+json"


def test_the_id_of_another_kind_is_not_found(agent: Door, as_ann: Door, service: HTTPService) -> None:
    run_id = start(agent, run_input=resize(service))
    go_on(run_id)
    own = agent.ask()["id"]
    need = agent.need()["id"]

    for wrong in (own, need, shown(agent, run_id)["approval_id"]):
        problem(agent.get_json(f"/runs/{wrong}"), 404)
        problem(agent.get_json(f"/sessions/s/files/{wrong}"), 404)
    for wrong in (run_id, own, need, "int_%00", "x" * 65, "🦊"):
        refused = as_ann.post_json(f"/runs/{run_id}/approve", {"approval_id": wrong, "action": "approve"})
        assert refused.status_code in (400, 404), refused.content
    problem(as_ann.post_json(f"/interrupts/{run_id}/approve"), 404)
    assert go_on(run_id).status == "awaiting_human"


@pytest.mark.parametrize(
    "body",
    [
        {"action": "perhaps"},
        {"action": "edit"},
        {"action": "edit", "edits": {}},
        {"action": "approve", "edits": {"width": 1}},
        {"action": "reject", "edits": {"width": 1}},
        {"action": "approve", "content_hash": "0" * 64},
        {"action": "edit", "edits": {"width": nested(40)}},
        {"action": "edit", "edits": {"a\u0000": 1}},
    ],
)
def test_an_answer_that_is_none_leaves_the_question_open(
    agent: Door, as_ann: Door, service: HTTPService, body: dict[str, Any]
) -> None:
    run_id = start(agent, run_input=resize(service, width=640))
    go_on(run_id)

    refused = answer(as_ann, run_id, **body)

    assert refused.status_code in (400, 409, 412), refused.content
    assert go_on(run_id).status == "awaiting_human"
    assert service.to("/resize") == []


@pytest.mark.parametrize("session", ["a%00b", "x" * 256, "%E2%80%AE", "a/b", "..", "🦊"])
def test_a_session_of_any_name_is_empty_or_refused(agent: Door, session: str) -> None:
    for part in ("active", "files", "files/att_1"):
        answered = agent.get(f"{API}/sessions/{session}/{part}")
        assert answered.status_code in (200, 400, 404), answered.content
    added = attach_to_session(agent, session)
    assert added.status_code in (201, 400), added.content


# -- Much, deep and strange -----------------------------------------------------------------------------


def test_what_was_sent_comes_back_as_it_was(agent: Door, as_ann: Door, service: HTTPService) -> None:
    strange = {
        "text": "Łódź 🦊 \u202e\u0007 \\u0041 <script>alert(1)</script> ' OR 1=1",
        "": "no name",
        "deep": nested(20),
        "numbers": [0, -1, 1.5, 1e-9, 2**53],
        "nothing": None,
        "long": "é" * 20_000 + "x" * 80_000,
    }
    run_id = start(agent, run_input=resize(service, **strange), session_id="Ł/🦊 s", user_id="üser")
    while go_on(run_id).status == "awaiting_human":
        assert answer(as_ann, run_id).status_code == 200

    assert shown(agent, run_id)["status"] == "completed"
    assert service.to("/resize")[-1].json == strange
    found = agent.get_json("/runs", session_id="Ł/🦊 s", user_id="üser").json()["results"]
    assert found[0]["run_input"]["inputs"]["long"] == strange["long"]
    assert found[0]["response"]["too_large"] > 100_000  # the service echoes it, and it is not kept twice


# -- What a provider answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        in_json({"text": "a\u0000b"}),
        in_json({"text": "\ud800"}),
        in_json({"a\u0000": 1, "\udfff": 2}),
        in_json(nested(300)),
        in_json("x" * 2_000_000),
        in_json({str(number): number for number in range(50_000)}),
        in_json({"n": 10**400}),
        in_json({"flags": ["x" * 10_000] * 1_000, "confidence": "high"}),
        in_json({"flags": {"a": 1}, "confidence": -1e300}),
        Reply(200, b'{"n": NaN, "m": 1e999}'),
        Reply(200, b"\xff\xfe\x00", "text/plain; charset=utf-16"),
        Reply(200, b"<script>alert(1)</script>", "text/html"),
        Reply(200, b"", "application/json"),
        Reply(200, b"x", 'image/png"; filename="../../etc/passwd'),
    ],
)
@pytest.mark.parametrize("config", [AUTO, {"policy": "require_human", "allowed_steps": ["response_review"]}])
def test_a_hostile_answer_is_kept_in_bounds_and_shown(
    agent: Door, as_ann: Door, service: HTTPService, reply: Reply, config: dict[str, Any]
) -> None:
    service.result = reply
    run_id = start(agent, config=config, run_input=resize(service), session_id="s-1")

    run = go_on(run_id)
    if config is not AUTO:
        assert run.status == "awaiting_human"
        assert as_ann.get(f"/admin/interrupts/interrupt/{shown(agent, run_id)['approval_id']}/change/")
        assert answer(as_ann, run_id).status_code == 200
        run = go_on(run_id)

    assert run.status == "completed", run.error
    kept = agent.get_json(f"/runs/{run_id}/state")
    assert (kept.status_code, len(kept.content) < 400_000) == (200, True)
    assert b"\\u0000" not in kept.content
    assert agent.get_json("/sessions/s-1/active").status_code == 200
    assert all(len(row.data) < 100_000 for row in Event.objects.all())


def test_what_a_provider_echoes_of_our_secrets_is_nowhere_to_be_seen(
    agent: Door, service: HTTPService, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal may repeat what was sent: of headers it never gets to see any but its own."""
    settings.HITL_OPENAI_KEY = settings.HITL_REPLICATE_TOKEN = "sk-canary-of-the-tests"
    start_id = start(agent, config=AUTO, run_input=resize(service))
    assert go_on(start_id).status == "completed"

    sent = json.dumps([seen.headers for seen in service.calls])
    everything = sent + caplog.text + "".join(Event.objects.values_list("data", flat=True))
    assert "sk-canary" not in everything
    assert "Bearer" not in sent


def test_the_query_of_an_address_is_in_no_event_and_no_line_of_the_log(
    agent: Door, service: HTTPService, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = {"url": f"{service.url}/resize?token=canary", "method": "BREW"}
    config = {"policy": "auto", "allowed_steps": []}
    run_id = start(agent, config=config, run_input={"tool": "http", "inputs": inputs})

    with caplog.at_level("INFO"):
        run = go_on(run_id)

    assert (run.status, run.error["code"]) == ("failed", "invalid_input")
    assert "/resize cannot be called" in run.error["message"]
    assert "canary" not in caplog.text + "".join(Event.objects.values_list("data", flat=True))


def test_what_a_refusal_says_is_kept_in_bounds(agent: Door, service: HTTPService) -> None:
    told = b"<img src=x onerror=alert(1)>\\u0000\\ud800" + b"x" * 9_000
    service.result = Reply(400, b'{"detail": "' + told + b'"}')
    run_id = start(agent, config=AUTO, run_input=resize(service))

    run = go_on(run_id)

    assert (run.status, run.error["code"]) == ("failed", "provider_error")
    assert len(run.error["message"]) <= 2_000
    assert "\x00" not in run.error["message"]
    assert agent.get_json(f"/runs/{run_id}/state").status_code == 200


def test_a_null_among_the_edits_takes_an_input_out(agent: Door, as_ann: Door, service: HTTPService) -> None:
    config = {"allowed_steps": ["payload_review"]}
    run_id = start(agent, config=config, run_input=resize(service, width=1))
    go_on(run_id)

    assert answer(as_ann, run_id, "edit", edits={"width": None, "height": 9}).status_code == 200
    assert go_on(run_id).status == "completed"
    assert service.to("/resize")[-1].json == {"height": 9}


def test_a_refusal_that_repeats_an_input_is_told_of_without_it(agent: Door, service: HTTPService) -> None:
    complaint = {"loc": ["body", "password"], "msg": "too short", "input": "hunter2-as-it-was-sent"}
    service.result = in_json({"detail": [complaint]}, 422)
    run_id = start(agent, config={"policy": "auto"}, run_input=resize(service))

    assert go_on(run_id).status == "failed"
    assert "body.password: too short" in shown(agent, run_id)["error"]["message"]
    assert "hunter2" not in str(shown(agent, run_id, "state"))
    event = Event.objects.get(subject_id=run_id, type="hitl.run.failed")
    assert json.loads(event.data)["error"] == {"code": "provider_error", "step": "api_call"}


def test_a_model_that_is_an_address_is_where_the_call_goes(agent: Door, service: HTTPService) -> None:
    there = f"{service.url}/resize"
    run_id = start(agent, config={"policy": "auto"}, run_input={"model": there, "inputs": {"width": 1}})

    assert go_on(run_id).status == "completed"
    found = shown(agent, run_id)
    assert (found["model"], found["payload"]) == ("", {"url": there, "width": 1})
