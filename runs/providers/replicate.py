"""The tool ``replicate``: predictions of the models on Replicate, by its official client.

Replicate promises nothing for a key seen before, though one is sent: where the answer to a new prediction
was lost, nobody can say whether it runs. A model is ``owner/name``, ``owner/name:version`` or a version.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import httpx
from django.conf import settings
from replicate import APIConnectionError, APIStatusError, AsyncReplicate

from events import outbound
from runs.providers import answers
from runs.providers.calling import Exchange, for_a_minute
from runs.providers.provider import Call, File, Pending, Progress, Provider, ProviderError
from runs.providers.schemas import inputs_of, resolved
from runs.requirements import Check, Issue, Requirements

TITLE = "Replicate"
INLINE_AT_MOST = 256 * 1024
"""What Replicate takes as a data URL; what is larger is uploaded first."""
FILES = frozenset({"uri", "binary"})
_name = r"[A-Za-z0-9][\w.-]{0,99}"
_model = re.compile(rf"({_name})/({_name})(?::([A-Za-z0-9]{{1,64}}))?", re.ASCII).fullmatch
_version = re.compile(r"[0-9a-f]{64}").fullmatch
_handle = re.compile(r"[A-Za-z0-9]\w{0,127}", re.ASCII).fullmatch
_nsfw_found = re.compile(r"nsfw[^\n]{0,40}(detected|found)", re.IGNORECASE).search
NAME_IT = "Write it as owner/name, or owner/name:version, as on its page."
Ask = Callable[[AsyncReplicate], Awaitable[Any]]


class Model(NamedTuple):
    owner: str
    name: str
    version: str


class ReplicateProvider(Provider):
    """Run a model on Replicate."""

    name = "replicate"
    also_called = ("replicate-agent-tool",)
    title = TITLE
    repeats_safely = False

    def unavailable(self) -> str:
        if told := outbound.why_no_base("HITL_REPLICATE_URL", settings.HITL_REPLICATE_URL):
            return told
        if not settings.HITL_REPLICATE_TOKEN:
            return "Set HITL_REPLICATE_TOKEN to a token of Replicate."
        is_key = outbound.fits_a_header(settings.HITL_REPLICATE_TOKEN)
        return "" if is_key else "HITL_REPLICATE_TOKEN has characters that no key has."

    def capabilities(self, model: str) -> dict[str, Any]:
        """Return the description that the model's owner gave it, where it can be had."""
        told = {"name": model or TITLE, "description": "Runs models for images, speech, video and text."}
        if self.unavailable() or read_model(model) is None:
            return told
        try:
            found = _document(settings.HITL_REPLICATE_URL, model).get("description")
        except ProviderError:
            return told
        return told | {"description": answers.bounded(found)} if isinstance(found, str) else told

    def requirements(self, model: str) -> Requirements | None:
        if self.unavailable() or read_model(model) is None:
            return None
        schema = _schema(_document(settings.HITL_REPLICATE_URL, model))
        part = {"$ref": "#/components/schemas/Input"}
        inputs = inputs_of(part, schema, FILES)
        closed = resolved(part, schema).get("additionalProperties") is False
        return Requirements(model, model, inputs, is_known=True, closed=closed) if inputs else None

    def validate(self, model: str, payload: Mapping[str, Any]) -> list[Issue]:
        if read_model(model):
            return []
        told = "This is no model of Replicate." if model else "No model is named."
        return [Issue(Check.MODEL_SELECTION, "model", told, suggestion=NAME_IT, missing=not model)]

    def submit(self, call: Call) -> Progress:
        model = read_model(call.model)
        if told := self.unavailable():
            raise ProviderError(told)
        if model is None:
            raise ProviderError("This is no model of Replicate.", suggestion=NAME_IT)
        talk = Talk()
        options: dict[str, Any] = {
            "input": {**call.payload, **{name: talk.given(file) for name, file in call.files.items()}},
            "extra_headers": {"Idempotency-Key": call.key},
        }
        if call.webhook:
            options |= {"webhook": call.webhook, "webhook_events_filter": ["completed"]}
        return _progress(talk.create(model, options), repeats=False)

    def look(self, call: Call, handle: str) -> Progress:
        if not _handle(handle):
            raise ProviderError("This is no prediction of Replicate.")
        found = Talk().ask(
            lambda client: client.predictions.with_raw_response.get(prediction_id=handle), repeats=True
        )
        return _progress(found, repeats=True)


class Talk:
    """Ask Replicate the questions of one call, all in one limit of time."""

    def __init__(self) -> None:
        self._exchange = Exchange(TITLE)

    def ask(self, ask: Ask, *, repeats: bool) -> httpx.Response:
        """Return what Replicate answers.

        Raises:
            ProviderError: a refusal, or no answer.
        """
        answer = self._exchange.do(lambda http: _asked(http, ask), repeats=repeats)
        if answer.status_code not in (200, 201, 202):
            raise answers.refusal(TITLE, answer, repeats=repeats, secret=settings.HITL_REPLICATE_TOKEN)
        return answer

    def create(self, model: Model, options: dict[str, Any]) -> httpx.Response:
        """Begin a prediction: Replicate's own models go by their name, all others by a version."""
        if not model.version:
            answer = self._exchange.do(lambda http: _asked(http, _by_name(model, options)), repeats=False)
            if answer.status_code in (200, 201, 202):
                return answer
            if answer.status_code != 404:
                raise answers.refusal(TITLE, answer, repeats=False, secret=settings.HITL_REPLICATE_TOKEN)
            model = model._replace(version=self._latest(model))
        version = model.version
        return self.ask(
            lambda client: client.predictions.with_raw_response.create(version=version, **options),
            repeats=False,
        )

    def given(self, file: File) -> str:
        """Return the URL by which a model reads *file*."""
        if len(file.content) <= INLINE_AT_MOST:
            return f"data:{file.content_type};base64,{base64.b64encode(file.content).decode()}"
        part = (file.name, file.content, file.content_type)
        answer = self.ask(lambda client: client.files.with_raw_response.create(content=part), repeats=True)
        urls = answers.read_object(TITLE, answer.content, repeats=True).get("urls")
        if not isinstance(urls, dict) or not isinstance(urls.get("get"), str):
            raise ProviderError(f"{TITLE} took the file, but does not say where it is.")
        return str(urls["get"])

    def _latest(self, model: Model) -> str:
        answer = self.ask(_described(model), repeats=True)
        found = _latest_version(answers.read_object(TITLE, answer.content, repeats=True)).get("id")
        if not isinstance(found, str) or not _version(found):
            raise ProviderError(f"{TITLE} has no version of this model.", suggestion=NAME_IT)
        return found


def read_model(text: str) -> Model | None:
    """Return what *text* names; its parts go into paths, so nothing else may be in them."""
    if _version(text):
        return Model("", "", text)
    found = _model(text)
    return Model(found[1], found[2], found[3] or "") if found else None


def _by_name(model: Model, options: dict[str, Any]) -> Ask:
    return lambda client: client.models.predictions.with_raw_response.create(
        model_owner=model.owner, model_name=model.name, **options
    )


def _described(model: Model) -> Ask:
    if model.version:
        return lambda client: client.models.versions.with_raw_response.get(
            model_owner=model.owner, model_name=model.name, version_id=model.version
        )
    return lambda client: client.models.with_raw_response.get(model_owner=model.owner, model_name=model.name)


async def _asked(http: httpx.AsyncClient, ask: Ask) -> httpx.Response:
    """Return the answer, refusals too; failures come as httpx raised them."""
    client = AsyncReplicate(
        bearer_token=settings.HITL_REPLICATE_TOKEN,
        base_url=f"{settings.HITL_REPLICATE_URL.rstrip('/')}/v1",
        default_headers={"Accept-Encoding": "identity"},
        timeout=http.timeout,
        max_retries=0,
        http_client=http,
    )
    try:
        answer: httpx.Response = (await ask(client)).http_response
        return answer
    except APIStatusError as error:
        return error.response
    except APIConnectionError as error:
        raise error.__cause__ or error from None


@for_a_minute
def _document(url: str, text: str) -> dict[str, Any]:
    """Return what Replicate at *url* says of the model *text*; nothing where it says nothing."""
    model = read_model(text)
    if model is None or not model.owner:
        return {}
    answer = Talk().ask(_described(model), repeats=True)
    return answers.read_object(TITLE, answer.content, repeats=True)


def _schema(document: dict[str, Any]) -> Any:
    return (document if "openapi_schema" in document else _latest_version(document)).get("openapi_schema")


def _latest_version(document: dict[str, Any]) -> dict[str, Any]:
    found = document.get("latest_version")
    return found if isinstance(found, dict) else {}


def _progress(answer: httpx.Response, *, repeats: bool) -> Progress:
    """Return how the prediction in *answer* gets on.

    Raises:
        ProviderError: it failed, or is none.
    """
    found = answers.read_object(TITLE, answer.content, repeats=repeats)
    handle, status = found.get("id"), found.get("status")
    if status in ("failed", "canceled", "aborted"):
        said = answers.bounded(str(found.get("error") or ""))
        told = answers.sentence(f"The prediction {'failed' if status == 'failed' else 'was cancelled'}", said)
        raise ProviderError(told, suggestion=answers.nsfw_advice(said))
    if not isinstance(handle, str) or not _handle(handle):
        raise ProviderError(f"{TITLE} does not say which prediction this is.", uncertain=not repeats)
    if status != "succeeded":
        return Pending(handle)
    logs = str(found.get("logs") or "")
    flags = ("nsfw",) if _nsfw_found(logs) else ()
    return answers.finished(answers.written(found.get("output")), flags=flags)
