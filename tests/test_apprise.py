"""Channels of Apprise's: where a line may go, what it says, and that nobody sees the address again."""

import inspect
import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db.models.functions import Now

from events import models
from events.models import Channel, Subscription
from events.transports import apprise
from hitl_project.checks import channels_are_known
from hitl_project.environment import new_key
from reviews import apprising, telling
from reviews.models import Priority
from tests import push
from tests.admin import text_of as page_text
from tests.conftest import Door
from tests.providers import Reply, Seen, Service, Trouble
from tests.push import began
from tests.receivers import LOOPBACK
from tests.steps import Enter

at_once = push.at_once
PREFERENCES = "/admin/preferences/"
OWN = {"language": "", "time_zone": "", "shortcuts": "on"}


class Recorder(Service):
    """Take whatever comes."""

    reply = Reply(200)

    def answer(self, seen: Seen) -> Reply:
        return self.reply


@pytest.fixture
def receiver(settings: Any) -> Iterator[Recorder]:
    settings.HITL_WEBHOOK_NETWORKS = LOOPBACK
    settings.HITL_APPRISE_SCHEMES = ["json", "ntfy", "gotify"]
    settings.HITL_PUBLIC_URL = "https://hitl.example.com"
    with Recorder() as found:
        yield found


def address_at(service: Service, rest: str = "path-of-a-secret", scheme: str = "json") -> str:
    return f"{scheme}://{service.url.removeprefix('http://')}/{rest}"


@pytest.fixture
def hears(receiver: Recorder) -> Callable[..., User]:
    """Return a function by which a person hears at the receiver of what is asked from now on."""

    def choose(person: User, url: str = "", **chosen: Any) -> User:
        address = apprising.sealed(url or address_at(receiver), person)
        telling.subscribe(person, Channel.APPRISE, **{"lowest": Priority.LOW, "address": address, **chosen})
        Subscription.objects.update(told=began())
        return person

    return choose


# -- What is told ---------------------------------------------------------------------------------------


def test_a_line_says_how_much_waits_and_where_and_nothing_of_what_it_says(
    agent: Door, ann: User, hears: Callable[..., User], receiver: Recorder
) -> None:
    hears(ann)
    agent.ask(reason="secret-canary", tool_name="canary", priority="critical")

    assert apprising.tell_by_apprise() == 1
    assert apprising.tell_by_apprise() == 0
    (seen,) = receiver.calls
    assert seen.json["title"] == "Urgent: A question waits"
    assert seen.json["message"] == "Priority: Critical\nhttps://hitl.example.com/admin/inbox/"
    assert b"canary" not in seen.body


@pytest.mark.parametrize("scheme", ["json", "ntfy", "gotify"])
def test_each_channel_speaks_its_own_protocol(
    agent: Door, ann: User, hears: Callable[..., User], receiver: Recorder, scheme: str
) -> None:
    hears(ann, address_at(receiver, "token", scheme))
    agent.ask()
    assert apprising.tell_by_apprise() == 1
    assert b"A question waits" in receiver.calls[0].body


def test_what_is_not_taken_is_tried_again_later(
    agent: Door, ann: User, hears: Callable[..., User], receiver: Recorder
) -> None:
    hears(ann)
    agent.ask()
    receiver.trouble(Trouble(503))
    assert apprising.tell_by_apprise() == 0
    assert apprising.tell_by_apprise() == 0
    Subscription.objects.update(not_before=Now())
    assert apprising.tell_by_apprise() == 1


def test_without_channels_nothing_is_asked_of_the_database(
    ann: User, django_assert_num_queries: Any, settings: Any
) -> None:
    settings.HITL_APPRISE_SCHEMES = []
    with django_assert_num_queries(0):
        assert apprising.tell_by_apprise() == 0


def test_a_channel_that_is_no_longer_named_is_sent_nothing(
    agent: Door, ann: User, hears: Callable[..., User], receiver: Recorder, settings: Any
) -> None:
    hears(ann)
    agent.ask()
    settings.HITL_APPRISE_SCHEMES = ["tgram"]
    assert apprising.tell_by_apprise() == 0
    assert receiver.calls == []


# -- Where it may go ------------------------------------------------------------------------------------


def sent(url: str) -> str:
    return apprising.send(url, "A question waits", "Priority: Low")


def test_an_address_inside_is_not_called(receiver: Recorder, settings: Any) -> None:
    settings.HITL_WEBHOOK_NETWORKS = []
    assert "leads inside" in sent(address_at(receiver))
    assert receiver.calls == []


def test_a_name_that_resolves_inside_is_not_called(
    receiver: Recorder, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HITL_WEBHOOK_NETWORKS = []
    port = int(receiver.url.rpartition(":")[2])

    def resolve(host: str, port: Any, *args: Any, **options: Any) -> Any:
        assert host == "rebind.example.com"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert "leads inside" in sent(f"json://rebind.example.com:{port}/x")
    assert receiver.calls == []


def test_a_name_is_asked_once_and_the_address_that_was_judged_is_called(
    receiver: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def resolve(host: str, port: Any, *args: Any, **options: Any) -> Any:
        if host != "127.0.0.1":
            asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = receiver.url.rpartition(":")[2]
    assert sent(f"json://named.example.com:{port}/x") == ""
    assert asked == ["named.example.com"]
    assert receiver.calls[0].headers["host"] == f"named.example.com:{port}"


@pytest.mark.parametrize("asked", ["", "?redirect=yes", "?redirect=yes&verify=no&retry=9&wait=30"])
def test_a_redirect_is_not_followed_whatever_the_address_asks(receiver: Recorder, asked: str) -> None:
    with Recorder() as inside:
        receiver.reply = Reply(307, headers={"Location": f"{inside.url}/inside"})
        assert sent(address_at(receiver, f"x{asked}")) == "answered 307"
        assert inside.calls == []
    assert len(receiver.calls) == 1


def test_proxies_of_the_environment_are_not_asked(
    receiver: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Recorder() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert sent(address_at(receiver)) == ""
        assert proxy.calls == []


@pytest.mark.parametrize(
    "trouble",
    [Trouble(seconds=30), Trouble(drips=True)],
    ids=["says nothing", "says it a byte at a time"],
)
def test_who_never_answers_ends_with_the_time(
    receiver: Recorder, monkeypatch: pytest.MonkeyPatch, trouble: Trouble
) -> None:
    monkeypatch.setattr(apprise, "SECONDS", 0.5)
    receiver.reply = Reply(200, b"x" * 10_000)
    receiver.trouble(trouble)
    begins = time.monotonic()
    problem = sent(address_at(receiver))
    assert time.monotonic() - begins < 3
    assert problem or trouble.drips  # who said yes before going on for ever has taken it


@contextmanager
def endless(first: bytes, piece: bytes, pause: float) -> Iterator[str]:
    """Listen, and once called send *piece* for ever."""

    def go_on() -> None:
        taken, _address = listener.accept()
        with taken, suppress(OSError):
            taken.sendall(first)
            while not stopping.wait(pause):
                taken.sendall(piece)

    stopping = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=go_on, daemon=True)
        thread.start()
        yield f"json://127.0.0.1:{listener.getsockname()[1]}/x"
        stopping.set()
        thread.join(timeout=5)


def test_headers_without_an_end_end_with_the_time(
    receiver: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise, "SECONDS", 0.7)
    begins = time.monotonic()
    with endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.1) as url:
        sent(url)
    assert time.monotonic() - begins < 3


def test_a_body_without_an_end_is_not_read_to_it(receiver: Recorder) -> None:
    begins = time.monotonic()
    with endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000, 0.001) as url:
        assert sent(url) == ""
    assert time.monotonic() - begins < 3


HOSTED = {
    "discord": ("discord://{host}/a_token_of_somebody", "discord.com"),
    "gchat": ("gchat://{host}/key/token", "chat.googleapis.com"),
    "join": ("join://" + "a" * 32 + "/{host}", "joinjoaomgcd.appspot.com"),
    "line": ("line://token/{host}", "api.line.me"),
    "pagerduty": ("pagerduty://integration@{host}", "events.pagerduty.com"),
    "pbul": ("pbul://" + "a" * 32 + "/{host}", "api.pushbullet.com"),
    "pover": ("pover://" + "u" * 30 + "@" + "a" * 30, "api.pushover.net"),
    "prowl": ("prowl://" + "a" * 40 + "/" + "b" * 40, "api.prowlapp.com"),
    "signl4": ("signl4://{host}", "connect.signl4.com"),
    "tgram": ("tgram://123456789:abcdefg_hijklmnop/12315544/{host}", "api.telegram.org"),
    "threema": ("threema://*THEGWID@secret/16134442222", "msgapi.threema.ch"),
    "webex": ("webex://" + "a" * 80 + "/", "api.ciscospark.com"),
    "wxteams": ("wxteams://" + "a" * 80 + "/", "api.ciscospark.com"),
}


@pytest.mark.parametrize("scheme", sorted(apprise.HOSTED))
def test_no_address_chooses_the_host_of_what_is_offered_by_itself(
    scheme: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def resolve(host: str, port: Any, *args: Any, **options: Any) -> Any:
        asked.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    settings.HITL_APPRISE_SCHEMES = [scheme]
    url, host = HOSTED[scheme]
    for hostile in ("internal.example.com", "127.0.0.1"):
        sent(url.format(host=hostile))
    assert set(asked) == {host}, asked


@pytest.mark.parametrize("plugin", sorted({one.__module__ for one in apprise.SCHEMES.values()}))
def test_every_channel_calls_by_requests_alone_where_it_is_guarded(plugin: str) -> None:
    source = inspect.getsource(sys.modules[plugin])
    for way in ("import socket", "urllib.request", "httpx", "subprocess", "os.system", "Session(", "smtplib"):
        assert way not in source
    assert "requests.post(" in source or "requests.request(" in source


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "apprise://127.0.0.1/x", "apprises://example.com/x", "dbus://", "syslog://",
        "windows://", "macosx://", "mailto://u:p@example.com", "config://example.com", "glib://", "gnome://",
        "include://x", "json://", "://", "", "rsyslog://127.0.0.1", "https://discord.com/api/webhooks/1/2",
        "mqtt://127.0.0.1", "irc://127.0.0.1",
    ],
)  # fmt: skip
def test_what_was_not_read_is_no_channel(settings: Any, url: str) -> None:
    settings.HITL_APPRISE_SCHEMES = [*apprise.SCHEMES, "file", "apprise", "dbus", "syslog", "mailto"]
    assert apprising.why_not(url)
    assert apprise.send(url, "x", "x") == "not usable"


def test_a_setting_with_a_channel_that_was_not_read_is_told_in_a_sentence(settings: Any) -> None:
    assert channels_are_known(None) == []
    assert set(settings.HITL_APPRISE_SCHEMES) == set(apprise.HOSTED)
    settings.HITL_APPRISE_SCHEMES = ["tgram", "syslog"]
    (error,) = channels_are_known(None)
    assert (error.id, "'syslog'" in str(error.msg)) == ("hitl.E010", True)


# -- The address ----------------------------------------------------------------------------------------


def test_a_person_names_a_channel_tries_it_and_never_sees_the_address_again(
    ann: User, enter: Enter, receiver: Recorder
) -> None:
    door, url = enter(ann), address_at(receiver, "hook/canary-of-ann-7xyz")
    page = door.post(PREFERENCES, {**OWN, "apprise-url": url, "apprise-lowest": "1", "try": "apprise"})
    assert page.status_code == 302
    assert receiver.calls[0].json["title"] == "This is a test"

    page = door.get(PREFERENCES)
    assert "The test was taken." in page_text(page)
    assert "json://…7xyz" in page_text(page)
    assert "canary-of-ann" not in page.content.decode()
    kept = Subscription.objects.get()
    assert "canary" not in kept.address
    assert apprising.address_kept(kept) == url

    door.post(PREFERENCES, {**OWN, "apprise-lowest": "3"})  # the address stays
    assert apprising.address_kept(Subscription.objects.get()) == url
    assert Subscription.objects.get().lowest == Priority.HIGH
    door.post(PREFERENCES, {**OWN, "apprise-lowest": ""})
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"apprise-url": "file:///etc/passwd-canary", "apprise-lowest": "1"},
        {"apprise-url": "json://", "apprise-lowest": "1"},
        {"apprise-lowest": "1"},
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_repeated(
    ann: User, enter: Enter, receiver: Recorder, body: dict[str, str]
) -> None:
    answer = enter(ann).post(PREFERENCES, {**OWN, **body})
    assert answer.status_code == 200
    assert "canary" not in answer.content.decode()
    assert not Subscription.objects.exists()


def test_a_test_that_is_not_taken_says_why(ann: User, enter: Enter, receiver: Recorder) -> None:
    receiver.trouble(Trouble(403))
    body = {**OWN, "apprise-url": address_at(receiver), "apprise-lowest": "1", "try": "apprise"}
    page = enter(ann).post(PREFERENCES, body, follow=True)
    assert "That was not taken: answered 403" in page_text(page)


def test_the_address_is_in_no_log_and_no_event(
    agent: Door, ann: User, hears: Callable[..., User], receiver: Recorder, caplog: Any, settings: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    hears(ann, address_at(receiver, "canary-of-the-address"))
    agent.ask()
    receiver.trouble(Trouble(500))
    apprising.tell_by_apprise()
    Subscription.objects.update(not_before=Now())
    settings.HITL_WEBHOOK_NETWORKS = []
    apprising.tell_by_apprise()
    assert "canary-of-the-address" not in caplog.text
    assert not models.Event.objects.filter(data__contains="canary-of-the-address").exists()


def test_an_address_opens_for_its_owner_alone(
    ann: User, bob: User, hears: Callable[..., User], agent: Door, receiver: Recorder
) -> None:
    hears(ann)
    Subscription.objects.update(user=bob)  # a row that was copied
    agent.ask()
    assert apprising.tell_by_apprise() == 0
    assert receiver.calls == []
    assert apprising.masked(Subscription.objects.get()) == "…"


def test_addresses_are_wrapped_anew_when_the_key_changes(
    ann: User, hears: Callable[..., User], receiver: Recorder, settings: Any, capsys: Any
) -> None:
    hears(ann)
    url = apprising.address_kept(Subscription.objects.get())
    first = settings.HITL_SECRETS_KEYS
    settings.HITL_SECRETS_KEYS = {max(first) + 1: new_key(), **first}
    call_command("rotate_secrets_key")
    assert "1 secrets rewrapped" in capsys.readouterr().out
    settings.HITL_SECRETS_KEYS = {max(settings.HITL_SECRETS_KEYS): settings.HITL_SECRETS_KEYS[max(first) + 1]}
    assert apprising.address_kept(Subscription.objects.get()) == url


def test_a_channel_is_not_offered_where_the_server_has_none(ann: User, enter: Enter, settings: Any) -> None:
    settings.HITL_APPRISE_SCHEMES = []
    assert "Another channel" not in page_text(enter(ann).get(PREFERENCES))
