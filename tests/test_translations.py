"""The catalogues hold what the pages say: all of it, nothing else, and compiled as it stands."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from django.conf import settings

from tests import messages

HINT = "run `make messages`, translate what is new in locale/, and run it again"
PLACE = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}")
TAG = re.compile(r"</?\w[^>]*>")
CODE = {"JSON", "Authorization: Bearer hitl_…"}


@pytest.fixture(scope="module")
def strings() -> Catalog:
    return messages.source()


@pytest.fixture(params=messages.LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def catalogue(language: str) -> list[Message]:
    return [message for message in messages.read(language) if message.id]


def said(found: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [found] if isinstance(found, str) else list(found or [])


def test_the_pages_are_offered_in_every_language_there_is_a_catalogue_for() -> None:
    assert {name for name, _ in settings.LANGUAGES} == {"en", *messages.LANGUAGES}


def test_a_catalogue_is_what_the_source_says_and_what_was_translated(language: str, strings: Catalog) -> None:
    kept = messages.path_of(language).read_bytes()
    assert messages.written(messages.renewed(language, strings)) == kept, HINT


def test_what_is_compiled_is_what_is_written(language: str) -> None:
    kept = messages.path_of(language, "mo").read_bytes()
    assert messages.compiled(messages.read(language)) == kept, HINT


def test_every_string_is_translated_in_all_its_forms(language: str, catalogue: list[Message]) -> None:
    forms = messages.read(language).num_plurals
    lacking = [
        message.id
        for message in catalogue
        if message.fuzzy
        or not all(said(message.string))
        or len(said(message.string)) != (forms if message.pluralizable else 1)
    ]
    assert lacking == [], HINT


@pytest.mark.parametrize("what", [PLACE, TAG], ids=["placeholders", "tags"])
def test_a_translation_has_the_placeholders_and_tags_of_its_string(
    catalogue: list[Message], what: re.Pattern[str]
) -> None:
    others = [
        (message.id, form)
        for message in catalogue
        for form in said(message.string)
        if {*what.findall(form)} not in ({*what.findall(one)} for one in said(message.id))
    ]
    assert others == []


def test_a_translation_begins_and_ends_with_a_blank_where_its_string_does(catalogue: list[Message]) -> None:
    def edges(text: str) -> tuple[bool, bool]:
        return text[:1].isspace(), text[-1:].isspace()

    uneven = [one.id for one in catalogue if edges(said(one.id)[0]) != edges(said(one.string)[0])]
    assert uneven == []


@pytest.mark.parametrize(
    "path", sorted((messages.ROOT / "templates").rglob("*.html")), ids=lambda path: str(path.name)
)
def test_a_template_says_nothing_that_cannot_be_translated(path: Path) -> None:
    elsewhere = r"{%\s*(blocktranslate|comment|block \w*class)\b.*?{%\s*end.*?%}"
    text = re.sub(elsewhere, "", path.read_text(), flags=re.DOTALL)
    bare = re.sub(r"<[^>]*>", "\n", re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}|data-[a-z-]+=", "", text))
    words = {line.strip() for line in bare.splitlines() if re.search(r"[A-Za-z]{2}", line)}
    assert words - CODE == set()
    assert re.findall(r'\b(?:title|placeholder|aria-label|alt)="([^"{]*[a-z][^"{]*)"', text) == []
