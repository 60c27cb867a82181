"""What a person fills in: each type of field, its good answers, and what is said of the others."""

import time
from typing import Any

import pytest

from tests.conftest import Door
from tests.steps import problem

CANARY = "canary-7f3a"

GOOD: list[tuple[dict[str, Any], list[Any]]] = [
    ({"type": "text"}, ["x", " x ", "ü𝕏", "0"]),
    ({"type": "textarea"}, ["one\ntwo\r\n", "x" * 20_000]),
    ({"type": "secret"}, ["hunter2 ", "-----BEGIN KEY-----\nx\n"]),
    ({"type": "email"}, ["ann@example.com"]),
    ({"type": "url"}, ["https://example.com/a?b=c#d", "http://localhost:8000"]),
    ({"type": "number"}, [0, -1, 1.5, 2**53]),
    ({"type": "number", "min": 1, "max": 2.5}, [1, 2.5]),
    ({"type": "boolean"}, [True, False]),
    ({"type": "date"}, ["2030-01-31", "2024-02-29"]),
    ({"type": "date", "min": "2030-01-01", "max": "2030-12-31"}, ["2030-01-01", "2030-12-31"]),
    ({"type": "choice", "choices": ["EUR", "US dollar"]}, ["EUR", "US dollar"]),
    ({"type": "text", "pattern": "[a-z]+|[0-9]+"}, ["abc", "123"]),
    ({"type": "text", "min": 2, "max": 3}, ["ab", "äöü"]),
]
BAD: list[tuple[dict[str, Any], list[Any]]] = [
    ({"type": "text"}, [1, True, [CANARY], {"a": CANARY}, " ", "\n\t"]),
    ({"type": "textarea"}, [CANARY + "x" * 20_000, 1.5]),
    ({"type": "secret"}, [5, [CANARY], "   "]),
    ({"type": "secret", "pattern": "sk_[a-z]+"}, [CANARY, f"sk_a {CANARY}", f"sk_a\n{CANARY}"]),
    ({"type": "secret", "max": 5}, [CANARY]),
    ({"type": "email"}, [CANARY, f"{CANARY}@", f"{CANARY}@example.com\n", "a@b@c.example"]),
    ({"type": "url"}, [CANARY, f"javascript:{CANARY}", f"ftp://{CANARY}.example", f"https://{CANARY} x"]),
    ({"type": "number"}, ["1", True, CANARY, [1]]),
    ({"type": "number", "min": 1, "max": 2}, [0.99, 2.01, -5]),
    ({"type": "boolean"}, ["true", 1, 0, CANARY]),
    (
        {"type": "date"},
        [CANARY, "31.01.2030", "2030-02-30", "20300131", "2030-W05-4", 20300131, "2030-01-31T00:00"],
    ),
    ({"type": "date", "min": "2030-01-01"}, ["2029-12-31"]),
    ({"type": "choice", "choices": ["EUR", "USD"]}, [CANARY, "eur", 1, ["EUR"]]),
    ({"type": "file"}, [CANARY, f"att_{CANARY}", f"../{CANARY}", 7]),
    ({"type": "text", "pattern": "[a-z]+|[0-9]+"}, ["abc1", "ABC", "abc\n"]),
    ({"type": "text", "min": 2, "max": 3}, ["a", "abcd"]),
]


def each(table: list[tuple[dict[str, Any], list[Any]]]) -> list[Any]:
    return [
        pytest.param(options, value, id=f"{options['type']}-{number}.{place}")
        for number, (options, values) in enumerate(table)
        for place, value in enumerate(values)
    ]


def fulfil(agent: Door, ann: Door, fields: dict[str, Any], answers: Any) -> Any:
    pk = agent.need(required_fields=fields)["id"]
    return ann.post_json(f"/requests/{pk}/fulfill", {"response_data": answers})


def refused(answer: Any) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = problem(answer, 400, "invalid")["errors"]
    return errors


@pytest.mark.parametrize(("options", "value"), each(GOOD))
def test_what_fits_is_kept_as_it_was_given(
    agent: Door, as_ann: Door, options: dict[str, Any], value: Any
) -> None:
    pk = agent.need(required_fields={"a": {"label": "A", **options}})["id"]

    answer = as_ann.post_json(f"/requests/{pk}/fulfill", {"response_data": {"a": value}})

    assert answer.status_code == 200, answer.content
    if options["type"] == "secret":
        assert agent.post_json(f"/requests/{pk}/reveal").json()["values"] == {"a": value}
    else:
        assert answer.json()["response_data"] == {"a": value}


@pytest.mark.parametrize(("options", "value"), each(BAD))
def test_what_does_not_fit_is_refused_without_being_repeated(
    agent: Door, as_ann: Door, options: dict[str, Any], value: Any
) -> None:
    answer = fulfil(agent, as_ann, {"a": {"label": "A", **options}}, {"a": value})

    (told,) = refused(answer)["response_data.a"]
    assert told.strip()
    assert CANARY not in answer.content.decode()


@pytest.mark.parametrize(
    "body", [{"response_data": CANARY}, {"response_data": [CANARY]}, {"notes": [CANARY]}]
)
def test_a_body_of_the_wrong_shape_is_not_repeated_either(agent: Door, as_ann: Door, body: Any) -> None:
    answer = as_ann.post_json(f"/requests/{agent.need()['id']}/fulfill", body)

    assert set(refused(answer)) == set(body)
    assert CANARY not in answer.content.decode()


@pytest.mark.parametrize("body", [b'{"response_data": {"a": "%s"', b'{"a": "%s"}x', b'["%s"]', b'{"a": %s}'])
def test_broken_json_is_not_repeated_either(agent: Door, as_ann: Door, body: bytes) -> None:
    path = f"/api/v1/requests/{agent.need()['id']}/fulfill"

    answer = as_ann.post(path, body % CANARY.encode(), content_type="application/json")

    assert refused(answer)
    assert CANARY not in answer.content.decode()


def test_a_number_too_large_is_not_repeated_either(agent: Door, as_ann: Door) -> None:
    for number in (b"4111111111111111999", b"4e999"):
        path = f"/api/v1/requests/{agent.need()['id']}/fulfill"
        answer = as_ann.post(path, b'{"response_data": {"a": %s}}' % number, content_type="application/json")

        assert refused(answer)
        assert number not in answer.content


def test_everything_that_is_missing_or_was_not_asked_for_is_named(agent: Door, as_ann: Door) -> None:
    fields = {
        "a": "A",
        "b": {"label": "B", "type": "secret"},
        "c": {"label": "C", "required": False},
        "d": "D",
    }

    errors = refused(fulfil(agent, as_ann, fields, {"a": "", "b": None, "e": CANARY}))

    assert set(errors) == {f"response_data.{name}" for name in "abde"}
    assert errors["response_data.a"] == errors["response_data.b"] == ["This field is required."]
    assert errors["response_data.e"] == ["This was not asked for."]


def test_what_need_not_be_answered_may_be_left_out(agent: Door, as_ann: Door) -> None:
    fields = {"a": {"label": "A", "required": False}, "b": {"label": "B", "type": "date", "required": False}}

    answer = fulfil(agent, as_ann, fields, {"a": "", "b": None})

    assert answer.json()["response_data"] == {}


def test_a_plain_label_asks_for_a_text_that_says_something(agent: Door, as_ann: Door) -> None:
    assert refused(fulfil(agent, as_ann, {"a": "Account"}, {"a": "  "}))
    assert fulfil(agent, as_ann, {"a": "Account"}, {"a": "A-1"}).json()["response_data"] == {"a": "A-1"}


def test_the_help_is_what_is_said_when_a_pattern_does_not_match(agent: Door, as_ann: Door) -> None:
    options = {"label": "Key", "pattern": "sk_.+", "help": "It begins with sk_."}

    assert refused(fulfil(agent, as_ann, {"a": options}, {"a": "x"}))["response_data.a"] == [options["help"]]


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|a)*b", "(.*a){20}", "(a*)*(a*)*b"])
def test_no_pattern_takes_long(agent: Door, as_ann: Door, pattern: str) -> None:
    begun = time.process_time()

    fulfil(agent, as_ann, {"a": {"label": "A", "pattern": pattern}}, {"a": "a" * 19_999 + "!"})

    assert time.process_time() - begun < 1
