"""What the tool ``http`` needs is what its service publishes, however odd that is."""

import secrets
from typing import Any

import pytest

from runs.models.registry import InputKind
from runs.providers.http import METHODS, HTTPProvider
from runs.providers.provider import Provider
from runs.requirements import Requirements
from tests.providers import HTTPService

pytestmark = pytest.mark.sqlite


@pytest.fixture
def http() -> Provider:
    return HTTPProvider()


def document(**more: Any) -> dict[str, Any]:
    form = {
        "type": "object",
        "required": ["image"],
        "additionalProperties": False,
        "properties": {
            "image": {"type": "string", "format": "binary", "title": "The picture"},
            "size": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": 3},
            "style": {"$ref": "#/components/schemas/Style"},
            "callback": {"type": "string", "format": "uri", "pattern": "^(a+)+$"},
            "\x00": {"type": "string"},
        },
    }
    body = {"content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/Form"}}}}
    return {
        "openapi": "3.1.0",
        "paths": {"/v1/{owner}/render": {"post": {"summary": "Render", "requestBody": body}}},
        "components": {"schemas": {"Form": form, "Style": {"enum": ["oil", "ink"]}}},
        **more,
    }


def endpoint(service: HTTPService) -> str:
    """Return an address that no other test has asked about: answers are kept for a minute."""
    return f"{service.url}/v1/{secrets.token_hex(4)}/render"


def names(found: Requirements | None) -> list[str]:
    return [one.name for one in found.inputs] if found else []


def test_an_openapi_document_says_what_an_endpoint_takes(http: Provider, service: HTTPService) -> None:
    service.document = document()

    found = http.requirements(endpoint(service))

    assert found
    assert (found.title, found.is_known, found.closed) == ("Render", True, True)
    assert [(one.name, one.kind, one.required, one.rules, one.default) for one in found.inputs] == [
        ("image", InputKind.IMAGE, True, {}, None),
        ("size", InputKind.INTEGER, False, {"minimum": 1}, None),
        ("style", InputKind.CHOICE, False, {"enum": ["oil", "ink"]}, None),
        ("callback", InputKind.TEXT, False, {}, None),
        ("url", InputKind.URL, True, {}, None),
        ("method", InputKind.CHOICE, False, {"enum": list(METHODS)}, None),
    ]
    assert found.inputs[0].label == "The picture"


def test_the_document_is_asked_for_once_a_minute(http: Provider, service: HTTPService) -> None:
    service.document, there = document(), endpoint(service)
    for _ in range(3):
        http.requirements(there)

    assert [seen.path for seen in service.calls].count("/openapi.json") in (1, 2)  # a minute may turn


def test_paths_may_stand_below_a_base(http: Provider, service: HTTPService) -> None:
    service.document = document(servers=[{"url": "/api"}, {"url": 7}, "x"])

    assert "image" in names(http.requirements(f"{service.url}/api/v1/ann/render"))
    assert names(http.requirements(f"{service.url}/api/v1/ann")) == ["url", "method"]


LOOP = {"a": {"$ref": "#/components/schemas/Form"}}


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {"paths": 7},
        {"paths": {"/v1/{owner}/render": {"post": 7}}},
        document(components={"schemas": {"Form": {"$ref": "#/components/schemas/Form"}}}),
        document(components={"schemas": {"Form": {"$ref": "http://127.0.0.1:1/form"}}}),
        document(
            components={"schemas": {"Form": {"properties": {"x": 1, "y": {"enum": [[]]}}, "required": 1}}}
        ),
        document(components={"schemas": {"Form": {"allOf": [1, {"properties": LOOP}]}}}),
    ],
)
def test_an_odd_document_breaks_nothing(http: Provider, service: HTTPService, odd: Any) -> None:
    service.document = odd

    found = http.requirements(endpoint(service))

    assert found
    assert names(found)[-2:] == ["url", "method"]
    assert len(found.inputs) <= 4
    assert service.to("/form") == []


def test_no_document_is_asked_of_another_host(http: Provider, service: HTTPService, settings: Any) -> None:
    settings.HITL_RUN_HOSTS = ["api.example.com"]

    assert names(http.requirements(f"{service.url}/work")) == ["url", "method"]
    assert service.calls == []


def test_without_a_model_the_address_is_what_it_needs(http: Provider) -> None:
    found = http.requirements("")

    assert found
    assert [(one.name, one.required) for one in found.inputs] == [("url", True), ("method", False)]
