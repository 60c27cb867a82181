"""Guessing passwords: how often, from where, and whom it keeps out."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from events.models import Event
from hitl_project import logins

FAILED, ENTERED = "hitl.user.login_failed", "hitl.user.logged_in"


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "TRIES", 2)
    monkeypatch.setattr(logins, "TRIES_OF_ONE", 4)
    cache.clear()


def enters(name: str, password: str, address: str = "192.0.2.1", told: str = "") -> bool:
    answer = Client(REMOTE_ADDR=address).post(
        "/admin/login/",
        {"username": name, "password": password},
        headers={"X-Forwarded-For": told} if told else {},
    )
    return answer.status_code == 302


def recorded(event_type: str) -> list[str]:
    return list(Event.objects.filter(type=event_type).values_list("subject_id", flat=True))


def test_headers_that_anybody_can_write_give_no_more_tries(ann: User) -> None:
    for number in range(3):
        enters("ann", "guess", told=f"198.51.100.{number}")

    assert not enters("ann", "ann-has-a-password", told="198.51.100.9")
    assert enters("ann", "ann-has-a-password", address="192.0.2.2")


@pytest.mark.parametrize(("proxies", "right"), [(1, "203.0.113.5"), (2, "203.0.113.5, 10.0.0.1")])
def test_behind_proxies_the_right_end_counts_alone(
    ann: User, settings: Any, proxies: int, right: str
) -> None:
    settings.HITL_BEHIND_PROXY, settings.HITL_PROXIES = True, proxies
    for number in range(3):
        enters("ann", "guess", told=f"198.51.100.{number}, {right}")

    assert not enters("ann", "ann-has-a-password", told=f"198.51.100.9, {right}")
    assert enters("ann", "ann-has-a-password", told=right.replace("113.5", "113.6"))


def test_many_addresses_together_have_a_limit_that_spares_where_somebody_works(ann: User) -> None:
    assert enters("ann", "ann-has-a-password", address="192.0.2.50")
    for number in range(5):
        enters("ann", "guess", address=f"198.51.100.{number}")

    assert not enters("ann", "ann-has-a-password", address="192.0.2.77")
    assert enters("ann", "ann-has-a-password", address="192.0.2.50")


def test_one_address_cannot_try_many_names(ann: User) -> None:
    for number in range(5):
        enters(f"nobody{number}", "guess")

    assert not enters("ann", "ann-has-a-password")


def test_an_ipv6_network_counts_as_one_address(ann: User) -> None:
    for number in range(1, 4):
        enters("ann", "guess", address=f"2001:db8::{number}")

    assert not enters("ann", "ann-has-a-password", address="2001:db8::ffff")
    assert enters("ann", "ann-has-a-password", address="2001:db8:1::1")


def test_a_flood_is_one_line_of_the_record_and_names_nobody_unknown(ann: User) -> None:
    for _ in range(20):
        enters("ann", "guess")
        enters("my-password-by-mistake", "guess", address="192.0.2.2")
    enters("ann", "ann-has-a-password", address="192.0.2.3")

    assert sorted(recorded(FAILED)) == ["ann", "unknown"]
    assert recorded(ENTERED) == ["ann"]


def test_pauses_grow_to_a_quarter_of_an_hour_and_end(ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[int] = []
    add = cache.add

    def noted(key: str, value: int, seconds: int) -> bool:
        if not key.endswith(":pause"):
            return bool(add(key, value, seconds))
        pauses.append(seconds)
        return True  # over at once

    monkeypatch.setattr(cache, "add", noted, raising=False)
    monkeypatch.setattr(logins, "TRIES_OF_ONE", 1_000)
    for _ in range(18):
        enters("ann", "guess")

    assert pauses == [60, 120, 240, 480, 900, 900]
    assert enters("ann", "ann-has-a-password")


def test_the_longest_name_logs_in_and_is_on_the_record(make_user: Callable[..., User]) -> None:
    name = "x" * 150
    make_user(name, "reviewer")
    answer = Client().post("/admin/login/", {"username": name, "password": f"{name}-has-a-password"})
    assert answer.status_code == 302
    assert Event.objects.get(type="hitl.user.logged_in").subject_id == name
