"""Sockets: who gets in, what they hear, and how they end."""

import json
import socket as sockets
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.drills.callers import Caller, position, positions
from tests.drills.sites import Site, counts, eventually


def hear(socket: ClientConnection, within: float = 10) -> dict[str, Any]:
    """Return the next message that is not a ping."""
    while True:
        message: dict[str, Any] = json.loads(socket.recv(within))
        if message["type"] != "ping":
            return message


def hear_until(socket: ClientConnection, last: int) -> list[dict[str, Any]]:
    found = [hear(socket)]
    while position(found[-1]) < last:
        found.append(hear(socket))
    return found


def closed(socket: ClientConnection, within: float = 8) -> int | None:
    """Return the code with which the server closes *socket*."""
    deadline = time.monotonic() + within
    try:
        while True:
            socket.recv(max(0.01, deadline - time.monotonic()))
    except ConnectionClosed:
        return socket.protocol.close_code


def say(socket: ClientConnection, **message: Any) -> None:
    socket.send(json.dumps(message))


def ws(site: Site, path: str) -> str:
    return f"ws://127.0.0.1:{site.port}{path}"


# -- Agents -------------------------------------------------------------------------------------------


def test_an_agent_hears_hello_then_what_happens(asker: Caller, ann: Caller) -> None:
    with asker.socket() as socket:
        hello = hear(socket)
        assert (hello["type"], hello["cursor"]) == ("hello", hello["head"])
        pk = asker.ask()["id"]
        assert (hear(socket)["type"], hear_decision(socket, ann, pk)) == ("hitl.interrupt.requested", pk)


def hear_decision(socket: ClientConnection, ann: Caller, pk: str) -> str:
    begun = time.monotonic()
    ann.decide(pk)
    event = hear(socket)
    assert event["type"] == "hitl.interrupt.approved"
    assert time.monotonic() - begun < 2
    return str(event["subject_id"])


@pytest.mark.parametrize("way", ["query", "hello"])
def test_a_cursor_replays_and_then_goes_on_live(asker: Caller, way: str) -> None:
    asker.ask_many(30)
    after = asker.events()[9]["cursor"]
    with asker.socket(f"/ws/agents?after={after}" if way == "query" else "/ws/agents") as socket:
        assert hear(socket)["type"] == "hello"
        if way == "hello":
            say(socket, type="hello", cursor=after)
        replayed = hear_until(socket, 30)
        asker.ask_many(5)
        live = hear_until(socket, 35)
    assert positions(replayed + live) == list(range(11, 36))
    assert replayed + live == asker.events(after)


def test_who_reconnects_with_the_cursor_misses_and_repeats_nothing(site: Site, asker: Caller) -> None:
    stop = threading.Event()
    heard: list[dict[str, Any]] = []

    def write() -> None:
        while not stop.is_set():
            for pk in asker.ask_many(3):  # what stays open is limited
                asker.call(pk, "cancel")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        after = f"{asker.http.get('/events', params={'limit': 1}).json()['cursor'].rpartition(':')[0]}:0"
        for _ in range(counts(10, 200)):
            with asker.socket(f"/ws/agents?after={after}") as socket:
                assert hear(socket)["type"] == "hello"
                for _ in range(15):
                    heard.append(hear(socket))
                    after = heard[-1]["cursor"]
    finally:
        stop.set()
        writer.join()
    assert positions(heard) == list(range(1, len(heard) + 1))
    assert heard == asker.events()[: len(heard)]


@pytest.mark.parametrize(
    ("cursor", "kind"),
    [("ep_of_yesterday:3", "reset"), ("{epoch}:999999", "reset"), ("nonsense", "error"), ("x:-1", "error")],
)
def test_a_cursor_that_does_not_hold_is_told(asker: Caller, cursor: str, kind: str) -> None:
    asker.ask()
    head = asker.events()[-1]["cursor"]
    with asker.socket(f"/ws/agents?after={cursor.format(epoch=head.partition(':')[0])}") as socket:
        told = hear(socket)
        assert told["type"] == kind
        say(socket, type="hello", cursor=told.get("cursor", head))
        asker.ask()
        assert position(hear(socket)) == 2


def test_a_ticket_opens_one_socket(site: Site, asker: Caller) -> None:
    ticket = asker.http.post("/ws/ticket").json()["ticket"]
    with connect(ws(site, f"/ws/agents?ticket={ticket}")) as first:
        assert hear(first)["type"] == "hello"
        with connect(ws(site, f"/ws/agents?ticket={ticket}")) as second:
            assert closed(second) == 4401


def test_a_key_in_the_url_is_not_looked_at(site: Site, asker: Caller) -> None:
    for name in ("key", "token", "ticket", "authorization", "api_key"):
        with connect(ws(site, f"/ws/agents?{name}={asker.key}")) as socket:
            assert closed(socket) == 4401


def test_nobody_without_a_key_gets_in(site: Site, ann: Caller) -> None:
    for headers in ({}, {"Authorization": "Bearer hitl_no_key"}, {"Authorization": f"Bearer {ann.key}"}):
        with connect(ws(site, "/ws/agents"), additional_headers=headers) as socket:
            assert closed(socket) == 4401


@pytest.mark.parametrize("how", ["the key is revoked", "the agent is switched off"])
def test_sockets_close_when_their_key_no_longer_holds(site: Site, how: str) -> None:
    agent, other = site.agent(), site.agent()
    with agent.socket() as socket, other.socket() as bystander:
        assert hear(socket)["type"] == hear(bystander)["type"] == "hello"
        if how == "the key is revoked":
            code = f"keys.revoke(Key.objects.get(agent_id={agent.name!r}), actor='drill')"
        else:
            code = f"Agent.objects.filter(name={agent.name!r}).update(is_active=False)"
        site.manage(
            "shell", "--no-imports", "-c", f"from agents import keys\nfrom agents.models import *\n{code}"
        )
        assert closed(socket, within=5) == 4401
        other.ask()
        assert hear(bystander)["type"] == "hitl.interrupt.requested"
    assert agent.http.get("/interrupts").status_code == 401


def test_pings_are_answered_and_nonsense_is_refused(asker: Caller) -> None:
    with asker.socket() as socket:
        hear(socket)
        say(socket, type="ping")
        assert hear(socket) == {"type": "pong"}
        say(socket, type="ack", cursor="x")
        for nonsense in (
            "{",
            "[]",
            '"x"',
            '{"type": "decide"}',
            '{"type": ["ping"]}',
            '{"type": {}}',
            b"\xff\x00",
        ):
            socket.send(nonsense)
            assert hear(socket)["code"] == "unknown_message"
        say(socket, type="ping")
        assert hear(socket) == {"type": "pong"}
    with asker.socket(max_size=None) as socket:
        socket.send("x" * 1_000_000)
        assert closed(socket) == 1009


def test_a_socket_that_never_reads_hurts_nobody_else(new_site: Callable[..., Site]) -> None:
    site = new_site(processes=1, clock=False).start()
    agent = site.agent()
    for _ in range(40):
        agent.ask(data={"text": "x" * 200_000})
    server = site.web.family()[-1]
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    silent = []
    epoch = agent.http.get("/events", params={"limit": 1}).json()["cursor"].partition(":")[0]
    memory = server.memory_info().rss
    for _ in range(10):
        idle = sockets.socket()
        idle.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
        idle.connect(("127.0.0.1", site.port))
        head = (
            f"GET /ws/agents?after={epoch}:0 HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {agent.key}\r\n"
        )
        idle.sendall((head + upgrade).encode())
        silent.append(idle)

    with agent.socket() as socket:
        hear(socket)
        for _ in range(20):
            begun = time.monotonic()
            agent.ask()
            assert hear(socket)["type"] == "hitl.interrupt.requested"
            assert time.monotonic() - begun < 3
    eventually(lambda: site.holds(silent) == 0, within=90, pause=0.5)
    assert server.memory_info().rss < memory + 150_000_000
    for idle in silent:
        idle.close()


# -- Operators ----------------------------------------------------------------------------------------


def cookies(browser: httpx.Client) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


@pytest.mark.parametrize("path", ["/ws/operators", "/ws/events"])
def test_an_operator_hears_what_is_asked_until_logging_out(site: Site, asker: Caller, path: str) -> None:
    with (
        closing(site.log_in("ann")) as browser,
        connect(ws(site, path), origin=Origin(site.url), additional_headers=cookies(browser)) as socket,
    ):
        assert hear(socket)["type"] == "hello"
        pk = asker.ask(reason="Delete the old report?")["id"]
        told = hear(socket)
        while told["item"] != pk:
            told = hear(socket)
        assert (told["type"], told["title"]) == ("hitl.interrupt.requested", "Delete the old report?")
        browser.post("/admin/logout/", data={"csrfmiddlewaretoken": browser.cookies["csrftoken"]})
        assert closed(socket, within=5) == 4401


def test_foreign_pages_and_strangers_do_not_get_in(site: Site, asker: Caller) -> None:
    with closing(site.log_in("ann")) as browser, pytest.raises(InvalidStatus):
        connect(
            ws(site, "/ws/operators"),
            origin=Origin("http://evil.example"),
            additional_headers=cookies(browser),
        )
    own = Origin(site.url)
    with connect(ws(site, "/ws/operators"), origin=own) as socket:
        assert closed(socket) == 4401
    with asker.socket("/ws/operators", origin=own) as socket:
        assert closed(socket) == 4401


def test_there_is_no_other_socket(site: Site) -> None:
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        connect(ws(site, "/ws/nowhere"))


def test_one_caller_cannot_hold_every_socket(new_site: Callable[..., Site]) -> None:
    site = new_site(clock=False, processes=1, HITL_SOCKETS_PER_CALLER="3").start()
    asker, other = site.agent(), site.agent()
    with asker.socket() as one, asker.socket() as two, asker.socket() as three, asker.socket() as four:
        assert [hear(socket)["type"] for socket in (one, two, three)] == ["hello"] * 3
        with pytest.raises(ConnectionClosed):
            four.recv(10)
        assert four.protocol.close_code == 4429
        with other.socket() as free:
            assert hear(free)["type"] == "hello"
        one.close()
        eventually(lambda: _hello(asker))


def _hello(caller: Caller) -> bool:
    with caller.socket() as socket:
        try:
            return bool(hear(socket)["type"] == "hello")
        except ConnectionClosed:
            return False
