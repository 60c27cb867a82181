"""Every example in the OpenAPI document is a JSON body that its route takes."""

from typing import Any

import pytest
from django.test import Client

from events.schema import errors_of


def bodies(client: Client) -> list[tuple[str, dict[str, Any]]]:
    paths = client.get("/api/v1/schema").json()["paths"]
    return [
        (f"{verb} {path}", content["application/json"]["schema"])
        for path, operations in paths.items()
        for verb, operation in operations.items()
        if "application/json" in (content := operation.get("requestBody", {}).get("content", {}))
    ]


@pytest.mark.django_db
def test_every_body_shows_an_example_that_is_valid(client: Client) -> None:
    shown = bodies(client)
    assert len(shown) >= 13
    for route, schema in shown:
        assert schema["examples"], route
        for example in schema["examples"]:
            assert not errors_of(schema, example), route
