"""The pages of grants and delegations: what was allowed in advance, and who stands in for whom."""

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from events.models import Event
from reviews.models import Delegation, Grant
from tests.admin import text_of
from tests.conftest import Door
from tests.steps import Enter, MakePolicy

GRANTS, DELEGATIONS = "/admin/reviews/grant/", "/admin/reviews/delegation/"
NAME = "copy_file"


def given(agent: Door, door: Door, reach: str, **fields: Any) -> Grant:
    """Let somebody approve a call, and allow what follows."""
    asked = agent.ask(**{"tool_name": NAME, "tool_args": {"to": "\u202e/mnt"}, "session_id": "s-7", **fields})
    assert door.post_json(f"/interrupts/{asked['id']}/approve", {"grant": reach}).status_code == 200
    return Grant.objects.get(item_id=asked["id"])


@pytest.fixture(autouse=True)
def _asks(make_policy: MakePolicy) -> None:
    make_policy(pattern="*")


# -- Grants ---------------------------------------------------------------------------------------------


def test_what_is_allowed_in_advance_is_listed(agent: Door, as_ann: Door) -> None:
    of_session, of_arguments = (
        given(agent, as_ann, "session"),
        given(agent, as_ann, "arguments", tool_name="x"),
    )

    answer = as_ann.get(GRANTS)

    shown = text_of(answer)
    assert "copy_file agent janitor for the session s-7 by ann" in shown
    assert "for exactly these arguments" in shown
    assert "⟦U+202E⟧" in shown
    for grant in (of_session, of_arguments):
        assert f'href="/admin/interrupts/interrupt/{grant.item_id}/change/"' in answer.content.decode()


def test_a_grant_is_revoked_after_being_asked_once_more(agent: Door, as_ann: Door, as_bob: Door) -> None:
    grant = given(agent, as_ann, "session")
    path = f"{GRANTS}{grant.pk}/revoke/"
    assert "asks again" in text_of(as_bob.get(path))
    assert Grant.objects.get().revoked_at is None

    assert as_bob.post(path)["Location"] == GRANTS

    assert Grant.objects.get().revoked_at is not None
    assert Event.objects.get(type="hitl.grant.revoked").actor == "user:bob"
    assert agent.ask(tool_name=NAME, session_id="s-7")["status"] == "pending"
    assert "Nothing is allowed in advance" in text_of(as_bob.get(GRANTS))
    assert "revoked" in text_of(as_bob.get(GRANTS, {"show": "all"}))
    assert as_bob.post(path).status_code == 404


def test_a_viewer_looks_at_grants_and_revokes_none(
    agent: Door, as_ann: Door, vic: User, make_user: Any, enter: Enter
) -> None:
    grant = given(agent, as_ann, "session")
    door = enter(vic)

    shown = as_vic = door.get(GRANTS)

    assert NAME in text_of(shown)
    assert b"/revoke/" not in as_vic.content
    assert door.post(f"{GRANTS}{grant.pk}/revoke/").status_code == 403
    assert Grant.objects.get().revoked_at is None
    assert enter(make_user("mallory")).get(GRANTS).status_code == 403


@pytest.mark.parametrize(
    "query", [{"q": NAME}, {"q": "nothing"}, {"show": "odd"}, {"p": "x"}, {"q": "a\x01"}]
)
def test_odd_questions_about_grants_are_answered(agent: Door, as_ann: Door, query: dict[str, str]) -> None:
    given(agent, as_ann, "session")

    assert as_ann.get(GRANTS, query, follow=True).status_code == 200
    assert as_ann.get(f"{GRANTS}gra_nothing/revoke/").status_code == 404


# -- Delegations ----------------------------------------------------------------------------------------


def named(door: Door, **fields: Any) -> Any:
    base = {
        "absent": "ann",
        "substitute": "bob",
        "starts_at": "2030-07-01T09:00",
        "ends_at": "2030-07-15T18:00",
    }
    return door.post(f"{DELEGATIONS}add/", {**base, **fields})


def test_a_reviewer_names_a_substitute_in_their_own_time_zone(as_ann: Door, bob: User) -> None:
    answer = named(as_ann, zone="Europe/Berlin", note="Holiday")

    assert answer["Location"] == DELEGATIONS
    made = Delegation.objects.get()
    assert (made.absent.username, made.substitute.username, made.note) == ("ann", "bob", "Holiday")
    assert made.starts_at == dt.datetime(2030, 7, 1, 7, tzinfo=dt.UTC)
    assert "bob for ann Holiday" in text_of(as_ann.get(DELEGATIONS))


@pytest.mark.parametrize("zone", ["", "Nowhere/Land", "../etc/passwd", "America", "x" * 61])
def test_an_unknown_zone_is_utc_or_refused(as_ann: Door, bob: User, zone: str) -> None:
    named(as_ann, zone=zone)

    starts = Delegation.objects.values_list("starts_at", flat=True)
    assert list(starts) in ([], [dt.datetime(2030, 7, 1, 9, tzinfo=dt.UTC)])
    assert bool(starts) == (len(zone) < 61)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ends_at": "2030-06-01T00:00"}, "This has to end after it begins."),
        ({"substitute": "ann"}, "Nobody stands in for themselves."),
        ({"substitute": "vic"}, "This person may not decide anything here."),
        ({"absent": "bob", "substitute": "ann"}, "Select a valid choice"),
        ({"starts_at": "soon"}, "Write a day and a time."),
        ({"starts_at": "0001-01-01T00:00", "zone": "Asia/Tokyo"}, "Write a day and a time."),
    ],
)
def test_what_could_not_work_is_refused(
    as_ann: Door, bob: User, vic: User, fields: dict[str, str], told: str
) -> None:
    assert told in text_of(named(as_ann, **fields))
    assert not Delegation.objects.exists()


def test_an_administrator_names_a_substitute_for_anybody(as_ada: Door, ann: User, bob: User) -> None:
    assert named(as_ada)["Location"] == DELEGATIONS

    assert Event.objects.get(type="hitl.delegation.created").actor == "user:ada"


def test_a_delegation_ends_early_by_who_is_away_and_not_by_another(
    as_ann: Door, as_bob: Door, as_ada: Door, bob: User
) -> None:
    now = timezone.now()
    ann = User.objects.get(username="ann")
    made = Delegation.objects.create(
        absent=ann, substitute=bob, starts_at=now - dt.timedelta(days=1), ends_at=now + dt.timedelta(days=1)
    )
    path = f"{DELEGATIONS}{made.pk}/end/"

    assert "End now" not in text_of(as_bob.get(DELEGATIONS))
    assert as_bob.post(path).status_code == 403
    assert "no longer answers for" in text_of(as_ann.get(path))
    assert Delegation.objects.exists()
    assert as_ann.post(path)["Location"] == DELEGATIONS
    assert not Delegation.objects.exists()
    assert as_ada.post(path).status_code == 404
    assert as_ada.post(f"{DELEGATIONS}{2**70}/end/").status_code == 404


def test_a_viewer_sees_who_is_away_and_names_nobody(vic: User, ann: User, bob: User, enter: Enter) -> None:
    door = enter(vic)

    assert "Nobody is away" in text_of(door.get(DELEGATIONS))
    assert door.get(f"{DELEGATIONS}add/").status_code == 403
    assert named(door).status_code == 403
