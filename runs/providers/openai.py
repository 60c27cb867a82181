"""The tool ``openai``: chat completions of any service that speaks OpenAI's protocol (HITL_OPENAI_URL).

The protocol promises nothing for a key seen before, and most services ignore it: a call whose answer was
lost may have been carried out, and paid for.
"""

import base64
from collections.abc import Mapping
from typing import Any

import httpx
from django.conf import settings

from events import outbound
from runs.models.registry import InputKind
from runs.providers import answers
from runs.providers.calling import Exchange
from runs.providers.provider import Call, File, Finished, Progress, Provider, ProviderError
from runs.requirements import Check, Input, Issue, Requirements

OWN_HOST = "api.openai.com"


class OpenAIProvider(Provider):
    """Have a language model answer a prompt, or go on with messages."""

    name = "openai"
    title = "OpenAI-compatible service"
    repeats_safely = False

    def unavailable(self) -> str:
        url, key = settings.HITL_OPENAI_URL, settings.HITL_OPENAI_KEY
        if told := outbound.why_no_base("HITL_OPENAI_URL", url):
            return told
        if not key and httpx.URL(url).host == OWN_HOST:
            return "Set HITL_OPENAI_KEY, or HITL_OPENAI_URL to a service that needs no key."
        is_key = not key or outbound.fits_a_header(key)
        return "" if is_key else "HITL_OPENAI_KEY has characters that no key has."

    def capabilities(self, model: str) -> dict[str, Any]:
        told = "Has a language model answer a prompt, or go on with messages; answers with text."
        return {"name": self.title, "description": told}

    def requirements(self, model: str) -> Requirements | None:
        return Requirements(model=model, title="Chat completion", inputs=INPUTS, is_known=True)

    def validate(self, model: str, payload: Mapping[str, Any]) -> list[Issue]:
        issues = []
        if not (model or payload.get("model")):
            told, advice = "No model is named.", "Name one that the service has, such as gpt-4o-mini."
            issues.append(Issue(Check.MODEL_SELECTION, "model", told, suggestion=advice, missing=True))
        if not (payload.get("prompt") or payload.get("messages")):
            told, advice = "There is nothing to answer.", "Give a prompt, or messages."
            issues.append(Issue(Check.PARAMETER_REVIEW, "prompt", told, suggestion=advice, missing=True))
        return issues

    def submit(self, call: Call) -> Progress:
        if told := self.unavailable():
            raise ProviderError(told)
        headers = {"Idempotency-Key": call.key}
        if key := settings.HITL_OPENAI_KEY:
            headers["Authorization"] = f"Bearer {key}"
        url, body = f"{settings.HITL_OPENAI_URL.rstrip('/')}/chat/completions", _body(call)
        answer = Exchange(self.title).do(
            lambda client: client.post(url, json=body, headers=headers), repeats=False
        )
        return self._finished(answer)

    def _finished(self, answer: httpx.Response) -> Finished:
        if answer.status_code != 200:
            raise answers.refusal(self.title, answer, repeats=False, secret=settings.HITL_OPENAI_KEY)
        body = answers.read_object(self.title, answer.content, repeats=False)
        choices = body.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else {}
        if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
            raise ProviderError(f"{self.title} answered without a choice.", uncertain=True)
        # One flag for whatever its filter was set to find: the ones we know are no finer.
        flags = ("nsfw",) if first.get("finish_reason") == "content_filter" else ()
        return answers.finished(answers.written(_output(first["message"])), flags=flags)


INPUTS = (
    Input(name="prompt", label="Prompt", help="What to answer; or give messages.", aliases=("input", "text")),
    Input(name="messages", kind=InputKind.JSON, label="Messages", help="A conversation to go on with."),
    Input(
        name="temperature",
        kind=InputKind.NUMBER,
        label="Temperature",
        help="0 for the likeliest words, more for others.",
        rules={"minimum": 0, "maximum": 2},
    ),
    Input(
        name="max_tokens",
        kind=InputKind.INTEGER,
        label="Longest answer",
        help="In tokens, about three quarters of a word each.",
        rules={"minimum": 1},
    ),
)


def _body(call: Call) -> dict[str, Any]:
    """Return the payload as the protocol has it: the prompt, with any images, is what the user says last."""
    rest = {
        name: value
        for name, value in call.payload.items()
        if name not in ("prompt", "messages", "stream", *call.files)
    }
    given = call.payload.get("messages")
    messages = list(given) if isinstance(given, list) else []
    if (prompt := call.payload.get("prompt")) or call.files:
        messages.append({"role": "user", "content": _content(prompt or "", call.files)})
    return {"model": call.model, **rest, "messages": messages}


def _content(prompt: Any, files: Mapping[str, File]) -> Any:
    if not files:
        return prompt
    return [{"type": "text", "text": prompt}, *map(_image, files.values())]


def _image(file: File) -> dict[str, Any]:
    if not file.content_type.startswith("image/"):
        raise ProviderError(
            "Only images can go with a prompt.", suggestion="Give the text of other files in the prompt."
        )
    url = f"data:{file.content_type};base64,{base64.b64encode(file.content).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _output(message: dict[str, Any]) -> Any:
    if message.get("tool_calls"):
        return message
    return message.get("content") or message.get("refusal") or ""
