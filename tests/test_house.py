"""The house itself: layers, migrations, pages under one policy, and a document that describes every route."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client

from tests.conftest import API, Door
from tests.routes import ROUTES
from tests.steps import Enter

ROOT = Path(__file__).resolve().parent.parent
METHODS = {"get", "post", "put", "patch", "delete"}


def test_imports_go_down_the_house_only() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    seen = subprocess.run(
        [sys.executable, tool, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert seen.returncode == 0, seen.stdout


def test_no_model_is_without_its_migration(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_one_migration_makes_the_table_of_the_seed(db: None) -> None:
    assert "agent_interrupts" in connection.introspection.table_names()
    made_by = [
        path.name
        for path in (ROOT / "interrupts" / "migrations").glob("0*.py")
        if '"db_table": "agent_interrupts"' in path.read_text()
    ]
    assert made_by == ["0001_initial.py"]


@pytest.mark.parametrize(
    "path",
    [
        "/admin/login/",
        "/docs",
        "/docs/problems",
        "/nowhere",
        "/healthz",
        "/readyz",
        "/.well-known/jwks.json",
        f"{API}/interrupts",
        f"{API}/schema",
        "/",
    ],
)
def test_every_page_stands_under_the_same_strict_policy(client: Client, db: None, path: str) -> None:
    policy = client.get(path)["Content-Security-Policy"]

    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["connect-src"] == "'self'"
    assert directives["frame-ancestors"] == directives["base-uri"] == "'none'"
    assert "unsafe" not in policy
    assert "*" not in policy


def test_pages_are_not_framed_nor_sniffed(client: Client, db: None) -> None:
    answer = client.get("/admin/login/")

    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/admin/login/", "/docs", "/docs/problems"])
def test_a_page_brings_everything_itself(client: Client, db: None, path: str) -> None:
    page = client.get(path).content.decode()

    assert "<script>" not in page
    assert " style=" not in page
    assert "<style>" not in page
    for part in page.split('src="')[1:] + page.split('href="')[1:]:
        assert part[0] in "/#?.", part[:80]


def test_the_admin_asks_who_is_there(client: Client, ann: User, enter: Enter) -> None:
    assert client.get("/admin/").headers["Location"].startswith("/admin/login/")
    assert enter(ann).get("/admin/").status_code == 200


# -- OpenAPI --------------------------------------------------------------------------------------------


@pytest.fixture
def document(db: None) -> dict[str, Any]:
    found: dict[str, Any] = Door().get(f"{API}/schema").json()
    return found


def test_the_document_describes_every_route_and_no_other(document: dict[str, Any]) -> None:
    def named(path: str) -> str:
        return path.removeprefix(API).replace("{", "<").replace("}", ">").replace("<id>", "<pk>")

    described = {
        f"{method.upper()} {named(path)}"
        for path, item in document["paths"].items()
        for method in item
        if method in METHODS
    }

    assert described == {route.call for route in ROUTES}


def test_every_operation_says_what_it_takes_answers_and_refuses(document: dict[str, Any]) -> None:
    seen = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            responses = operation["responses"]
            assert operation["summary"], path
            assert {"401", "403", "429"} <= set(responses), path
            assert len({"200", "201", "202", "204"} & set(responses)) >= 1, path
            assert ("204" in responses) <= (method == "delete"), path
            assert ("{" in path.replace("{session_id}", "").replace("{agent_name}", "")) <= (
                "404" in responses
            )
            if "requestBody" in operation:
                assert {"400", "413", "415"} <= set(responses), path
                is_upload = path.endswith(("/attachments", "/files"))
                takes = "multipart/form-data" if is_upload else "application/json"
                assert set(operation["requestBody"]["content"]) == {takes}
            for status, response in responses.items():
                if status >= "400":
                    assert set(response["content"]) == {"application/problem+json"}, (path, status)
                    assert response["description"], (path, status)
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])
            assert method in METHODS


def test_every_schema_in_it_is_one_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def look(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(target := value.get("$ref"), str):
                found: Any = document
                for step in target.removeprefix("#/").split("/"):
                    found = found[step]
            if isinstance(schema := value.get("schema"), dict):
                jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    assert document["openapi"].startswith("3.1")
    look(document)
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate(schema)
        assert name


def test_every_example_of_a_body_is_one(document: dict[str, Any]) -> None:
    examples = 0
    for path, item in document["paths"].items():
        for operation in item.values():
            media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            schema = {**media.get("schema", {}), "components": document["components"]}
            for example in (
                *(one["value"] for one in media.get("examples", {}).values()),
                *schema.get("examples", []),
            ):
                jsonschema_rs.Draft202012Validator(schema).validate(example)
                examples += 1
                assert path
    assert examples > 10


def test_an_item_is_what_the_document_says(agent: Door, as_ann: Door, document: dict[str, Any]) -> None:
    asked = agent.ask(tool_args={"a": 1}, response_schema={"type": "string"}, type="input")
    as_ann.post_json(f"/interrupts/{asked['id']}/respond", {"response": "x"})
    for name, shown in (
        ("Interrupt", asked),
        ("Interrupt", agent.get_json(f"/interrupts/{asked['id']}").json()),
        ("InterruptStatus", agent.get_json(f"/interrupts/{asked['id']}/status").json()),
        ("Event", agent.get_json("/events").json()["results"][0]),
        ("Statistics", agent.get_json("/statistics").json()),
        ("Problem", agent.get_json("/interrupts/int_1").json()),
    ):
        schema = document["components"]["schemas"][name]
        whole = {**schema, "components": document["components"]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(shown)
        if name != "Problem":
            assert set(shown) <= set(schema["properties"]), name


def test_the_docs_need_no_network(client: Client, db: None) -> None:
    page = client.get("/docs").content.decode()

    assert "swagger-ui" in page
    assert "http" not in page.replace("http://testserver", "").replace("http://www.w3.org", "")
