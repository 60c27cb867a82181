"""The registry of models in the admin: who changes it, what is refused, what people would rather have."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User

from events.models import Event
from runs.models import Correction, ModelInput, RegisteredModel
from tests.admin import text_of
from tests.conftest import Door
from tests.steps import Enter

LIST = "/admin/runs/registeredmodel/"
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def model(db: None) -> RegisteredModel:
    found = RegisteredModel.objects.create(tool="http", pattern="*kettle*", title="Kettle")
    ModelInput.objects.create(model=found, name="warmth", kind="integer", default=90)
    return found


@pytest.fixture
def offer(model: RegisteredModel) -> Correction:
    return Correction.objects.create(input=model.inputs.get(), digest="d", value=70, count=14)


def page_of(model: RegisteredModel) -> str:
    return f"{LIST}{model.pk}/change/"


def answer(door: Door, offer: Correction, said: str) -> Any:
    return door.post(f"{LIST}{offer.input.model_id}/offers/{offer.pk}/", {"answer": said}, follow=True)


def typed(door: Door, path: str) -> dict[str, str]:
    """Return what the form of a page would send untouched."""
    html = door.get(path).content.decode()
    inputs = re.findall(r"<input[^>]*>", html)
    sent = {}
    for tag in inputs:
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and not ('type="checkbox"' in tag and "checked" not in tag) and 'type="submit"' not in tag:
            sent[name[1]] = value[1] if value else ""
    for name, text in re.findall(r'<textarea name="([^"]*)"[^>]*>\r?\n?(.*?)</textarea>', html, re.S):
        sent[name] = text.replace("&quot;", '"')
    for name, options in re.findall(r'<select name="([^"]*)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        sent[name] = chosen[1] if chosen else ""
    return {name: text for name, text in sent.items() if "__prefix__" not in name}


def changes() -> list[Any]:
    return [
        json.loads(event.data)
        for event in Event.objects.filter(type="hitl.policy.changed").order_by("position")
    ]


def test_administrators_see_each_model_with_its_inputs(as_ada: Door, model: RegisteredModel) -> None:
    listed, page = text_of(as_ada.get(f"{LIST}?q=kettle")), as_ada.get(page_of(model)).content.decode()

    assert "Kettle http *kettle* 1" in listed
    assert 'value="warmth"' in page
    assert 'href="/admin/runs/registeredmodel/"' in as_ada.get("/admin/").content.decode()


@pytest.mark.parametrize("role", ["viewer", "reviewer", "auditor"])
def test_nobody_else_does(make_user: Any, enter: Enter, offer: Correction, role: str) -> None:
    door = enter(make_user("eve", role))

    assert door.get(LIST).status_code == 403
    assert door.get(page_of(offer.input.model)).status_code == 403
    assert door.post(page_of(offer.input.model), {"title": "Mine"}).status_code == 403
    assert answer(door, offer, "accept").status_code == 403
    assert ModelInput.objects.get(pk=offer.input_id).default == 90


def test_who_decides_and_who_looks_may_see_runs(ann: User, carol: User, vic: User) -> None:
    assert all(user.has_perm("runs.view_run") for user in (ann, carol, vic))


def test_what_is_changed_is_kept_typed_and_on_the_record(as_ada: Door, model: RegisteredModel) -> None:
    sent = typed(as_ada, page_of(model))
    sent |= {"title": "Kettle 2", "inputs-0-default": "80", "inputs-0-rules": '{"maximum": 100}'}

    assert as_ada.post(page_of(model), sent).status_code == 302

    given = model.inputs.get()
    assert (given.default, given.rules, given.aliases) == (80, {"maximum": 100}, [])
    [told] = changes()
    assert told["change"] == "changed"
    assert (told["before"]["title"], told["after"]["title"]) == ("Kettle", "Kettle 2")
    assert told["before"]["inputs.warmth"]["default"] == 90
    assert "pattern" not in told["after"]


def test_what_is_saved_untouched_is_not_on_the_record(as_ada: Door, model: RegisteredModel) -> None:
    assert as_ada.post(page_of(model), typed(as_ada, page_of(model))).status_code == 302
    assert changes() == []


def test_what_is_added_and_deleted_is_on_the_record(as_ada: Door) -> None:
    sent = {**typed(as_ada, f"{LIST}add/"), "tool": "http", "pattern": "*pan*", "title": "Pan"}
    assert as_ada.post(f"{LIST}add/", sent).status_code == 302
    made = RegisteredModel.objects.get(title="Pan")

    assert as_ada.post(f"{LIST}{made.pk}/delete/", {"post": "yes"}).status_code == 302

    assert [told["change"] for told in changes()] == ["created", "deleted"]
    assert not RegisteredModel.objects.filter(title="Pan").exists()


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("default", '"hot"', "This is not a whole number."),
        ("default", "101", "maximum"),
        ("default", "{", "This is not JSON"),
        ("rules", '{"pattern": "("}', "This is not a JSON Schema"),
        ("rules", "[]", "object"),
        ("rules", '{"conflicts_with": 1}', "conflicts_with"),
        ("aliases", '{"a": 1}', "array"),
        ("aliases", "[1]", "string"),
        ("name", "x" * 101, "100 characters"),
    ],
)
def test_what_could_not_work_is_refused(
    as_ada: Door, model: RegisteredModel, field: str, text: str, told: str
) -> None:
    model.inputs.update(rules={"maximum": 100})
    sent = {**typed(as_ada, page_of(model)), f"inputs-0-{field}": text}

    refused = as_ada.post(page_of(model), sent)

    assert refused.status_code == 200
    assert told in text_of(refused)
    assert model.inputs.get().default == 90
    assert changes() == []


def test_what_people_set_again_and_again_becomes_the_default(as_ada: Door, offer: Correction) -> None:
    model = offer.input.model
    for path in (LIST, page_of(model)):
        assert "People set warmth to 70 14 times." in text_of(as_ada.get(path)), path

    page = answer(as_ada, offer, "accept")

    assert "70 is the default of warmth now." in text_of(page)
    assert "People set" not in text_of(page)
    assert model.inputs.get().default == 70
    assert [told["change"] for told in changes()] == ["default"]


def test_what_is_dismissed_is_offered_no_more(as_ada: Door, offer: Correction) -> None:
    page = answer(as_ada, offer, "dismiss")

    assert "70 is offered no more for warmth." in text_of(page)
    assert "People set" not in text_of(page)
    assert offer.input.default == 90
    assert "Somebody dismissed this" in text_of(answer(as_ada, offer, "accept"))


def test_a_link_answers_no_offer(as_ada: Door, offer: Correction) -> None:
    path = f"{LIST}{offer.input.model_id}/offers/{offer.pk}/"

    assert as_ada.get(f"{path}?answer=accept").status_code == 404
    assert as_ada.post(path, {"answer": "delete"}).status_code == 404
    assert as_ada.post(f"{LIST}1/offers/{2**70}/", {"answer": "accept"}).status_code == 404
    assert ModelInput.objects.get(pk=offer.input_id).default == 90


def test_a_hostile_value_that_people_set_does_nothing(as_ada: Door, offer: Correction) -> None:
    Correction.objects.filter(pk=offer.pk).update(value=HOSTILE)

    for path in (LIST, page_of(offer.input.model)):
        html = as_ada.get(path).content.decode()
        assert "&lt;script&gt;alert" in html
        assert "<script>alert" not in html
        assert "\u202e" not in html
