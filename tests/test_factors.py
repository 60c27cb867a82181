"""Second factors: set up, asked for, used once, limited, sealed, taken away, and all of it on the record."""

import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from agents import callers, presence
from events.models import Event
from hitl_project import logins
from hitl_project.environment import new_key
from tests.conftest import Door
from tests.identity import APP, CONFIRM, SECOND_STEP, code_of, codes_on, enter, is_in, secret_on, set_up_app

CODES = "/admin/security/codes/"


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    cache.clear()


def recorded(event_type: str) -> list[tuple[str, str, dict[str, Any]]]:
    found = Event.objects.filter(type=f"hitl.user.{event_type}").order_by("position")
    return [(event.subject_id, event.actor, json.loads(event.data)) for event in found]


@pytest.fixture
def armed(ann: User) -> tuple[str, list[str]]:
    """ann's application and her recovery codes."""
    client, _ = enter(ann)
    return set_up_app(client)


# -- Setting up ---------------------------------------------------------------------------------------


def test_an_application_is_set_up_by_its_first_code_and_shown_with_recovery_codes(ann: User) -> None:
    client, _ = enter(ann)
    page = client.get(APP).content.decode()
    secret = secret_on(page)

    wrong = client.post(APP, {"code": "000000"})
    assert wrong.status_code == 400
    assert secret_on(wrong.content.decode()) == secret
    assert not Authenticator.objects.exists()

    codes = codes_on(client.post(APP, {"code": code_of(secret)}).content.decode())

    assert len(set(codes)) == 10
    overview = client.get("/admin/security/").content.decode()
    assert "set up" in overview
    assert "10 left" in overview
    assert not any(code in overview for code in codes)
    assert recorded("factor_added") == [("ann", "user:ann", {"factor": "totp", "name": ""})]
    assert [who for who, _, _ in recorded("recovery_codes_drawn")] == ["ann"]


def test_the_picture_is_of_the_secret_and_brings_no_script(ann: User) -> None:
    client, _ = enter(ann)
    answer = client.get(APP)
    page = answer.content.decode()

    assert "data:image/svg+xml;base64," in page
    assert f"secret={secret_on(page)}" in page
    assert "img-src 'self' data:" in answer["Content-Security-Policy"]
    assert "no-store" in answer["Cache-Control"]


def test_nothing_is_changed_by_who_has_not_lately_shown_who_they_are(
    ann: User, armed: tuple[str, list[str]]
) -> None:
    secret, _ = armed
    client, _ = enter(ann)
    client.post(SECOND_STEP, {"code": code_of(secret)})
    session = client.session
    session[presence.SHOWN] -= 16 * 60
    session.save()
    factor = Authenticator.objects.get(type="totp")

    for path in (APP, CODES, "/admin/security/passkey/", f"/admin/security/{factor.pk}/remove/"):
        for answer in (client.get(path), client.post(path, {"code": "1"})):
            assert answer.status_code == 302
            assert answer["Location"].startswith(CONFIRM), path
    assert Authenticator.objects.count() == 2

    assert client.post(f"{CONFIRM}?next={CODES}", {"password": "guess"}).status_code == 400
    told = client.post(f"{CONFIRM}?next={CODES}", {"password": "ann-has-a-password"})
    assert told["Location"] == CODES
    assert len(codes_on(client.post(CODES).content.decode())) == 10


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_confirming_leads_nowhere_else(ann: User, place: str) -> None:
    client, _ = enter(ann)

    answer = client.post(CONFIRM, {"password": "ann-has-a-password", "next": place})

    assert answer["Location"] == "/admin/security/"


def test_nobody_takes_away_what_is_anothers(ann: User, bob: User, armed: tuple[str, list[str]]) -> None:
    client, _ = enter(bob)
    factor = Authenticator.objects.get(type="totp")

    assert client.post(f"/admin/security/{factor.pk}/remove/").status_code == 404
    assert Authenticator.objects.filter(user=ann).count() == 2


# -- Logging in ---------------------------------------------------------------------------------------


def test_the_password_alone_lets_nobody_in_who_has_a_second_factor(
    ann: User, armed: tuple[str, list[str]]
) -> None:
    before = len(recorded("logged_in"))
    client, answer = enter(ann)

    assert answer["Location"] == SECOND_STEP
    assert not is_in(client)
    assert client.get("/api/v1/interrupts").status_code == 401
    assert len(recorded("logged_in")) == before

    answer = client.post(SECOND_STEP, {"code": code_of(armed[0])})
    assert answer["Location"] == "/admin/"
    assert is_in(client)
    assert len(recorded("logged_in")) == before + 1


def test_where_somebody_wanted_to_go_they_go_after_both_steps(
    ann: User, armed: tuple[str, list[str]]
) -> None:
    client = Client()
    client.post("/admin/login/?next=/admin/inbox/", {"username": "ann", "password": "ann-has-a-password"})

    assert client.post(SECOND_STEP, {"code": code_of(armed[0])})["Location"] == "/admin/inbox/"


def test_the_second_step_is_nobodys_without_the_first(ann: User, armed: tuple[str, list[str]]) -> None:
    answer = Client().post(SECOND_STEP, {"code": code_of(armed[0])})

    assert answer["Location"] == "/admin/login/"


def test_a_code_works_once(ann: User, armed: tuple[str, list[str]]) -> None:
    code = code_of(armed[0])
    (first, _), (second, _) = enter(ann), enter(ann)

    assert first.post(SECOND_STEP, {"code": code}).status_code == 302
    assert second.post(SECOND_STEP, {"code": code}).status_code == 200
    assert not is_in(second)
    assert second.post(SECOND_STEP, {"code": code_of(armed[0], 1)}).status_code == 302


def test_the_code_that_set_it_up_is_spent_too(ann: User) -> None:
    client, _ = enter(ann)
    secret = secret_on(client.get(APP).content.decode())
    client.post(APP, {"code": code_of(secret)})
    thief, _ = enter(ann)

    assert thief.post(SECOND_STEP, {"code": code_of(secret)}).status_code == 200


def test_a_code_of_another_moment_or_another_person_is_none(
    ann: User, bob: User, armed: tuple[str, list[str]]
) -> None:
    other, _ = enter(bob)
    theirs, _ = set_up_app(other)
    client, _ = enter(ann)

    for code in (code_of(armed[0], -5), code_of(armed[0], 5), code_of(theirs), ""):
        assert client.post(SECOND_STEP, {"code": code}).status_code == 200
    assert not is_in(client)


def test_a_recovery_code_works_once_and_is_on_the_record(ann: User, armed: tuple[str, list[str]]) -> None:
    code = armed[1][3]
    (first, _), (second, _) = enter(ann), enter(ann)

    assert first.post(SECOND_STEP, {"code": code}).status_code == 302
    assert second.post(SECOND_STEP, {"code": code}).status_code == 200
    assert recorded("recovery_code_used") == [("ann", "user:ann", {})]
    assert "9 left" in first.get("/admin/security/").content.decode()


def test_new_recovery_codes_end_the_old_ones(ann: User, armed: tuple[str, list[str]]) -> None:
    client, _ = enter(ann)
    client.post(SECOND_STEP, {"code": code_of(armed[0])})
    fresh = codes_on(client.post(CODES).content.decode())

    late, _ = enter(ann)
    assert late.post(SECOND_STEP, {"code": armed[1][0]}).status_code == 200
    assert late.post(SECOND_STEP, {"code": fresh[0]}).status_code == 302


def test_codes_cannot_be_guessed_by_beginning_again_or_from_elsewhere(
    ann: User, armed: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "TRIES_OF_CODES", 3)
    for number in range(4):
        client, _ = enter(ann, f"198.51.100.{number}")
        client.post(SECOND_STEP, {"code": "000000"})

    client, _ = enter(ann, "192.0.2.99")
    answer = client.post(SECOND_STEP, {"code": code_of(armed[0])})

    assert "Too many tries" in answer.content.decode()
    assert not is_in(client)
    assert [who for who, _, _ in recorded("login_failed")] == ["ann"]


def test_a_session_does_not_guess_the_password(ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "TRIES_OF_CODES", 3)
    client, _ = enter(ann)
    for _ in range(4):
        client.post(CONFIRM, {"password": "guess"})

    answer = client.post(CONFIRM, {"password": "ann-has-a-password"})

    assert answer.status_code == 400
    assert "Too many tries" in answer.content.decode()


def test_who_may_no_longer_log_in_does_not_by_the_second_step(
    ann: User, armed: tuple[str, list[str]]
) -> None:
    client, _ = enter(ann)
    User.objects.filter(pk=ann.pk).update(is_active=False)

    client.post(SECOND_STEP, {"code": code_of(armed[0])})

    assert not is_in(client)


# -- What is kept -------------------------------------------------------------------------------------


def test_secrets_are_sealed_wherever_they_are_kept(ann: User) -> None:
    client, _ = enter(ann)
    secret = secret_on(client.get(APP).content.decode())
    pending = [session.get_decoded() for session in Session.objects.all()]
    assert secret not in json.dumps(pending)

    codes = codes_on(client.post(APP, {"code": code_of(secret)}).content.decode())

    kept = json.dumps([*Authenticator.objects.values_list("data", flat=True)])
    told = json.dumps([*Event.objects.values_list("data", flat=True)])
    sessions = json.dumps([session.get_decoded() for session in Session.objects.all()])
    for text in (secret, *codes):
        assert text not in kept + told + sessions


def test_another_key_of_the_deployment_takes_over(
    ann: User, armed: tuple[str, list[str]], settings: Any, capsys: Any
) -> None:
    old = settings.HITL_SECRETS_KEYS
    settings.HITL_SECRETS_KEYS = {max(old) + 1: new_key(), **old}
    call_command("rotate_secrets_key")
    assert "2 secrets rewrapped; all are under key" in capsys.readouterr().out

    settings.HITL_SECRETS_KEYS = {max(old) + 1: settings.HITL_SECRETS_KEYS[max(old) + 1]}
    client, _ = enter(ann)
    assert client.post(SECOND_STEP, {"code": code_of(armed[0])}).status_code == 302
    other, _ = enter(ann)
    assert other.post(SECOND_STEP, {"code": armed[1][0]}).status_code == 302


def test_a_key_that_is_gone_is_said_and_lets_nobody_in(
    ann: User, armed: tuple[str, list[str]], settings: Any
) -> None:
    settings.HITL_SECRETS_KEYS = {99: new_key()}
    client, _ = enter(ann)

    answer = client.post(SECOND_STEP, {"code": code_of(armed[0])})

    assert answer.status_code == 200
    assert "cannot read your second factor" in answer.content.decode()
    assert not is_in(client)


# -- Taking away --------------------------------------------------------------------------------------


def test_with_the_last_factor_go_the_recovery_codes(ann: User, armed: tuple[str, list[str]]) -> None:
    client, _ = enter(ann)
    client.post(SECOND_STEP, {"code": code_of(armed[0])})
    factor = Authenticator.objects.get(type="totp")

    assert client.post(f"/admin/security/{factor.pk}/remove/").status_code == 302

    assert not Authenticator.objects.exists()
    assert recorded("factor_removed") == [("ann", "user:ann", {"factor": "totp", "name": ""})]
    assert is_in(enter(ann)[0])


def test_an_administrator_lets_in_who_has_lost_the_phone(
    ann: User, as_ada: Door, as_bob: Door, armed: tuple[str, list[str]]
) -> None:
    page = f"/admin/auth/user/{ann.pk}/factors/"
    assert page in as_ada.get(f"/admin/auth/user/{ann.pk}/change/").content.decode()
    assert as_bob.post(page).status_code == 403
    assert "Application with codes" in as_ada.get(page).content.decode()
    assert Authenticator.objects.exists()

    as_ada.post(page)

    assert is_in(enter(ann)[0])
    assert recorded("factor_removed") == [("ann", "user:ada", {"factor": "totp", "name": ""})]


def test_a_superusers_factors_are_no_administrators_business(as_ada: Door, db: None) -> None:
    root = User.objects.create_superuser("root", password="root-has-a-password")
    client, _ = enter(root)
    set_up_app(client)

    assert as_ada.post(f"/admin/auth/user/{root.pk}/factors/").status_code == 403
    assert Authenticator.objects.filter(user=root).count() == 2


# -- Required -----------------------------------------------------------------------------------------


def test_where_it_is_required_nothing_else_works_before(ann: User, agent: Door, settings: Any) -> None:
    settings.HITL_SECOND_FACTOR = "REQUIRED"
    asked = agent.ask()
    client, _ = enter(ann)

    for path in ("/admin/", "/admin/inbox/", f"/admin/interrupts/interrupt/{asked['id']}/change/"):
        assert client.get(path)["Location"] == "/admin/security/"
    assert client.post(f"/api/v1/interrupts/{asked['id']}/approve").status_code == 401
    assert callers.by_cookie(f"sessionid={client.cookies['sessionid'].value}") is None  # sockets, long polls
    assert "required" in client.get("/admin/security/").content.decode()

    set_up_app(client)

    assert is_in(client)
    assert client.get("/api/v1/interrupts").status_code == 200


def test_where_it_is_required_a_session_that_began_without_confirms_by_it(
    ann: User, armed: tuple[str, list[str]], as_ann: Door, settings: Any
) -> None:
    settings.HITL_SECOND_FACTOR = "REQUIRED"
    door = as_ann  # as one that began before
    assert door.get("/admin/")["Location"] == "/admin/security/"
    assert "Confirm by password" not in door.get(CONFIRM).content.decode()
    door.post(CONFIRM, {"password": "ann-has-a-password"})
    assert door.get("/admin/").status_code == 302
    assert door.post(CODES)["Location"].startswith(CONFIRM)

    door.post(CONFIRM, {"code": code_of(armed[0])})

    assert door.get("/admin/").status_code == 200
