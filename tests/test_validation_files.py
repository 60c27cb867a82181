"""The files of a session and the inputs that name them."""

from typing import Any

import pytest

from runs.attached import Attached
from runs.requirements import Input, Requirements
from runs.validation import Validation, validate

pytestmark = pytest.mark.sqlite

IMAGE = Input("image", "image", required=True, help="the picture")
MASK = Input("mask", "image", required=True)
PHOTO = Attached("att_1", "photo.png", "image/png", 10, by_person=True)
DRAFT = Attached("att_2", "draft.webp", "image/webp", 10)
SONG = Attached("att_3", "song.mp3", "audio/mpeg", 10, by_person=True)
EMPTY = Attached("att_4", "empty.png", "image/png", 0, by_person=True)
BLOB = Attached("att_5", "blob", "application/octet-stream", 10, by_person=True)
PAPER = Attached("att_6", "paper.pdf", "application/pdf", 10, by_person=True)


def look(payload: dict[str, Any], *files: Attached, inputs: tuple[Input, ...] = (IMAGE,)) -> Validation:
    return validate(Requirements("m", inputs=inputs, is_known=True), payload, model="m", files=files)


def failed(validation: Validation) -> set[tuple[str, str]]:
    return {(issue.check.value, issue.field) for issue in validation.errors}


@pytest.mark.parametrize(
    "reference",
    [
        "attachment:att_1", "https://x.org/a.png", "http://x.org:8000/a", "https://x.org/a.png?b=c",
        "data:image/png;base64,eA==", "data:;base64,eA==", "data:image/svg+xml,%3Csvg/%3E",
    ],
)  # fmt: skip
def test_a_file_is_named_by_attachment_url_or_data(reference: str) -> None:
    assert not look({"image": reference}, PHOTO).issues


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("attachment:att_9", "There is no such file in this session."),
        ("attachment:att_4", "This file is empty."),
        ("attachment:att_6", "This file is a document, not an image."),
        ("somewhere", "This names no file"),
        ("ftp://x.org/a.png", "This names no file"),
        ("file:///etc/passwd", "This names no file"),
        ("https://user:secret@x.org/a.png", "This names no file"),
        ("https://x.org:port/a.png", "This names no file"),
        ("https://[x", "This names no file"),
        ("https://x.org/a b.png", "This names no file"),
        (f"https://x.org/{'a' * 9_000}", "This names no file"),
        ("data:image/png;base64,ä", "This data URL is not base64."),
        ("data:image/png;base64,eA", "This data URL is not base64."),
        ("data:image/png;base64,e*A==", "This data URL is not base64."),
        ("data:image/png;base64,", "This data URL is empty."),
        ("data:image/png", "This data URL has no content"),
        ("data:text/html,x", "This file is a document, not an image."),
    ],
)
def test_what_names_no_usable_file_blocks_and_says_why(reference: str, told: str) -> None:
    validation = look({"image": reference}, PHOTO, EMPTY, PAPER)

    assert failed(validation) == {("file_validation", "image")}
    assert validation.errors[0].message.startswith(told)
    assert validation.instructions == ["Give image: the picture."]


def test_an_input_that_is_no_name_of_a_file_blocks() -> None:
    assert failed(look({"image": {"url": "https://x.org/a.png"}})) == {("input_validation", "image")}


@pytest.mark.parametrize(
    "song", ["attachment:att_3", "https://x.org/song.mp3", "data:audio/mpeg;base64,eA=="]
)
def test_a_song_for_a_model_of_images_points_to_another_model(song: str) -> None:
    validation = look({"image": song}, SONG)

    assert ("model_selection", "image") in failed(validation)
    assert "Choose a model that takes audio, or remove image." in {
        issue.suggestion for issue in validation.errors
    }
    assert ("model_selection", "sound") in failed(look({"sound": song}, PHOTO, SONG))


def test_a_song_beside_a_model_that_takes_no_files_is_only_a_warning() -> None:
    validation = look({"sound": "https://x.org/song.mp3"}, inputs=(Input("prompt"),))

    assert (len(validation.warnings), len(validation.errors)) == (1, 0)


def test_a_service_without_a_model_gets_whatever_files_there_are() -> None:
    service = Requirements(inputs=(Input("url", required=True),), is_known=True)

    assert not validate(service, {"url": "https://x.org/", "sound": "https://x.org/a.mp3"}).issues


def test_an_attachment_for_an_input_that_nobody_described_has_to_be_there_too() -> None:
    validation = validate(Requirements("m"), {"thing": "attachment:att_9"}, files=[PHOTO])

    assert failed(validation) == {("file_validation", "thing")}
    assert not validate(Requirements("m"), {"thing": "attachment:att_1"}, files=[PHOTO]).errors


def test_a_text_may_be_the_address_of_any_file() -> None:
    text = Input("prompt", "text")

    assert not look(
        {"image": "attachment:att_1", "prompt": "https://x.org/a.mp3"}, PHOTO, inputs=(IMAGE, text)
    ).issues


# -- What is filled in ----------------------------------------------------------------------------------


def test_a_missing_file_is_the_newest_that_fits_and_a_persons_before_the_agents() -> None:
    older = Attached("att_0", "old.png", "image/png", 10, by_person=True)

    validation = look({}, older, PHOTO, SONG, DRAFT, EMPTY, BLOB, PAPER)

    assert validation.payload == {"image": "attachment:att_1"}
    assert validation.fixes[0].what == "Took photo.png of this session (attachment:att_1)."
    assert look({}, DRAFT, SONG).payload == {"image": "attachment:att_2"}


def test_no_file_that_does_not_fit_is_taken() -> None:
    assert look({}, SONG, EMPTY, BLOB, PAPER).missing == ["image"]


def test_a_file_that_was_named_stays() -> None:
    assert look({"image": "https://x.org/mine.png"}, PHOTO).payload == {"image": "https://x.org/mine.png"}


def test_an_example_gives_way_to_a_persons_file_and_not_to_a_guess() -> None:
    example = {"image": "https://example.com/image.png"}

    assert look(example, PHOTO).payload == {"image": "attachment:att_1"}
    assert look(example, DRAFT).payload == example


def test_one_file_for_two_inputs_is_not_guessed() -> None:
    validation = look({}, PHOTO, inputs=(IMAGE, MASK))

    assert validation.payload == {}
    assert validation.instructions == ["photo.png could be image or mask. Say which: attachment:att_1."]
    assert validation.missing == ["image", "mask"]


def test_a_file_in_use_is_not_used_twice() -> None:
    payload = {"image": "attachment:att_1"}

    assert look(payload, DRAFT, PHOTO, inputs=(IMAGE, MASK)).payload == {
        **payload,
        "mask": "attachment:att_2",
    }


def test_a_file_that_need_not_be_is_not_filled_in() -> None:
    assert look({}, PHOTO, inputs=(Input("image", "image"),)).payload == {}


@pytest.mark.parametrize("name", ["photo.png", "att_1", " attachment:att_1 "])
def test_a_file_is_found_by_its_name_or_id(name: str) -> None:
    assert look({"image": name}, PHOTO, DRAFT).payload == {"image": "attachment:att_1"}


def test_two_files_of_one_name_are_not_guessed_between() -> None:
    twin = Attached("att_7", "photo.png", "image/png", 10)

    assert look({"image": "photo.png"}, PHOTO, twin).is_blocked
