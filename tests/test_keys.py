"""Keys: how they are made, kept, checked, followed up and ended."""

import datetime as dt
import io
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.forms.models import model_to_dict

from agents import callers, keys
from agents.models import DEFAULT_SCOPES, Agent, Key, SocketTicket
from events.models import Event, Stream
from tests.conftest import Door
from tests.steps import problem


def create_agent(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_agent", *arguments, stdout=out)
    return out.getvalue()


def door_of(text: str) -> Door:
    return Door(headers={"Authorization": f"Bearer {text}"})


@pytest.fixture
def key_and_text(db: None) -> tuple[Key, str]:
    return keys.create_key(keys.create_agent("janitor"))


def test_the_command_prints_one_object_and_nothing_else(db: None) -> None:
    made = json.loads(create_agent("refunds", "--json"))

    assert list(made) == ["agent", "key"]
    assert (made["agent"], made["key"][:5]) == ("refunds", "hitl_")
    assert door_of(made["key"]).ask()["agent"] == "refunds"
    assert Key.objects.get().scopes == list(DEFAULT_SCOPES)


def test_the_command_again_makes_another_key_for_the_same_agent(db: None) -> None:
    first, second = (json.loads(create_agent("refunds", "--json"))["key"] for _ in range(2))

    asked = door_of(first).ask()
    assert door_of(second).get_json(f"/interrupts/{asked['id']}").status_code == 200
    assert Agent.objects.count() == 1


def test_the_command_tells_a_person_to_keep_the_key(db: None) -> None:
    told = create_agent("refunds", "--scopes", "read,stream", "--label", "laptop", "--days", "7")

    key = Key.objects.get()
    assert "not shown again" in told
    assert (key.scopes, key.label) == (["read", "stream"], "laptop")
    assert key.expires_at is not None
    assert 6 < (key.expires_at - key.created_at).total_seconds() / 86_400 < 8


@pytest.mark.parametrize(
    "arguments",
    [
        ("",),
        ("system",),
        ("a/b",),
        ("x" * 101,),
        ("tab\tname",),
        ("ünïcode",),
        ("fine", "--scopes", "create,decide"),
        ("fine", "--scopes", "create,on_behalf"),
        ("fine", "--scopes", ""),
        ("fine", "--days", "0"),
        ("fine", "--days", "-1"),
    ],
)
def test_the_command_refuses_in_a_sentence(db: None, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"\w+ \w+"):
        create_agent(*arguments, "--json")

    assert Key.objects.count() == 0


def test_only_a_digest_under_the_pepper_is_kept(key_and_text: tuple[Key, str], settings: Any) -> None:
    key, text = key_and_text
    prefix, secret = text.removeprefix("hitl_").split("_", 1)

    kept = json.dumps(
        [model_to_dict(key), str(key), *Event.objects.values_list("data", flat=True)], default=str
    )
    assert secret not in kept
    assert prefix in str(key)
    assert len(secret) >= 43
    settings.HITL_KEY_PEPPER = "another pepper of more than 32 characters"
    problem(door_of(text).get_json("/interrupts"), 401)


def test_no_two_keys_are_alike(key_and_text: tuple[Key, str]) -> None:
    agent = Agent.objects.get()

    assert len({keys.create_key(agent)[1] for _ in range(20)} | {key_and_text[1]}) == 21


def test_a_successor_takes_over_with_an_overlap(key_and_text: tuple[Key, str]) -> None:
    key, text = key_and_text

    successor, new_text = keys.rotate(key, overlap=dt.timedelta(hours=1), actor="user:ada")

    assert (successor.scopes, successor.agent) == (key.scopes, key.agent)
    assert door_of(text).get_json("/interrupts").status_code == 200
    assert door_of(new_text).get_json("/interrupts").status_code == 200
    key.refresh_from_db()
    assert key.expires_at is not None
    assert abs(key.expires_at - successor.created_at - dt.timedelta(hours=1)) < dt.timedelta(minutes=1)

    Key.objects.filter(pk=key.pk).update(expires_at=Now() - dt.timedelta(seconds=1))
    problem(door_of(text).get_json("/interrupts"), 401)
    assert door_of(new_text).get_json("/interrupts").status_code == 200


def test_an_overlap_makes_no_key_live_longer(key_and_text: tuple[Key, str]) -> None:
    key, _ = key_and_text
    Key.objects.update(expires_at=Now() + dt.timedelta(minutes=1))
    key.refresh_from_db()
    before = key.expires_at

    keys.rotate(key, overlap=dt.timedelta(days=1), actor="user:ada")

    key.refresh_from_db()
    assert key.expires_at == before


def test_a_revoked_key_opens_nothing_and_cannot_be_revoked_twice(key_and_text: tuple[Key, str]) -> None:
    key, text = key_and_text

    assert keys.revoke(key, actor="user:ada") is True
    assert keys.revoke(key, actor="user:ada") is False

    problem(door_of(text).get_json("/interrupts"), 401, "unauthenticated")


def test_what_happens_to_keys_is_recorded(key_and_text: tuple[Key, str], ada: User) -> None:
    key, _ = key_and_text
    keys.rotate(key, overlap=dt.timedelta(0), actor="user:ada")
    keys.revoke(key, actor="user:ada")

    recorded = Event.objects.filter(stream="system").order_by("position")
    assert list(recorded.values_list("type", flat=True)) == [
        "hitl.agent.created",
        "hitl.key.created",
        "hitl.key.created",
        "hitl.key.rotated",
        "hitl.key.revoked",
    ]
    assert recorded.last().actor == "user:ada"  # type: ignore[union-attr]


def test_the_last_use_is_noted_once_a_minute(
    key_and_text: tuple[Key, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = key_and_text
    monkeypatch.setattr(callers, "_touched", {})
    noted = []
    for now in (1_000.0, 1_001.0, 1_059.0, 1_060.5, 1_100.0):
        monkeypatch.setattr(callers, "time", SimpleNamespace(monotonic=lambda now=now: now))
        Key.objects.update(last_used_at=None)
        door_of(text).get_json("/interrupts")
        noted.append(Key.objects.get().last_used_at is not None)

    assert noted == [True, False, False, True, False]


def test_a_ticket_opens_once_and_for_a_minute(agent: Door) -> None:
    given = agent.post_json("/ws/ticket")
    ticket = given.json()["ticket"]

    assert (given.status_code, given.json()["expires_in"]) == (201, 60)
    assert ticket not in json.dumps(list(SocketTicket.objects.values()), default=str)
    key = keys.redeem_ticket(ticket)
    assert key is not None
    assert key.agent_id == "janitor"
    assert keys.redeem_ticket(ticket) is None


def test_a_ticket_lapses_and_is_swept(agent: Door) -> None:
    late, in_time = (agent.post_json("/ws/ticket").json()["ticket"] for _ in range(2))
    SocketTicket.objects.filter(digest=keys.digest_of(late)).update(
        expires_at=Now() - dt.timedelta(seconds=1)
    )

    assert keys.redeem_ticket(late) is None
    assert keys.sweep_tickets() == 1
    assert keys.redeem_ticket(in_time) is not None


def test_a_ticket_of_a_revoked_key_opens_nothing(agent: Door) -> None:
    ticket = agent.post_json("/ws/ticket").json()["ticket"]
    keys.revoke(Key.objects.get(), actor="user:ada")

    assert keys.redeem_ticket(ticket) is None
    assert keys.redeem_ticket("made-up") is None


def test_a_new_agent_has_a_stream_from_the_start(db: None) -> None:
    keys.create_agent("quiet")

    assert Stream.objects.get(name="quiet").position == 0


def test_an_agent_with_the_longest_name_asks_like_any_other(make_agent: Callable[..., Door]) -> None:
    name = "a" * 100
    assert make_agent(name).ask()["agent_name"] == name
