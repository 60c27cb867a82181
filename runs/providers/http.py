"""The tool ``http``: call one endpoint of a service whose host an administrator named in HITL_RUN_HOSTS.

``url`` and ``method`` say what is called; every other input is the body, as JSON, or as multipart where a
file is among them. The key stands in ``Idempotency-Key``, and the service must answer a key it has seen with
what it answered before: calls whose answer was lost are repeated.

A service that takes longer answers 202 with ``Location``, or with ``status_url`` or ``id`` as JSON, and goes
on saying 202, or a ``status`` such as ``running``, where that leads; on its own host and port alone.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import httpx
import orjson
from django.conf import settings

from events import outbound
from runs.models.registry import InputKind
from runs.providers import answers, openapi
from runs.providers.calling import Exchange
from runs.providers.provider import Call, File, Finished, Pending, Progress, Provider, ProviderError
from runs.requirements import Check, Input, Issue, Requirements

TITLE = "The service"
METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET")
HANDLE_AT_MOST = 255
LOOK_IN = 2.0
_UNDER_WAY = frozenset({"accepted", "in_progress", "pending", "processing", "queued", "running", "starting"})
_FAILED = frozenset({"canceled", "cancelled", "error", "failed"})
_media_type = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII).fullmatch
ASK_FOR_THE_HOST = "Ask an administrator to add the host to the setting HITL_RUN_HOSTS, or use another."


class HTTPProvider(Provider):
    """Call a service by HTTP, as it says in its own OpenAPI document."""

    name = "http"
    title = "HTTP service"
    repeats_safely = True

    def unavailable(self) -> str:
        if settings.HITL_RUN_HOSTS:
            return ""
        return "No service may be called: set HITL_RUN_HOSTS to the hosts that may, separated by commas."

    def capabilities(self, model: str) -> dict[str, Any]:
        told = "Calls one endpoint of a service: a JSON or multipart body in, JSON or a file out."
        return {"name": self.title, "description": told, "hosts": settings.HITL_RUN_HOSTS}

    def called(self, model: str, inputs: Mapping[str, Any]) -> str:
        return _address(inputs) or model

    def requirements(self, model: str) -> Requirements | None:
        """Return what the endpoint *model* takes by its OpenAPI document; without one, what a call needs."""
        own = Requirements(title=self.title, inputs=(URL, METHOD), is_known=True)
        if not _is_url(model) or _why_not(model):
            return own
        if (found := openapi.requirements_of(model)) is None:
            return own
        return replace(found, inputs=(*found.inputs, URL, METHOD))

    def validate(self, model: str, payload: Mapping[str, Any]) -> list[Issue]:
        return [
            *_issues_of_url("url", _address(payload)),
            *_issues_of_method(payload.get("method", "POST")),
        ]

    def submit(self, call: Call) -> Progress:
        url = _allowed(_address(call.payload))
        method = str(call.payload.get("method") or "POST").upper()
        if _issues_of_method(method):
            raise ProviderError(f"{method[:20]} is no method to call by.", suggestion=ONE_OF_THE_METHODS)
        parts = _body(method, url, call)
        answer = _ask(method, url, Exchange(TITLE), headers={"Idempotency-Key": call.key}, **parts)
        if answer.status_code == 202:
            return Pending(_where_it_goes_on(url, answer), look_in=_look_in(answer))
        return _result(url, answer)

    def look(self, call: Call, handle: str) -> Progress:
        """Look where the service said; *handle* is but a path: no other host can be in it."""
        url = _allowed(_address(call.payload))
        answer = _ask("GET", _on_the_same_host(url, handle), Exchange(TITLE))
        status = _status(answer)
        if answer.status_code == 202 or status in _UNDER_WAY:
            return Pending(handle, look_in=_look_in(answer))
        if answer.status_code == 200 and status in _FAILED:
            said = answers.what_it_said(answer)
            raise ProviderError(
                answers.sentence(f"{TITLE} failed", said), suggestion=answers.nsfw_advice(said)
            )
        return _result(url, answer)


URL = Input(
    name="url",
    kind=InputKind.URL,
    required=True,
    label="Address",
    help="Where the service takes the call; its host must be in the setting HITL_RUN_HOSTS.",
)
METHOD = Input(
    name="method",
    kind=InputKind.CHOICE,
    label="Method",
    help="POST, unless said otherwise.",
    rules={"enum": list(METHODS)},
)
ONE_OF_THE_METHODS = f"Use one of {', '.join(METHODS)}."


def _is_url(model: str) -> bool:
    return model.startswith(("https://", "http://"))


def _address(payload: Mapping[str, Any]) -> str:
    given = payload.get("url")
    return given if isinstance(given, str) else ""


def _why_not(url: str) -> str:
    return outbound.why_not(url, settings.HITL_RUN_HOSTS, "HITL_RUN_HOSTS")


def _allowed(address: str) -> httpx.URL:
    """Return *address*, checked at the moment of the call: the setting may have changed since the review.

    Raises:
        ProviderError: nothing may be sent there.
    """
    if told := _why_not(address):
        raise ProviderError(told, suggestion=ASK_FOR_THE_HOST)
    return httpx.URL(address)


def _issues_of_url(field: str, address: str) -> list[Issue]:
    if not address:
        told = "An address to call is missing."
        return [Issue(Check.PARAMETER_REVIEW, field, told, suggestion=URL.help, missing=True)]
    told = _why_not(address)
    advice = ASK_FOR_THE_HOST if "HITL_RUN_HOSTS" in told else outbound.WRITE_AN_ADDRESS
    return [Issue(Check.INPUT_VALIDATION, field, told, suggestion=advice)] if told else []


def _issues_of_method(method: Any) -> list[Issue]:
    if isinstance(method, str) and method.upper() in METHODS:
        return []
    told = "This is no method to call by."
    return [Issue(Check.INPUT_VALIDATION, "method", told, suggestion=ONE_OF_THE_METHODS)]


def _body(method: str, url: httpx.URL, call: Call) -> dict[str, Any]:
    """Return the rest of the payload as httpx takes it: a query, a form with files, or JSON."""
    rest = {name: value for name, value in call.payload.items() if name not in ("url", "method")}
    if call.files:
        texts = {name: _text(value) for name, value in rest.items() if name not in call.files}
        return {"data": texts, "files": {name: _part(file) for name, file in call.files.items()}}
    if method == "GET":
        texts = {name: _text(value) for name, value in rest.items()}
        return {"params": url.params.merge(texts)} if rest else {}
    return {"json": rest}


def _part(file: File) -> tuple[str, bytes, str]:
    kind = file.content_type if _media_type(file.content_type) else "application/octet-stream"
    return file.name, file.content, kind


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _ask(method: str, url: httpx.URL, exchange: Exchange, **parts: Any) -> httpx.Response:
    """Return what the service answered, where that is no refusal."""
    answer = exchange.do(lambda client: client.request(method, url, **parts), repeats=True)
    if answer.status_code not in (200, 201, 202, 204):
        raise answers.refusal(TITLE, answer, repeats=True)
    return answer


def _result(url: httpx.URL, answer: httpx.Response) -> Finished:
    """Return JSON as the output and anything else as a file."""
    kind = answer.headers["Content-Type"]
    if not answer.content:
        return Finished(None)
    if kind == "application/json" or kind.endswith("+json"):
        return answers.finished(answer.content)
    known = kind if _media_type(kind) else "application/octet-stream"
    name = PurePosixPath(url.path).name or "output"
    return Finished(None, files=(File(answers.bounded(name)[:100], known, answer.content),))


def _where_it_goes_on(url: httpx.URL, answer: httpx.Response) -> str:
    """Return the path, with its query, at which to ask how the call gets on.

    Raises:
        ProviderError: the service named none, or one elsewhere.
    """
    told = answer.headers.get("Location") or _named_in(answer)
    try:
        there = url.join(told or "")
    except (httpx.InvalidURL, UnicodeError, ValueError):
        there = None
    path = there.raw_path.decode("ascii") if there else ""
    if not told or there is None or len(path) > HANDLE_AT_MOST:
        raise ProviderError(f"{TITLE} took the call, but does not say where to ask for its result.")
    if outbound.read(str(there)) is None or _origin(there) != _origin(url):
        raise ProviderError(f"{TITLE} wants to be asked for the result on another host.")
    return path


def _named_in(answer: httpx.Response) -> str:
    body = _object(answer)
    if isinstance(body.get("status_url"), str):
        return str(body["status_url"])
    own = body.get("id")
    if not isinstance(own, str | int) or not re.fullmatch(r"[\w.-]{1,128}", str(own), re.ASCII):
        return ""
    path = answer.request.url.path.rstrip("/")
    return f"{path}/{own}" if str(own).strip(".") else ""


def _on_the_same_host(url: httpx.URL, path: str) -> httpx.URL:
    try:
        return url.copy_with(raw_path=path.encode("ascii", "ignore"), fragment=None)
    except httpx.InvalidURL:
        raise ProviderError(f"{TITLE} is not at work on this call.") from None


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, outbound.port_of(url)


def _status(answer: httpx.Response) -> str:
    return str(_object(answer).get("status", "")).lower()[:40]


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _look_in(answer: httpx.Response) -> float:
    return answers.wait_of(answer.headers) if "Retry-After" in answer.headers else LOOK_IN
