"""Webhooks: every event once, in the order of its subject, whatever the receiver does meanwhile."""

import datetime as dt
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from events import delivery, destinations, receivers
from events.models import Delivery, Event, Webhook
from events.transports import webhooks
from hitl_project.product import networks
from tests import receivers as those
from tests.conftest import Door
from tests.providers import RESET, Trouble
from tests.receivers import Receiver, time_passes
from tests.test_docs import blocks

receiver, hooked = those.receiver, those.hooked
Hook = Callable[..., Webhook]
Status = Delivery.Status


# -- What is told ---------------------------------------------------------------------------------------


def test_a_receiver_is_told_of_every_change_once_and_in_order(
    agent: Door, as_ann: Door, receiver: Receiver, hooked: Hook
) -> None:
    hooked()
    asked = agent.ask(reason="Delete?", tool_name="delete")
    as_ann.post_json(f"/interrupts/{asked['id']}/claim")
    as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"comment": "Fine."})

    for _look in range(4):
        delivery.deliver()

    assert receiver.types() == ["interrupt.requested", "item.claimed", "interrupt.approved"]
    assert receiver.again == 0
    event = Event.objects.get(type="hitl.interrupt.approved")
    told = receiver.taken[-1]
    assert told["type"] == told["data"]["type"] == event.type
    assert told["timestamp"] == told["data"]["occurred_at"]
    assert (told["data"]["id"], told["data"]["agent"]) == (event.pk, "janitor")
    streamed = agent.get_json("/events").json()["results"]
    assert [told["data"] for told in receiver.taken] == streamed


def test_what_happened_before_a_webhook_was_made_is_not_told(
    agent: Door, receiver: Receiver, hooked: Hook, make_agent: Callable[..., Door]
) -> None:
    agent.ask()
    hooked()
    make_agent("newcomer").ask()  # whose stream begins later

    delivery.deliver()

    assert sorted(receiver.types()) == ["agent.created", "interrupt.requested", "key.created"]


def test_a_webhook_narrows_by_stream_and_by_type(
    agent: Door, rogue: Door, as_ann: Door, receiver: Receiver, hooked: Hook
) -> None:
    hooked(stream="janitor", types=["hitl.interrupt."])
    asked = agent.ask()
    rogue.ask()
    as_ann.post_json(f"/interrupts/{asked['id']}/claim")
    as_ann.post_json(f"/interrupts/{asked['id']}/reject", {"reason": "No."})

    for _look in range(3):
        delivery.deliver()

    assert receiver.types() == ["interrupt.requested", "interrupt.rejected"]


def test_what_happens_while_a_webhook_is_off_is_told_afterwards(
    agent: Door, receiver: Receiver, hooked: Hook
) -> None:
    webhook = hooked()
    webhook.is_active = False
    receivers.change(webhook, actor="user:ada")
    asked = agent.ask()
    assert delivery.deliver() == 0

    webhook.is_active = True
    receivers.change(webhook, actor="user:ada")
    delivery.deliver()

    assert receiver.types(asked["id"]) == ["interrupt.requested"]


# -- Receivers that fail --------------------------------------------------------------------------------


def test_a_receiver_that_fails_for_a_day_gets_everything_once_and_in_order(
    agent: Door, as_ann: Door, receiver: Receiver, hooked: Hook
) -> None:
    hooked()
    receiver.status = 503
    asked = [agent.ask()["id"] for _number in range(4)]
    for attempt in range(10):
        if attempt == 4:
            for pk in asked:
                as_ann.post_json(f"/interrupts/{pk}/approve")
        time_passes()
        assert delivery.deliver() == 0
    assert sum(delivery.PAUSES[:10]) > 24 * 3_600

    receiver.status = 200
    for _look in range(3):
        time_passes()
        delivery.deliver()

    for pk in asked:
        assert receiver.types(pk) == ["interrupt.requested", "interrupt.approved"]
    assert receiver.again == 0
    assert not Delivery.objects.exclude(status=Status.DELIVERED).exists()


def test_an_event_waits_for_the_one_before_it_of_its_subject_and_for_no_other(
    agent: Door, as_ann: Door, receiver: Receiver, hooked: Hook
) -> None:
    hooked()
    asked, other = agent.ask()["id"], agent.ask()["id"]
    as_ann.post_json(f"/interrupts/{asked}/approve")
    as_ann.post_json(f"/interrupts/{other}/approve")
    receiver.trouble(Trouble(500), Trouble(), Trouble(500))

    for _look in range(3):  # no time passes: what failed waits
        delivery.deliver()

    told = receiver.types(asked), receiver.types(other)
    assert sorted(told, key=len) == [[], ["interrupt.requested"]]
    time_passes()
    for _look in range(3):
        delivery.deliver()
        time_passes()
    assert receiver.types(asked) == receiver.types(other) == ["interrupt.requested", "interrupt.approved"]


def test_who_never_takes_it_has_it_given_up_and_can_have_it_sent_once_more(
    agent: Door, receiver: Receiver, hooked: Hook
) -> None:
    hooked()
    receiver.status = 500
    asked = agent.ask()
    for _attempt in range(len(delivery.PAUSES) + 1):
        time_passes()
        delivery.deliver()

    dead = Delivery.objects.get()
    assert (dead.status, dead.attempts, dead.answer) == (Status.DEAD, len(delivery.PAUSES) + 1, "500")
    assert sum(delivery.PAUSES) > 3 * 86_400
    time_passes()
    assert delivery.deliver() == 0

    receiver.status = 200
    assert delivery.redeliver(Delivery.objects.filter(status=Status.DEAD)) == 1
    assert delivery.deliver() == 1
    assert receiver.types(asked["id"]) == ["interrupt.requested"]


def test_the_pauses_grow_with_some_chance_in_them(agent: Door, receiver: Receiver, hooked: Hook) -> None:
    hooked()
    receiver.status = 500
    for _number in range(8):
        agent.ask()
    delivery.deliver()

    left = sorted(
        (row.not_before - dt.datetime.now(dt.UTC)).total_seconds() for row in Delivery.objects.all()
    )
    assert 3 < left[0] < left[-1] <= 6
    assert left[-1] - left[0] > 0.05


def test_a_receiver_says_when_to_come_again(agent: Door, receiver: Receiver, hooked: Hook) -> None:
    hooked()
    agent.ask()
    receiver.trouble(Trouble(429, headers={"Retry-After": "900"}))
    delivery.deliver()

    left = Delivery.objects.get().not_before - dt.datetime.now(dt.UTC)
    assert 850 < left.total_seconds() <= 900


def test_a_receiver_that_has_gone_is_switched_off_and_the_record_says_so(
    agent: Door, receiver: Receiver, hooked: Hook
) -> None:
    webhook = hooked()
    agent.ask()
    receiver.trouble(Trouble(410))
    delivery.deliver()

    assert not Webhook.objects.get(pk=webhook.pk).is_active
    assert Event.objects.filter(type="hitl.webhook.paused", subject_id=webhook.pk).count() == 1
    assert Delivery.objects.get().status == Status.PENDING


@pytest.mark.parametrize(
    "trouble",
    [RESET, Trouble(302, headers={"Location": "/elsewhere"}), Trouble(404), Trouble(200, b"x", cut=True)],
)
def test_what_is_no_yes_is_tried_again(
    agent: Door, receiver: Receiver, hooked: Hook, trouble: Trouble
) -> None:
    hooked()
    asked = agent.ask()
    receiver.trouble(trouble)
    delivery.deliver()
    time_passes()
    delivery.deliver()

    assert receiver.types(asked["id"]) in (["interrupt.requested"], [])
    assert {seen.path for seen in receiver.calls} == {"/hook"}


@contextmanager
def hostile(say: bytes, *, forever: bool = False) -> Iterator[str]:
    """Listen, say *say* to whoever comes, and perhaps go on with it; hear nothing."""
    stopping = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(peer: socket.socket) -> None:
        with peer:
            try:
                peer.sendall(say)
                while forever and not stopping.is_set():
                    peer.sendall(b"x" * 65_536)
                stopping.wait(20)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                peer, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=[peer], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
ENDLESS_HEADERS = b"HTTP/1.1 200 OK\r\nX-A: "


@pytest.mark.parametrize(
    ("say", "forever", "answer"),
    [
        (b"", False, "no answer in time"),
        (ENDLESS, True, "200"),
        (ENDLESS_HEADERS, True, "RemoteProtocolError"),
        (b"nonsense\r\n\r\n", False, "RemoteProtocolError"),
    ],
    ids=["silent", "endless body", "endless headers", "nonsense"],
)
def test_a_hostile_receiver_holds_up_nobody_else(
    agent: Door, receiver: Receiver, hooked: Hook, monkeypatch: pytest.MonkeyPatch,
    say: bytes, forever: bool, answer: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(webhooks, "SECONDS", 1.0)
    hooked()
    with hostile(say, forever=forever) as url:
        bad, _secret = receivers.create(url, actor="user:ada")
        asked = agent.ask()
        began = time.monotonic()
        delivery.deliver()
        took = time.monotonic() - began

    assert took < 5
    assert receiver.types(asked["id"]) == ["interrupt.requested"]
    assert bad.deliveries.get(subject_id=asked["id"]).answer == answer


def test_who_does_not_answer_is_left_alone_for_a_while(agent: Door, receiver: Receiver, hooked: Hook) -> None:
    hooked()
    agent.ask()
    receiver.trouble(RESET)
    delivery.deliver()
    agent.ask()

    assert delivery.deliver() == 0
    assert len(receiver.calls) == 1
    time_passes()
    assert delivery.deliver() == 2


# -- Signatures -----------------------------------------------------------------------------------------


def test_for_a_day_a_new_secret_and_the_old_one_both_verify(
    agent: Door, receiver: Receiver, hooked: Hook
) -> None:
    webhook = hooked()
    old = receiver.secret
    new = receivers.rotate(webhook, actor="user:ada")
    assert new != old
    agent.ask()
    for known in (old, new):
        receiver.secret = known
        delivery.redeliver(Delivery.objects.all())
        delivery.deliver()
    assert len(receiver.taken) + receiver.again >= 2

    Webhook.objects.update(previous_until=Now())
    delivery.redeliver(Delivery.objects.all())
    delivery.deliver()
    last = receiver.calls[-1]
    Verifier(new).verify(last.body, last.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(old).verify(last.body, last.headers)


def test_no_secret_is_in_the_database(hooked: Hook, receiver: Receiver) -> None:
    webhook = hooked()
    kept = str(Webhook.objects.filter(pk=webhook.pk).values().get()) + str(list(Event.objects.values()))
    assert receiver.secret.removeprefix("whsec_") not in kept


def test_the_address_of_a_receiver_is_not_on_the_record(hooked: Hook, receiver: Receiver) -> None:
    hooked()
    assert "/hook" not in str(list(Event.objects.values()))


# -- Addresses that lead inside -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "240.0.0.1", "198.18.0.1", "[::1]", "[::]", "[fc00::1]", "[fe80::1]", "[fec0::1]"),
        *("[ff02::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:db8::1]"),
        *("localhost", "0x7f.1", "2130706433"),
    ],
)
def test_an_address_that_leads_inside_is_never_called(host: str) -> None:
    assert destinations.why_not(f"https://{host}/x")


@pytest.mark.parametrize("url", ["https://1.1.1.1/x", "https://[2606:4700:4700::1111]/x"])
def test_the_world_may_be_called(url: str) -> None:
    assert destinations.why_not(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://1.1.1.1/", "https://user:pw@1.1.1.1/", "https:///x", "nonsense", "http://1.1.1.1/x", ""),
        *(
            "https://1.1.1.1:0/",
            "https://1.1.1.1/#part",
            "https://no-such-host.invalid/",
            "javascript:alert(1)",
        ),
    ],
)
def test_what_is_no_plain_https_address_is_refused_with_a_reason(url: str) -> None:
    assert destinations.why_not(url)


def test_a_name_that_leads_inside_later_is_refused_when_it_is_called(
    agent: Door, receiver: Receiver, hooked: Hook, settings: Any
) -> None:
    hooked()
    settings.HITL_WEBHOOK_NETWORKS = []  # as if the name had been changed since it was saved
    asked = agent.ask()

    delivery.deliver()

    assert receiver.calls == []
    waiting = Delivery.objects.get(subject_id=asked["id"])
    assert (waiting.status, waiting.answer[:26]) == (Status.PENDING, "This address leads inside:")


def test_a_network_that_is_none_stops_the_start_with_a_sentence() -> None:
    with pytest.raises(ImproperlyConfigured, match="HITL_WEBHOOK_NETWORKS must list networks like"):
        networks("HITL_WEBHOOK_NETWORKS", ["10.0.0.0/8", "inside"])


# -- Two clocks, and what is old ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_clocks_send_everything_once(agent: Door, receiver: Receiver, hooked: Hook) -> None:
    hooked()
    asked = {agent.ask()["id"] for _number in range(12)}

    def look() -> None:
        delivery.deliver()
        connections.close_all()

    clocks = [threading.Thread(target=look) for _number in range(4)]
    for clock in clocks:
        clock.start()
    for clock in clocks:
        clock.join()
    delivery.deliver()

    assert {event["data"]["subject_id"] for event in receiver.taken} == asked
    assert receiver.again == 0


def test_what_was_cut_off_by_a_crash_is_sent_again_under_the_same_id(
    agent: Door, receiver: Receiver, hooked: Hook
) -> None:
    hooked()
    agent.ask()
    delivery.fan_out()
    Delivery.objects.update(not_before=Now() + delivery.LEASE)  # a sender took it, and died
    assert delivery.deliver() == 0

    time_passes()
    assert delivery.deliver() == 1
    assert receiver.calls[0].headers["webhook-id"] == Event.objects.get(type="hitl.interrupt.requested").pk


def test_nothing_is_asked_of_the_record_where_nobody_listens(
    agent: Door, django_assert_num_queries: Any
) -> None:
    agent.ask()
    with django_assert_num_queries(1):
        delivery.deliver()


def test_asking_costs_no_query_more_where_somebody_listens(
    agent: Door, hooked: Hook, django_assert_num_queries: Any
) -> None:
    agent.ask()
    with CaptureQueriesContext(connection) as alone:
        agent.ask()
    cost = len(alone)
    hooked()
    agent.ask()  # reads the policies anew: the system stream has grown
    with django_assert_num_queries(cost):
        agent.ask()


def test_deliveries_are_forgotten_in_time(agent: Door, receiver: Receiver, hooked: Hook) -> None:
    hooked()
    agent.ask()
    delivery.deliver()
    assert delivery.cleanup() == 0
    Delivery.objects.update(ended_at=Now() - dt.timedelta(days=delivery.KEPT_DAYS + 1))
    assert delivery.cleanup() == 1


def test_the_receiver_of_the_documentation_verifies_what_comes(
    agent: Door, receiver: Receiver, hooked: Hook
) -> None:
    hooked()
    asked = agent.ask()
    delivery.deliver()
    (call,) = receiver.calls
    [program] = [block for block in blocks("docs/operating.md", "python") if "standardwebhooks" in block]
    known: dict[str, Any] = {"body": call.body, "headers": call.headers}

    exec(program.replace("whsec_…", receiver.secret), known)

    assert known["event"]["data"]["subject_id"] == asked["id"]
