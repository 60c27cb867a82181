"""What people correct is counted and offered, and never applied without an administrator."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.callers import Caller, of_user
from events.models import Event
from events.problems import Problem
from runs import corrections
from runs.models import Correction, ModelInput, RegisteredModel

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kettle() -> RegisteredModel:
    """A model that only these tests know."""
    model = RegisteredModel.objects.create(tool="kettle", pattern="*kettle*", title="Kettle")
    for name, kind, more in (
        ("warmth", "integer", {"rules": {"maximum": 100}, "default": 90}),
        ("style", "text", {}),
        ("prompt", "text", {}),
        ("poem", "text", {"required": True}),
        ("cup", "image", {}),
        ("extras", "json", {}),
        ("api_key", "text", {}),
        ("loud", "boolean", {}),
    ):
        ModelInput.objects.create(model=model, name=name, kind=kind, **more)
    return model


@pytest.fixture
def by(ada: User) -> Caller:
    return of_user(ada)


def correct(times: int = 1, before: Any = None, **after: Any) -> None:
    for _ in range(times):
        corrections.note("kettle", "me/Kettle:2", before or {}, after)


def offered() -> list[Any]:
    return [offer.value for offer in corrections.offers("kettle")]


def test_what_people_set_five_times_is_offered() -> None:
    correct(4, {"warmth": 90}, warmth=70)
    assert offered() == []

    correct(1, {"warmth": 90}, warmth=70)

    assert offered() == [70]
    assert [offer.value for offer in corrections.offers()] == [70]
    assert corrections.offers("another") == []
    assert ModelInput.objects.get(name="warmth").default == 90


def test_the_most_frequent_comes_first() -> None:
    correct(5, style="plain")
    correct(6, style="bold")

    assert offered() == ["bold", "plain"]


def test_what_was_left_as_it_was_is_no_correction() -> None:
    correct(9, {"warmth": 70}, warmth=70)

    assert not Correction.objects.exists()


def test_what_is_the_default_already_is_not_offered() -> None:
    correct(5, {"warmth": 70}, warmth=90)

    assert offered() == []


def test_one_and_true_are_two_values() -> None:
    correct(5, {"loud": 1}, loud=True)

    assert offered() == [True]


@pytest.mark.parametrize(
    "after",
    [
        {"prompt": "a letter to my doctor"},
        {"poem": "short"},
        {"cup": "attachment:att_1"},
        {"extras": {"name": "Ada"}},
        {"api_key": "open sesame"},
        {"style": "so " * 70},
        {"style": "ada@example.org"},
        {"style": "https://ada.example.org/"},
        {"style": "first\nsecond"},
        {"style": "sk1234567890abcdefghijk"},
        {"style": "  "},
        {"style": "TODO"},
        {"style": None},
        {"warmth": 101},
        {"warmth": "70"},
        {"unheard": 1},
    ],
)
def test_what_could_be_private_or_is_no_value_is_not_kept(after: dict[str, Any]) -> None:
    correct(**after)

    assert not Correction.objects.exists()


def test_a_model_that_nobody_described_is_not_learned_about() -> None:
    corrections.note("kettle", "toaster", {}, {"warmth": 70})

    assert not Correction.objects.exists()


def test_fifty_values_are_kept_and_the_frequent_ones_among_them() -> None:
    correct(3, {"warmth": 90}, warmth=70)
    for warmth in range(60):
        correct(1, {"warmth": 90}, warmth=warmth)

    assert Correction.objects.count() == corrections.VALUES_AT_MOST
    assert Correction.objects.get(value=70).count == 3
    assert Correction.objects.filter(value=59).exists()


def test_an_accepted_offer_is_the_default_and_on_the_record(by: Caller) -> None:
    correct(5, {"warmth": 90}, warmth=70)

    corrections.accept(corrections.offers("kettle")[0], by)

    assert ModelInput.objects.get(name="warmth").default == 70
    assert offered() == []
    event = Event.objects.get(type="hitl.policy.changed")
    assert (event.stream, event.actor) == ("system", "user:ada")
    assert json.loads(event.data) == {
        "tool": "kettle", "model": "*kettle*", "input": "warmth", "change": "default",
        "before": {"default": 90}, "after": {"default": 70},
    }  # fmt: skip


def test_accepting_twice_changes_nothing_more(by: Caller) -> None:
    correct(5, style="plain")
    [offer] = corrections.offers("kettle")

    corrections.accept(offer, by)
    corrections.accept(offer, by)

    assert Event.objects.filter(type="hitl.policy.changed").count() == 1


def test_a_dismissed_offer_does_not_come_back(by: Caller) -> None:
    correct(5, style="plain")
    [offer] = corrections.offers("kettle")

    corrections.dismiss(offer, by)
    correct(5, style="plain")

    assert offered() == []
    assert '"change":"dismissed"' in Event.objects.get(type="hitl.policy.changed").data
    Correction.objects.filter(pk=offer.pk).update(count=0)
    for number in range(60):
        correct(style=f"style {number}")
    assert Correction.objects.filter(pk=offer.pk).exists()
    for late in (corrections.accept, corrections.dismiss):
        with pytest.raises(Problem) as refused:
            late(offer, by)
        assert refused.value.code == "correction_gone"
