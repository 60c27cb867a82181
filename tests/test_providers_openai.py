"""The tool ``openai`` speaks OpenAI's protocol with whatever service an administrator named."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from runs.providers import provider_of
from runs.providers.provider import Call, File, Finished, Provider, ProviderError
from tests.providers import LOST, OpenAIService, Trouble

pytestmark = pytest.mark.sqlite

CAT = File("cat.png", "image/png", b"\x89PNG")


@pytest.fixture
def service(settings: Any) -> Iterator[OpenAIService]:
    with OpenAIService() as service:
        settings.HITL_OPENAI_URL, settings.HITL_OPENAI_KEY = f"{service.url}/v1/", service.KEY
        settings.HITL_RUN_CALL_SECONDS = 5
        yield service


@pytest.fixture
def openai() -> Provider:
    found = provider_of("openai")
    assert found
    return found


def ask(**payload: Any) -> Call:
    return Call("gpt-4o-mini", payload or {"prompt": "What is the capital of France?"}, "run_1:1")


def failed(openai: Provider, call: Call) -> ProviderError:
    with pytest.raises(ProviderError) as failure:
        openai.submit(call)
    return failure.value


def test_a_prompt_is_answered_with_text(openai: Provider, service: OpenAIService) -> None:
    assert openai.submit(ask(prompt="What?", temperature=0)) == Finished("Paris.")

    (seen,) = service.calls
    assert seen.json == {
        "model": "gpt-4o-mini",
        "temperature": 0,
        "messages": [{"role": "user", "content": "What?"}],
    }
    assert seen.key == "run_1:1"


def test_messages_go_as_they_were_reviewed(openai: Provider, service: OpenAIService) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What?"}]

    openai.submit(ask(messages=messages, stream=True, model="other"))

    assert service.calls[0].json == {"model": "other", "messages": messages}


def test_images_go_with_the_prompt_and_nothing_else_does(openai: Provider, service: OpenAIService) -> None:
    payload = {"prompt": "What is this?", "image": "attachment:att_1"}
    openai.submit(Call("gpt-4o", payload, "k", files={"image": CAT}))

    (message,) = service.calls[0].json["messages"]
    assert message["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw=="
    assert "image" not in service.calls[0].json
    text = File("a.txt", "text/plain", b"x")
    assert "Only images" in str(failed(openai, Call("gpt-4o", payload, "k", files={"image": text})))


def test_what_the_filter_stopped_is_flagged(openai: Provider, settings: Any) -> None:
    with OpenAIService(text="I …", finish_reason="content_filter") as service:
        settings.HITL_OPENAI_URL, settings.HITL_OPENAI_KEY = f"{service.url}/v1", service.KEY

        assert openai.submit(ask()) == Finished("I …", flags=("nsfw",))


def test_a_refusal_or_a_call_of_a_tool_is_the_answer(openai: Provider, service: OpenAIService) -> None:
    service.message = {"content": None, "refusal": "I cannot help with that."}
    assert openai.submit(ask()) == Finished("I cannot help with that.")
    service.message = {"content": None, "tool_calls": [{"id": "call_1"}]}
    assert openai.submit(ask()) == Finished(service.message)


def test_the_services_sentence_is_passed_on_but_never_the_key(
    openai: Provider, service: OpenAIService, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HITL_OPENAI_KEY = "sk-canary-123456"
    with caplog.at_level(logging.DEBUG):
        failure = failed(openai, ask())

    assert str(failure) == (
        "OpenAI-compatible service refused this call (HTTP 401): Incorrect API key provided: Bearer …"
    )
    assert failure.suggestion == "Ask an administrator to look at its key."
    assert "sk-canary" not in caplog.text


@pytest.mark.parametrize(
    ("trouble", "retry_in", "uncertain"),
    [
        (Trouble(429, headers={"Retry-After": "20"}), 20, False),
        (Trouble(503), 5, False),
        (Trouble(400, b'{"error": {"message": "Too many tokens."}}'), None, False),
        (Trouble(500), None, True),
        (LOST, None, True),
        (Trouble(seconds=20), None, True),
        (Trouble(200, b"no JSON"), None, True),
        (Trouble(200, b"[1]"), None, True),
        (Trouble(200, b'{"choices": [7]}'), None, True),
        (Trouble(200, b'{"choices": []}'), None, True),
    ],
)
def test_a_failure_says_whether_the_call_may_be_made_again(
    openai: Provider,
    service: OpenAIService,
    settings: Any,
    trouble: Trouble,
    retry_in: float | None,
    uncertain: bool,
) -> None:
    settings.HITL_RUN_CALL_SECONDS = 1
    service.trouble(trouble)

    failure = failed(openai, ask())

    assert (failure.retry_in, failure.uncertain) == (retry_in, uncertain)
    assert not uncertain or not openai.repeats_safely
    assert len(service.calls) == 1


def test_an_answer_that_nests_too_deep_is_a_failure(openai: Provider, service: OpenAIService) -> None:
    deep = b"[" * 600 + b"]" * 600
    message = b'{"content": "", "tool_calls": %b}' % deep
    service.trouble(Trouble(200, b'{"choices": [{"message": %b}]}' % message))

    assert "nests too deep" in str(failed(openai, ask()))


def test_what_is_missing_is_named(openai: Provider) -> None:
    assert [(issue.field, issue.missing) for issue in openai.validate("", {})] == [
        ("model", True),
        ("prompt", True),
    ]
    assert openai.validate("", {"model": "gpt-4o", "messages": [{}]}) == []
    found = openai.requirements("gpt-4o")
    assert found
    assert found.prompt_name == "prompt"


@pytest.mark.parametrize(
    ("url", "key", "told"),
    [
        ("https://api.openai.com/v1", "", "Set HITL_OPENAI_KEY"),
        ("https://api.openai.com/v1", "sk-1\n", "characters that no key has"),
        ("https://api.openai.com/v1", "schlüssel", "characters that no key has"),
        ("http://models.example.com/v1", "sk-1", "Only https"),
        ("models.example.com/v1", "sk-1", "must be an address"),
        ("https://ann:pass@models.example.com/v1", "sk-1", "must be an address"),
        ("https://models.example.com/v1", "", ""),
        ("http://127.0.0.1:11434/v1", "", ""),
    ],
)
def test_it_says_which_setting_to_make(
    openai: Provider, settings: Any, url: str, key: str, told: str
) -> None:
    settings.HITL_OPENAI_URL, settings.HITL_OPENAI_KEY = url, key

    said = openai.unavailable()

    assert told in said
    assert bool(told) == bool(said)
    assert "pass" not in said.replace("password", "")
    if told:
        assert str(failed(openai, ask())) == said
