"""No stray access: every route of the API x every role x somebody else's object, from one table.

A route that is not in the table fails here.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import URLPattern, URLResolver, get_resolver

from agents import keys
from agents.models import SCOPES, Agent, Key
from events.http import API_PREFIXES
from reviews.attachments import keep_result
from reviews.models import Attachment, Grant, Policy
from runs.models import Checkpoint
from tests.conftest import API, Door
from tests.routes import ANSWER, AWAY, CALL, NEED, ROUTES, Route
from tests.runs import attach_to_session, go_on, start
from tests.steps import Enter, MakeAgent, MakeUser, attach, problem, rows

pytestmark = pytest.mark.sqlite  # who may do what is judged before any database has a say of its own
TABLE = [pytest.param(route, id=route.call) for route in ROUTES]


def calls_of_the_resolver() -> Iterator[str]:
    """Yield ``METHOD /path`` of every route below every prefix, the prefix left out."""

    def walk(patterns: list[URLPattern | URLResolver], below: str) -> Iterator[tuple[str, Any]]:
        for found in patterns:
            path = below + str(found.pattern).removeprefix("^").removesuffix("$")
            if isinstance(found, URLResolver):
                yield from walk(found.url_patterns, path)
            else:
                yield path, found.callback

    for path, view in walk(get_resolver().url_patterns, ""):
        prefix = next((one for one in API_PREFIXES if path.startswith(f"{one}/")), None)
        if prefix and path != "api/v1/schema":
            path = path.removeprefix(prefix).replace("<path:", "<").replace("<str:", "<")
            path = re.sub(r"\(\?P(<\w+>)\[\^/\]\+\)", r"\1", path)
            for method in set(view.actions) - {"head"}:
                yield f"{method.upper()} {path}"


def test_every_route_is_in_the_table() -> None:
    found = list(calls_of_the_resolver())

    assert set(found) == {route.call for route in ROUTES}
    assert all(found.count(call) == len(API_PREFIXES) for call in found)


class House:
    """Know everybody who might come to the door, and ask a fresh question for each."""

    def __init__(self, owner: Door, reviewer: Door, administrator: Callable[[], Door]) -> None:
        self.owner, self.reviewer = owner, reviewer
        self._administrator = administrator
        self.names = count()

    @cached_property
    def administrator(self) -> Door:
        return self._administrator()

    def ask(self, route: Route) -> str:
        """Return the id of something new that *route* is about: an item, or one of the tables beside it."""
        if route.policy and not Policy.objects.exists():
            assert self.administrator.post_json("/policies", route.policy).status_code == 201
        make: dict[str, Callable[[], str]] = {
            "policies": self.make_policy,
            "grants": self.make_grant,
            "delegations": self.make_delegation,
            "runs": partial(self.make_run, route),
            "sessions": self.make_session,
        }
        return make.get(route.call.split("/")[1], partial(self.make_item, route))()

    def make_policy(self) -> str:
        body = {"name": f"Policy {next(self.names)}", "pattern": "other", "require_approval": True}
        return str(self.administrator.post_json("/policies", body).json()["id"])

    def make_grant(self) -> str:
        asked = self.owner.ask(session_id="s", tool_name="drop", tool_args={"n": next(self.names)})
        self.do(self.reviewer, f"/interrupts/{asked['id']}/approve", {"grant": "arguments"})
        return Grant.objects.get(item_id=asked["id"]).pk

    def make_delegation(self) -> str:
        return str(self.reviewer.post_json("/delegations", AWAY).json()["id"])

    def make_run(self, route: Route) -> str:
        run_id = start(self.owner, run_input=CALL)
        assert go_on(run_id).status == "awaiting_human"
        if route.first:
            self.do(self.reviewer, f"/runs/{run_id}/{route.first}", {})
        if "<attachment_id>" in route.call:
            keep_result("made.txt", b"Done.", agent="janitor", session_id="", added_by=run_id)
        return run_id

    def make_session(self) -> str:
        """Return the id of a file in a session that has a run: people see the files of those."""
        start(self.owner, run_input=CALL, session_id="s")
        self.owner.ask(session_id="s")
        answer = attach_to_session(self.owner, "s")
        assert answer.status_code == 201, answer.content
        return str(answer.json()["id"])

    def make_item(self, route: Route) -> str:
        if route.call.split("/")[1] == "requests":
            asked = self.owner.need(**NEED)
            if route.first == "reveal":
                self.do(self.reviewer, f"/requests/{asked['id']}/fulfill", ANSWER)
                self.do(self.owner, f"/requests/{asked['id']}/reveal", {})
            elif route.first:
                body = ANSWER if route.first == "fulfill" else {}
                self.do(self.reviewer, f"/requests/{asked['id']}/{route.first}", body)
        else:
            asked = self.owner.ask(session_id="s", **route.fields)
            if route.first:
                self.do(self.reviewer, f"/interrupts/{asked['id']}/{route.first}", {"comment": "x"})
        if "<attachment_id>" in route.call:
            attach(self.owner, asked["id"])
        return str(asked["id"])

    def do(self, door: Door, path: str, body: dict[str, Any]) -> None:
        done = door.post_json(path, body)
        assert done.status_code == 200, done.content

    def call(self, route: Route, door: Door, interrupt_id: str = "") -> Any:
        interrupt_id = interrupt_id or self.ask(route)
        path = route.call.split(" ")[1].replace("<pk>", interrupt_id)
        path = path.replace("<session_id>", "s").replace("<agent_name>", "janitor")
        if "<attachment_id>" in path:
            its = Attachment.objects.filter(Q(item_id=interrupt_id) | Q(added_by=interrupt_id))
            path = path.replace("<attachment_id>", its.values_list("pk", flat=True).first() or interrupt_id)
        if route.method == "GET":
            return door.get_json(path)
        if path.endswith("/files"):
            return attach_to_session(door, "s")
        if path.endswith("/attachments"):
            return attach(door, interrupt_id)
        if route.method != "POST":
            return door.send_json(route.method, path, route.body)
        more = {
            "POST /approvals": {"interrupt_id": interrupt_id},
            "POST /policies": {"name": f"Mine {next(self.names)}"},
            "POST /runs/<pk>/approve": {"approval_id": self.question_of(interrupt_id)},
        }
        return door.post_json(path, {**(route.body or {}), **more.get(route.call, {})})

    def question_of(self, run_id: str) -> str:
        return Checkpoint.objects.filter(run_id=run_id).values_list("approval_id", flat=True).first() or ""


def key_door(name: str, *scopes: str, **key: Any) -> Door:
    _, text = keys.create_key(keys.create_agent(name), scopes=scopes, **key)
    return Door(headers={"Authorization": f"Bearer {text}"})


def personal_door(user: User) -> Door:
    _, text = keys.create_key(user)
    return Door(headers={"Authorization": f"Bearer {text}"})


@pytest.fixture
def house(request: pytest.FixtureRequest, make_agent: MakeAgent, make_user: MakeUser, as_ann: Door) -> House:
    make_user("dan", "reviewer")
    return House(make_agent("janitor"), as_ann, lambda: request.getfixturevalue("as_ada"))


@pytest.mark.parametrize("route", TABLE)
def test_a_key_does_what_its_scope_says_and_no_more(house: House, route: Route) -> None:
    interrupt_id, doors = house.ask(route), {scope: key_door("janitor", scope) for scope in SCOPES}
    before = rows()
    for scope, door in doors.items():
        if scope != route.scope:
            problem(house.call(route, door, interrupt_id), 403, "forbidden")
    assert rows() == before

    if route.scope:
        answer = house.call(route, doors[route.scope], interrupt_id)
        assert answer.status_code == route.ok, answer.content


@pytest.mark.parametrize("route", TABLE)
def test_what_belongs_to_another_agent_is_not_there(house: House, route: Route) -> None:
    asking = key_door("rogue", *(set(SCOPES) - {"on_behalf"}))
    deciding = key_door("rogue", "on_behalf")
    for door, scopes in ((asking, set(SCOPES) - {"on_behalf"}), (deciding, {"on_behalf"})):
        answer = house.call(route, door)

        if route.scope not in scopes:
            problem(answer, 403, "forbidden")
        elif route.of_an_item:
            problem(answer, 404, "not_found")
        else:
            assert answer.status_code == route.ok
            assert b"janitor" not in answer.content


@pytest.mark.parametrize("route", TABLE)
def test_people_do_what_their_role_says(
    house: House, route: Route, vic: User, carol: User, ann: User, ada: User, enter: Enter
) -> None:
    for user in (vic, carol, ann, ada):
        for door in (enter(user), personal_door(user)):
            answer = house.call(route, door)

            if user.username in route.people:
                assert answer.status_code == route.ok, (user, answer.content)
            else:
                problem(answer, 403, "forbidden")


@pytest.mark.parametrize("route", TABLE)
def test_people_without_a_role_do_nothing(house: House, route: Route, enter: Enter) -> None:
    staff = User.objects.create(username="new", is_staff=True)

    interrupt_id = house.ask(route)

    for door in (enter(staff), personal_door(staff)):
        problem(house.call(route, door, interrupt_id), 403, "forbidden")


@pytest.mark.parametrize("route", TABLE)
def test_who_is_not_or_no_longer_somebody_is_sent_away(
    house: House, route: Route, ann: User, bob: User, enter: Enter
) -> None:
    interrupt_id, everything = house.ask(route), set(SCOPES) - {"on_behalf"}
    for number, door in enumerate(strangers(everything, ann, bob, enter)):
        answer = house.call(route, door, interrupt_id)

        problem(answer, 401, "unauthenticated")
        assert answer["WWW-Authenticate"].startswith("Bearer"), number


def strangers(scopes: set[str], ann: User, bob: User, enter: Enter) -> Iterator[Door]:
    yield Door()
    for text in (
        "",
        "hitl_",
        "hitl_x_y",
        "hitl__",
        "x" * 5_000,
        "ünïcode",
        "hitl_" + "0" * 12 + "_" + "a" * 43,
    ):
        yield Door(headers={"Authorization": f"Bearer {text}"})
    yield Door(headers={"Authorization": "Basic YW5uOnNlY3JldA=="})
    key, text = keys.create_key(keys.create_agent("gone"), scopes=scopes)
    yield Door(headers={"Authorization": f"Bearer {text}x"})
    yield Door(headers={"Authorization": f"Token {text}"})
    keys.revoke(key, actor="user:ada")
    yield Door(headers={"Authorization": f"Bearer {text}"})
    yield key_door("late", *scopes, expires_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    off = key_door("off", *scopes)
    Agent.objects.filter(name="off").update(is_active=False)
    yield off
    session, personal = enter(bob), personal_door(bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    yield session
    yield personal
    left = enter(ann)
    left.logout()
    yield left


@pytest.mark.parametrize("route", TABLE)
def test_a_session_changes_nothing_without_the_token(house: House, route: Route, ann: User) -> None:
    door = Door(enforce_csrf_checks=True)
    door.force_login(ann)
    interrupt_id = house.ask(route)
    before = rows()

    answer = house.call(route, door, interrupt_id)

    if route.method != "GET":
        assert "CSRF" in problem(answer, 403, "forbidden")["detail"]
        assert rows() == before
    elif "ann" in route.people:
        assert answer.status_code == 200


def test_a_session_with_the_token_decides(agent: Door, ann: User) -> None:
    door = Door(enforce_csrf_checks=True)
    door.force_login(ann)
    door.get("/admin/login/?next=/admin/")
    door.get("/admin/")
    token = door.cookies["csrftoken"].value

    decided = door.post_json(f"/interrupts/{agent.ask()['id']}/approve", {}, **{"X-CSRFToken": token})

    assert decided.status_code == 200


def test_a_key_needs_no_token(agent: Door) -> None:
    _, text = keys.create_key(Agent.objects.get(name="janitor"))
    door = Door(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {text}"})

    assert door.post_json("/interrupts", {"reason": "x"}).status_code == 201


def test_a_key_that_ends_ends_at_once(agent: Door) -> None:
    agent.ask()
    Key.objects.update(expires_at=Now() + dt.timedelta(hours=1))
    assert agent.get_json("/interrupts").status_code == 200

    Key.objects.update(expires_at=Now() - dt.timedelta(seconds=1))

    problem(agent.get_json("/interrupts"), 401)


def test_the_schema_and_the_docs_are_open_to_all(db: None) -> None:
    for path in (f"{API}/schema", "/docs", "/docs/problems", "/healthz"):
        assert Door().get(path).status_code == 200, path
