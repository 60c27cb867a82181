"""Settings: what they change, and how a wrong one is explained in a sentence."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from hitl_project import checks as ours
from hitl_project.environment import generated_secret, new_key
from hitl_project.settings import whole_number
from tests.conftest import Door
from tests.steps import event_types

pytestmark = pytest.mark.sqlite

ROOT = Path(__file__).resolve().parent.parent


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HITL_DATA_DIR", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# -- HITL_ENABLED ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["approval", "confirmation"])
def test_switched_off_nobody_is_asked_and_the_record_says_so(
    agent: Door, as_ann: Door, settings: Any, kind: str
) -> None:
    settings.HITL_ENABLED = False

    asked = agent.ask(type=kind)

    assert (asked["status"], asked["resolved_by"], asked["is_resolved"]) == ("approved", "system", True)
    assert event_types(asked["id"]) == ["hitl.interrupt.requested", "hitl.interrupt.approved"]
    decision = agent.get_json(f"/interrupts/{asked['id']}").json()["history"][-1]
    assert (decision["actor"], "HITL_ENABLED" in decision["data"]["comment"]) == ("system", True)
    page = as_ann.get(asked["url"]).content.decode()
    assert "review is switched off" in page
    assert "by the clock" not in page


@pytest.mark.parametrize("kind", ["input", "feedback"])
def test_switched_off_what_only_a_person_knows_is_asked_still(
    agent: Door, as_ann: Door, settings: Any, kind: str
) -> None:
    settings.HITL_ENABLED = False

    asked = agent.ask(type=kind)

    assert asked["status"] == "pending"
    assert as_ann.post_json(f"/interrupts/{asked['id']}/respond", {"response": 1}).status_code == 200


def test_switched_off_a_batch_goes_through_as_a_whole(agent: Door, settings: Any) -> None:
    settings.HITL_ENABLED = False

    answer = agent.post_json(
        "/interrupts/batch", {"items": [{"reason": "x"}, {"reason": "y", "type": "input"}]}
    )

    assert [one["status"] for one in answer.json()["results"]] == ["approved", "pending"]


def test_the_default_deadline_is_a_setting(agent: Door, settings: Any) -> None:
    settings.HITL_DEFAULT_EXPIRATION_HOURS = 2

    asked = agent.ask()

    left = dt.datetime.fromisoformat(asked["expires_at"]) - dt.datetime.fromisoformat(asked["created_at"])
    assert left == dt.timedelta(hours=2)


# -- Checks ---------------------------------------------------------------------------------------------


def found(check: Any) -> list[str | None]:
    return [message.id for message in check(None)]


@pytest.mark.parametrize("hosts", [["*"], ["hitl.example.com", "*"], ["."]])
def test_a_wildcard_among_the_hosts_is_an_error(settings: Any, hosts: list[str]) -> None:
    settings.ALLOWED_HOSTS = hosts

    (error,) = ours.hosts_are_named(None)

    assert error.id == "hitl.E001"
    assert "HITL_ALLOWED_HOSTS" in str(error.msg)
    assert error.hint


@pytest.mark.parametrize("name", ["SECRET_KEY", "HITL_KEY_PEPPER"])
def test_a_short_secret_is_an_error(settings: Any, name: str) -> None:
    setattr(settings, name, "x" * 31)

    (error,) = ours.secrets_are_long(None)

    assert (error.id, str(error.msg).count("32 characters")) == ("hitl.E002", 1)


def test_redis_with_sqlite_is_an_error(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = "redis://localhost/0"
    monkeypatch.setattr("hitl_project.checks.connection.vendor", "sqlite", raising=False)

    assert found(ours.processes_can_hear_each_other) == ["hitl.E003"]


def test_another_database_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hitl_project.checks.connection", type("Connection", (), {"vendor": "mysql"}))

    assert found(ours.database_is_known) == ["hitl.E004"]


def test_switched_off_is_said_at_every_start(settings: Any) -> None:
    settings.HITL_ENABLED = False

    assert found(ours.review_is_on) == ["hitl.W001"]


def test_hosts_that_would_each_draw_their_own_keys_are_warned(settings: Any) -> None:
    settings.HITL_DRAWN = ["HITL_DEPLOYMENT_ID", "HITL_SECRETS_KEYS", "HITL_RECEIPT_KEYS", "HITL_PUSH_KEY"]
    settings.EMBEDDED = True
    assert found(ours.drawn_keys_are_shared) == []
    settings.EMBEDDED = False

    warnings = ours.drawn_keys_are_shared(None)

    assert [warning.id for warning in warnings] == ["hitl.W002"] * 4
    assert all(name in str(warning.msg) for name, warning in zip(settings.HITL_DRAWN, warnings, strict=True))


def test_the_settings_of_the_suite_are_sound(db: None) -> None:
    assert checks.run_checks(include_deployment_checks=False) == []


# -- The environment ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HITL_DEFAULT_EXPIRATION_HOURS", "soon"),
        ("HITL_ENABLED", "perhaps"),
        ("DATABASE_URL", "nonsense"),
        ("HITL_DATA_DIR", "/dev/null/var"),
        ("HITL_ALLOWED_HOSTS", "*"),
        ("HITL_LOG_LEVEL", "chatty"),
        ("HITL_SECRETS_KEYS", "1:too-short"),
        ("HITL_RECEIPT_KEYS", "1:too-short"),
        ("HITL_PUSH_KEY", "too-short"),
        ("HITL_RECEIPT_KEYS", ",".join([f"1:{new_key()}"] * 2)),
    ],
)
def test_a_wrong_value_stops_with_a_sentence(name: str, value: str) -> None:
    stopped = manage("check", "--fail-level", "ERROR", **{name: value})

    told = stopped.stdout + stopped.stderr
    assert stopped.returncode != 0
    assert "Traceback" not in told
    assert name in told
    assert len(told) < 600


@pytest.mark.parametrize("value", ["soon", "0", "-5", "1.5", "", "1e3"])
def test_a_number_is_whole_and_at_least_one(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HITL_CLEANUP_DAYS", value)

    with pytest.raises(ImproperlyConfigured, match="HITL_CLEANUP_DAYS must be a whole number"):
        whole_number("HITL_CLEANUP_DAYS", 30)


def test_secrets_are_drawn_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    first, second, other = (generated_secret(tmp_path, name) for name in ("pepper", "pepper", "secret_key"))

    assert first == second != other
    assert len(first) >= 50
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_no_secret_is_in_the_code() -> None:
    text = (ROOT / "hitl_project" / "settings.py").read_text()

    assert django_settings.SECRET_KEY not in text
    assert "insecure" not in text
