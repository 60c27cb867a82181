"""Mails about what waits: to whom, when, and nothing of what it says."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now

from events.models import Channel, Subscription
from hitl_project.checks import mails_can_lead_here
from hitl_project.environment import mail_server
from reviews import mailing, telling
from reviews.models import Priority
from tests import mails, push
from tests.admin import text_of as page_text
from tests.conftest import Door
from tests.mails import MailServer, text_of
from tests.push import began
from tests.steps import Enter, Join, MakePolicy

mailbox, at_once = mails.mailbox, push.at_once
Write = Callable[..., User]
PREFERENCES = "/admin/preferences/"


@pytest.fixture
def writes_to(mailbox: MailServer) -> Write:
    """Return a function by which a person wants mail, of what is asked from now on."""

    def choose(person: User, **chosen: Any) -> User:
        person.email = f"{person.username}@example.com"
        person.save()
        telling.subscribe(person, Channel.MAIL, **{"lowest": Priority.LOW, **chosen})
        Subscription.objects.update(told=began())
        return person

    return choose


def time_passes(**by: Any) -> None:
    """Go on to when what failed is tried again; *by* says how long ago the last mail was."""
    Subscription.objects.update(not_before=Now())
    if by:
        Subscription.objects.update(told_at=Now() - dt.timedelta(**by))


# -- What is told ---------------------------------------------------------------------------------------


def test_a_mail_comes_once_and_leads_to_what_waits(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann)
    asked = agent.ask(reason="Delete <b>secret-canary</b>?", tool_name="canary", priority="high")

    assert mailing.mail_to_people() == 1
    assert mailing.mail_to_people() == 0

    (mail,) = mailbox.mails
    link = f"https://hitl.example.com/admin/interrupts/interrupt/{asked['id']}/change/"
    assert (mail["To"], mail["From"]) == ("ann@example.com", "HITL <hitl@example.com>")
    assert mail["Subject"] == "Urgent: A question waits"
    assert mail["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        assert link in text_of(mail, kind)
        assert "Priority: High" in text_of(mail, kind)
    assert "canary" not in mail.as_string()


def test_what_waits_is_told_together_with_the_most_urgent_first(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann)
    for priority in ("low", "critical", "medium"):
        agent.ask(priority=priority)
    mailing.mail_to_people()

    (mail,) = mailbox.mails
    told = text_of(mail)
    assert mail["Subject"] == "Urgent: 3 new questions wait"
    assert told.index("Critical") < told.index("Medium") < told.index("Low")


def test_a_flood_is_one_mail_that_stays_short(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann)
    for _number in range(mailing.SHOWN + 3):
        agent.ask()
    mailing.mail_to_people()

    (mail,) = mailbox.mails
    assert "… and 3 more." in text_of(mail)


def test_a_mail_is_in_the_language_of_who_reads_it(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer, enter: Enter
) -> None:
    enter(ann).post(PREFERENCES, {"language": "de", "time_zone": "", "shortcuts": "on"})
    writes_to(ann)
    agent.ask(priority="critical")
    mailing.mail_to_people()

    (mail,) = mailbox.mails
    assert mail["Subject"] == "Dringend: Eine Frage wartet"


# -- To whom --------------------------------------------------------------------------------------------


def test_only_who_is_asked_is_told(
    agent: Door, ann: User, bob: User, vic: User, writes_to: Write, mailbox: MailServer,
    make_policy: MakePolicy, join: Join,
) -> None:  # fmt: skip
    join("finance", bob)
    make_policy(pattern="pay", reviewers=["finance"])
    for person in (ann, bob, vic):
        writes_to(person)
    agent.ask(tool_name="pay", tool_args={}, priority="high")
    mailing.mail_to_people()

    assert [mail["To"] for mail in mailbox.mails] == ["bob@example.com"]


def test_who_wants_the_critical_ones_alone_gets_no_other(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann, lowest=Priority.CRITICAL)
    agent.ask(priority="high")
    assert mailing.mail_to_people() == 0
    agent.ask(priority="critical")
    assert mailing.mail_to_people() == 1
    assert mailbox.mails[0]["Subject"] == "Urgent: A question waits"


def test_who_lost_the_role_is_told_nothing(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann).groups.clear()
    agent.ask(priority="critical")
    assert mailing.mail_to_people() == 0


# -- When -----------------------------------------------------------------------------------------------


def around(minutes: int) -> dict[str, dt.time]:
    """Return quiet hours that begin so many minutes from now, and last two hours."""
    begins = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    return {"quiet_from": begins.time(), "quiet_until": (begins + dt.timedelta(hours=2)).time()}


def test_in_quiet_hours_the_urgent_comes_and_the_rest_waits(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann, **around(-60))
    agent.ask(priority="medium")
    assert mailing.mail_to_people() == 0
    agent.ask(priority="critical")
    assert mailing.mail_to_people() == 1
    assert mailbox.mails[0]["Subject"] == "Urgent: 2 new questions wait"

    agent.ask(priority="low")
    assert mailing.mail_to_people() == 0
    Subscription.objects.update(**around(60))  # the quiet hours are over
    assert mailing.mail_to_people() == 1


def test_quiet_hours_are_those_of_the_person_s_own_clock(
    agent: Door, ann: User, writes_to: Write, enter: Enter
) -> None:
    enter(ann).post(PREFERENCES, {"language": "", "time_zone": "Asia/Tokyo", "shortcuts": "on"})
    writes_to(ann, **around(-60))  # by UTC: nine hours ago in Tokyo
    agent.ask(priority="medium")
    assert mailing.mail_to_people() == 1


def test_a_digest_waits_its_time_after_the_last_mail(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann, digest_minutes=60)
    agent.ask()
    assert mailing.mail_to_people() == 1
    agent.ask()
    agent.ask()
    assert mailing.mail_to_people() == 0
    time_passes(minutes=61)
    assert mailing.mail_to_people() == 1
    assert mailbox.mails[-1]["Subject"] == "2 new questions wait"


def test_what_is_answered_while_it_is_held_back_is_not_told(
    agent: Door, as_bob: Door, ann: User, writes_to: Write
) -> None:
    writes_to(ann, **around(-60))
    asked = agent.ask()
    assert mailing.mail_to_people() == 0
    as_bob.post_json(f"/interrupts/{asked['id']}/approve")
    Subscription.objects.update(**around(60))
    assert mailing.mail_to_people() == 0


# -- What goes wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", ["451 Try again later", "550 No such mailbox"])
def test_a_mail_that_is_refused_is_sent_later(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer, refusal: str
) -> None:
    writes_to(ann)
    agent.ask()
    mailbox.refusal = refusal
    assert mailing.mail_to_people() == 0
    mailbox.refusal = ""
    assert mailing.mail_to_people() == 0  # not at once
    time_passes()
    assert mailing.mail_to_people() == 1


def test_a_mail_server_that_is_away_loses_nothing(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer, settings: Any
) -> None:
    writes_to(ann)
    agent.ask()
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 9
    assert mailing.mail_to_people() == 0
    settings.EMAIL_PORT = port
    time_passes()
    assert mailing.mail_to_people() == 1


def test_an_address_with_a_line_break_adds_no_header_and_holds_up_nobody(
    agent: Door, ann: User, bob: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann)
    writes_to(bob)
    User.objects.filter(pk=ann.pk).update(email="ann@example.com\nBcc: all@example.com")
    agent.ask()

    assert mailing.mail_to_people() == 1
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Bcc"]) == ("bob@example.com", None)


def test_a_mail_that_a_crash_cut_off_comes_again_under_the_same_name(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann)
    agent.ask()
    place = Subscription.objects.get().told
    mailing.mail_to_people()
    Subscription.objects.update(told=place, not_before=Now())  # as if the process had died just then
    mailing.mail_to_people()

    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"]


def test_without_a_mail_server_nothing_is_asked_of_the_database(
    ann: User, django_assert_num_queries: Any, settings: Any
) -> None:
    settings.HITL_EMAIL_URL = ""
    with django_assert_num_queries(0):
        assert mailing.mail_to_people() == 0


@pytest.mark.parametrize("url", ["mail.example.com", "smtp://", "http://mail.example.com", "console://"])
def test_an_address_of_no_mail_server_stops_the_start_with_a_sentence(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="HITL_EMAIL_URL must read"):
        mail_server(url)


# -- Choosing and stopping ------------------------------------------------------------------------------


def test_a_person_chooses_what_reaches_them(ann: User, enter: Enter, mailbox: MailServer) -> None:
    ann.email = "ann@example.com"
    ann.save()
    door = enter(ann)
    own = {"language": "", "time_zone": "", "shortcuts": "on"}
    assert "ann@example.com" in page_text(door.get(PREFERENCES))

    quiet = {"quiet_from": "22:00", "quiet_until": "06:30"}
    door.post(PREFERENCES, {**own, "lowest": "3", "digest_minutes": "60", **quiet})
    kept = Subscription.objects.get(user=ann)
    assert (kept.lowest, kept.digest_minutes) == (Priority.HIGH, 60)
    assert (kept.quiet_from, kept.quiet_until) == (dt.time(22), dt.time(6, 30))

    door.post(PREFERENCES, {**own, "lowest": ""})
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"quiet_from": "22:00"}, {"quiet_until": "25:00"}, {"lowest": "9"}, {"digest_minutes": "7"}]
)
def test_a_choice_that_is_none_is_refused(
    ann: User, enter: Enter, mailbox: MailServer, wrong: dict[str, str]
) -> None:
    ann.email = "ann@example.com"
    ann.save()
    body = {"language": "", "time_zone": "", "lowest": "1", "digest_minutes": "0", **wrong}
    assert enter(ann).post(PREFERENCES, body).status_code == 200
    assert not Subscription.objects.exists()


def test_mail_is_not_offered_without_a_server_or_an_address(ann: User, enter: Enter, settings: Any) -> None:
    settings.HITL_EMAIL_URL = ""
    assert "A mail never says" not in page_text(enter(ann).get(PREFERENCES))
    settings.HITL_EMAIL_URL = "smtp://127.0.0.1:25"
    assert "A mail never says" not in page_text(enter(ann).get(PREFERENCES))


def test_mails_are_stopped_from_within_one_without_logging_in(
    agent: Door, ann: User, writes_to: Write, mailbox: MailServer
) -> None:
    writes_to(ann)
    agent.ask()
    mailing.mail_to_people()
    (mail,) = mailbox.mails
    address = mail["List-Unsubscribe"].strip(" <>").removeprefix("https://hitl.example.com")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stranger = Door(enforce_csrf_checks=True)

    assert stranger.get(address).status_code == 200  # a scanner of mails
    assert Subscription.objects.exists()
    assert stranger.post(address, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("token", ["x", "1:2:3", "%00", "MQ:1abcde:aaaa"])
def test_a_token_of_nobody_stops_nothing(ann: User, writes_to: Write, token: str) -> None:
    writes_to(ann)
    assert Door().post(f"/mail/stop/{token}").status_code == 404
    assert Subscription.objects.exists()


def test_a_server_that_mails_without_its_address_is_warned(settings: Any) -> None:
    settings.HITL_EMAIL_URL, settings.HITL_PUBLIC_URL = "smtp://127.0.0.1:25", ""
    (warning,) = mails_can_lead_here(None)
    assert (warning.id, "no links" in str(warning.msg)) == ("hitl.W004", True)
    settings.HITL_PUBLIC_URL = "https://hitl.example.com"
    assert mails_can_lead_here(None) == []
