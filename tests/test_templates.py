"""Templates: what administrators say once, and agents ask for by name."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from requests_app import fields
from requests_app.models import Probe, RequestTemplate
from reviews.models import REQUESTS
from tests.conftest import Door
from tests.steps import Enter, problem

PAGES = "/admin/requests_app/requesttemplate/"
WHOLE = {
    "name": "stripe-key",
    "request_type": "api_key",
    "title": "A key for Stripe",
    "description": "Make a restricted key.",
    "required_fields": '{"key": {"label": "Key", "type": "secret", "pattern": "rk_.+"}}',
    "checklist": '["Log in", "Make it"]',
    "priority": "3",
    "expires_in_hours": "48",
    "is_active": "on",
}
ANSWERS: dict[str, Any] = {
    "secret": "ABCDEFGHIJKLMNOP",
    "date": "2030-01-31",
    "number": 12.5,
    "boolean": True,
    "email": "ann@example.com",
    "url": "https://example.com",
}


@pytest.fixture
def as_ada(ada: User, enter: Enter) -> Door:
    return enter(ada)


def add(door: Door, **changed: str) -> Any:
    return door.post(f"{PAGES}add/", {**WHOLE, **changed})


def answer_to(field: fields.Field) -> Any:
    """Return an answer that a person might give."""
    if field.type == "choice":
        return field.choices[0]
    return ANSWERS.get(field.type) or {"currency": "EUR"}.get(field.name, "HRB 123456")


# -- Those there are from the beginning ---------------------------------------------------------------


def test_there_is_one_for_each_type_to_begin_with(agent: Door) -> None:
    listed = agent.get_json("/request_templates").json()["results"]

    assert sorted(one["request_type"] for one in listed) == sorted(kind.value for kind in REQUESTS)
    for one in listed:
        fields.admit(one["required_fields"])
        assert one["required_fields"]
        assert 3_600 <= one["expires_in"] <= 90 * 86_400


def test_each_of_them_can_be_asked_for_and_fulfilled(agent: Door, as_ann: Door, as_ada: Door) -> None:
    for one in agent.get_json("/request_templates").json()["results"]:
        kept = as_ada.get(f"{PAGES}{one['name']}/change/").context["adminform"].form
        data = {name: kept[name].value() for name in kept.fields} | {"is_active": "on"}
        assert as_ada.post(f"{PAGES}{one['name']}/change/", data).status_code == 302, one["name"]

        asked = agent.post_json("/requests", {"template": one["name"], "context": {"service": "x"}}).json()
        assert asked["required_fields"] == one["required_fields"]
        assert [step["step"] for step in asked["checklist"]] == one["checklist"]
        assert asked["priority"] == one["priority"]
        asked_for = [field for field in fields.fields_of(one["required_fields"]) if field.type != "file"]
        answers = {field.name: answer_to(field) for field in asked_for}
        done = as_ann.post_json(f"/requests/{asked['id']}/fulfill", {"response_data": answers})
        assert done.status_code == 200, done.content


# -- Asking -------------------------------------------------------------------------------------------


def test_an_agent_says_what_the_template_does_not(agent: Door, as_ada: Door) -> None:
    assert add(as_ada).status_code == 302

    answer = agent.post_json(
        "/requests", {"template": "stripe-key", "title": "A key for tests", "priority": "low"}
    )

    asked = answer.json()
    assert (asked["title"], asked["priority"]) == ("A key for tests", "low")
    assert (asked["description"], asked["request_type"]) == ("Make a restricted key.", "api_key")
    assert asked["template"] == "stripe-key"
    assert [step["step"] for step in asked["checklist"]] == ["Log in", "Make it"]


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"required_fields": {"password": "Your password"}}, "required_fields"),
        ({"request_type": "custom"}, "request_type"),
        ({"template": "stripe"}, "template"),
    ],
)
def test_what_the_template_says_an_agent_cannot_change(
    agent: Door, as_ada: Door, sent: dict[str, Any], named: str
) -> None:
    add(as_ada)

    assert named in problem(agent.post_json("/requests", {"template": "stripe-key", **sent}), 400)["errors"]


def test_one_that_was_retired_is_gone_for_agents_and_what_was_asked_stays(agent: Door, as_ada: Door) -> None:
    add(as_ada)
    asked = agent.post_json("/requests", {"template": "stripe-key"}).json()
    sent = {name: value for name, value in WHOLE.items() if name not in ("is_active", "name")}

    as_ada.post(f"{PAGES}stripe-key/change/", {**sent, "required_fields": "{}"})

    problem(agent.post_json("/requests", {"template": "stripe-key"}), 400)
    names = {one["name"] for one in agent.get_json("/request_templates").json()["results"]}
    assert "stripe-key" not in names
    assert list(agent.get_json(f"/requests/{asked['id']}").json()["required_fields"]) == ["key"]


# -- Editing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("required_fields", "{", "This is not JSON"),
        ("required_fields", '{"a": "A", "a": "B"}', "stands twice"),
        ("required_fields", '["key"]', "is not of type"),
        ("required_fields", '"key"', "is not of type"),
        ("required_fields", '{"key": {"type": "secret"}}', "key.label: This field is required."),
        ("required_fields", '{"key": {"label": "K", "type": "colour"}}', "key.type: This is not one of"),
        (
            "required_fields",
            '{"key": {"label": "K", "pattern": "("}}',
            "required_fields.key: `pattern` is not",
        ),
        ("required_fields", '{"key": {"label": "K", "type": "choice"}}', "A choice needs `choices`"),
        ("required_fields", '{"key": {"label": "K", "min": 3, "max": 2}}', "`min` is greater than `max`"),
        ("required_fields", '{"key": {"label": "K", "check": "nothing"}}', "key: There is no such probe."),
        ("checklist", '{"a": 1}', "is not of type"),
        ("checklist", '["x", ""]', "1: This is shorter than 1"),
        ("checklist", json.dumps(["x"] * 51), "has more than 50 items"),
        ("expires_in_hours", "0", "greater than or equal to 1"),
        ("expires_in_hours", "8761", "less than or equal to 8760"),
        ("description", "x" * 20_001, "longer than 20000"),
        ("title", " ", "This field is required."),
        ("name", "Stripe Key", "Small letters"),
    ],
)
def test_what_could_not_be_asked_is_said_beside_the_field(
    as_ada: Door, field: str, text: str, told: str
) -> None:
    answer = add(as_ada, **{field: text})

    assert answer.status_code == 200
    found = " ".join(answer.context["adminform"].form.errors[field])
    assert told in found, found
    assert not RequestTemplate.objects.filter(title=WHOLE["title"]).exists()


def test_a_template_may_name_a_probe_and_an_agent_may_not(agent: Door, as_ada: Door) -> None:
    Probe.objects.create(name="stripe", url="https://api.example.com/")
    checked = {"key": {"label": "K", "type": "secret", "check": "stripe"}}

    assert add(as_ada, required_fields=json.dumps(checked)).status_code == 302

    assert agent.post_json("/requests", {"template": "stripe-key"}).status_code == 201
    body = {"request_type": "api_key", "title": "x", "description": "x", "required_fields": checked}
    problem(agent.post_json("/requests", body), 400)


def test_what_was_typed_is_still_there_after_a_mistake(as_ada: Door) -> None:
    answer = add(as_ada, checklist='["Log in",', title="Kept & safe")

    assert "[&quot;Log in&quot;," in answer.content.decode()
    assert "Kept &amp; safe" in answer.content.decode()


def test_empty_documents_are_no_fields_and_no_steps(as_ada: Door) -> None:
    assert add(as_ada, required_fields="", checklist=" ").status_code == 302

    kept = RequestTemplate.objects.get(name="stripe-key")
    assert (kept.required_fields, kept.checklist) == ({}, [])


def test_the_name_stays(as_ada: Door) -> None:
    add(as_ada)

    as_ada.post(f"{PAGES}stripe-key/change/", {**WHOLE, "name": "other"})

    assert not RequestTemplate.objects.filter(name="other").exists()


@pytest.mark.parametrize(
    "page", [PAGES, f"{PAGES}add/", "/admin/requests_app/probe/", "/admin/requests_app/probe/add/"]
)
def test_templates_and_probes_are_for_administrators(
    ann: User, carol: User, vic: User, ada: User, enter: Enter, page: str
) -> None:
    assert enter(ada).get(page).status_code == 200
    for user in (ann, carol, vic):
        assert enter(user).get(page).status_code == 403
