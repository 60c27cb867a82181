"""Webhooks in the admin: made, shown their secret once, switched off, deleted; deliveries sent again."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from events import delivery
from events.models import Delivery, Event, Webhook
from tests import receivers as those
from tests.admin import text_of
from tests.conftest import Door
from tests.receivers import Receiver, time_passes
from tests.steps import Enter

receiver, hooked = those.receiver, those.hooked
HOOKS, DELIVERIES = "/admin/events/webhook/", "/admin/events/delivery/"
SECRET = re.compile(r"whsec_[\w+/]{43}=")
Status = Delivery.Status


def test_ada_makes_a_webhook_and_sees_its_secret_once(agent: Door, as_ada: Door, receiver: Receiver) -> None:
    body = {"url": f"{receiver.url}/in", "label": "Ledger", "stream": "janitor", "types": ["hitl.interrupt."]}
    answer = as_ada.post(f"{HOOKS}add/", body)

    (receiver.secret,) = SECRET.findall(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    webhook = Webhook.objects.get()
    assert Event.objects.get(type="hitl.webhook.created").actor == "user:ada"
    for page in (HOOKS, f"{HOOKS}{webhook.pk}/change/", f"{HOOKS}{webhook.pk}/rotate/"):
        assert receiver.secret not in as_ada.get(page).content.decode()

    asked = agent.ask()
    delivery.deliver()
    assert receiver.types(asked["id"]) == ["interrupt.requested"]
    listed = text_of(as_ada.get(HOOKS))
    assert "Ledger" in listed
    assert "janitor" in listed


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://169.254.169.254/latest", "leads inside"),
        ("http://1.1.1.1/", "Only https"),
        ("nonsense", "Write an address like"),
        ("", "required"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused_at_once(as_ada: Door, url: str, said: str) -> None:
    answer = as_ada.post(f"{HOOKS}add/", {"url": url, "label": "", "stream": ""})
    assert said in text_of(answer)
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    "body", [{"stream": "nobody"}, {"types": ["hitl."]}, {"label": "x" * 101}, {"url": "\0"}]
)
def test_what_the_form_does_not_offer_is_refused(
    as_ada: Door, receiver: Receiver, body: dict[str, Any]
) -> None:
    assert as_ada.post(f"{HOOKS}add/", {"url": receiver.url, **body}).status_code == 200
    assert not Webhook.objects.exists()


def test_a_webhook_is_switched_off_and_on(as_ada: Door, hooked: Callable[..., Webhook]) -> None:
    webhook = hooked()
    page = f"{HOOKS}{webhook.pk}/change/"
    as_ada.post(page, {"url": webhook.url, "label": "Off"})
    webhook.refresh_from_db()
    assert (webhook.label, webhook.is_active) == ("Off", False)
    as_ada.post(page, {"url": webhook.url, "label": "On", "is_active": "on"})
    webhook.refresh_from_db()
    assert (webhook.label, webhook.is_active) == ("On", True)


def test_a_new_secret_is_made_by_a_post_alone(
    as_ada: Door, receiver: Receiver, hooked: Callable[..., Webhook]
) -> None:
    webhook = hooked()
    assert not SECRET.search(as_ada.get(f"{HOOKS}{webhook.pk}/rotate/").content.decode())
    answer = as_ada.post(f"{HOOKS}{webhook.pk}/rotate/")
    (new,) = SECRET.findall(answer.content.decode())
    assert new != receiver.secret
    assert Event.objects.filter(type="hitl.webhook.rotated").count() == 1


def test_a_webhook_is_deleted_after_a_question(as_ada: Door, hooked: Callable[..., Webhook]) -> None:
    webhook = hooked()
    assert as_ada.get(f"{HOOKS}{webhook.pk}/delete/").status_code == 200
    assert Webhook.objects.exists()
    as_ada.post(f"{HOOKS}{webhook.pk}/delete/")
    assert not Webhook.objects.exists()
    assert Event.objects.filter(type="hitl.webhook.deleted", subject_id=webhook.pk).exists()


def test_what_was_given_up_is_seen_and_sent_once_more(
    agent: Door, as_ada: Door, receiver: Receiver, hooked: Callable[..., Webhook]
) -> None:
    webhook = hooked()
    receiver.status = 500
    asked = agent.ask()
    for _attempt in range(len(delivery.PAUSES) + 1):
        time_passes()
        delivery.deliver()
    (row,) = Delivery.objects.all()

    assert asked["id"] in text_of(as_ada.get(DELIVERIES, {"status": "dead"}))
    assert asked["id"] not in text_of(as_ada.get(DELIVERIES, {"status": "delivered"}))
    assert "Send once more" in text_of(as_ada.get(f"{DELIVERIES}{row.pk}/change/"))
    assert "1 event was given up" in text_of(as_ada.get(f"{HOOKS}{webhook.pk}/change/"))

    receiver.status = 200
    as_ada.post(f"{DELIVERIES}{row.pk}/redeliver/")
    delivery.deliver()
    row.refresh_from_db()
    assert row.status == Status.DELIVERED

    Delivery.objects.update(status=Status.DEAD)
    as_ada.post(f"{HOOKS}{webhook.pk}/redeliver/")
    delivery.deliver()
    assert receiver.again == 1


def test_deliveries_are_found_by_item_event_and_webhook(
    agent: Door, as_ada: Door, hooked: Callable[..., Webhook]
) -> None:
    webhook = hooked()
    asked, other = agent.ask()["id"], agent.ask()["id"]
    delivery.fan_out()
    event = Event.objects.get(subject_id=asked)
    for word in (asked, event.pk):
        found = text_of(as_ada.get(DELIVERIES, {"q": word}))
        assert asked in found
        assert other not in found
    assert other in text_of(as_ada.get(DELIVERIES, {"q": webhook.pk}))


def test_an_auditor_looks_and_changes_nothing(
    agent: Door, carol: User, enter: Enter, hooked: Callable[..., Webhook]
) -> None:
    webhook, door = hooked(), enter(carol)
    agent.ask()
    delivery.fan_out()
    row = Delivery.objects.get()
    for page in (HOOKS, f"{HOOKS}{webhook.pk}/change/", DELIVERIES, f"{DELIVERIES}{row.pk}/change/"):
        answer = door.get(page)
        assert answer.status_code == 200
        assert "once more" not in text_of(answer)
    pages = ("change", "rotate", "redeliver", "delete")
    for page in (
        f"{HOOKS}add/",
        *(f"{HOOKS}{webhook.pk}/{verb}/" for verb in pages),
        f"{DELIVERIES}{row.pk}/redeliver/",
    ):
        assert door.post(page, {"url": webhook.url}).status_code == 403


@pytest.mark.parametrize("who", ["ann", "vic"])
def test_others_find_no_webhooks(
    request: pytest.FixtureRequest, enter: Enter, hooked: Callable[..., Webhook], who: str
) -> None:
    webhook, door = hooked(), enter(request.getfixturevalue(who))
    pages = (
        HOOKS,
        f"{HOOKS}add/",
        f"{HOOKS}{webhook.pk}/change/",
        f"{HOOKS}{webhook.pk}/rotate/",
        DELIVERIES,
    )
    assert {door.get(page).status_code for page in pages} <= {403, 404}


@pytest.mark.parametrize("pk", ["whk_0", "x%00", "%F0%9F%92%A9", "1"])
def test_a_webhook_that_is_not_there_is_a_page_that_says_so(as_ada: Door, pk: str) -> None:
    for place in (f"{HOOKS}{pk}/change/", f"{HOOKS}{pk}/rotate/", f"{HOOKS}{pk}/delete/"):
        assert as_ada.get(place).status_code == 404


def test_the_list_costs_the_same_however_many_there_are(
    as_ada: Door, hooked: Callable[..., Webhook], django_assert_max_num_queries: Any
) -> None:
    for _number in range(3):
        hooked()
    with django_assert_max_num_queries(7):
        as_ada.get(HOOKS)
