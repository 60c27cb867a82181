"""A key is tried before it is accepted, here with a service that takes it, refuses it or misbehaves."""

import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.contrib.auth.models import User

from requests_app import probes
from requests_app.models import Probe, RequestTemplate
from tests.conftest import Door
from tests.steps import Enter, problem

GOOD, BAD = "sk-good-0123456789", "sk-canary-9876543210"


class Service(BaseHTTPRequestHandler):
    """Say who holds a good key, or do what the path says."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Authorization", ""))
        match self.path:
            case "/hang":
                time.sleep(2)
            case "/drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                for _ in range(20):
                    self.wfile.write(b"X-More: x\r\n")
                    time.sleep(0.1)
            case "/reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            case "/away":
                self.answer(302, Location="/account")
            case "/nonsense":
                self.wfile.write(b"what?\r\n\r\n")
            case "/endless":
                self.answer(200, **{"Content-Length": str(10**12)})
            case _:
                self.answer(200 if self.headers["Authorization"] == f"Bearer {GOOD}" else 401)

    def answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "X-Seen": self.headers["Authorization"]}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.close_connection = True


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *args: Any) -> None:
        """Let who hung up be gone."""


@pytest.fixture
def service(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    settings.HITL_PROBE_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(probes, "SECONDS", 0.5)
    Service.asked.clear()
    server = QuietServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def asked_with_a_probe(agent: Door, url: str, **probe: Any) -> str:
    Probe.objects.create(name="stripe", url=url, **probe)
    RequestTemplate.objects.create(
        name="stripe-key",
        title="A key",
        description="x",
        required_fields={"key": {"label": "Key", "type": "secret", "check": "stripe"}},
    )
    answer = agent.post_json("/requests", {"template": "stripe-key"})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def fulfil(door: Door, pk: str, key: str) -> Any:
    return door.post_json(f"/requests/{pk}/fulfill", {"response_data": {"key": key}})


def refused(answer: Any) -> str:
    (told,) = problem(answer, 400, "invalid")["errors"]["response_data.key"]
    assert BAD not in answer.content.decode()
    return str(told)


def test_a_key_that_works_is_accepted_and_one_that_does_not_is_named(
    agent: Door, as_ann: Door, service: str
) -> None:
    pk = asked_with_a_probe(agent, f"{service}/account")

    assert refused(fulfil(as_ann, pk, BAD)) == "The service refused this value (HTTP 401)."
    assert agent.get_json(f"/requests/{pk}").json()["status"] == "pending"
    assert fulfil(as_ann, pk, GOOD).status_code == 200

    assert Service.asked == [f"Bearer {BAD}", f"Bearer {GOOD}"]
    fulfil(as_ann, pk, GOOD)
    assert len(Service.asked) == 2  # what is closed is not sent anywhere


def test_a_redirect_is_not_followed(agent: Door, as_ann: Door, service: str) -> None:
    pk = asked_with_a_probe(agent, f"{service}/away")

    assert "HTTP 302" in refused(fulfil(as_ann, pk, BAD))
    assert len(Service.asked) == 1


@pytest.mark.parametrize("path", ["/hang", "/drip", "/reset", "/nonsense"])
def test_a_service_that_does_not_answer_leaves_everything_as_it_was(
    agent: Door, as_ann: Door, service: str, path: str
) -> None:
    pk = asked_with_a_probe(agent, f"{service}{path}")
    begun = time.monotonic()

    told = problem(fulfil(as_ann, pk, BAD), 503, "check_unavailable")

    assert time.monotonic() - begun < 1.5
    assert "Try again" in told["detail"]
    assert BAD not in str(told)
    assert agent.get_json(f"/requests/{pk}").json()["status"] == "pending"


def test_nobody_there_is_said_the_same_way(agent: Door, as_ann: Door, service: str) -> None:
    pk = asked_with_a_probe(agent, "http://127.0.0.1:1/")

    problem(fulfil(as_ann, pk, BAD), 503, "check_unavailable")


def test_the_status_alone_is_read(agent: Door, as_ann: Door, service: str) -> None:
    pk = asked_with_a_probe(agent, f"{service}/endless")

    assert fulfil(as_ann, pk, BAD).status_code == 200


def test_the_header_is_the_administrators(agent: Door, as_ann: Door, service: str) -> None:
    told = {"template": "{value}; {}", "expected_status": 401}
    pk = asked_with_a_probe(agent, f"{service}/account", **told)

    assert fulfil(as_ann, pk, "{0.__class__}").status_code == 200
    assert Service.asked == ["{0.__class__}; {}"]


@pytest.mark.parametrize("value", ["x\r\nX-Admin: 1", "x\ny", " x", "x\t", "schlüssel", "x\x7f", "…"])
def test_no_value_can_add_a_header(agent: Door, as_ann: Door, service: str, value: str) -> None:
    pk = asked_with_a_probe(agent, f"{service}/account")

    assert "characters that no key has" in refused(fulfil(as_ann, pk, value))
    assert Service.asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"url": "https://elsewhere.example.com/"},
        {"url": "http://api.example.com/"},
        {"url": "https://127.0.0.1@elsewhere.example.com/"},
        {"url": "https://ann@api.example.com/"},
        {"url": "https://api.example.com:65536/"},
        {"url": "file:///etc/passwd"},
        {"url": "https://"},
        {"url": "https://[::1"},
        None,
    ],
)
def test_a_probe_that_may_not_be_used_lets_nothing_pass(
    agent: Door, as_ann: Door, service: str, settings: Any, change: dict[str, Any] | None
) -> None:
    settings.HITL_PROBE_HOSTS = ["127.0.0.1", "api.example.com"]
    pk = asked_with_a_probe(agent, f"{service}/account")
    probe = Probe.objects.filter(name="stripe")
    assert probe.update(**change) if change else probe.delete()

    assert "Ask an administrator" in refused(fulfil(as_ann, pk, GOOD))
    assert Service.asked == []


def test_without_hosts_there_are_no_probes(agent: Door, as_ann: Door, service: str, settings: Any) -> None:
    settings.HITL_PROBE_HOSTS = []
    pk = asked_with_a_probe(agent, f"{service}/account")

    assert "Ask an administrator" in refused(fulfil(as_ann, pk, GOOD))


def test_the_environment_cannot_turn_a_probe_elsewhere(
    agent: Door, as_ann: Door, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    pk = asked_with_a_probe(agent, f"{service}/account")

    assert fulfil(as_ann, pk, GOOD).status_code == 200


@pytest.mark.parametrize("path", ["/account", "/away", "/reset", "/nonsense"])
def test_the_log_never_has_the_value(
    agent: Door, as_ann: Door, service: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    pk = asked_with_a_probe(agent, f"{service}{path}")
    with caplog.at_level(logging.DEBUG):
        fulfil(as_ann, pk, BAD)

    assert BAD not in caplog.text
    assert BAD not in str([record.__dict__ for record in caplog.records])


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"url": "https://elsewhere.example.com/"}, "HITL_PROBE_HOSTS"),
        ({"url": "http://api.example.com/"}, "Only https"),
        ({"url": "api.example.com"}, "Write an address"),
        ({"header": "X-Key: 1"}, "name of a header"),
        ({"template": "Bearer"}, "with {value} in it"),
        ({"template": "{value}{value}"}, "with {value} in it"),
        ({"expected_status": "500"}, "499"),
        ({"name": "Not A Name"}, "Small letters"),
    ],
)
def test_a_probe_is_looked_at_before_it_is_kept(
    ada: User, enter: Enter, settings: Any, sent: dict[str, str], told: str
) -> None:
    settings.HITL_PROBE_HOSTS = ["api.example.com"]
    whole = {
        "name": "stripe", "url": "https://api.example.com/v1", "header": "X-Key", "template": "{value}",
        "expected_status": "200", "is_active": "on", "description": "",
    }  # fmt: skip
    page = "/admin/requests_app/probe/add/"

    assert told in enter(ada).post(page, {**whole, **sent}).content.decode()
    assert not Probe.objects.exists()
    assert enter(ada).post(page, whole).status_code == 302
    assert Probe.objects.get().header == "X-Key"
