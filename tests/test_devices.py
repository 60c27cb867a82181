"""A device that is switched on and off, and the admin as an application on it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from events import push
from events.models import PushSubscription
from hitl_project import checks
from reviews import notifying
from tests import push as phones
from tests.conftest import Door
from tests.push import PATH, Phone, PushService, decoded, subscribe
from tests.steps import Enter, problem

service, phone_of, at_once = phones.service, phones.phone_of, phones.at_once


# -- Subscribing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/send",
        "http://localhost:6379/",
        "https://evil.example/send",
        "https://127.0.0.1.evil.example/send",
        "https://fcm.googleapis.com@evil.example/send",
        "https://fcm.googleapis.com:8443/send",
        "http://fcm.googleapis.com/send",
        "https://notify.windows.com.evil.example/send",
        "https://evilnotify.windows.com/send",
        "https://a.notify.windows.com:8443/send",
        "https://xn--a.notify.windows.com/send",
        "https://xn--zzzzzzzzzz99999.notify.windows.com/send",
        "file:///etc/passwd",
        "https://fcm.googleapis.com\\@evil.example/",
        "//fcm.googleapis.com/send",
        "https://fcm.googleapis.com/" + "a" * 1_000,
        "",
        None,
        7,
        ["https://fcm.googleapis.com/send"],
    ],
)
def test_an_endpoint_elsewhere_is_refused(
    as_ann: Door, service: PushService, settings: Any, endpoint: Any
) -> None:
    settings.HITL_PUSH_HOSTS = ["fcm.googleapis.com:443", "*.notify.windows.com"]
    body = {**Phone(service).subscription, "endpoint": endpoint}

    answer = as_ann.post(PATH, body, content_type="application/json")

    assert problem(answer, 400, "invalid")["errors"]["endpoint"]
    assert not PushSubscription.objects.exists()


def test_the_services_of_the_browsers_are_known(as_ann: Door, service: PushService, settings: Any) -> None:
    settings.HITL_PUSH_HOSTS = settings.PUSH_HOSTS
    known = (
        *("fcm.googleapis.com", "updates.push.services.mozilla.com"),
        *("wns2-par02p.notify.windows.com", "web.push.apple.com"),
    )
    for host in known:
        assert subscribe(as_ann, Phone(service, host=f"https://{host}")).status_code == 201
    assert PushSubscription.objects.count() == 4


@pytest.mark.parametrize(
    "keys",
    [None, [], {}, {"p256dh": "x", "auth": "y"}, {"p256dh": 1}, {"p256dh": "é" * 9, "auth": "A" * 500}],
)
def test_keys_that_are_none_are_refused(as_ann: Door, service: PushService, keys: Any) -> None:
    answer = as_ann.post(PATH, {**Phone(service).subscription, "keys": keys}, content_type="application/json")

    problem(answer, 400, "invalid")


@pytest.mark.parametrize("body", ["", "[]", "{", "null", '{"endpoint": "\\u0000"}', "a" * 300_000])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_body_that_is_none_is_no_fault(as_ann: Door, body: str, method: str) -> None:
    answer = as_ann.generic(method, PATH, body, content_type="application/json")

    assert answer.status_code in (204, 400, 413)


def test_a_form_of_another_kind_is_no_fault(as_ann: Door) -> None:
    assert as_ann.post(PATH, {"endpoint": "x"}).status_code == 400


def test_a_host_that_was_taken_off_the_list_is_called_no_more(
    agent: Door, ann: User, phone_of: Callable[[User], Phone], service: PushService, settings: Any
) -> None:
    phone_of(ann)
    agent.ask()
    settings.HITL_PUSH_HOSTS = ["updates.push.services.mozilla.com"]

    assert notifying.push_to_people() == 0

    assert service.calls == []
    assert not PushSubscription.objects.exists()


def test_people_forget_their_own_devices_alone(
    ann: User, as_bob: Door, as_ann: Door, phone_of: Callable[[User], Phone]
) -> None:
    phone = phone_of(ann)

    assert as_bob.delete(PATH, phone.subscription, content_type="application/json").status_code == 204
    assert PushSubscription.objects.count() == 1
    assert as_ann.delete(PATH, phone.subscription, content_type="application/json").status_code == 204
    assert not PushSubscription.objects.exists()


def test_a_device_belongs_to_who_subscribed_it_last(
    bob: User, as_ann: Door, as_bob: Door, service: PushService
) -> None:
    phone = Phone(service)
    subscribe(as_ann, phone)
    subscribe(as_bob, phone)

    assert PushSubscription.objects.get().user == bob


def test_who_subscribes_again_is_told_of_what_came_before(
    agent: Door, ann: User, as_ann: Door, phone_of: Callable[[User], Phone]
) -> None:
    phone = phone_of(ann)
    agent.ask()

    assert subscribe(as_ann, phone).status_code == 201

    assert (notifying.push_to_people(), len(phone.shown)) == (1, 1)


def test_a_person_has_so_many_devices_at_most(
    as_ann: Door, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "DEVICES_LIMIT", 2)
    phones = [Phone(service) for _ in range(3)]
    for phone in phones:
        subscribe(as_ann, phone)

    kept = set(PushSubscription.objects.values_list("endpoint", flat=True))
    assert kept == {phone.subscription["endpoint"] for phone in phones[1:]}


@pytest.mark.parametrize(
    ("name", "status"), [("vic", 201), ("ann", 201), ("carol", 201), ("ada", 201), ("mallory", 403)]
)
def test_subscribing_is_for_who_may_look(
    make_user: Callable[..., User], enter: Enter, service: PushService, name: str, status: int
) -> None:
    roles = {"vic": "viewer", "ann": "reviewer", "carol": "auditor", "ada": "administrator"}
    door = enter(make_user(name, *filter(None, [roles.get(name)])))

    assert subscribe(door, Phone(service)).status_code == status


def test_nobody_subscribes_without_a_login_or_from_another_site(
    agent: Door, ann: User, service: PushService
) -> None:
    for stranger in (Door(), agent):
        assert subscribe(stranger, Phone(service))["Location"].startswith("/admin/login/")
    forged = Door(enforce_csrf_checks=True)
    forged.force_login(ann)
    assert subscribe(forged, Phone(service)).status_code == 403
    assert not PushSubscription.objects.exists()


def test_all_processes_sign_with_one_key_that_browsers_can_use(settings: Any) -> None:
    assert len(decoded(push.public_key())) == 65
    settings.HITL_PUSH_KEY = "A" * 43 + "="  # zero is no key, and is not to stop a server
    assert decoded(push.public_key())[0] == 4


@pytest.mark.parametrize(
    ("host", "is_right"),
    [("*.example.com", True), ("*", False), ("a*.example.com", False), ("https://a", False)],
)
def test_a_host_that_never_matches_is_warned_of(settings: Any, host: str, is_right: bool) -> None:
    settings.HITL_PUSH_HOSTS = [host]

    assert bool(checks.listed_hosts_can_match(None)) != is_right


# -- The application ------------------------------------------------------------------------------------


def test_the_manifest_says_how_to_install_it(client: Door) -> None:
    answer = client.get("/admin/manifest.webmanifest")

    found = answer.json()
    assert answer["Content-Type"] == "application/manifest+json"
    assert (found["scope"], found["start_url"], found["display"]) == (
        "/admin/",
        "/admin/inbox/",
        "standalone",
    )
    assert {icon["sizes"] for icon in found["icons"]} >= {"192x192", "512x512", "any"}
    assert [one["url"] for one in found["shortcuts"]] == ["/admin/inbox/", "/admin/human-actions/"]


def test_the_offline_page_names_nobody(as_ann: Door) -> None:
    shown = as_ann.get("/admin/offline/")

    assert shown.status_code == 200
    assert "The server cannot be reached" in shown.content.decode()
    assert "ann" not in shown.content.decode().replace("cannot", "").replace("channel", "")
    assert "csrf" not in shown.content.decode()
    assert not shown.cookies


def test_the_service_worker_is_asked_for_anew_each_time(client: Door) -> None:
    answer = client.get("/admin/service-worker.js")

    assert answer["Content-Type"].startswith("text/javascript")
    assert "no-cache" in answer["Cache-Control"]
    assert "worker-src 'self'" in answer["Content-Security-Policy"]
    assert client.post("/admin/service-worker.js").status_code == 405
