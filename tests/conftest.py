"""The cast and the doors they come through.

ann reviews, bob reviews in another team, carol audits, vic only views, ada administers. `agent` asks;
`rogue` is another agent who wants what is not its own.
"""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.test import Client

from agents import keys
from agents.models import DEFAULT_SCOPES
from hitl_project.roles import make as make_roles
from runs import dispatch
from tests.providers import HTTPService

API = "/api/v1"


hashed = cache(make_password)  # hashing is slow on purpose: once for each of the cast is enough


class Door(Client):
    """Call the API as somebody: JSON in, JSON out, problems included."""

    handlers: dict[bool, Any] = {}

    def __init__(self, enforce_csrf_checks: bool = False, **options: Any) -> None:
        super().__init__(enforce_csrf_checks, **options)
        # One server for all doors: loading the middleware looks at every static file.
        self.handler = self.handlers.setdefault(enforce_csrf_checks, self.handler)

    def post_json(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.post(
            f"{API}{path}", {} if body is None else body, content_type="application/json", headers=headers
        )

    def send_json(self, method: str, path: str, body: Any = None) -> Any:
        """Call by a method that has no helper of its own: PATCH or DELETE."""
        text = json.dumps({} if body is None else body)
        return self.generic(method, f"{API}{path}", text, content_type="application/json")

    def get_json(self, path: str, **query: Any) -> Any:
        return self.get(f"{API}{path}", query)

    def ask(self, **fields: Any) -> dict[str, Any]:
        """Create an interrupt and return it."""
        answer = self.post_json("/interrupts", {"reason": "Delete the old report?", **fields})
        assert answer.status_code == 201, answer.content
        found: dict[str, Any] = answer.json()
        return found

    def need(self, **fields: Any) -> dict[str, Any]:
        """Create an action request and return it."""
        body = {"request_type": "api_key", "title": "A key for Stripe", "description": "To read invoices."}
        answer = self.post_json("/requests", {**body, **fields})
        assert answer.status_code == 201, answer.content
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    def make(name: str, *roles: str) -> User:
        if not Group.objects.exists():  # a test that commits takes the migrations' rows with it
            make_roles(apps, None)
        user = User.objects.create(username=name, password=hashed(f"{name}-has-a-password"), is_staff=True)
        user.groups.set(Group.objects.filter(name__in=roles))
        return user

    return make


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    return make_user("ann", "reviewer")


@pytest.fixture
def bob(make_user: Callable[..., User]) -> User:
    return make_user("bob", "reviewer")


@pytest.fixture
def carol(make_user: Callable[..., User]) -> User:
    return make_user("carol", "auditor")


@pytest.fixture
def vic(make_user: Callable[..., User]) -> User:
    return make_user("vic", "viewer")


@pytest.fixture
def ada(make_user: Callable[..., User]) -> User:
    return make_user("ada", "administrator")


@pytest.fixture
def make_agent(db: None) -> Callable[..., Door]:
    """Return a function that makes an agent with a key and gives its door; ``door.key`` is the key's text."""

    def make(name: str, scopes: tuple[str, ...] = DEFAULT_SCOPES) -> Door:
        _, text = keys.create_key(keys.create_agent(name), scopes=scopes)
        door = Door(headers={"Authorization": f"Bearer {text}"})
        door.key = text  # type: ignore[attr-defined]
        return door

    return make


@pytest.fixture
def agent(make_agent: Callable[..., Door]) -> Door:
    return make_agent("janitor")


@pytest.fixture
def rogue(make_agent: Callable[..., Door]) -> Door:
    return make_agent("rogue")


@pytest.fixture
def enter() -> Callable[[User], Door]:
    """Return a function that logs a person in and gives their door."""

    def enter_as(user: User) -> Door:
        door = Door()
        door.force_login(user)
        return door

    return enter_as


@pytest.fixture
def as_ann(ann: User, enter: Callable[[User], Door]) -> Door:
    return enter(ann)


@pytest.fixture
def as_bob(bob: User, enter: Callable[[User], Door]) -> Door:
    return enter(bob)


@pytest.fixture
def as_ada(ada: User, enter: Callable[[User], Door]) -> Door:
    return enter(ada)


@pytest.fixture
def make_policy(as_ada: Door) -> Callable[..., dict[str, Any]]:
    """Return a function by which ada makes a policy; one that asks, if nothing else is said."""

    def make(**fields: Any) -> dict[str, Any]:
        said = {"require_approval": True} if not {"allow_auto", "deny"} & set(fields) else {}
        named = {"name": f"{fields.get('kind', '')}{fields.get('pattern', '*')}"}
        answer = as_ada.post_json("/policies", {**named, **said, **fields})
        assert answer.status_code == 201, answer.content
        found: dict[str, Any] = answer.json()
        return found

    return make


@pytest.fixture
def join() -> Callable[..., None]:
    """Return a function that puts people into a group, made where there is none."""

    def put(group: str, *people: User) -> None:
        found, _ = Group.objects.get_or_create(name=group)
        found.user_set.add(*people)

    return put


@pytest.fixture(autouse=True)
def nobody_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take runs on by hand here; what a commit would have done beside it is tried with real processes."""
    monkeypatch.setattr(dispatch, "send", lambda run_id: None)


@pytest.fixture
def service(settings: Any) -> Iterator[HTTPService]:
    """A service on this machine that runs may call."""
    settings.HITL_RUN_HOSTS = ["127.0.0.1"]
    with HTTPService() as found:
        yield found
