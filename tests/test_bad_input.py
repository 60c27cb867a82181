"""Bad input gets a 4xx that names the field and what would be right; nothing is written."""

import json
from typing import Any

import pytest

from tests.conftest import API, Door
from tests.steps import problem, rows

YEAR = 31_536_000
KIB = 1024

VALUES: dict[str, list[Any]] = {
    "type": ["question", "APPROVAL", "", 1, None, ["approval"], "api_key", "approval "],
    "reason": ["", " ", "\n\t\u3000", "x" * 1001, "x" * 100_000, 7, None, ["x"], {"x": 1}, True],
    "data": ["text", [1], 1, None, True],
    "tool_args": ["{}", [], 1, None],
    "metadata": ["text", [], None],
    "session_id": ["x" * 256, 1, None, ["s"]],
    "agent_name": ["x" * 256, 1, None],
    "run_id": ["x" * 256, 1.5],
    "step_name": ["x" * 256, {}],
    "tool_name": ["x" * 256, True],
    "call_id": ["x" * 256, 0],
    "batch_id": ["x" * 256, 0],
    "priority": ["asap", 3, None, "", "HIGH"],
    "on_timeout": ["approve", "", None, True, "rejected"],
    "expires_in": [0, -1, YEAR + 1, 1.5, True, "60", None, 1e3 + 0.5, [], 10**15],
    "expires_at": [
        "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2030-01-31T12:00:00", "2030-01-31", "tomorrow", "",
        1_900_000_000, None, "2030-02-30T12:00:00Z", "2030-01-31T25:00:00Z", "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59", "2030-01-31T12:00:00+99:00", "\uff12\uff10\uff13\uff10-01-31T12:00:00Z",
    ],
    "allowed_decisions": ["approve", [], ["maybe"], ["approve", "approve"], [1], None, {"approve": True}],
    "args_schema": ["object", 1, []],
    "response_schema": ["object", 1, []],
}  # fmt: skip
BODIES: dict[str, bytes] = {
    "a NUL in a text": b'{"reason": "a\\u0000b"}',
    "a NUL in a name": b'{"reason": "x", "data": {"a\\u0000": 1}}',
    "a NUL deep inside": b'{"reason": "x", "data": {"a": [{"b": "\\u0000"}]}}',
    "a raw NUL": b'{"reason": "a\x00b"}',
    "a lone high surrogate": b'{"reason": "\\ud800"}',
    "a lone low surrogate": b'{"reason": "x", "data": {"a": "\\udfff!"}}',
    "a lone surrogate as a name": b'{"reason": "x", "data": {"\\udc00": 1}}',
    "surrogates the wrong way round": b'{"reason": "\\ude00\\ud83d"}',
    "a surrogate in UTF-8": b'{"reason": "\xed\xa0\x80"}',
    "a name twice": b'{"reason": "x", "reason": "y"}',
    "a name twice deep inside": b'{"reason": "x", "tool_args": {"a": [{"path": "/a", "path": "/"}]}}',
    "a name twice in two spellings": b'{"reason": "x", "data": {"a": 1, "\\u0061": 2}}',
    "an integer beyond 2^53": b'{"reason": "x", "data": {"n": 9007199254740993}}',
    "one with an exponent": b'{"reason": "x", "data": {"n": 1e20}}',
    "a negative one": b'{"reason": "x", "data": {"n": -9007199254740993}}',
    "an endless integer": b'{"reason": "x", "data": {"n": ' + b"9" * 10_000 + b"}}",
    "NaN": b'{"reason": "x", "data": {"n": NaN}}',
    "Infinity": b'{"reason": "x", "data": {"n": Infinity}}',
    "-Infinity": b'{"reason": "x", "data": {"n": -Infinity}}',
    "1e999": b'{"reason": "x", "data": {"n": 1e999}}',
    "-1e999": b'{"reason": "x", "data": {"n": -1e999}}',
    "a list": b'[{"reason": "x"}]',
    "a text": b'"reason"',
    "null": b"null",
    "a number": b"1",
    "nothing but blanks": b"  ",
    "half an object": b'{"reason": "x"',
    "two objects": b'{"reason": "x"}{"reason": "y"}',
    "a comment": b'{"reason": "x"} // please',
    "single quotes": b"{'reason': 'x'}",
    "a comma too many": b'{"reason": "x",}',
    "a form": b"reason=x&type=approval",
    "invalid UTF-8": b'{"reason": "\xff\xfe"}',
    "overlong UTF-8": b'{"reason": "\xc0\xaf"}',
    "UTF-16": '{"reason": "x"}'.encode("utf-16"),
    "a control character": b'{"reason": "a\x01b"}',
    "33 levels": b'{"reason": "x", "data": ' + b'{"a":' * 32 + b"1" + b"}" * 32 + b"}",
    "33 levels of lists": b'{"reason": "x", "data": {"a": ' + b"[" * 31 + b"]" * 31 + b"}}",
    "5,000 levels": b'{"reason": "x", "data": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}",
    "5,000 levels never closed": b'{"reason": "x", "data": ' + b"[" * 5_000,
    "100,000 levels": b"[" * 100_000,
    "an unknown name": b'{"reason": "x", "colour": "red"}',
    "the name of a column": b'{"reason": "x", "status": "approved"}',
    "an id of one's own": b'{"reason": "x", "id": "int_1", "content_hash": "0"}',
    "no reason": b"{}",
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in VALUES.items() for value in values], ids=repr
)
def test_a_value_that_cannot_be_is_refused_by_name(agent: Door, field: str, value: Any) -> None:
    before = rows()

    refused = problem(agent.post_json("/interrupts", {"reason": "x", field: value}), 400, "invalid")

    assert {name.partition(".")[0] for name in refused["errors"]} == {field}
    assert all(texts and all(texts) for texts in refused["errors"].values())
    assert len(json.dumps(refused)) < 2_000
    assert rows() == before


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_a_body_that_two_programs_could_read_differently_is_refused(agent: Door, body: bytes) -> None:
    before = rows()

    answer = agent.post(f"{API}/interrupts", body, content_type="application/json")

    assert problem(answer, 400, "invalid")["errors"]
    assert rows() == before


def test_a_decision_is_read_as_strictly(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(type="feedback", allowed_decisions=["approve", "edit", "reject", "respond"])
    before = rows()
    for verb, body in (
        ("approve", b'{"modifications": [1]}'),
        ("approve", b'{"modifications": {"a": 1, "a": 2}}'),
        ("approve", b'{"comment": "\\u0000"}'),
        ("approve", b'{"comment": 1}'),
        ("approve", b'{"approved": true}'),
        ("reject", b'{"reason": ["no"]}'),
        ("reject", b'{"reason": "' + b"x" * 10_001 + b'"}'),
        ("reject", b'{"reason": "\\ud800"}'),
        ("respond", b"{}"),
        ("respond", b'{"response": 1e999}'),
        ("respond", b'{"response": ' + b"[" * 40 + b"]" * 40 + b"}"),
        ("cancel", b'{"reason": 5}'),
        ("claim", b'{"until": 5}'),
        ("comments", b'{"body": null}'),
        ("comments", b"[]"),
    ):
        answer = as_ann.post(f"{API}/interrupts/{asked['id']}/{verb}", body, content_type="application/json")
        assert problem(answer, 400, "invalid")["errors"], (verb, body)
    assert rows() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "thread_id"),
        ({"thread_id": "t", "interrupt_id": "int_1", "approved": "yes"}, "approved"),
        ({"thread_id": "t", "interrupt_id": "int_1", "approved": 1}, "approved"),
        ({"thread_id": 1, "interrupt_id": "int_1", "approved": True}, "thread_id"),
        ({"thread_id": "t", "interrupt_id": ["int_1"], "approved": True}, "interrupt_id"),
        ({"thread_id": "t", "interrupt_id": "x" * 65, "approved": True}, "interrupt_id"),
    ],
)
def test_an_approval_by_thread_names_what_is_wrong(as_ann: Door, body: Any, field: str) -> None:
    assert field in problem(as_ann.post_json("/approvals", body), 400, "invalid")["errors"]


@pytest.mark.parametrize("over", [1, 1_000, 1_000_000])
def test_a_body_past_256_kib_is_413(agent: Door, over: int) -> None:
    body = b'{"reason": "x", "data": {"a": "%s"}}'
    room, before = 256 * KIB - len(body) + 2, rows()

    fits = agent.post(f"{API}/interrupts", body % (b"a" * room), content_type="application/json")
    answer = agent.post(f"{API}/interrupts", body % (b"a" * (room + over)), content_type="application/json")

    assert fits.status_code == 201
    problem(answer, 413, "too_large")
    assert rows()[0] == before[0] + 1


def test_both_deadlines_at_once_are_one_too_many(agent: Door) -> None:
    both = {"reason": "x", "expires_in": 60, "expires_at": "2030-01-31T12:00:00Z"}

    assert list(problem(agent.post_json("/interrupts", both), 400)["errors"]) == ["expires_at"]


def test_every_mistake_is_named_at_once(agent: Door) -> None:
    wrong = {"type": "x", "priority": "y", "expires_in": 0, "colour": "red"}

    refused = problem(agent.post_json("/interrupts", wrong), 400, "invalid")

    assert set(refused["errors"]) == {"type", "priority", "expires_in", "colour", "reason"}


@pytest.mark.parametrize(
    "fine",
    [
        {"reason": "x" * 1000},
        {"reason": "Ünïcödé 💡 \u202e abc"},
        {"reason": "<script>alert(1)</script>", "tool_name": "../../etc/passwd"},
        {"reason": "x", "session_id": "s" * 255, "tool_name": "'; DROP TABLE reviews_reviewitem; --"},
        {"reason": "x", "data": {"n": 2**53, "m": -(2**53), "f": 2.0**53, "e": 5e-324}},
        {"reason": "x", "data": {"": "", "__proto__": {"$where": 1}, "{{ 7*7 }}": "%s %(a)s {0}"}},
        {"reason": "x", "data": {"a": "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")}},
    ],
)
def test_what_is_only_unusual_is_taken_and_given_back_as_it_was(agent: Door, fine: dict[str, Any]) -> None:
    asked = agent.ask(**fine)

    assert {name: asked[name] for name in fine} == fine


def test_32_levels_are_fine(agent: Door) -> None:
    body = b'{"reason": "x", "data": ' + b'{"a":' * 31 + b"1" + b"}" * 31 + b"}"

    assert agent.post(f"{API}/interrupts", body, content_type="application/json").status_code == 201


def test_brackets_in_texts_do_not_count_as_levels(agent: Door) -> None:
    assert agent.ask(data={"text": "[{" * 500, "quoted": '\\"[{' * 100})
