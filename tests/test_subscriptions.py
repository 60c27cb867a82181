"""Who hears by which channel: a choice for each, one look for all, and nobody waits for another."""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now

from events.models import Channel, Subscription
from reviews import mailing, telling
from reviews.models import Priority
from reviews.telling import Outcome
from tests import mails, push
from tests.conftest import Door
from tests.mails import MailServer
from tests.push import began

mailbox, at_once = mails.mailbox, push.at_once
BEFORE, AFTER = ("events", "0007_longer_subjects"), ("events", "0008_subscriptions")


def subscribed(person: User, channel: Channel = Channel.MAIL, **chosen: Any) -> Subscription:
    """Have *person* hear by *channel* of what is asked from now on."""
    person.email = f"{person.username}@example.com"
    person.save()
    telling.subscribe(person, channel, **{"lowest": Priority.LOW, **chosen})
    Subscription.objects.filter(user=person, channel=channel).update(told=began())
    return Subscription.objects.get(user=person, channel=channel)


def test_who_had_mails_before_there_were_channels_has_them_still(transactional_db: None) -> None:
    def migrate(*to: tuple[str, str]) -> Any:
        executor = MigrationExecutor(connection)
        executor.migrate(list(to))
        return MigrationExecutor(connection).loader.project_state(list(to)).apps

    chosen = {"lowest": 3, "quiet_from": dt.time(22), "quiet_until": dt.time(6), "digest_minutes": 60}
    try:
        old = migrate(BEFORE)
        ann = User.objects.create(username="ann")
        old.get_model("events", "MailSubscription").objects.create(
            user_id=ann.pk, told="0" * 26, mailed_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), **chosen
        )
    finally:
        newest = MigrationExecutor(connection).loader.graph.leaf_nodes("events")
        migrate(*newest)
    kept = Subscription.objects.get()
    assert (kept.user, kept.channel, kept.address) == (ann, Channel.MAIL, "")
    assert {name: getattr(kept, name) for name in chosen} == chosen
    assert kept.told_at == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_a_person_has_a_channel_once_and_a_slack_member_is_one_person(ann: User, bob: User) -> None:
    subscribed(ann, Channel.SLACK, address="T1:U1")
    with pytest.raises(IntegrityError):
        Subscription.objects.create(user=bob, channel=Channel.SLACK, address="T1:U1", lowest=1, told="0")


def test_each_channel_has_its_own_choice_and_its_own_place(
    agent: Door, ann: User, mailbox: MailServer
) -> None:
    subscribed(ann, Channel.MAIL, lowest=Priority.CRITICAL)
    other = subscribed(ann, Channel.SLACK, address="T1:U1")
    agent.ask(priority="high")

    assert mailing.mail_to_people() == 0
    assert Subscription.objects.get(pk=other.pk).told == other.told


@pytest.mark.parametrize("told_before", [1, 40])
def test_a_look_asks_no_more_however_much_was_told(
    agent: Door, ann: User, mailbox: MailServer, django_assert_num_queries: Any, told_before: int
) -> None:
    subscribed(ann)
    for _number in range(told_before):
        agent.ask()
    assert mailing.mail_to_people() == 1
    # is there anybody, two clocks, the newest of each kind (two), whom it has not been told to
    with django_assert_num_queries(6):
        assert mailing.mail_to_people() == 0


@pytest.mark.parametrize("people", [1, 5])
def test_a_look_asks_no_more_however_many_wait_at_the_same_place(
    agent: Door, ann: User, make_user: Callable[..., User], mailbox: MailServer, people: int,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    for number in range(people):
        subscribed(make_user(f"person{number}", "reviewer"), lowest=Priority.CRITICAL)
    agent.ask()
    with django_assert_max_num_queries(12 + people):  # each notes that there was nothing to say
        assert mailing.mail_to_people() == 0


class _Slow:
    """Be a channel whose receivers are slow, or go wrong."""

    name = Channel.MAIL

    def __init__(self, sends: Callable[[], Outcome]) -> None:
        self.sends = sends
        self.kept: list[Outcome] = []

    def is_on(self) -> bool:
        return True

    def write(self, about: Any) -> Callable[[], Outcome]:
        return self.sends

    def keep(self, about: Any, outcome: Outcome) -> None:
        self.kept.append(outcome)


def test_people_are_written_to_side_by_side(
    agent: Door, ann: User, bob: User, ada: User, mailbox: MailServer
) -> None:
    for person in (ann, bob, ada):
        subscribed(person)
    agent.ask()

    def sends() -> Outcome:
        time.sleep(0.5)
        return Outcome()

    begins = time.monotonic()
    assert telling.tell(_Slow(sends)) == 3
    assert time.monotonic() - begins < 1.4


def test_what_takes_too_long_is_left_and_tried_again_later(
    agent: Door, ann: User, mailbox: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "SECONDS", 0.2)
    subscribed(ann)
    agent.ask()

    def sends() -> Outcome:
        time.sleep(0.6)
        return Outcome()

    slow = _Slow(sends)
    assert telling.tell(slow) == 0
    assert slow.kept == [Outcome("no answer in time")]
    found = Subscription.objects.get()
    assert found.failures == 1
    Subscription.objects.update(not_before=Now())
    assert mailing.mail_to_people() == 1


def test_a_channel_that_breaks_costs_its_own_message_alone(
    agent: Door, ann: User, mailbox: MailServer
) -> None:
    subscribed(ann)
    agent.ask()

    def sends() -> Outcome:
        raise RuntimeError("secret-canary")

    broken = _Slow(sends)
    assert telling.tell(broken) == 0
    assert broken.kept == [Outcome("RuntimeError")]


def test_who_asks_to_wait_is_left_alone_as_long(agent: Door, ann: User, mailbox: MailServer) -> None:
    subscribed(ann)
    agent.ask()
    telling.tell(_Slow(lambda: Outcome("429", wait=120)))
    left = Subscription.objects.get().not_before - dt.datetime.now(dt.UTC)
    assert 100 < left.total_seconds() < 140


def test_a_subscription_says_nothing_of_its_address(ann: User) -> None:
    assert "T1" not in str(subscribed(ann, Channel.SLACK, address="T1:U1"))


def test_a_flood_of_urgent_questions_is_soon_a_mail_a_minute(
    agent: Door, ann: User, mailbox: MailServer
) -> None:
    subscribed(ann)
    sent = []
    for _ in range(telling.BURST + 5):
        agent.ask(priority="critical")
        sent.append(mailing.mail_to_people())
    assert sent == [1] * (telling.BURST + 1) + [0] * 4

    Subscription.objects.update(not_before=Now())
    assert mailing.mail_to_people() == 1

    assert "Urgent: 4 new questions wait" in str(mailbox.mails[-1]["Subject"])
