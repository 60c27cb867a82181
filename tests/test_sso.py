"""Single sign-on, with a real identity provider on this machine that lies, fails and is away."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client

from agents import presence
from events.models import Event
from hitl_project import checks
from tests.identity import CONFIRM, SECOND_STEP, code_of, enter, is_in, set_up_app
from tests.identity_provider import CLIENT, SECRET, TROUBLE, IdentityProvider, go_there, log_in

CALLBACK = "/admin/login/sso/callback/"


@pytest.fixture
def provider(settings: Any, vic: User) -> Iterator[IdentityProvider]:
    """The provider that the settings name; it sends Eve, who reviews. vic is here so that the roles are."""
    cache.clear()
    with IdentityProvider() as found:
        settings.HITL_OIDC_URL = found.url
        settings.HITL_OIDC_CLIENT_ID, settings.HITL_OIDC_CLIENT_SECRET = CLIENT, SECRET
        settings.HITL_OIDC_NAME = "Example login"
        settings.HITL_OIDC_GROUPS = {"reviewers": "reviewer", "auditors": "auditor"}
        found.person = {"sub": "42", "preferred_username": "eve", "groups": ["reviewers", "canteen"]}
        yield found


@pytest.fixture
def client() -> Client:
    return Client(REMOTE_ADDR="192.0.2.1")


def roles(name: str) -> set[str]:
    return {group.name for group in User.objects.get(username=name).groups.all()}


def entered() -> list[tuple[str, dict[str, Any]]]:
    found = Event.objects.filter(type="hitl.user.logged_in").order_by("position")
    return [(event.subject_id, json.loads(event.data)) for event in found]


# -- Getting in ---------------------------------------------------------------------------------------


def test_somebody_of_a_mapped_group_gets_in_with_its_role(provider: IdentityProvider, client: Client) -> None:
    answer = log_in(client, "?next=/admin/inbox/")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/inbox/")
    assert is_in(client)
    eve = User.objects.get(username="eve")
    assert (roles("eve"), eve.is_staff, eve.is_superuser) == ({"reviewer"}, True, False)
    assert not eve.has_usable_password()
    assert entered() == [("eve", {"address": "192.0.2.1", "by": "sso"})]
    (asked,) = provider.asked
    assert asked["code_challenge_method"] == "S256"
    assert "openid" in asked["scope"]


def test_the_second_time_it_is_the_same_account_whatever_it_is_called(
    provider: IdentityProvider, client: Client
) -> None:
    log_in(client)
    provider.person |= {"preferred_username": "evelyn", "email": "e@example.com"}

    log_in(Client())

    assert list(User.objects.filter(username__startswith="eve").values_list("username", flat=True)) == ["eve"]
    assert SocialAccount.objects.get().extra_data == {}


def test_nobody_is_taken_for_another_by_name_or_mail(
    provider: IdentityProvider, client: Client, ann: User
) -> None:
    User.objects.filter(pk=ann.pk).update(email="ann@example.com")
    provider.person |= {"preferred_username": "Ann", "email": "ann@example.com", "email_verified": True}

    log_in(client)

    assert SocialAccount.objects.get().user.username == "Ann-2"
    assert not EmailAddress.objects.exists()
    assert User.objects.get(username="ann").has_usable_password()


def test_another_sub_is_another_person(provider: IdentityProvider, client: Client) -> None:
    log_in(client)
    provider.person["sub"] = "43"

    log_in(Client())

    assert {account.user.username for account in SocialAccount.objects.all()} == {"eve", "eve-2"}


def test_the_same_sub_at_another_provider_is_another_person(
    provider: IdentityProvider, client: Client, settings: Any
) -> None:
    log_in(client)
    with IdentityProvider() as other:
        settings.HITL_OIDC_URL = other.url
        other.person = provider.person

        log_in(Client())

    assert {account.user.username for account in SocialAccount.objects.all()} == {"eve", "eve-2"}


@pytest.mark.parametrize(
    ("person", "name"),
    [
        ({"preferred_username": "system"}, "system-2"),
        ({"preferred_username": "Unknown"}, "Unknown-2"),
        ({"preferred_username": None, "email": "frida@example.com"}, "frida"),
        ({"preferred_username": "", "email": None}, "person"),
        ({"preferred_username": "a\x00<b>\u202e c"}, "abc"),
        ({"preferred_username": "x" * 400}, "x" * 100),
    ],
)
def test_names_are_made_fit(
    provider: IdentityProvider, client: Client, person: dict[str, Any], name: str
) -> None:
    provider.person |= person

    assert log_in(client).status_code == 302
    assert SocialAccount.objects.get().user.username == name


# -- Groups -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [[], ["canteen"], None, "nonsense", 5, {"reviewers": 1}, [["reviewers"]]])
def test_who_is_in_none_of_the_groups_does_not_get_in_and_nothing_is_made(
    provider: IdentityProvider, client: Client, groups: Any
) -> None:
    provider.person["groups"] = groups

    answer = log_in(client)

    assert answer.status_code in (400, 403)
    assert not is_in(client)
    assert not SocialAccount.objects.exists()
    assert not User.objects.exclude(username="vic").exists()
    assert entered() == []


def test_groups_are_set_anew_at_each_login_and_what_was_given_by_hand_stays(
    provider: IdentityProvider, client: Client
) -> None:
    log_in(client)
    eve = User.objects.get(username="eve")
    eve.groups.add(Group.objects.create(name="finance"), Group.objects.get(name="viewer"))
    provider.person["groups"] = "auditors"

    log_in(Client())

    assert roles("eve") == {"auditor", "finance", "viewer"}


def test_who_leaves_the_groups_loses_the_roles(provider: IdentityProvider, client: Client) -> None:
    log_in(client)
    provider.person["groups"] = []

    answer = log_in(Client())

    assert answer.status_code == 403
    assert roles("eve") == set()
    assert client.get("/admin/").status_code == 302


def test_nobody_becomes_a_superuser_by_a_claim(provider: IdentityProvider, client: Client) -> None:
    provider.person |= {"is_superuser": True, "is_staff": True, "groups": ["reviewers", "superuser", "admin"]}

    log_in(client)

    assert not User.objects.get(username="eve").is_superuser


def test_who_is_switched_off_here_does_not_get_in(provider: IdentityProvider, client: Client) -> None:
    log_in(client)
    User.objects.filter(username="eve").update(is_active=False)
    other = Client()

    assert log_in(other).status_code == 403
    assert not is_in(other)


def test_another_claim_can_name_the_groups(provider: IdentityProvider, client: Client, settings: Any) -> None:
    settings.HITL_OIDC_GROUPS_CLAIM = "https://example.com/roles"
    provider.person["https://example.com/roles"] = ["auditors"]

    log_in(client)

    assert roles("eve") == {"auditor"}


# -- What is not believed -----------------------------------------------------------------------------


def is_refused(answer: Any, client: Client) -> bool:
    page = answer.content.decode()
    assert answer.status_code in (400, 403), page
    assert "Not logged in" in page
    assert "eyJ" not in page
    assert not SocialAccount.objects.exists()
    assert entered() == []
    return not is_in(client)


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_provider_that_lies_or_fails_lets_nobody_in(
    provider: IdentityProvider, client: Client, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider.trouble = trouble

    assert is_refused(log_in(client), client)

    told = [line.getMessage() for line in caplog.records if "sso_" in line.getMessage()]
    assert len(told) == 1
    assert "eyJ" not in told[0]


@pytest.mark.parametrize(
    "lies",
    [
        {"aud": "somebody-else"},
        {"aud": ["somebody-else"]},
        {"aud": [CLIENT, "somebody-else"], "azp": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 120},
        {"iat": lambda now: now + 600},
        {"exp": lambda now: now - 120},
        {"nonce": "of another login"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": "x" * 300},
        {"exp": None},
        {"aud": None},
    ],
)
def test_a_token_that_is_not_for_us_now_lets_nobody_in(
    provider: IdentityProvider, client: Client, lies: dict[str, Any]
) -> None:
    provider.lies = lies

    assert is_refused(log_in(client), client)


def test_a_provider_that_is_away_is_said_before_and_after(provider: IdentityProvider, client: Client) -> None:
    place = go_there(client).removeprefix("http://testserver")
    provider.stop()

    assert is_refused(client.get(place), client)
    assert is_refused(client.get("/admin/login/sso/"), client)


@pytest.mark.parametrize(
    "query",
    ["", "?code=1", "?code=1&state=guessed", "?state=guessed&error=access_denied", "?error=server_error"],
)
def test_what_this_browser_did_not_ask_for_lets_nobody_in(
    provider: IdentityProvider, client: Client, query: str
) -> None:
    assert is_refused(client.get(f"{CALLBACK}{query}"), client)


@pytest.mark.parametrize("error", ["access_denied", "server_error", "<script>"])
def test_an_error_of_the_provider_is_a_page(provider: IdentityProvider, client: Client, error: str) -> None:
    state = go_there(client).split("state=")[1]

    answer = client.get(CALLBACK, {"error": error, "state": state})

    assert is_refused(answer, client)
    assert "<script>" not in answer.content.decode()


def test_an_answer_is_taken_once_and_by_the_browser_that_asked(
    provider: IdentityProvider, client: Client
) -> None:
    place = go_there(client).removeprefix("http://testserver")
    thief = Client()
    assert thief.get(place).status_code == 400

    assert client.get(place).status_code == 302
    assert client.get(place).status_code == 400
    assert not is_in(thief)


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_it_leads_nowhere_else(provider: IdentityProvider, client: Client, place: str) -> None:
    assert log_in(client, f"?next={place}")["Location"] == "/admin/"


def test_a_caller_cannot_choose_what_is_asked_of_the_provider(
    provider: IdentityProvider, client: Client
) -> None:
    log_in(client, "?scope=everything&process=connect&auth_params=redirect_uri%3Dhttps%3A%2F%2Fevil.example")

    (asked,) = provider.asked
    assert "everything" not in asked["scope"]
    assert asked["redirect_uri"] == f"http://testserver{CALLBACK}"


# -- Together with the rest ---------------------------------------------------------------------------


def test_the_login_page_has_a_button_only_with_a_provider(
    provider: IdentityProvider, client: Client, settings: Any
) -> None:
    assert "Log in with Example login" in client.get("/admin/login/").content.decode()
    settings.HITL_OIDC_URL = ""

    assert "sso" not in client.get("/admin/login/").content.decode()
    assert client.get("/admin/login/sso/").status_code == 404
    assert client.get(CALLBACK).status_code == 404


def test_a_second_factor_of_ours_is_asked_of_who_set_one_up(
    provider: IdentityProvider, client: Client
) -> None:
    log_in(client)
    eve = User.objects.get(username="eve")
    log_in(client, "?again=1&next=/admin/")
    secret, _ = set_up_app(client)
    other = Client()

    assert log_in(other)["Location"] == SECOND_STEP
    assert not is_in(other)
    other.post(SECOND_STEP, {"code": code_of(secret)})

    assert is_in(other)
    assert Authenticator.objects.filter(user=eve).count() == 2
    assert [told["by"] for _, told in entered()] == ["sso", "sso"]


def test_where_one_is_required_the_providers_counts(
    provider: IdentityProvider, client: Client, settings: Any
) -> None:
    settings.HITL_SECOND_FACTOR = "REQUIRED"

    log_in(client)

    assert is_in(client)


def test_logging_in_there_is_no_confirmation_but_being_asked_anew_is(
    provider: IdentityProvider, client: Client
) -> None:
    log_in(client)
    assert client.get("/admin/security/app/")["Location"].startswith(CONFIRM)
    assert "Confirm through Example login" in client.get(CONFIRM).content.decode()

    answer = log_in(client, "?again=1&next=/admin/security/app/")

    assert answer["Location"] == "/admin/security/app/"
    assert (provider.asked[-1]["prompt"], provider.asked[-1]["max_age"]) == ("login", "0")
    assert client.get("/admin/security/app/").status_code == 200
    assert len(entered()) == 1


@pytest.mark.parametrize(
    "lies", [{"auth_time": None}, {"auth_time": 1_000}, {"auth_time": "now"}, {"sub": "43"}]
)
def test_who_was_not_asked_anew_or_is_another_confirms_nothing(
    provider: IdentityProvider, client: Client, lies: dict[str, Any]
) -> None:
    log_in(client)
    provider.lies = lies

    assert log_in(client, "?again=1").status_code == 403
    assert presence.SHOWN not in client.session
    assert SocialAccount.objects.count() == 1


def test_a_local_account_is_confirmed_by_nobody_elsewhere(provider: IdentityProvider, ann: User) -> None:
    client, _ = enter(ann)

    assert log_in(client, "?again=1").status_code == 403
    assert client.get("/admin/").wsgi_request.user == ann


# -- Settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("HITL_OIDC_URL", "hitl.E007"),
        ("HITL_OIDC_CLIENT_ID", "hitl.E009"),
        ("HITL_OIDC_CLIENT_SECRET", "hitl.E009"),
        ("HITL_OIDC_GROUPS", "hitl.E009"),
    ],
)
def test_half_the_settings_are_an_error(
    provider: IdentityProvider, settings: Any, missing: str, code: str
) -> None:
    assert checks.the_provider_is_known_whole(None) == []
    setattr(settings, missing, "")

    (error,) = checks.the_provider_is_known_whole(None)

    assert error.id == code
    assert missing in str(error.msg)


@pytest.mark.parametrize("url", ["http://login.example.com", "login", f"https://{'x' * 250}.example"])
def test_an_address_that_cannot_be_trusted_is_an_error(
    provider: IdentityProvider, settings: Any, url: str
) -> None:
    settings.HITL_OIDC_URL = url

    assert [error.id for error in checks.the_provider_is_known_whole(None)] == ["hitl.E008"]
