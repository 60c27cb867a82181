"""A payload held against what a model needs: five checkpoints, and what a person is told to do."""

from typing import Any

import pytest

from events.schema import admit, errors_of
from runs.models.registry import InputKind
from runs.registry import schema_of
from runs.requirements import Check, Input, Issue, Requirements, Severity
from runs.validation import Validation, validate

pytestmark = pytest.mark.sqlite

PROMPT = Input("prompt", required=True, help="what the picture shows", aliases=("text",))
WIDTH = Input("width", "integer", rules={"minimum": 64, "maximum": 4096, "multipleOf": 8}, unit="px")
FORMAT = Input("format", "choice", rules={"enum": ["png", "JPEG"]})
IMAGE = Input("image", "image", required=True, aliases=("img",))
PAINTER = Requirements("painter", inputs=(PROMPT, WIDTH, FORMAT), is_known=True)


def look(payload: dict[str, Any], *inputs: Input, **more: Any) -> Validation:
    needs = Requirements("painter", inputs=inputs, is_known=True) if inputs else PAINTER
    return validate(more.pop("requirements", needs), payload, model="painter", **more)


def found(validation: Validation) -> set[tuple[str, str, str]]:
    return {(issue.check.value, issue.field, issue.severity.value) for issue in validation.issues}


# -- The five checkpoints -------------------------------------------------------------------------------


def test_what_is_complete_passes_all_five_checkpoints() -> None:
    summary = look({"prompt": "A cat"}).summary()

    assert [point["checkpoint"] for point in summary["checkpoints"]] == [
        "parameter_review", "input_validation", "file_validation", "model_selection", "execution_approval",
    ]  # fmt: skip
    assert all(point["passed"] and not point["issues"] for point in summary["checkpoints"])
    assert (summary["blocking_issues"], summary["warnings"], summary["confidence"]) == (0, 0, 1)
    assert summary["sends"] == ["prompt"]


def test_a_missing_input_blocks_and_says_what_to_give() -> None:
    validation = look({"width": 64})

    summary = validation.summary()
    assert validation.is_blocked
    assert summary["missing"] == ["prompt"]
    assert summary["optional"] == ["format"]
    assert summary["instructions"] == ["Give prompt: what the picture shows."]
    assert summary["confidence"] == 0
    passed = {point["checkpoint"]: point["passed"] for point in summary["checkpoints"]}
    assert passed == {
        "parameter_review": False, "input_validation": True, "file_validation": True,
        "model_selection": True, "execution_approval": False,
    }  # fmt: skip


@pytest.mark.parametrize("blank", ["", " \n", None])
def test_a_blank_input_is_as_good_as_none(blank: Any) -> None:
    assert look({"prompt": blank}).missing == ["prompt"]


def test_a_slip_of_the_pen_is_asked_about() -> None:
    [told] = look({"promt": "A cat"}).instructions

    assert told.startswith("Is promt meant to be prompt?")


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("width", 63, "Give width: a whole number from 64 to 4096 in steps of 8 (px)."),
        ("width", 65, "Give width: a whole number from 64 to 4096 in steps of 8 (px)."),
        ("width", True, "Give width: a whole number from 64 to 4096 in steps of 8 (px)."),
        ("width", [64], "Give width: a whole number from 64 to 4096 in steps of 8 (px)."),
        ("format", "gif", "Give format: one of png, JPEG."),
        ("prompt", 7, "Give prompt: what the picture shows."),
    ],
)
def test_what_is_no_such_value_blocks_and_says_what_would_be(field: str, value: Any, wanted: str) -> None:
    validation = look({"prompt": "A cat", field: value})

    assert found(validation) == {("input_validation", field, "error")}
    assert validation.instructions == [wanted]
    assert validation.payload[field] == value


def test_no_message_repeats_a_value() -> None:
    summary = look({"prompt": "A cat", "width": "hunter2", "format": "hunter2"}).summary()

    assert "hunter2" not in str(summary)


def test_inputs_that_conflict_cannot_both_be_given() -> None:
    messages = Input("messages", "json", rules={"conflicts_with": ["prompt"]})

    assert look({"prompt": "Hi", "messages": [{}]}, PROMPT, messages).instructions == [
        "Remove messages or prompt."
    ]
    assert not look({"messages": [{}]}, PROMPT, messages).issues
    assert look({}, PROMPT, messages).missing == ["prompt"]


@pytest.mark.parametrize(
    "text",
    [
        "TODO",
        "todo: write it",
        "your prompt here",
        "<prompt>",
        "{{prompt}}",
        "...",
        "lorem ipsum dolor",
        "xxx",
    ],
)
def test_a_placeholder_is_a_warning_and_blocks_nothing(text: str) -> None:
    validation = look({"prompt": text})

    assert found(validation) == {("input_validation", "prompt", "warning")}
    assert not validation.is_blocked
    assert validation.confidence == 0.9


@pytest.mark.parametrize(
    "text", ["your cat here at home, in oils", "A string quartet", "Todo list on a wall", "[verse]"]
)
def test_what_people_write_is_no_placeholder(text: str) -> None:
    assert not look({"prompt": text}).issues


def test_an_unknown_input_is_an_error_only_where_the_model_takes_no_others() -> None:
    open_ = Requirements("m", inputs=(PROMPT,), is_known=True)
    closed = Requirements("m", inputs=(PROMPT,), is_known=True, closed=True)
    payload = {"prompt": "A cat", "promptt": "A dog"}

    assert not look(payload, requirements=open_).issues
    refused = look(payload, requirements=closed)
    assert refused.instructions == ["Remove promptt, or rename it to prompt."]


def test_a_thousand_unknown_inputs_are_not_a_thousand_issues() -> None:
    closed = Requirements("m", inputs=(PROMPT,), is_known=True, closed=True)

    validation = look({"prompt": "A cat", **dict.fromkeys(map(str, range(1000)), 1)}, requirements=closed)

    assert len(validation.issues) == 21
    assert "980 more" in validation.issues[-1].message


def test_a_model_that_nobody_described_is_a_warning() -> None:
    validation = validate(Requirements("whispr", near=("Whisper",)), {"audio": "x"}, model="whispr")

    assert found(validation) == {("model_selection", "model", "warning")}
    assert "Is Whisper meant?" in validation.issues[0].suggestion
    assert validation.confidence == 0.7


def test_what_the_provider_finds_counts_as_well() -> None:
    own = Issue(Check.MODEL_SELECTION, "model", "It is asleep.", Severity.ERROR, "Wake it.")

    validation = look({"prompt": "A cat"}, found=[own])

    assert validation.instructions == ["Wake it."]


def test_rules_of_strangers_cost_little_and_break_nothing() -> None:
    laughs: dict[str, Any] = {"$defs": {"a0": {"type": "string"}}}
    for n in range(1, 40):
        laughs["$defs"][f"a{n}"] = {"allOf": [{"$ref": f"#/$defs/a{n - 1}"}] * 2}
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"not": deep}
    for rules in ({**laughs, "$ref": "#/$defs/a39"}, deep, {"type": "no such"}, {"pattern": "(?=a)"}):
        assert not look({"x": "a"}, Input("x", rules=rules)).is_blocked


# -- What is put right ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "unit", "before", "after"),
    [
        ("integer", "", "3", 3), ("integer", "", 3.0, 3), ("integer", "", " 3.0 ", 3),
        ("number", "", "3.5", 3.5),
        ("boolean", "", "True", True), ("boolean", "", "off", False), ("number", "s", "500ms", 0.5),
        ("integer", "ms", "2s", 2000), ("integer", "s", "2 min", 120), ("integer", "b", "10 MB", 10_000_000),
        ("number", "%", "50%", 50), ("number", "ratio", "50%", 0.5), ("text", "", " A cat\n", "A cat"),
    ],
)  # fmt: skip
def test_a_value_is_read_as_it_was_meant(kind: str, unit: str, before: Any, after: Any) -> None:
    validation = look({"x": before}, Input("x", kind, unit=unit))

    assert (validation.payload["x"], type(validation.payload["x"])) == (after, type(after))
    assert validation.fixes[0].document() == {
        "field": "x", "fixed": validation.fixes[0].what, "before": before, "after": after,
    }  # fmt: skip
    assert validation.confidence == 0.95


@pytest.mark.parametrize(
    ("kind", "unit", "value"),
    [
        ("integer", "", "three"), ("integer", "", "2s"), ("number", "", "50%"), ("integer", "s", "10 MB"),
        ("integer", "", 3.5), ("integer", "s", "500ms"), ("number", "", "1,5"), ("integer", "", "9" * 5000),
        ("integer", "", 1e308), ("integer", "", "٣"), ("boolean", "", "perhaps"), ("number", "", "nan"),
        ("boolean", "", 1), ("text", "", 7), ("integer", "px", "5 parsecs"),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_left_and_told(kind: str, unit: str, value: Any) -> None:
    validation = look({"x": value}, Input("x", kind, unit=unit))

    assert validation.payload == {"x": value}
    assert found(validation) == {("input_validation", "x", "error")}


def test_a_choice_is_read_whatever_its_case() -> None:
    assert look({"prompt": "A cat", "format": " jpeg "}).payload["format"] == "JPEG"


def test_two_choices_of_one_spelling_are_not_guessed_between() -> None:
    twins = Input("x", "choice", rules={"enum": ["A", "a "]})

    assert look({"x": " a"}, twins).is_blocked


@pytest.mark.parametrize("name", ["text", "Prompt", "PROMPT", "pro-mpt", "Text"])
def test_another_spelling_is_renamed(name: str) -> None:
    validation = look({name: "A cat"})

    assert validation.payload == {"prompt": "A cat"}
    assert validation.fixes[0].what == f"Renamed {name} to prompt."


def test_camel_case_is_another_spelling() -> None:
    steps = Input("num_inference_steps", "integer")

    assert look({"numInferenceSteps": "4"}, steps).payload == {"num_inference_steps": 4}


def test_another_spelling_gives_way_to_the_right_one() -> None:
    payload = {"prompt": "A cat", "text": "A dog"}

    assert look(payload).payload == payload


def test_two_spellings_are_not_guessed_between() -> None:
    validation = look({"text": "A cat", "Prompt": "A dog"})

    assert validation.instructions == ["text and Prompt could each be prompt. Keep one of them."]
    assert not validation.fixes


def test_many_spellings_are_not_all_listed() -> None:
    many = {f"prompt{'-' * n}": "A cat" for n in range(1, 90)}

    [told] = look(many).instructions
    assert "and … could each be prompt." in told
    assert len(told) < 200


def test_a_name_stands_before_what_another_is_also_called() -> None:
    assert look({"Text": "A cat"}, PROMPT, Input("text")).payload == {"text": "A cat"}


def test_one_spelling_of_two_inputs_is_not_guessed() -> None:
    first, last = Input("first_frame", required=True, aliases=("frame",)), Input("last", aliases=("frame",))

    [told] = look({"frame": "x"}, first, last).instructions

    assert told == "frame could be first_frame or last. Name the one that is meant."


def test_an_example_gives_way_to_what_was_given_by_another_name() -> None:
    assert look({"prompt": "your prompt here", "text": "A cat"}).payload == {"prompt": "A cat"}


def test_a_default_stands_in_where_nobody_said_anything() -> None:
    seed = Input("seed", "integer", default=7)

    assert look({}, seed).payload == {"seed": 7}
    assert look({"seed": 0}, seed).payload == {"seed": 0}


def test_a_default_does_not_conflict_with_what_was_given() -> None:
    ratio = Input("ratio", default="1:1", rules={"conflicts_with": ["width"]})

    assert look({"width": 64}, WIDTH, ratio).payload == {"width": 64}


def test_a_default_does_not_stand_in_for_what_is_needed() -> None:
    messages = Input("messages", "json", default=[{}], rules={"conflicts_with": ["prompt"]})

    assert look({}, PROMPT, messages).missing == ["prompt"]


def test_a_default_that_is_not_filled_in_is_no_issue() -> None:
    assert not look({}, Input("seed", "integer", default=7), fix=False).issues


def test_nothing_is_altered_when_told_not_to_and_all_of_it_is_told() -> None:
    payload = {"text": " A cat ", "width": "64", "format": "PNG"}

    validation = look(payload, fix=False)

    assert validation.payload == payload
    assert not validation.fixes
    assert validation.instructions == [
        'Rename text to prompt. Write prompt as "A cat".', "Write width as 64.", 'Write format as "png".',
    ]  # fmt: skip


def test_an_optional_input_by_another_name_is_told_too() -> None:
    validation = look({"prompt": "A cat", "Width": 64}, fix=False)

    assert found(validation) == {("input_validation", "width", "warning")}
    assert validation.issues[0].suggestion == "Rename Width to width."


def test_a_long_text_is_not_repeated_in_what_was_put_right() -> None:
    assert len(str(look({"prompt": f" {'x ' * 50_000}"}).summary())) < 2_000


# -- The form of a person -------------------------------------------------------------------------------


def test_the_form_of_a_person_takes_what_validation_takes() -> None:
    needs = Requirements("m", inputs=(PROMPT, WIDTH, FORMAT, IMAGE), is_known=True)
    payload = {"prompt": "A cat", "width": 64, "format": "png", "image": "attachment:att_1", "more": 1}

    schema = schema_of(needs, payload)

    admit(schema)
    assert not errors_of(schema, payload)
    assert set(errors_of(schema, {"width": 65, "format": "gif"})) == {"width", "format", "prompt", "image"}
    assert schema["properties"]["more"] == {"title": "more", "type": "number"}
    assert schema["properties"]["prompt"]["description"] == "what the picture shows"


def test_the_form_asks_for_no_input_in_whose_place_another_may_be() -> None:
    messages = Input("messages", "json", rules={"conflicts_with": ["prompt"]})

    assert schema_of(Requirements("m", inputs=(PROMPT, messages)), {})["required"] == []


def test_the_form_takes_a_file_however_it_is_named() -> None:
    needs = Requirements("m", inputs=(Input("image", "image", rules={"format": "uri", "pattern": "^http"}),))

    assert not errors_of(schema_of(needs, {}), {"image": "attachment:att_1"})


def test_the_form_leaves_out_rules_that_could_not_be_checked() -> None:
    patterns = [Input(f"x{n}", rules={"pattern": f"a{n}"}) for n in range(60)]
    loops = Input("loop", rules={"$defs": {"a": {"$ref": "#"}}, "$ref": "#/$defs/a"})

    for inputs in ([loops, WIDTH], patterns):
        admit(schema_of(Requirements("m", inputs=tuple(inputs)), {}))


def test_what_was_mended_and_still_does_not_do_is_told_without_its_value() -> None:
    width = Input("width", InputKind.INTEGER, required=True, rules={"maximum": 100})
    found = validate(Requirements(inputs=(width,), is_known=True), {"width": "99999"})

    assert found.is_blocked
    assert "99999" not in str([issue.document() for issue in found.issues])
    assert found.instructions == ["Give width: a whole number of at most 100."]
