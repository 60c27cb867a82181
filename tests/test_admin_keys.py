"""Agents and keys: made, shown once, rotated, revoked; and nowhere else to be seen."""

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents.models import Agent, Key
from events.models import Event
from tests.admin import text_of
from tests.conftest import Door

KEYS, AGENTS = "/admin/agents/key/", "/admin/agents/agent/"
TEXT = re.compile(r"hitl_[0-9a-f]{12}_[\w-]{43}")


@pytest.fixture
def as_ada(ada: User, enter: Any) -> Door:
    door: Door = enter(ada)
    return door


def make(door: Door, holder: str, **fields: Any) -> Any:
    return door.post(f"{KEYS}add/", {"holder": holder, "days": "90", "scopes": ["create", "read"], **fields})


def test_an_agent_is_made_and_then_given_a_key(as_ada: Door) -> None:
    answer = as_ada.post(f"{AGENTS}add/", {"name": "scout", "description": "Looks around", "owner": ""})

    assert answer["Location"] == f"{KEYS}add/?agent=scout"
    assert Event.objects.filter(type="hitl.agent.created", subject_id="scout").exists()


@pytest.mark.parametrize("query", [{}, {"after": "x"}, {"after": "9" * 40}, {"before": "x"}])
def test_keys_are_listed_whatever_the_address_names(agent: Door, as_ada: Door, query: dict[str, str]) -> None:
    answer = as_ada.get(KEYS, query)

    assert answer.status_code == 200
    assert agent.key[:12] in text_of(answer)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["", "system", "a/b", "-x", "x" * 101, "naïve", "a\u202eb"])
def test_a_name_an_agent_cannot_have_is_refused(as_ada: Door, name: str) -> None:
    assert as_ada.post(f"{AGENTS}add/", {"name": name, "description": ""}).status_code == 200
    assert not Agent.objects.exists()


def test_a_name_stays_and_an_agent_is_deactivated_rather_than_deleted(agent: Door, as_ada: Door) -> None:
    as_ada.post(f"{AGENTS}janitor/change/", {"name": "other", "description": "Off duty", "owner": ""})

    changed = Agent.objects.get()
    assert (changed.name, changed.description, changed.is_active) == ("janitor", "Off duty", False)
    assert agent.get_json("/interrupts").status_code == 401
    assert as_ada.post(f"{AGENTS}janitor/delete/", {"post": "yes"}).status_code == 403
    told = Event.objects.get(type="hitl.agent.changed")
    assert told.actor == "user:ada"


def test_a_key_is_shown_once_and_works(agent: Door, as_ada: Door) -> None:
    answer = make(as_ada, "agent:janitor", label="laptop")

    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    (text,) = TEXT.findall(answer.content.decode())
    door = Door(headers={"Authorization": f"Bearer {text}"})
    assert door.ask()["agent"] == "janitor"
    key = Key.objects.get(label="laptop")
    assert key.scopes == ["create", "read"]
    assert key.expires_at is not None
    assert dt.timedelta(days=89) < key.expires_at - timezone.now() < dt.timedelta(days=91)
    secret = text.split("_", 2)[2]  # which may have this sign itself
    for path in (KEYS, f"{KEYS}{key.pk}/change/", "/admin/", "/admin/events/event/"):
        assert secret not in as_ada.get(path).content.decode()
    assert secret not in str(dict(as_ada.session))
    assert not Event.objects.filter(data__contains=secret).exists()
    created = Event.objects.get(type="hitl.key.created", subject_id=f"key_{key.prefix}")
    assert created.actor == "user:ada"


@pytest.mark.parametrize("scopes", [[], ["create", "on_behalf"], ["root"]])
def test_scopes_that_do_not_go_together_are_refused(agent: Door, as_ada: Door, scopes: list[str]) -> None:
    answer = make(as_ada, "agent:janitor", scopes=scopes)

    assert not TEXT.search(answer.content.decode())
    assert answer.context["form"].errors["scopes"]


def test_a_reviewer_makes_a_key_for_themselves_and_for_nobody_else(agent: Door, as_ann: Door) -> None:
    (text,) = TEXT.findall(make(as_ann, "mine", label="script").content.decode())
    assert Door(headers={"Authorization": f"Bearer {text}"}).get_json("/interrupts").status_code == 200

    assert not TEXT.search(make(as_ann, "agent:janitor").content.decode())
    listed = text_of(as_ann.get(KEYS))
    assert "ann (personal)" in listed
    assert "janitor" not in listed


@pytest.mark.parametrize(("hours", "overlap"), [("1", 1), ("24", 24)])
def test_a_rotated_key_goes_on_for_the_overlap(agent: Door, as_ada: Door, hours: str, overlap: int) -> None:
    old = Key.objects.get()

    answer = as_ada.post(f"{KEYS}{old.pk}/rotate/", {"hours": hours})

    (text,) = TEXT.findall(answer.content.decode())
    assert Door(headers={"Authorization": f"Bearer {text}"}).get_json("/interrupts").status_code == 200
    assert agent.get_json("/interrupts").status_code == 200
    old.refresh_from_db()
    assert old.expires_at is not None
    assert abs(old.expires_at - timezone.now() - dt.timedelta(hours=overlap)) < dt.timedelta(minutes=1)


def test_a_successor_holds_no_longer_than_the_key_was_meant_to(agent: Door, as_ada: Door) -> None:
    ends = timezone.now() + dt.timedelta(days=2)
    Key.objects.update(expires_at=ends)

    as_ada.post(f"{KEYS}{Key.objects.get().pk}/rotate/", {"hours": "1"})

    assert Key.objects.order_by("pk").last().expires_at == ends  # type: ignore[union-attr]


def test_revoking_asks_first_and_then_ends_the_key(agent: Door, as_ada: Door) -> None:
    key = Key.objects.get()
    assert "cannot be undone" in text_of(as_ada.get(f"{KEYS}{key.pk}/revoke/"))
    assert agent.get_json("/interrupts").status_code == 200

    as_ada.post(f"{KEYS}{key.pk}/revoke/")

    assert agent.get_json("/interrupts").status_code == 401
    assert "revoked" in text_of(as_ada.get(KEYS))
    assert as_ada.post(f"{KEYS}{key.pk}/revoke/").status_code == 404


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
def test_the_keys_of_others_are_out_of_reach(
    agent: Door, as_ann: Door, carol: User, enter: Any, verb: str
) -> None:
    key = Key.objects.get()

    assert as_ann.post(f"{KEYS}{key.pk}/{verb}/", {"hours": "1"}).status_code == 404
    assert enter(carol).post(f"{KEYS}{key.pk}/{verb}/", {"hours": "1"}).status_code in (403, 404)
    assert agent.get_json("/interrupts").status_code == 200


def test_looking_never_makes_or_ends_a_key(agent: Door, as_ada: Door) -> None:
    key = Key.objects.get()

    for path in (
        f"{KEYS}add/?holder=mine&days=90",
        f"{KEYS}{key.pk}/rotate/?hours=1",
        f"{KEYS}{key.pk}/revoke/",
    ):
        assert as_ada.get(path).status_code == 200
    assert Key.objects.count() == 1
    assert Key.objects.get().revoked_at is None


@pytest.mark.parametrize(
    "place", ["", "?after=", "?after=abc", "?before=9999999999999999999999", "?after=-1"]
)
def test_the_list_is_shown_whatever_its_page_is_to_begin_behind(as_ada: Door, place: str) -> None:
    assert as_ada.get(f"{KEYS}{place}").status_code == 200
