"""What an agent is told before a call: conditions over its arguments, and how long an answer holds."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from hitl_project.product import tool_permissions
from reviews.models import Policy
from tests.conftest import Door
from tests.steps import MakePolicy, problem
from tests.test_policies import ruled

# -- Conditions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "args", "holds"),
    [
        ("args.count > 10", {"count": 11}, True),
        ("args.count > 10", {"count": 10}, False),
        ("args.count > 10", {"count": 10.5}, True),
        ("args.count > 10", {"count": 2**53}, True),
        ("args.to.endsWith('@example.com')", {"to": "eve@example.org"}, False),
        ("has(args.force) && args.force", {}, False),
        ("args.files.exists(f, f.startsWith('/etc/'))", {"files": ["a", "/etc/passwd"]}, True),
        ("args.path.matches('^/tmp/')", {"path": "/tmp/x"}, True),
        ("agent == 'janitor' && session_id == 'night'", {}, True),
        ("agent == 'rogue'", {}, False),
        ("args['the key'] == null", {"the key": None}, True),
        (" ", {}, True),
    ],
)
def test_a_condition_decides_by_the_arguments(
    agent: Door, make_policy: MakePolicy, when: str, args: dict[str, Any], holds: bool
) -> None:
    make_policy(pattern="*", when=when, deny=True)

    found = ruled(agent, tool_args=args, session_id="night")

    assert (found["decision"], found["failure"]) == ("deny" if holds else "allow", "")
    assert agent.ask(tool_name="x", tool_args=args, session_id="night")["status"] == (
        "rejected" if holds else "pending"
    )


MISSING = "An argument that the condition reads is missing."
OTHER_TYPE = "An argument is of another type than the condition takes."
FAILED = "The condition failed over these arguments."


@pytest.mark.parametrize(
    ("when", "args", "failure"),
    [
        ("args.count > 10", {}, MISSING),
        ("args.count > 10", {"count": "11"}, OTHER_TYPE),
        ("args.count > 10", {"count": None}, OTHER_TYPE),
        ("args.count > 10", {"count": True}, OTHER_TYPE),
        ("args.user.name == 'x'", {"user": None}, OTHER_TYPE),
        ("args.list[0] == 1", {"list": []}, FAILED),
        ("args.n / args.d > 1", {"n": 1, "d": 0}, FAILED),
        ("args.n * 9223372036854775807 > 1", {"n": 3}, FAILED),
        ("args.s.matches('(')", {"s": "a"}, FAILED),
        ("args.s.matches('((a{100}){100}){100}')", {"s": "a"}, FAILED),
        ("timestamp(args.at) > timestamp('2020-01-01T00:00:00Z')", {"at": "soon"}, FAILED),
        ("args.count", {"count": 1}, "The condition's value is neither true nor false."),
        (
            "args.x.all(a, args.x.all(b, args.x.all(c, a + b + c >= 0)))",
            {"x": list(range(300))},
            "The condition would run long over arguments of this size.",
        ),
    ],
)
def test_where_a_condition_fails_a_person_is_asked(
    agent: Door, make_policy: MakePolicy, when: str, args: dict[str, Any], failure: str
) -> None:
    """Also where its policy would allow: nothing slips through to it, nor to the policies behind it."""
    make_policy(name="First", pattern="*", when=when, allow_auto=True, note="Look at it.")
    make_policy(name="Second", pattern="*", priority=200, deny=True)

    found = ruled(agent, tool_args=args)
    asked = agent.ask(tool_name="delete_user", tool_args=args)

    assert (found["decision"], found["policy"], found["failure"]) == ("ask", "First", failure)
    assert (asked["status"], asked["policy"]["decision"]) == ("pending", "ask")


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("args.count >", "Line 1, character 13: "),
        ("args.a == 1 &&\n  args.b = 2", "Line 2, character 10: "),
        (
            "user == 'x'",
            "Line 1, character 1: There is no “user”; a condition reads args, agent, session_id.",
        ),
        ("true &&\nnow() > 1", "Line 2, character 1: There is no function “now”."),
        ("(" * 500, "nested too deeply"),
        ('"', "Line 1, character 1: "),
        ("`", "Line 1, character 1: "),
        ("0xfffffffffffffffffffff > 1", "Line 1, character 1: "),
        ("args.😀", "Line 1, character 6: "),
        ("args.s.matches(args.p)", "Line 1, character 8: Write the regular expression in quotes"),
        ("args.s.matches('^' + args.p)", "Write the regular expression in quotes"),
    ],
)
def test_a_mistake_is_shown_where_it_is_made(as_ada: Door, when: str, told: str) -> None:
    answer = as_ada.post_json("/policies", {"name": "Mine", "deny": True, "when": when})

    assert told in problem(answer, 400)["errors"]["when"][0]


def test_a_condition_that_can_no_longer_be_read_asks(agent: Door, make_policy: MakePolicy) -> None:
    made = make_policy(name="Mine", pattern="*", when="args.count > 10", allow_auto=True)
    Policy.objects.filter(pk=made["id"]).update(when="args.count >")
    make_policy(name="Other", pattern="none")  # so that the policies are read anew

    found = ruled(agent)

    assert (found["decision"], found["failure"]) == ("ask", "The condition of this policy cannot be read.")
    assert agent.ask(tool_name="x")["status"] == "pending"


# -- How long an answer holds ---------------------------------------------------------------------------


def evaluate(door: Door, known: str = "", **body: Any) -> Any:
    headers = {"If-None-Match": known} if known else {}
    return door.post_json("/policies/evaluate", {"tool_name": "x", **body}, **headers)


def test_an_answer_names_the_state_of_all_rules(agent: Door, as_ada: Door, make_policy: MakePolicy) -> None:
    policy = make_policy(pattern="other")
    first = evaluate(agent)
    tag = first["ETag"]

    assert (tag, first["Cache-Control"]) == (f'"{first.json()["version"]}"', "private, max-age=30")
    assert evaluate(agent, tag).status_code == 304
    for change in (
        lambda: as_ada.send_json("PATCH", f"/policies/{policy['id']}", {"pattern": "x"}),
        lambda: make_policy(name="New", pattern="new"),
        lambda: as_ada.send_json("DELETE", f"/policies/{policy['id']}"),
    ):
        change()
        answer = evaluate(agent, tag)
        assert answer.status_code == 200
        tag = answer["ETag"]
        assert evaluate(agent, tag).status_code == 304


def test_whether_an_answer_holds_for_other_arguments_is_said(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(name="Big", pattern="pay", when="has(args.sum) && args.sum > 100", deny=True)
    make_policy(name="All", pattern="pay", priority=200)
    make_policy(name="First", pattern="free", priority=1, allow_auto=True)
    make_policy(name="Then", pattern="free", when="args.x == 1", deny=True)

    assert ruled(agent, "pay", tool_args={"sum": 1})["depends_on_args"] is True
    assert ruled(agent, "pay", tool_args={"sum": 1_000})["depends_on_args"] is True
    assert ruled(agent, "free")["depends_on_args"] is False
    assert ruled(agent, "other")["depends_on_args"] is False


def test_an_operator_asks_for_an_agent(as_ann: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", agent_pattern="janitor", deny=True)

    assert evaluate(as_ann, agent="janitor").json()["decision"] == "deny"
    assert evaluate(as_ann).json()["decision"] == "allow"


def test_an_agent_is_who_its_key_says(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", agent_pattern="janitor", deny=True)

    assert evaluate(agent, agent="rogue").json()["decision"] == "deny"


@pytest.mark.parametrize("body", [{}, {"tool_name": 1}, {"tool_name": "x", "tool_args": []}, {"tool": "x"}])
def test_a_question_that_is_none_is_refused(agent: Door, body: dict[str, Any]) -> None:
    problem(agent.post_json("/policies/evaluate", body), 400)


# -- What an installation begins with -------------------------------------------------------------------


def test_the_settings_seed_the_policies(agent: Door, settings: Any) -> None:
    settings.HITL_TOOL_PERMISSIONS = tool_permissions(
        """{"*": {"require_approval": false},
            "delete_*": {"allow_auto": false, "note": "Deletes."},
            "delete_draft": {"allow_auto": true, "note": "Only a draft."},
            "send_email": {"require_approval": true, "approval_message": "An email will be sent."}}"""
    )
    call_command("migrate", verbosity=0)

    decisions = {tool: ruled(agent, tool)["decision"] for tool in ("read", "delete_user", "delete_draft")}
    assert decisions == {"read": "allow", "delete_user": "ask", "delete_draft": "allow"}
    assert ruled(agent, "send_email")["approval_message"] == "An email will be sent."
    assert ruled(agent, "delete_user")["note"] == "Deletes."
    assert ruled(agent, "read")["policy"] == "tool_permissions: *"


def test_what_somebody_changed_is_not_seeded_again(agent: Door, as_ada: Door, settings: Any) -> None:
    settings.HITL_TOOL_PERMISSIONS = tool_permissions('{"drop": {"require_approval": true}}')
    call_command("migrate", verbosity=0)
    as_ada.send_json("PATCH", f"/policies/{Policy.objects.get().pk}", {"deny": True})

    call_command("migrate", verbosity=0)

    assert (Policy.objects.get().decision, Policy.objects.get().version) == ("deny", 2)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"drop": true}',
        '{"": {"require_approval": true}}',
        '{"drop": {"require_approval": "yes"}}',
        '{"drop": {"approve": true}}',
        '{"drop": {"note": "Neither asks nor allows."}}',
        '{"drop": {"require_approval": true, "allow_auto": true}}',
    ],
)
def test_settings_that_cannot_be_read_stop_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="HITL_TOOL_PERMISSIONS must read like"):
        tool_permissions(text)
