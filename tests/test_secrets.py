"""Secret answers: written once by a person, read by the agent that asked, then destroyed."""

import base64
import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from agents import keys
from agents.models import Agent
from events import signals
from events.models import Event
from hitl_project.environment import generated_secret, new_key, read_keys
from requests_app import secrets, services
from requests_app.models import Secret
from reviews.models import ReviewItem
from reviews.services import cleanup
from tests.conftest import Door
from tests.steps import MakeAgent, event_types, problem
from tests.test_settings import manage

KEY, CODE = "sk-canary-0123456789", "canary-code"
FIELDS = {
    "key": {"label": "Key", "type": "secret"},
    "code": {"label": "Code", "type": "secret", "required": False},
    "account": "Account",
}
Seal = Callable[..., str]


@pytest.fixture
def seal(agent: Door, as_ann: Door) -> Seal:
    """Return a function that asks, has ann answer with secrets, and gives the request's id."""

    def ask_and_answer(door: Door = agent, **answers: str) -> str:
        pk = str(door.need(required_fields=FIELDS)["id"])
        answer = verb(as_ann, pk, "fulfill", response_data={"key": KEY, "account": "A-1", **answers})
        assert answer.status_code == 200, answer.content
        assert KEY not in answer.content.decode()
        return pk

    return ask_and_answer


def verb(door: Door, pk: str, name: str, **body: Any) -> Any:
    return door.post_json(f"/requests/{pk}/{name}", body)


def state(door: Door, pk: str) -> str:
    return str(door.get_json(f"/requests/{pk}").json()["secrets"]["state"])


def let_time_pass(pk: str, **span: float) -> None:
    """Move what happened to *pk* into the past."""
    ago = Now() - dt.timedelta(**span)
    ReviewItem.objects.filter(pk=pk).update(resolved_at=ago)
    ReviewItem.objects.filter(pk=pk, leased_until__isnull=False).update(leased_until=ago)
    Secret.objects.filter(request=pk).update(created_at=ago)


def test_the_asking_agent_reads_them_once_and_they_are_destroyed(agent: Door, seal: Seal) -> None:
    pk = seal(code=CODE)
    assert agent.get_json(f"/requests/{pk}").json()["response_data"] == {"account": "A-1"}
    assert state(agent, pk) == "sealed"

    answer = verb(agent, pk, "reveal")

    assert answer.json()["values"] == {"key": KEY, "code": CODE}
    assert answer["Cache-Control"] == "no-store"
    lease = dt.datetime.fromisoformat(answer.json()["lease_expires_at"]) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(seconds=110) < lease < dt.timedelta(seconds=130)
    assert state(agent, pk) == "revealed"
    acknowledged = verb(agent, pk, "ack")
    assert acknowledged.json()["secrets"]["state"] == "acknowledged"
    assert not Secret.objects.exists()
    assert event_types(pk)[-2:] == ["hitl.item.revealed", "hitl.item.consumed"]
    for name in ("reveal", "ack"):
        problem(verb(agent, pk, name), 410, "acknowledged")


def test_a_lease_keeps_everybody_else_out_until_it_ends(agent: Door, seal: Seal) -> None:
    pk = seal()
    assert verb(agent, pk, "reveal").status_code == 200

    held = verb(agent, pk, "reveal")

    problem(held, 410, "leased")
    assert held["Retry-After"] == "120"
    assert KEY not in held.content.decode()
    let_time_pass(pk, seconds=1)
    assert verb(agent, pk, "reveal").json()["values"] == {"key": KEY}
    assert event_types(pk).count("hitl.item.revealed") == 2


def test_what_nobody_fetches_is_purged_and_cannot_be_had_even_before_the_sweep(
    agent: Door, seal: Seal
) -> None:
    kept, old = seal(), seal()
    let_time_pass(old, hours=24, seconds=1)
    problem(verb(agent, old, "reveal"), 410, "purged")

    assert services.purge() == 1
    assert services.purge() == 0

    assert state(agent, old) == "purged"
    for name in ("reveal", "ack"):
        problem(verb(agent, old, name), 410, "purged")
    assert [secret.request_id for secret in Secret.objects.all()] == [kept]
    assert event_types(old)[-1] == "hitl.item.purged"
    assert verb(agent, kept, "reveal").status_code == 200


def test_what_is_not_there_is_not_acknowledged(agent: Door, as_ann: Door, seal: Seal) -> None:
    problem(verb(agent, seal(), "ack"), 409, "not_revealed")
    pk = agent.need(required_fields=FIELDS)["id"]
    for name in ("reveal", "ack"):
        problem(verb(agent, pk, name), 409, "not_fulfilled")
    plain = agent.need()["id"]
    verb(as_ann, plain, "fulfill", response_data={})
    problem(verb(agent, plain, "reveal"), 409, "no_secrets")
    assert "hitl.item.revealed" not in event_types(plain)


def test_only_the_asking_agent_with_the_scope_reads_them(
    agent: Door, rogue: Door, as_ann: Door, make_agent: MakeAgent, seal: Seal
) -> None:
    pk = seal()
    _, text = keys.create_key(
        Agent.objects.get(name="janitor"), scopes=("create", "read", "cancel", "stream")
    )
    for name in ("reveal", "ack"):
        problem(verb(rogue, pk, name), 404, "not_found")
        problem(verb(as_ann, pk, name), 403, "forbidden")
        problem(verb(Door(headers={"Authorization": f"Bearer {text}"}), pk, name), 403, "forbidden")
        problem(verb(make_agent("backend", ("on_behalf", "read")), pk, name), 403, "forbidden")
        problem(verb(Door(), pk, name), 401)
    assert verb(agent, pk, "reveal").status_code == 200


def test_nobody_writes_them_twice(agent: Door, as_ann: Door, seal: Seal) -> None:
    pk = seal()

    problem(verb(as_ann, pk, "fulfill", response_data={"key": "other", "account": "x"}), 409)

    assert verb(agent, pk, "reveal").json()["values"] == {"key": KEY}


@pytest.mark.parametrize("part", ["whole", "wrapped_key", "sealed_value", "field"])
def test_a_row_moved_elsewhere_opens_nothing(agent: Door, seal: Seal, part: str) -> None:
    one, other = seal(code=CODE), seal(code=CODE)
    mine, theirs = (
        Secret.objects.get(request=one, field="key"),
        Secret.objects.get(request=other, field="key"),
    )
    if part == "whole":
        mine.delete()
        Secret.objects.filter(pk=theirs.pk).update(request=one)
    elif part == "field":
        Secret.objects.filter(request=one, field="code").delete()
        Secret.objects.filter(pk=mine.pk).update(field="code")
    else:
        Secret.objects.filter(pk=mine.pk).update(**{part: getattr(theirs, part)})

    told = problem(verb(agent, one, "reveal"), 503, "secrets_unreadable")

    assert KEY not in str(told)
    assert state(agent, one) == "sealed"  # no lease was taken


def test_another_agent_opens_nothing(rogue: Door, seal: Seal) -> None:
    pk = seal()
    ReviewItem.objects.filter(pk=pk).update(agent_id="rogue")

    problem(verb(rogue, pk, "reveal"), 503, "secrets_unreadable")


def test_another_deployment_opens_nothing(agent: Door, seal: Seal, settings: Any) -> None:
    pk = seal()
    settings.HITL_DEPLOYMENT_ID = "another deployment"

    problem(verb(agent, pk, "reveal"), 503, "secrets_unreadable")


def test_without_the_key_it_is_said_which_one_is_missing(agent: Door, seal: Seal, settings: Any) -> None:
    pk, kept = seal(), settings.HITL_SECRETS_KEYS
    settings.HITL_SECRETS_KEYS = {7: new_key()}

    told = problem(verb(agent, pk, "reveal"), 503, "secrets_unreadable")

    assert "version 1" in told["detail"]
    settings.HITL_SECRETS_KEYS = kept
    assert verb(agent, pk, "reveal").status_code == 200


def test_the_same_secret_is_never_sealed_the_same(seal: Seal) -> None:
    one, other = Secret.objects.get(request=seal()), Secret.objects.get(request=seal())

    assert bytes(one.sealed_value) != bytes(other.sealed_value)
    assert KEY.encode() not in bytes(one.sealed_value) + bytes(one.wrapped_key)


def test_cleanup_takes_them_along(agent: Door, seal: Seal) -> None:
    from_long_ago = seal()
    let_time_pass(from_long_ago, days=31)

    assert cleanup() == 1

    assert not Secret.objects.exists()


def test_listeners_are_told_of_the_answers_that_are_not_secret(
    seal: Seal, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[dict[str, Any]] = []

    def receiver(**fields: Any) -> None:
        told.append(fields)

    signals.request_fulfilled.connect(receiver)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            seal()
    finally:
        signals.request_fulfilled.disconnect(receiver)

    (one,) = told
    assert (one["response_data"], one["secret_fields"]) == ({"account": "A-1"}, ["key"])
    assert KEY not in str(one) + str(vars(one["request"]))


# -- Rotation -----------------------------------------------------------------------------------------


def versions() -> set[int]:
    return set(Secret.objects.values_list("key_version", flat=True))


def test_rotation_rewraps_everything_and_the_old_key_can_go(
    agent: Door, seal: Seal, settings: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "BATCH", 2)
    sealed = [seal() for _ in range(5)]
    settings.HITL_SECRETS_KEYS = {2: new_key(), **settings.HITL_SECRETS_KEYS}
    newer = seal()

    call_command("rotate_secrets_key")

    assert versions() == {2}
    told = capsys.readouterr()
    assert told.out == "5 secrets rewrapped; all are under key 2.\n"
    assert told.err == ""  # not a terminal
    del settings.HITL_SECRETS_KEYS[1]
    for pk in (*sealed, newer):
        assert verb(agent, pk, "reveal").json()["values"] == {"key": KEY}
    call_command("rotate_secrets_key")
    assert capsys.readouterr().out.startswith("0 secrets")


def test_rotation_goes_on_where_it_was_stopped(
    agent: Door, seal: Seal, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "BATCH", 1)
    sealed = [seal() for _ in range(3)]
    settings.HITL_SECRETS_KEYS = {2: new_key(), **settings.HITL_SECRETS_KEYS}
    next(secrets.rewrap_all())
    assert versions() == {1, 2}

    call_command("rotate_secrets_key")

    assert versions() == {2}
    assert all(verb(agent, pk, "reveal").status_code == 200 for pk in sealed)


def test_rotation_brings_back_nothing_that_was_acknowledged_meanwhile(
    agent: Door, seal: Seal, settings: Any
) -> None:
    pk = seal()
    settings.HITL_SECRETS_KEYS = {2: new_key(), **settings.HITL_SECRETS_KEYS}
    seen = list(Secret.objects.select_related("request"))
    verb(agent, pk, "reveal")
    verb(agent, pk, "ack")

    assert secrets.rewrap(seen) == (0, 0)
    assert not Secret.objects.exists()


def test_rotation_names_what_it_cannot_read_and_does_the_rest(seal: Seal, settings: Any) -> None:
    lost, _ = seal(), seal()
    Secret.objects.filter(request=lost).update(key_version=9)
    settings.HITL_SECRETS_KEYS = {2: new_key(), **settings.HITL_SECRETS_KEYS}

    with pytest.raises(CommandError, match="1 secrets rewrapped; 1 cannot be read"):
        call_command("rotate_secrets_key")

    assert versions() == {2, 9}


def test_a_new_key_goes_in_front_of_those_that_were_drawn(tmp_path: Path) -> None:
    data = {"HITL_DATA_DIR": str(tmp_path)}
    drawn = generated_secret(tmp_path, "secrets_keys", draw=lambda: f"1:{new_key()}")

    printed = manage("rotate_secrets_key", "--new", **data)

    kept = json.loads((tmp_path / "secrets.json").read_text())
    assert "Restart the server, then run this again" in printed.stdout
    assert list(read_keys("HITL_SECRETS_KEYS", kept["secrets_keys"])) == [2, 1]
    assert kept["secrets_keys"].endswith(f",{drawn}")
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0
    assert not re.search(r"[\w-]{43}=", printed.stdout + printed.stderr)
    assert generated_secret(tmp_path, "key_pepper") == kept["key_pepper"]


def test_where_the_environment_has_the_keys_only_the_new_one_is_printed(tmp_path: Path) -> None:
    old = new_key()

    printed = manage(
        "rotate_secrets_key",
        "--new",
        HITL_DATA_DIR=str(tmp_path),
        HITL_SECRETS_KEYS=f"3:{old},1:{new_key()}",
    )

    version, _, key = printed.stdout.strip().partition(":")
    assert (version, len(base64.urlsafe_b64decode(key))) == ("4", 32)
    assert old not in printed.stdout + printed.stderr
    assert "secrets_keys" not in (tmp_path / "secrets.json").read_text()


def test_the_record_says_that_they_were_read_and_not_what_they_are(agent: Door, seal: Seal) -> None:
    pk = seal()
    verb(agent, pk, "reveal")

    events = Event.objects.filter(subject_id=pk)

    assert not [event for event in events if KEY in event.data]
    assert json.loads(events.get(type="hitl.item.revealed").data)["fields"] == ["key"]
