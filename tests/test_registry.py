"""What is known of models: the tables, what providers publish, and what an installation begins with."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import DjangoAssertNumQueries

from events.schema import admit
from runs.attached import Attached
from runs.models import ModelInput, RegisteredModel
from runs.providers.provider import Call, Finished, Progress, Provider, ProviderError
from runs.registry import known_models, requirements_of, schema_of
from runs.requirements import Input, Requirements
from runs.validation import validate

pytestmark = pytest.mark.django_db


class Studio(Provider):
    """Be a provider that publishes *published*, or fails where that is an error."""

    name = "replicate"
    title = "Studio"
    repeats_safely = True

    def __init__(self, published: Requirements | ProviderError | None = None) -> None:
        self.published = published

    def capabilities(self, model: str) -> dict[str, Any]:
        return {"name": model, "description": ""}

    def requirements(self, model: str) -> Requirements | None:
        if isinstance(self.published, ProviderError):
            raise self.published
        return self.published

    def submit(self, call: Call) -> Progress:
        return Finished(None)


def of_tool(tool: str) -> Provider:
    provider = Studio()
    provider.name = tool  # type: ignore[misc]
    return provider


Describe = Callable[..., RegisteredModel]


@pytest.fixture
def describe() -> Describe:
    """Return a function that describes a model of the studio by its inputs."""

    def make(pattern: str, **inputs: dict[str, Any]) -> RegisteredModel:
        model = RegisteredModel.objects.create(tool="replicate", pattern=pattern, title=pattern)
        for name, told in inputs.items():
            ModelInput.objects.create(model=model, name=name, **told)
        return model

    return make


# -- What is shipped ------------------------------------------------------------------------------------

PHOTO = Attached("att_1", "photo.png", "image/png", 9)
SPEECH = Attached("att_2", "speech.mp3", "audio/mpeg", 9)


@pytest.mark.parametrize(
    ("tool", "model", "missing", "complete"),
    [
        ("replicate", "x/remove-bg:95fcc2a2", ["image"], {"bg_color": "#fff", "img": "attachment:att_1"}),
        ("replicate", "851-labs/background-remover", ["image"], {"image": "photo.png", "threshold": "50%"}),
        ("replicate", "openai/Whisper", ["audio"], {"audio_url": "https://x.org/a.wav", "task": "Translate"}),
        ("replicate", "x/text-to-speech", ["text"], {"prompt": "Hello", "speed": "150%"}),
        ("replicate", "lucataco/xtts-v2", ["text"], {"input": "Hello"}),
        ("replicate", "stability-ai/sdxl", ["prompt"], {"text": "A cat", "width": "1024 px", "cfg": "7"}),
        ("replicate", "black-forest-labs/flux-dev", ["prompt"], {"prompt": "A cat", "aspectRatio": "16:9"}),
        ("replicate", "nightmareai/real-esrgan", ["image"], {"photo": "attachment:att_1", "scale": 2.5}),
        ("replicate", "salesforce/blip", ["image"], {"image": "attachment:att_1", "query": "What is it?"}),
        ("replicate", "yorickvp/llava-13b", ["image", "prompt"], {"image": "att_1", "question": "A cat?"}),
        ("replicate", "meta/musicgen", ["prompt"], {"prompt": "A waltz", "length": "1 min"}),
        ("replicate", "stability-ai/stable-video-diffusion", ["input_image"], {"image": "att_1", "fps": "6"}),
        ("replicate", "x/background-replacement", ["image", "prompt"], {"image": "att_1", "text": "A beach"}),
        ("replicate", "x/translator", ["text", "target_language"], {"text": "Hello", "to": "German"}),
        ("openai", "gpt-4o", ["prompt"], {"messages": [{"role": "user", "content": "Hello"}]}),
        ("openai", "gpt-4o-mini", ["prompt"], {"prompt": "Hello", "temperature": "0.5"}),
        ("http", "", ["url"], {"endpoint": "https://x.org/", "method": "post"}),
    ],
)  # fmt: skip
def test_a_shipped_model_names_what_is_missing_and_takes_what_is_complete(
    tool: str, model: str, missing: list[str], complete: dict[str, Any]
) -> None:
    needs = requirements_of(of_tool(tool), model)

    assert needs.is_known
    assert validate(needs, {}, model=model).missing == missing
    taken = validate(needs, complete, model=model, files=[PHOTO, SPEECH])
    assert not taken.issues
    assert set(taken.payload) <= {given.name for given in needs.inputs}
    admit(schema_of(needs, complete))


def test_the_rules_of_remove_bg_and_whisper_tell_them_apart() -> None:
    remover, whisper = (requirements_of(Studio(), model) for model in ("x/remove-bg", "openai/whisper"))
    payload = {"image": "attachment:att_1"}

    assert not validate(remover, payload, model="remove-bg", files=[PHOTO]).is_blocked
    assert validate(whisper, payload, model="whisper", files=[PHOTO]).missing == ["audio"]
    wrong = validate(remover, {**payload, "background_color": "rather blue"}, model="m", files=[PHOTO])
    assert wrong.instructions == ["Give background_color: a CSS colour such as #ffffff."]


def test_what_models_are_called_is_what_prompts_go_to() -> None:
    assert requirements_of(Studio(), "x/text-to-speech").prompt_name == "text"


def test_after_a_migrate_what_is_missing_is_back_and_what_was_changed_stays() -> None:
    RegisteredModel.objects.filter(pattern="*whisper*").delete()
    RegisteredModel.objects.filter(pattern="*sdxl*").update(title="Ours")
    ModelInput.objects.filter(model__title="Ours").exclude(name="prompt").delete()

    call_command("migrate", verbosity=0)

    assert RegisteredModel.objects.get(pattern="*whisper*").inputs.count() == 4
    assert RegisteredModel.objects.get(pattern="*sdxl*").inputs.get().name == "prompt"


# -- Which entry is in force ----------------------------------------------------------------------------


def test_the_longest_pattern_is_in_force(describe: Describe) -> None:
    describe("me/whisper-*", tape={"kind": "audio"})
    describe("me/whisper-large:2", reel={"kind": "audio"})

    def inputs(model: str) -> list[str]:
        return [given.name for given in requirements_of(Studio(), model).inputs]

    assert inputs("me/Whisper-small:1") == ["tape"]
    assert inputs("me/whisper-large:2") == ["reel"]
    assert inputs("me/whisper-large") == ["tape"]


def test_it_takes_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(2):
        requirements_of(Studio(), "openai/whisper")


def test_a_model_that_nobody_described_is_unknown_and_told_its_like() -> None:
    needs = requirements_of(Studio(), "openai/whispr:1")

    assert (needs.is_known, needs.inputs) == (False, ())
    assert needs.near == ("Whisper, speech to text",)


def test_the_models_of_a_tool_are_listed() -> None:
    assert [model.title for model in known_models("openai")] == ["Chat with a language model"]


def test_json_of_another_form_in_the_tables_counts_as_nothing(describe: Describe) -> None:
    describe("odd", x={"rules": [1], "aliases": {"a": 1}}, y={"aliases": ["z", 7]})

    x, y = requirements_of(Studio(), "odd").inputs
    assert (x.rules, x.aliases, y.aliases) == ({}, (), ("z",))


# -- Beside what a provider publishes -------------------------------------------------------------------


def test_what_a_provider_publishes_is_known() -> None:
    published = Requirements("mine", "Mine", (Input("x", required=True),), is_known=True, closed=True)

    needs = requirements_of(Studio(published), "me/mine")

    assert (needs.is_known, needs.closed, needs.title, needs.inputs) == (True, True, "Mine", published.inputs)


def test_the_tables_stand_above_what_is_published(describe: Describe) -> None:
    describe("mine", steps={"kind": "integer", "default": 4, "help": "how many"}, style={"required": True})
    published = Input("steps", "number", required=True, rules={"maximum": 9}, aliases=("n",), default=50)

    needs = requirements_of(Studio(Requirements("mine", inputs=(published,))), "mine")

    steps, style = needs.inputs
    assert steps == Input("steps", "integer", True, "", "how many", {"maximum": 9}, "", ("n",), 4)
    assert (style.name, style.required) == ("style", True)


def test_an_entry_takes_the_name_that_the_provider_has_for_it(describe: Describe) -> None:
    describe("mine", audio={"kind": "audio", "required": True, "aliases": ["audio_file", "sound"]})
    published = Requirements("mine", inputs=(Input("audio_file", "file"),), closed=True)

    [needed] = requirements_of(Studio(published), "mine").inputs

    assert (needed.name, needed.kind, needed.aliases) == ("audio_file", "audio", ("audio", "sound"))


def test_a_closed_schema_leaves_out_what_it_does_not_have(describe: Describe) -> None:
    describe("mine", style={"required": True})
    published = Requirements("mine", inputs=(Input("x"),), closed=True)

    assert requirements_of(Studio(published), "mine").inputs == published.inputs


def test_a_provider_that_does_not_answer_leaves_what_the_tables_say() -> None:
    silent = Studio(ProviderError("It is asleep."))

    assert requirements_of(silent, "openai/whisper").is_known
    assert not requirements_of(silent, "nobody/knows").is_known
