"""Who is rung on their devices when something waits, what they are told, and what nobody can make of it."""

import datetime as dt
import json
import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from events import push
from events.models import PushSubscription
from reviews import notifying
from tests import push as phones
from tests.conftest import Door
from tests.providers import RESET, Trouble
from tests.push import Phone, PushService, due_again, subscribe
from tests.steps import Enter, Join, MakePolicy, let_deadline_pass

service, phone_of, at_once = phones.service, phones.phone_of, phones.at_once
Ring = Callable[..., Phone]


# -- What is told ---------------------------------------------------------------------------------------


def test_a_phone_rings_once_for_what_is_new_and_nothing_of_it_is_said(
    agent: Door, ann: User, phone_of: Callable[[User], Phone], service: PushService
) -> None:
    phone = phone_of(ann)
    asked = agent.ask(reason="Delete <b>secret-canary</b>?", tool_name="canary", priority="high")

    assert notifying.push_to_people() == 1
    due_again()
    assert notifying.push_to_people() == 0

    (shown,), (message,) = phone.shown, phone.accepted
    path = f"/admin/interrupts/interrupt/{asked['id']}/change/"
    assert shown == {"title": "A question waits", "body": "Priority: High", "open": "Open", "path": path}
    assert "canary" not in json.dumps(shown)
    assert (message.headers["urgency"], message.headers["topic"]) == ("high", "waiting")
    assert 86_000 < int(message.headers["ttl"]) <= 86_400
    assert message.headers["content-encoding"] == "aes128gcm"
    assert b"question" not in message.body
    assert 0 < service.claims[0]["exp"] - dt.datetime.now().timestamp() <= 12 * 3_600 + 5


def test_several_are_told_together_with_the_highest_priority(
    agent: Door, ann: User, phone_of: Callable[[User], Phone]
) -> None:
    phone = phone_of(ann)
    agent.ask(priority="low", expires_in=300)
    agent.ask(priority="critical", expires_in=600)
    agent.need()

    notifying.push_to_people()

    (shown,) = phone.shown
    assert (shown["title"], shown["body"]) == ("3 new questions wait", "Priority: Critical")
    assert shown["path"] == "/admin/inbox/"


def test_a_push_lives_no_longer_than_the_question(
    agent: Door, ann: User, phone_of: Callable[[User], Phone]
) -> None:
    phone = phone_of(ann)
    agent.ask(expires_in=300)

    notifying.push_to_people()

    assert 290 <= int(phone.accepted[0].headers["ttl"]) <= 300


def test_a_burst_of_questions_is_one_push_for_every_look(
    agent: Door, ann: User, phone_of: Callable[[User], Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "LOOKED_AT", 4)
    phone = phone_of(ann)
    for number in range(6):
        agent.ask() if number % 2 else agent.need()

    for _ in range(3):
        notifying.push_to_people()
        due_again()

    assert [shown["title"] for shown in phone.shown] == ["4 new questions wait", "2 new questions wait"]


# -- Who is told ----------------------------------------------------------------------------------------


def test_only_who_is_asked_is_told(
    agent: Door,
    ann: User,
    bob: User,
    vic: User,
    join: Join,
    make_policy: MakePolicy,
    phone_of: Callable[[User], Phone],
) -> None:
    join("finance", ann)
    make_policy(pattern="refund", reviewers=["finance"])
    phones = [phone_of(person) for person in (ann, bob, vic)]

    agent.ask(tool_name="refund")
    notifying.push_to_people()

    assert [len(phone.shown) for phone in phones] == [1, 0, 0]
    assert len(set(PushSubscription.objects.values_list("told", flat=True))) == 1


def test_who_holds_it_is_told_and_the_others_are_not(
    agent: Door, ann: User, bob: User, as_bob: Door, phone_of: Callable[[User], Phone]
) -> None:
    anns, bobs = phone_of(ann), phone_of(bob)
    asked = agent.ask()
    as_bob.post_json(f"/interrupts/{asked['id']}/claim")

    notifying.push_to_people()

    assert (len(anns.shown), len(bobs.shown)) == (0, 1)


def test_what_was_answered_or_is_overdue_rings_nobody(
    agent: Door, ann: User, as_bob: Door, phone_of: Callable[[User], Phone]
) -> None:
    phone = phone_of(ann)
    answered, late = agent.ask(), agent.ask()
    as_bob.post_json(f"/interrupts/{answered['id']}/approve")
    let_deadline_pass(late["id"])

    assert notifying.push_to_people() == 0
    assert phone.shown == []


@pytest.mark.parametrize("how", ["role", "active", "staff", "removed"])
def test_who_may_decide_no_more_is_told_nothing(
    agent: Door, ann: User, phone_of: Callable[[User], Phone], how: str
) -> None:
    phone = phone_of(ann)
    agent.ask()
    match how:
        case "role":
            ann.groups.clear()
        case "active":
            User.objects.filter(pk=ann.pk).update(is_active=False)
        case "staff":
            User.objects.filter(pk=ann.pk).update(is_staff=False)
        case "removed":
            ann.delete()

    assert notifying.push_to_people() == 0
    assert phone.shown == []


def test_the_device_on_which_somebody_logs_out_is_forgotten(
    agent: Door, ann: User, enter: Enter, phone_of: Callable[[User], Phone], service: PushService
) -> None:
    kept, here = phone_of(ann), Phone(service)
    door = enter(ann)
    subscribe(door, here)
    door.get("/admin/logout/")
    assert PushSubscription.objects.count() == 2

    door.post("/admin/logout/")

    assert PushSubscription.objects.get().endpoint == kept.subscription["endpoint"]


def test_without_subscriptions_a_look_is_one_query(agent: Door) -> None:
    agent.ask()
    with CaptureQueriesContext(connection) as queries:
        assert notifying.push_to_people() == 0
    assert len(queries) == 1


# -- What goes wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 410])
def test_a_device_that_is_gone_is_forgotten(
    agent: Door, ann: User, phone_of: Callable[[User], Phone], service: PushService, status: int
) -> None:
    phone_of(ann)
    agent.ask()
    service.trouble(Trouble(status))

    notifying.push_to_people()

    assert not PushSubscription.objects.exists()


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(429, headers={"Retry-After": "40"}),
        Trouble(500),
        Trouble(302, headers={"Location": "/"}),
        RESET,
    ],
)
def test_what_was_not_accepted_is_sent_again_later(
    agent: Door, ann: User, phone_of: Callable[[User], Phone], service: PushService, trouble: Trouble
) -> None:
    phone = phone_of(ann)
    agent.ask()
    service.trouble(trouble)

    assert notifying.push_to_people() == 0
    assert len(service.calls) == 1  # a redirect is not followed
    kept = PushSubscription.objects.annotate(present=Now()).get()
    wait = 40 if trouble.status == 429 else 20
    assert (kept.failures, wait - 5 < (kept.not_before - kept.present).total_seconds() <= wait) == (1, True)
    assert notifying.push_to_people() == 0  # not yet
    due_again()
    assert notifying.push_to_people() == 1

    assert (len(phone.shown), PushSubscription.objects.get().failures) == (1, 0)


def test_a_device_that_never_takes_anything_is_dropped(
    agent: Door, ann: User, phone_of: Callable[[User], Phone], service: PushService
) -> None:
    phone_of(ann)
    agent.ask()
    service.trouble(*[Trouble(500)] * push.FAILURES_LIMIT)

    for _ in range(push.FAILURES_LIMIT):
        due_again()
        notifying.push_to_people()

    assert not PushSubscription.objects.exists()


def test_what_a_crash_cut_off_is_sent_again_with_the_same_topic(
    agent: Door, ann: User, phone_of: Callable[[User], Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(ann)
    agent.ask()
    with monkeypatch.context() as patched:
        patched.setattr(push, "_settle", lambda *_: 1 / 0)  # sent, and not noted
        with pytest.raises(ZeroDivisionError):
            notifying.push_to_people()
    assert notifying.push_to_people() == 0  # whoever was at it may be still

    due_again()
    assert notifying.push_to_people() == 1

    assert [message.headers["topic"] for message in phone.accepted] == ["waiting", "waiting"]


@pytest.mark.django_db(transaction=True)
def test_two_clocks_at_once_ring_once(
    agent: Door, ann: User, phone_of: Callable[[User], Phone], service: PushService
) -> None:
    phone = phone_of(ann)
    agent.ask()
    both, sent = threading.Barrier(2), []

    def look() -> None:
        try:
            both.wait(10)
            sent.append(notifying.push_to_people())
        finally:
            connections.close_all()

    clocks = [threading.Thread(target=look) for _ in range(2)]
    [clock.start() for clock in clocks]  # type: ignore[func-returns-value]
    [clock.join(30) for clock in clocks]  # type: ignore[func-returns-value]

    assert sorted(sent) == [0, 1]
    assert len(phone.shown) == 1


def test_one_slow_device_does_not_hold_up_the_others(
    agent: Door,
    ann: User,
    bob: User,
    phone_of: Callable[[User], Phone],
    service: PushService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(push, "SECONDS", 0.5)
    phones = [phone_of(person) for person in (ann, bob)]
    agent.ask()
    service.trouble(Trouble(seconds=2))

    assert notifying.push_to_people() == 1

    assert sorted(PushSubscription.objects.values_list("failures", flat=True)) == [0, 1]
    assert sum(len(phone.shown) for phone in phones) == 1
