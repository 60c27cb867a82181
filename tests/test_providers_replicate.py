"""The tool ``replicate`` makes predictions by the official client, and never one too many unseen."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from runs.models.registry import InputKind
from runs.providers import provider_of
from runs.providers.provider import Call, File, Finished, Pending, Progress, Provider, ProviderError
from tests.providers import LOST, RESET, ReplicateService, Trouble

pytestmark = pytest.mark.sqlite

MODEL = "ann/remove-bg"
VERSIONED = f"{MODEL}:{ReplicateService.VERSION}"


@pytest.fixture
def service(settings: Any) -> Iterator[ReplicateService]:
    with ReplicateService() as service:
        settings.HITL_REPLICATE_URL, settings.HITL_REPLICATE_TOKEN = service.url, service.TOKEN
        settings.HITL_RUN_CALL_SECONDS = 5
        yield service


@pytest.fixture
def replicate() -> Provider:
    found = provider_of("replicate-agent-tool")
    assert found
    assert found.name == "replicate"
    return found


def call(model: str = VERSIONED, **more: Any) -> Call:
    return Call(model, {"image": "https://example.com/cat.png"}, "run_1:1", **more)


def handle_of(progress: Progress) -> str:
    assert isinstance(progress, Pending)
    return progress.handle


def failed(replicate: Provider, call: Call) -> ProviderError:
    with pytest.raises(ProviderError) as failure:
        replicate.submit(call)
    return failure.value


def test_a_prediction_is_made_and_looked_at_until_it_is_done(
    replicate: Provider, service: ReplicateService
) -> None:
    asked = call(webhook="https://hitl.example.com/back/1")

    handle = handle_of(replicate.submit(asked))

    assert handle_of(replicate.look(asked, handle)) == handle
    assert replicate.look(asked, handle) == Finished(["https://replicate.delivery/out.png"])
    made = service.calls[0]
    assert made.json == {
        "version": ReplicateService.VERSION,
        "input": {"image": "https://example.com/cat.png"},
        "webhook": "https://hitl.example.com/back/1",
        "webhook_events_filter": ["completed"],
    }
    assert made.key == "run_1:1"
    assert len(service.calls) == 3


def test_a_model_of_replicates_own_goes_by_its_name(replicate: Provider, service: ReplicateService) -> None:
    service.official.add("meta/llama")

    replicate.submit(call("meta/llama"))

    (made,) = service.calls
    assert made.path == "/v1/models/meta/llama/predictions"
    assert "webhook" not in made.json


def test_any_other_model_goes_by_its_latest_version(replicate: Provider, service: ReplicateService) -> None:
    service.models[MODEL] = {"latest_version": {"id": ReplicateService.VERSION}}

    replicate.submit(call(MODEL))

    assert service.calls[-1].json["version"] == ReplicateService.VERSION
    assert service.carried_out == {"run_1:1": 1}


def test_a_model_that_is_not_there_is_a_refusal(replicate: Provider, service: ReplicateService) -> None:
    assert "could not be found" in str(failed(replicate, call(MODEL)))
    service.models[MODEL] = {"latest_version": {"id": "../../account"}}
    assert "no version" in str(failed(replicate, call(MODEL)))
    assert not service.carried_out


def test_a_webhook_is_called_with_what_came_of_it(replicate: Provider, service: ReplicateService) -> None:
    heard: list[Any] = []

    class Back(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Back) as back:
        threading.Thread(target=back.handle_request, daemon=True).start()
        asked = call(webhook=f"http://127.0.0.1:{back.server_port}/back")
        handle = handle_of(replicate.submit(asked))
        service.call_back(handle)

    assert (heard[0]["id"], heard[0]["status"]) == (handle, "succeeded")
    assert isinstance(replicate.look(asked, handle), Finished)


def test_small_files_go_within_and_large_ones_first(replicate: Provider, service: ReplicateService) -> None:
    small, large = (File("a.png", "image/png", b"x" * size) for size in (3, 256 * 1024 + 1))

    replicate.submit(call(files={"image": small, "mask": large}))

    upload, made = service.calls
    assert made.json["input"] == {
        "image": "data:image/png;base64,eHh4",
        "mask": f"{service.url}/v1/files/file1",
    }
    assert upload.path == "/v1/files"
    assert large.content in upload.body


@pytest.mark.parametrize(
    ("outcome", "told", "advice"),
    [
        ({"status": "failed", "error": "CUDA out of memory"}, "failed: CUDA out of memory", ""),
        ({"status": "failed", "error": "NSFW content detected."}, "NSFW", "Change what is asked for"),
        ({"status": "canceled"}, "was cancelled.", ""),
        ({"status": "failed", "error": {"odd": 1}}, "failed: {'odd': 1}", ""),
    ],
)
def test_a_prediction_that_failed_says_why(
    replicate: Provider, service: ReplicateService, outcome: Any, told: str, advice: str
) -> None:
    service.outcome, service.polls = outcome, 0
    handle = handle_of(replicate.submit(call()))

    with pytest.raises(ProviderError) as failure:
        replicate.look(call(), handle)

    assert told in str(failure.value)
    assert advice in failure.value.suggestion
    assert (failure.value.retry_in, failure.value.uncertain) == (None, False)


@pytest.mark.parametrize(
    "outcome",
    [{"logs": "step 1\nPotential NSFW content was detected in one or more images.\n"},
     {"output": {"image": "https://replicate.delivery/a.png", "nsfw_content_detected": [True]}}],
)  # fmt: skip
def test_what_replicate_found_unsafe_is_flagged(
    replicate: Provider, service: ReplicateService, outcome: Any
) -> None:
    service.outcome.update(outcome)
    service.polls = 0
    done = replicate.look(call(), handle_of(replicate.submit(call())))

    assert isinstance(done, Finished)
    assert done.flags == ("nsfw",)


@pytest.mark.parametrize(
    ("trouble", "retry_in", "uncertain"),
    [
        (Trouble(429, headers={"Retry-After": "9"}), 9, False),
        (Trouble(503), 5, False),
        (Trouble(402, b'{"detail": "Insufficient credit."}'), None, False),
        (Trouble(422, b'{"detail": "x"}', "text/plain; charset=hex"), None, False),
        (Trouble(422, b"[1]"), None, False),
        (Trouble(500), None, True),
        (Trouble(502), None, True),
        (RESET, None, True),
        (LOST, None, True),
        (Trouble(seconds=20), None, True),
        (Trouble(201, b"no JSON"), None, True),
        (Trouble(201, b'{"id": "../account", "status": "starting"}'), None, True),
    ],
)
def test_a_new_prediction_that_may_have_been_made_is_uncertain(
    replicate: Provider,
    service: ReplicateService,
    settings: Any,
    trouble: Trouble,
    retry_in: float | None,
    uncertain: bool,
) -> None:
    settings.HITL_RUN_CALL_SECONDS = 1
    service.trouble(trouble)

    failure = failed(replicate, call())

    assert (failure.retry_in, failure.uncertain) == (retry_in, uncertain)
    assert len(service.calls) == 1  # the client repeats nothing by itself
    assert service.TOKEN not in f"{failure} {failure.suggestion}"


@pytest.mark.parametrize("trouble", [RESET, Trouble(500), Trouble(429), Trouble(seconds=20)])
def test_looking_again_does_no_harm(
    replicate: Provider, service: ReplicateService, settings: Any, trouble: Trouble
) -> None:
    settings.HITL_RUN_CALL_SECONDS = 1
    handle = handle_of(replicate.submit(call()))
    service.trouble(trouble)

    with pytest.raises(ProviderError) as failure:
        replicate.look(call(), handle)

    assert (failure.value.retry_in, failure.value.uncertain) == (5, False)
    assert len(service.calls) == 2


def test_an_upload_that_was_cut_off_made_no_prediction(
    replicate: Provider, service: ReplicateService
) -> None:
    service.trouble(LOST)
    large = File("a.png", "image/png", b"x" * 300_000)

    failure = failed(replicate, call(files={"image": large}))

    assert (failure.retry_in, failure.uncertain) == (5, False)


def test_nobody_there_is_no_prediction(replicate: Provider, settings: Any) -> None:
    settings.HITL_REPLICATE_URL, settings.HITL_REPLICATE_TOKEN = "http://127.0.0.1:1", "r8_x"

    failure = failed(replicate, call())

    assert (str(failure), failure.retry_in, failure.uncertain) == ("Replicate cannot be reached.", 5, False)


def test_the_log_has_neither_inputs_nor_the_token(
    replicate: Provider, service: ReplicateService, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        replicate.submit(Call(VERSIONED, {"prompt": "a-canary-of-a-prompt"}, "k"))

    assert service.calls[0].json["input"] == {"prompt": "a-canary-of-a-prompt"}
    assert service.TOKEN not in caplog.text
    assert "a-canary" not in caplog.text


# -- Models ---------------------------------------------------------------------------------------------

SCHEMA = {
    "components": {
        "schemas": {
            "Input": {
                "type": "object",
                "required": ["prompt"],
                "properties": {
                    "steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 25, "x-order": 2},
                    "prompt": {"type": "string", "title": "Prompt", "x-order": 0, "default": "A cat"},
                    "scheduler": {"allOf": [{"$ref": "#/components/schemas/scheduler"}], "x-order": 3},
                    "image": {"type": "string", "format": "uri", "description": "Start here", "x-order": 1},
                    "voice_sample": {"type": "string", "format": "uri", "x-order": 4},
                },
            },
            "scheduler": {"enum": ["DDIM", "K_EULER"], "type": "string"},
        }
    }
}


def test_a_published_schema_says_what_a_model_needs(replicate: Provider, service: ReplicateService) -> None:
    service.models[MODEL] = {
        "description": "Removes\u202e backgrounds",
        "latest_version": {"id": "x", "openapi_schema": SCHEMA},
    }

    found = replicate.requirements(MODEL)

    assert found
    assert [(one.name, one.kind, one.required, one.rules, one.default) for one in found.inputs] == [
        ("prompt", InputKind.TEXT, True, {}, None),
        ("image", InputKind.IMAGE, False, {}, None),
        ("steps", InputKind.INTEGER, False, {"minimum": 1, "maximum": 50}, None),
        ("scheduler", InputKind.CHOICE, False, {"enum": ["DDIM", "K_EULER"]}, None),
        ("voice_sample", InputKind.AUDIO, False, {}, None),
    ]
    assert found.prompt_name == "prompt"
    assert replicate.capabilities(MODEL) == {"name": MODEL, "description": "Removes backgrounds"}


@pytest.mark.parametrize("schema", [None, 7, {"components": {"schemas": {"Input": 7}}}])
def test_a_model_without_a_schema_is_not_known(
    replicate: Provider, service: ReplicateService, schema: Any
) -> None:
    service.models[MODEL] = {"latest_version": {"openapi_schema": schema}}

    assert replicate.requirements(MODEL) is None


@pytest.mark.parametrize(
    "name",
    ["", "remove-bg", "ann/", "../x", "ann/..", "ann/x/versions", "ann/x:../y", "ann/x?y=1", "ann/x\n"],
)
def test_what_is_no_model_is_never_asked_for(
    replicate: Provider, service: ReplicateService, name: str
) -> None:
    (issue,) = replicate.validate(name, {})

    assert (issue.field, issue.missing) == ("model", not name)
    assert "owner/name" in issue.suggestion
    assert replicate.requirements(name) is None
    assert "no model" in str(failed(replicate, call(name)))
    assert service.calls == []


@pytest.mark.parametrize("handle", ["../account", "a/b", "", "a?b", "é", "a" * 300])
def test_no_handle_leads_elsewhere(replicate: Provider, service: ReplicateService, handle: str) -> None:
    with pytest.raises(ProviderError):
        replicate.look(call(), handle)

    assert service.calls == []


def test_without_a_token_it_says_which_setting_to_make(replicate: Provider, settings: Any) -> None:
    settings.HITL_REPLICATE_TOKEN = ""

    assert "Set HITL_REPLICATE_TOKEN" in replicate.unavailable()
    assert str(failed(replicate, call())) == replicate.unavailable()
    assert replicate.requirements(MODEL) is None
    assert replicate.capabilities("")["name"] == "Replicate"
