"""What somebody with bad intent tried, and what they get: an agent with a key, a person with too small
a role, a page on another port of the same machine."""

import itertools
import string
import time
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.core.exceptions import SuspiciousOperation
from django.test import Client

from agents import callers, calls, sockets
from events import schema
from hitl_project import asgi, logins, wsgi
from hitl_project.server import OPTIONS
from reviews import services
from tests.admin import LIST, decide, page_of, text_of
from tests.conftest import API, Door
from tests.steps import Enter, MakeAgent, problem, status_of

CROWD = {f"name{number}": number for number in range(1_200)}
IN_PIECES = "a*=utf-8''x; a*0=y"
NOT_TYPES = (
    f"application/json; {IN_PIECES}", "application/json; a*=martian''x", "application/json; charset=utf-16",
    "multipart/form-data; boundary=x; charset=base64",
    "multipart/form-data; boundary=x; charset=unicode_escape",
)  # fmt: skip
NOT_COOKIES = ("a,b=1; sessionid=aaaaaaaaaaaa", 'sessionid="\\000aaaaaaaaaa"', "sessionid=../../x", "=;;=")


def nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


# -- An agent against the server ----------------------------------------------------------------------


def test_a_name_that_stands_twice_among_thousands_is_found_at_once(agent: Door) -> None:
    names = ["".join(letters) for letters in itertools.product(string.ascii_lowercase, repeat=3)]
    data = ",".join(f'"{name}":1' for name in [*names, "zz", "zz"])

    before = time.process_time()
    answer = agent.post(f"{API}/interrupts", f'{{"data":{{{data}}}}}', content_type="application/json")

    assert "zz" in problem(answer, 400, "invalid")["errors"]
    assert time.process_time() - before < 1


@pytest.mark.parametrize("field", ["args_schema", "response_schema"])
def test_schemas_cannot_fill_the_memory_with_patterns(agent: Door, field: str) -> None:
    patterns = [rf"(\w{{30}}){{28}}{number}" for number in range(51)]
    kept = schema._compiled.cache_info().currsize

    for crowd in (
        {"allOf": [{"pattern": pattern} for pattern in patterns]},
        {"patternProperties": dict.fromkeys(patterns, True)},
    ):
        refused = problem(agent.post_json("/interrupts", {"reason": "x", field: crowd}), 400, "invalid")
        assert "more than 50 patterns" in refused["errors"][field][0]
    agent.ask(**{field: {"allOf": [{"pattern": pattern} for pattern in patterns[:3]]}})
    agent.ask(**{field: {"description": "x" * 5_000}})

    assert schema._compiled.cache_info().currsize <= kept + 1  # our own body's


def test_an_agent_cannot_bury_an_item_under_comments(
    agent: Door, as_ann: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "COMMENTS_OF_AN_AGENT", 2)
    path = f"/interrupts/{agent.ask()['id']}/comments"
    for _ in range(2):
        assert agent.post_json(path, {"body": "Soon?"}).status_code == 201

    problem(agent.post_json(path, {"body": "Now?"}), 429, "too_many_comments")

    assert as_ann.post_json(path, {"body": "Patience."}).status_code == 201


# -- An agent against who decides ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        CROWD,
        {"text": "漢字" * 18_000},
        {"unseen": "\u200b" * 30_000},
        {"deep": nested([1] * 60_000, 27)},
    ],
    ids=["a crowd", "large", "unseen", "deep"],
)
def test_no_arguments_are_too_large_to_be_judged(
    agent: Door, as_ann: Door, arguments: dict[str, Any]
) -> None:
    asked = agent.ask(tool_name="run", tool_args=arguments)

    page = as_ann.get(page_of(asked))
    shown = page.content.decode()

    assert len(shown) < 6_000_000
    assert page.context["decision_form"].has_long_text
    assert "too large to be edited here" in shown
    assert 'value="edit"' not in shown
    assert decide(as_ann, asked, "reject", page=shown, note="No.").status_code == 302
    assert status_of(agent, asked["id"])["status"] == "rejected"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {key: {"type": "string"} for key in CROWD}},
        {"enum": list(range(8_000))},
        {"type": "object", "properties": {name: {"enum": list(range(800))} for name in "abcdefghijk"}},
    ],
    ids=["a crowd of fields", "a crowd of choices", "both"],
)
def test_an_answer_to_an_enormous_schema_is_given_as_json(
    agent: Door, as_ann: Door, schema: dict[str, Any]
) -> None:
    asked = agent.ask(type="input", response_schema=schema)

    page = as_ann.get(page_of(asked))

    assert list(page.context["answer_form"].fields) == ["0"]
    assert len(page.content) < 1_000_000


def test_an_agent_that_calls_itself_otherwise_is_listed_by_its_own_name(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(agent_name="payments")

    for path in (LIST, page_of(asked)):
        assert "janitor calls itself payments" in text_of(as_ann.get(path))
    assert "payments" not in text_of(as_ann.get("/admin/"))


# -- A person with too small a role, or none ----------------------------------------------------------


@pytest.mark.parametrize("query", ["title__regex=(a%2B)%2B$", "reason__contains=b", "resolved_by__regex=b"])
def test_a_list_is_narrowed_by_its_filters_alone(agent: Door, as_ann: Door, query: str) -> None:
    asked = agent.ask(reason="a" * 40 + "!")

    assert asked["id"] in as_ann.get(f"{LIST}?{query}").content.decode()
    assert asked["id"] not in as_ann.get(f"{LIST}?{query}&priority=low").content.decode()


def test_a_search_for_thousands_of_words_looks_for_a_few(agent: Door, as_ann: Door) -> None:
    agent.ask(reason="a word")

    assert as_ann.get(LIST, {"q": "a " * 2_000}).status_code == 200


def test_an_administrator_does_not_become_a_superuser(ada: User, vic: User, enter: Enter) -> None:
    root = User.objects.create_superuser("root", password="root-has-a-password")
    groups = [group.pk for group in Group.objects.filter(name="administrator")]
    sent = {
        "is_superuser": "on", "is_staff": "on", "is_active": "on", "groups": groups,
        "date_joined_0": "2030-01-31", "date_joined_1": "12:00:00",
    }  # fmt: skip
    door = enter(ada)

    for user in (ada, vic):
        answer = door.post(f"/admin/auth/user/{user.pk}/change/", {"username": user.username, **sent})
        assert answer.status_code == 302
    for path in ("change/", "password/", "delete/"):
        assert (
            door.post(f"/admin/auth/user/{root.pk}/{path}", {"username": "root", **sent}).status_code == 403
        )

    assert list(User.objects.filter(is_superuser=True)) == [root]
    assert vic.groups.filter(name="administrator").exists()


@pytest.mark.parametrize("name", ["system", "System"])
def test_nobody_is_called_as_the_clock_is(ada: User, enter: Enter, name: str) -> None:
    words = {"password1": "kuchen-zebra-9", "password2": "kuchen-zebra-9", "usable_password": "true"}

    enter(ada).post("/admin/auth/user/add/", {"username": name, **words})
    enter(ada).post("/admin/auth/user/add/", {"username": "systema", **words})

    assert set(User.objects.values_list("username", flat=True)) == {"ada", "systema"}


def test_a_password_cannot_be_guessed_at_full_speed(
    ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "TRIES", 2)
    cache.clear()
    door = Client()

    def enters(name: str, password: str) -> bool:
        answer = door.post("/admin/login/", {"username": name, "password": password})
        return bool(answer.status_code == 302)

    assert [enters("ann", guess) for guess in ("a", "b", "ann-has-a-password")] == [False] * 3
    assert enters("bob", "bob-has-a-password")
    cache.clear()
    assert enters("ann", "ann-has-a-password")


# -- From elsewhere -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cookie", NOT_COOKIES)
def test_a_cookie_that_is_none_is_nobody(db: None, cookie: str) -> None:
    assert callers.by_cookie(cookie) is None
    assert Client().get(f"{API}/interrupts", headers={"Cookie": cookie}).status_code == 401


@pytest.mark.parametrize("media_type", NOT_TYPES)
def test_a_media_type_that_cannot_be_read_is_415_at_both_doors(media_type: str) -> None:
    said: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/healthz",
        "headers": [(b"content-type", media_type.encode())],
    }
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/healthz", "CONTENT_TYPE": media_type}

    async def send(message: Any) -> None:
        said.append(message.get("status"))

    async_to_sync(asgi.application)(scope, None, send)
    wsgi.application(environ, lambda line, headers: said.append(line))

    assert (said[0], said[2]) == (415, "415 Unsupported Media Type")


def test_a_form_that_cannot_be_read_is_a_bad_request(db: None) -> None:
    stranger = Client(enforce_csrf_checks=True, headers={"Cookie": f"csrftoken={'a' * 32}"})
    body = f'--x\r\nContent-Disposition: form-data; name="a"; {IN_PIECES}\r\n\r\ny\r\n--x--\r\n'

    answer = stranger.generic("POST", "/admin/login/", body, "multipart/form-data; boundary=x")

    problem(answer, 400, "bad_request")


def test_a_thousand_parameters_are_a_bad_request_to_those_who_wait() -> None:
    query = calls.Call({}, "&".join(CROWD))

    with pytest.raises(SuspiciousOperation) as refusal:
        assert query.query
    assert calls.refused(refusal.value, "/")[0] == 400


@pytest.mark.parametrize(
    "path", ["agents/agent/%00/change/", "agents/key/?q=%00", "requests_app/probe/a%00b/delete/"]
)
def test_a_nul_leads_nowhere_on_the_pages(ada: User, enter: Enter, path: str) -> None:
    assert enter(ada).get(f"/admin/{path}").status_code == 404


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        ("http://127.0.0.1:8000", True),
        ("https://127.0.0.1:8000", True),
        ("http://127.0.0.1:3000", False),
        ("http://localhost:8000", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_page_on_another_port_cannot_listen_with_the_operators_cookie(
    as_ann: Door, origin: str, admitted: bool
) -> None:
    cookie = f"sessionid={as_ann.cookies['sessionid'].value}"
    headers = {"host": "127.0.0.1:8000", "origin": origin, "cookie": cookie}
    scope = {"headers": [(name.encode(), value.encode()) for name, value in headers.items()]}

    found = sockets.OperatorDoor(None)._listener(scope)  # type: ignore[arg-type]

    assert (found is not None) is admitted


def test_forwarding_headers_are_believed_only_behind_a_proxy() -> None:
    assert OPTIONS["proxy_headers"] is False


def test_a_name_that_a_back_end_gives_may_be_long(agent: Door, make_agent: MakeAgent) -> None:
    asked = agent.ask()
    trusted = make_agent("janitor", ("read", "on_behalf"))

    path = f"/interrupts/{asked['id']}/approve"

    assert "user_id" in problem(trusted.post_json(path, {"user_id": "u" * 201}), 400, "invalid")["errors"]
    assert trusted.post_json(path, {"user_id": "u" * 200}).status_code == 200
