"""Schemas that an agent brings: for the arguments of its tool and for the answer it wants."""

import time
from pathlib import Path
from typing import Any

import pytest

from events.schema import SchemaError, compile_schema
from tests.conftest import Door
from tests.steps import problem, rows, status_of

AMOUNT = {
    "type": "object",
    "properties": {"amount": {"type": "integer", "minimum": 1}, "to": {"type": "string"}},
    "required": ["amount"],
    "additionalProperties": False,
}
FIELDS = ("args_schema", "response_schema")
NOT_SCHEMAS: dict[str, Any] = {
    "an unknown type": {"type": "strin"},
    "a type that is a number": {"type": 1},
    "properties that are a list": {"properties": []},
    "a negative length": {"minLength": -1},
    "a pattern that is none": {"pattern": "("},
    "a pattern that would grow without end": {"pattern": "((a{1000}){1000}){1000}"},
    "a pattern that looks ahead": {"pattern": r"^(?=(a+)+$)(a+)+$"},
    "a pattern that refers back": {"pattern": r"^(a+)+\1b$"},
    "a broken part": {"$defs": {"a": {"required": "amount"}}, "type": "object"},
    "a reference to nothing": {"$ref": "#/$defs/nothing"},
    "a reference to the net": {"$ref": "http://127.0.0.1:9/schema.json"},
    "a reference to a file": {"$ref": "file:///etc/passwd"},
    "a reference into a document elsewhere": {"properties": {"a": {"$ref": "https://example.com/x#/y"}}},
    "a dynamic reference to the net": {"$dynamicRef": "https://example.com/x#meta"},
}


def laughing(levels: int) -> dict[str, Any]:
    """Return a schema of a few lines that asks for two checks, each of which asks for two, and so on."""
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**twice, f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"}


NOT_SCHEMAS["a billion laughs"] = laughing(30)
NOT_SCHEMAS["more laughs than a number holds"] = laughing(1_500)
NOT_SCHEMAS["an endless chain"] = {
    "$defs": {f"c{n}": {"$ref": f"#/$defs/c{n + 1}"} for n in range(3_000)} | {"c3000": True},
    "$ref": "#/$defs/c0",
}
NOT_SCHEMAS["a part with an id of its own"] = {"$defs": {"a": {"$id": "a", "type": "null"}}, "$ref": "a"}
SLOW = {
    "nested repetition": (r"^(a+)+$", "a" * 5_000 + "!"),
    "alternatives that overlap": (r"^(a|aa)+$", "a" * 5_000 + "!"),
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("schema", NOT_SCHEMAS.values(), ids=list(NOT_SCHEMAS))
def test_what_is_not_a_schema_is_refused(agent: Door, field: str, schema: Any) -> None:
    before = rows()

    answer = agent.post_json("/interrupts", {"reason": "x", "type": "input", field: schema})

    refused = problem(answer, 400, "invalid")
    assert list(refused["errors"]) == [field]
    assert rows() == before


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("schema", ["string", 1, ["type"]])
def test_a_schema_is_an_object_or_a_boolean(agent: Door, field: str, schema: Any) -> None:
    refused = problem(agent.post_json("/interrupts", {"reason": "x", field: schema}), 400, "invalid")

    assert list(refused["errors"]) == [field]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "tool_args.amount"),
        ({"amount": "250"}, "tool_args.amount"),
        ({"amount": 0}, "tool_args.amount"),
        ({"amount": 1, "cc": 2}, "tool_args.cc"),
    ],
)
def test_arguments_must_keep_their_own_schema(agent: Door, arguments: Any, field: str) -> None:
    before = rows()

    answer = agent.post_json("/interrupts", {"reason": "x", "args_schema": AMOUNT, "tool_args": arguments})

    assert list(problem(answer, 400, "invalid")["errors"]) == [field]
    assert rows() == before


def test_an_edit_must_keep_the_schema_and_a_broken_one_changes_nothing(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(args_schema=AMOUNT, tool_args={"amount": 250})
    path, before = f"/interrupts/{asked['id']}/approve", rows()

    refused = problem(as_ann.post_json(path, {"modifications": {"amount": -1}}), 400, "invalid")

    assert list(refused["errors"]) == ["modifications.amount"]
    assert (rows(), status_of(agent, asked["id"])["status"]) == (before, "pending")
    assert as_ann.post_json(path, {"modifications": {"amount": 5}}).status_code == 200


def test_an_answer_must_keep_the_schema(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(type="input", response_schema={"enum": ["red", "blue"]})
    path = f"/interrupts/{asked['id']}/respond"

    refused = problem(as_ann.post_json(path, {"response": "green"}), 400, "invalid")

    assert list(refused["errors"]) == ["response"]
    assert as_ann.post_json(path, {"response": "blue"}).json()["response"] == "blue"


def test_the_schemas_true_and_false_are_schemas(agent: Door, as_ann: Door) -> None:
    anything = agent.ask(type="input", response_schema=True)
    nothing = agent.ask(type="input", response_schema=False)

    assert as_ann.post_json(f"/interrupts/{anything['id']}/respond", {"response": 1}).status_code == 200
    problem(as_ann.post_json(f"/interrupts/{nothing['id']}/respond", {"response": 1}), 400)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"prefixItems": [{"type": "integer"}], "items": False}, [1], [1, 2]),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 2}, {"a": 1}),
        ({"unevaluatedProperties": False, "allOf": [{"properties": {"a": True}}]}, {"a": 1}, {"b": 1}),
        ({"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"}, 1, "1"),
        ({"contains": {"const": 1}, "maxContains": 1}, [1, 2], [1, 1]),
        ({"type": "string", "format": "email"}, "a@example.com", "a at b"),
        ({"type": "string", "format": "date"}, "2024-02-29", "2023-02-29"),
    ],
)
def test_schemas_are_read_as_of_2020_12(agent: Door, as_ann: Door, schema: Any, good: Any, bad: Any) -> None:
    asked = agent.ask(type="input", response_schema=schema)
    path = f"/interrupts/{asked['id']}/respond"

    problem(as_ann.post_json(path, {"response": bad}), 400, "invalid")
    assert as_ann.post_json(path, {"response": good}).status_code == 200


@pytest.mark.parametrize(("pattern", "text"), SLOW.values(), ids=list(SLOW))
def test_a_pattern_takes_no_more_than_a_moment(agent: Door, as_ann: Door, pattern: str, text: str) -> None:
    asked = agent.ask(type="input", response_schema={"pattern": pattern})
    began = time.monotonic()

    answer = as_ann.post_json(f"/interrupts/{asked['id']}/respond", {"response": text})

    problem(answer, 400, "invalid")
    assert time.monotonic() - began < 2


def test_a_schema_in_a_file_is_not_read(agent: Door, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"type": "integer"}')

    with pytest.raises(SchemaError):
        compile_schema({"$ref": path.as_uri()})
    answer = agent.post_json("/interrupts", {"reason": "x", "args_schema": {"$ref": path.as_uri()}})

    assert list(problem(answer, 400, "invalid")["errors"]) == ["args_schema"]


def laughs(levels: int) -> dict[str, Any]:
    """Return a small schema that is 2 to the *levels* parts when its references are written out."""
    twice = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n - 1}"}] * 2} for n in range(1, levels + 1)}
    return {"$defs": {"l0": {"type": "string"}, **twice}, "$ref": f"#/$defs/l{levels}"}


@pytest.mark.parametrize(
    "schema",
    [
        laughs(30),
        {"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
        {"$ref": "#"},
        {"$defs": {"a": {"$dynamicAnchor": "x"}}, "items": {"$dynamicRef": "#x"}},
        {"$defs": {"a": {"$id": "http://elsewhere/", "type": "string"}}},
        {"enum": list(range(30_000))},
    ],
    ids=["doubling", "recursive", "itself", "dynamic", "another document", "long"],
)
def test_a_schema_that_could_cost_too_much_is_refused(agent: Door, schema: Any) -> None:
    began = time.monotonic()

    answer = agent.post_json("/interrupts", {"reason": "x", "response_schema": schema})

    assert list(problem(answer, 400, "invalid")["errors"]) == ["response_schema"]
    assert time.monotonic() - began < 2


def test_an_answer_that_would_take_too_long_to_check_is_refused(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(type="input", response_schema={"items": {"enum": list(range(8_000))}})

    answer = as_ann.post_json(f"/interrupts/{asked['id']}/respond", {"response": list(range(8_000))})

    assert "too large" in problem(answer, 400, "invalid")["errors"]["response"][0]


@pytest.mark.parametrize(
    ("schema", "response"),
    [
        (laughs(8), "x"),
        ({"items": {"enum": [1, 2, 3]}}, [1, 2, 3] * 5_000),
        (
            {"properties": {f"p{n}": {"type": "string"} for n in range(2_000)}},
            {f"p{n}": "x" for n in range(2_000)},
        ),
    ],
    ids=["branching", "long", "wide"],
)
def test_what_is_only_large_is_checked(agent: Door, as_ann: Door, schema: Any, response: Any) -> None:
    asked = agent.ask(type="input", response_schema=schema)

    answer = as_ann.post_json(f"/interrupts/{asked['id']}/respond", {"response": response})

    assert answer.status_code == 200


def test_of_very_many_mistakes_the_first_is_named(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(type="input", response_schema={"items": {"type": "string"}})
    began = time.monotonic()

    answer = as_ann.post_json(f"/interrupts/{asked['id']}/respond", {"response": [1] * 80_000})

    assert list(problem(answer, 400, "invalid")["errors"]) == ["response.0"]
    assert time.monotonic() - began < 2
