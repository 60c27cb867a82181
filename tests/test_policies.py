"""Policies: which of them is in force for a call, what they say, and how they are kept."""

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from events.models import SYSTEM, Event
from reviews.models import Policy
from tests.conftest import Door
from tests.steps import Join, MakePolicy, let_deadline_pass, problem


def ruled(door: Door, tool: str = "delete_user", **fields: Any) -> dict[str, Any]:
    """Return what the server says about a call."""
    answer = door.post_json("/policies/evaluate", {"tool_name": tool, **fields})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def seconds_until(moment: str) -> float:
    return (dt.datetime.fromisoformat(moment) - dt.datetime.now(dt.UTC)).total_seconds()


# -- Which is in force ----------------------------------------------------------------------------------


def test_without_a_policy_everything_is_allowed(agent: Door) -> None:
    found = ruled(agent)

    assert (found["decision"], found["policy"], found["depends_on_args"]) == ("allow", None, False)


def test_the_first_that_matches_is_in_force(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(name="Last", pattern="*", priority=300, deny=True)
    make_policy(name="First", pattern="delete_*", priority=1, allow_auto=True)
    make_policy(name="Second", pattern="delete_user", priority=2)
    make_policy(name="Off", pattern="*", priority=0, is_active=False, deny=True)

    assert [ruled(agent, tool)["policy"] for tool in ("delete_user", "delete_all", "read")] == [
        "First",
        "First",
        "Last",
    ]


def test_of_two_with_one_priority_the_older_is_first(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(name="Older", pattern="x", priority=5)
    make_policy(name="Newer", pattern="x", priority=5, deny=True)

    assert ruled(agent, "x")["policy"] == "Older"


@pytest.mark.parametrize(
    ("pattern", "tool"),
    [
        ("delete_user", "DELETE_User"),
        ("Delete_*", "delete_user"),
        ("delete_user", "\uff44\uff45\uff4c\uff45\uff54\uff45_user"),  # wide letters
        ("delete_user", "dele\u200bte\u2060_user"),  # of no width
        ("delete_user", " delete_user\u200b "),
        ("delete_user", "delete_user \u200b"),
        ("delete_user", "delete\u0008_user"),
        ("delete_user", "delete\u00ad_user"),  # a soft hyphen
        ("delete_user", "delete_user\u3164"),  # a letter that looks like nothing
        ("delete_user", "delete\ufe0f_user\U000e0100"),  # selectors of a look
        ("d\u00e9l", "de\u200d\u0301l"),  # an accent, apart from its letter
        ("stra\u00dfe", "STRASSE"),
        ("*", ""),
        ("file?", "file1"),
        ("[dr]*", "drop"),
    ],
)
def test_another_spelling_is_the_same_tool(
    agent: Door, make_policy: MakePolicy, pattern: str, tool: str
) -> None:
    make_policy(pattern=pattern, deny=True)

    assert ruled(agent, tool)["decision"] == "deny"


@pytest.mark.parametrize("tool", ["delete", "xdelete_user", "delete_users", "delete-user", "delete_user\nx"])
def test_another_tool_is_another_tool(agent: Door, make_policy: MakePolicy, tool: str) -> None:
    make_policy(pattern="delete_user", deny=True)

    assert ruled(agent, tool)["decision"] == "allow"


def test_a_policy_can_be_about_some_agents(agent: Door, rogue: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="*", agent_pattern="Jan*", deny=True)

    assert (ruled(agent)["decision"], ruled(rogue)["decision"]) == ("deny", "allow")


@pytest.mark.parametrize(
    ("kind", "interrupt", "confirmation", "needed"),
    [
        ("interrupt", "deny", "deny", "allow"),
        ("request", "allow", "allow", "deny"),
        ("*", "deny", "deny", "deny"),
        ("confirmation", "allow", "deny", "allow"),
        ("payment_authorization", "allow", "allow", "deny"),
    ],
)
def test_a_policy_is_about_a_kind(
    agent: Door, make_policy: MakePolicy, kind: str, interrupt: str, confirmation: str, needed: str
) -> None:
    make_policy(kind=kind, deny=True)

    assert ruled(agent)["decision"] == ruled(agent, kind="approval")["decision"] == interrupt
    assert ruled(agent, kind="confirmation")["decision"] == confirmation
    assert ruled(agent, "payment_authorization", kind="payment_authorization")["decision"] == needed


# -- What it says ---------------------------------------------------------------------------------------


def test_what_is_denied_is_rejected_at_once(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(name="Never", pattern="drop", deny=True, note="Ask the database team.")

    asked = agent.ask(tool_name="drop")

    found = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert (found["status"], found["resolved_by"]) == ("rejected", "policy Never")
    assert found["rejection_reason"] == "The policy “Never” denies this. Ask the database team."
    assert [event["type"] for event in found["history"]] == [
        "hitl.interrupt.requested",
        "hitl.interrupt.rejected",
    ]


def test_a_denied_request_is_rejected_at_once(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(kind="payment_authorization", deny=True)

    assert agent.need()["status"] == "pending"
    assert agent.need(request_type="payment_authorization")["status"] == "rejected"


def test_what_is_denied_in_a_batch_is_rejected_and_the_others_wait(
    agent: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="drop", deny=True)
    items = [{"reason": "x", "tool_name": tool} for tool in ("drop", "read", "drop")]

    found = agent.post_json("/interrupts/batch", {"items": items}).json()["results"]

    assert [one["status"] for one in found] == ["rejected", "pending", "rejected"]


def test_what_is_allowed_is_put_to_a_person_who_is_asked_all_the_same(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="*", allow_auto=True)
    asked = agent.ask(tool_name="read")

    assert (asked["status"], asked["policy"]["decision"]) == ("pending", "allow")
    assert as_ann.post_json(f"/interrupts/{asked['id']}/approve").json()["status"] == "approved"


def test_note_and_message_are_told_before_the_call_and_with_the_item(
    agent: Door, make_policy: MakePolicy
) -> None:
    said = {"note": "Deleting cannot be undone.", "approval_message": "This deletes data."}
    make_policy(name="Deletions", pattern="delete_*", **said)

    found, asked = ruled(agent), agent.ask(tool_name="delete_user")

    assert said.items() <= found.items()
    assert (asked["policy_note"], asked["approval_message"]) == tuple(said.values())
    assert asked["policy"]["name"] == "Deletions"


def test_an_item_keeps_the_policy_under_which_it_was_asked(
    agent: Door, as_ada: Door, make_policy: MakePolicy
) -> None:
    policy = make_policy(pattern="drop", required_approvals=1)
    asked = agent.ask(tool_name="drop")

    as_ada.send_json("PATCH", f"/policies/{policy['id']}", {"required_approvals": 2, "note": "Two of you."})
    later = agent.ask(tool_name="drop")
    as_ada.send_json("DELETE", f"/policies/{policy['id']}")

    found = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert (found["policy"]["version"], found["policy_note"]) == (1, "")
    assert found["policy"]["stages"][0]["required_approvals"] == 1
    assert (later["policy"]["version"], later["policy"]["stages"][0]["required_approvals"]) == (2, 2)
    assert agent.ask(tool_name="drop")["policy"] is None


@pytest.mark.parametrize("sent", [{}, {"expires_in": 7_200}, {"expires_at": "in three hours"}])
def test_a_policy_limits_how_long_is_waited(
    agent: Door, make_policy: MakePolicy, sent: dict[str, Any]
) -> None:
    make_policy(pattern="*", expires_in=600)
    if "expires_at" in sent:
        sent = {"expires_at": (dt.datetime.now(dt.UTC) + dt.timedelta(hours=3)).isoformat()}

    assert 590 < seconds_until(agent.ask(**sent)["expires_at"]) <= 600
    assert 50 < seconds_until(agent.ask(expires_in=60)["expires_at"]) <= 60


def test_silence_means_what_the_policy_says(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(kind="*", on_timeout="reject")
    asked, needed = agent.ask(on_timeout="expire"), agent.need()

    let_deadline_pass(asked["id"])
    let_deadline_pass(needed["id"])

    assert agent.get_json(f"/interrupts/{asked['id']}").json()["status"] == "rejected"
    assert agent.get_json(f"/requests/{needed['id']}").json()["status"] == "rejected"


# -- How they are kept ----------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": " "}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"pattern": ""}, "pattern"),
    ({"kind": "tool"}, "kind"),
    ({"priority": -1}, "priority"),
    ({"required_approvals": 0}, "required_approvals"),
    ({"required_approvals": True}, "required_approvals"),
    ({"reviewers": "finance"}, "reviewers"),
    ({"reviewers": ["nobody"]}, "reviewers"),
    ({"reviewers": ["finance", "finance"]}, "reviewers"),
    ({"reviewers": ["finance"], "required_approvals": 3}, "required_approvals"),
    ({"stages": [{"reviewers": ["nobody"]}]}, "stages"),
    ({"stages": [{"reviewers": ["finance"]}], "reviewers": ["finance"]}, "stages"),
    ({"stages": [{"reviewers": ["finance"]}], "required_approvals": 2}, "stages"),
    ({"expires_in": 0}, "expires_in"),
    ({"expires_in": 31_536_001}, "expires_in"),
    ({"on_timeout": "approve"}, "on_timeout"),
    ({"sla": {"urgent": 60}}, "sla.urgent"),
    ({"sla": {"high": 0}}, "sla.high"),
    ({"escalation": [{"to": "nobody", "after": 60}]}, "escalation"),
    ({"escalation": [{"to": "finance"}]}, "escalation"),
    ({"escalation": [{"to": "finance", "after": 60}, {"to": "finance", "after": 60}]}, "escalation"),
    ({"reviewers": ["finance"], "escalation": [{"to": "finance", "after": 60}]}, "escalation"),
    ({"when": "args.count >"}, "when"),
    ({"note": "a\x00b"}, "note"),
    ({"owner": "ada"}, "owner"),
    ({"version": 1}, "version"),
    ({"id": "pol_1"}, "id"),
]


@pytest.mark.parametrize(("fields", "at"), WRONG, ids=[f"{at} {fields}"[:60] for fields, at in WRONG])
def test_what_cannot_be_is_refused_by_the_name_of_its_field(
    as_ada: Door, ann: User, bob: User, join: Join, fields: dict[str, Any], at: str
) -> None:
    join("finance", ann, bob)

    answer = as_ada.post_json("/policies", {"name": "Mine", "require_approval": True, **fields})

    assert at in problem(answer, 400)["errors"] or any(
        field.startswith(at) for field in problem(answer, 400)["errors"]
    ), answer.json()
    assert not Policy.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"require_approval": True, "allow_auto": True},
        {"require_approval": False, "deny": True},
        {"allow_auto": False, "deny": True},
        {"deny": False},
    ],
)
def test_what_it_says_is_said_once(as_ada: Door, fields: dict[str, Any]) -> None:
    problem(as_ada.post_json("/policies", {"name": "Mine", **fields}), 400, "invalid")


@pytest.mark.parametrize(
    ("fields", "decision"),
    [
        ({"require_approval": True}, "ask"),
        ({"require_approval": True, "allow_auto": False}, "ask"),
        ({"require_approval": False}, "allow"),
        ({"allow_auto": True, "deny": False}, "allow"),
        ({"allow_auto": False}, "ask"),
        ({"deny": True}, "deny"),
    ],
)
def test_each_switch_is_a_decision(as_ada: Door, fields: dict[str, Any], decision: str) -> None:
    made = as_ada.post_json("/policies", {"name": "Mine", **fields}).json()

    assert made["decision"] == decision
    assert (made["require_approval"], made["allow_auto"], made["deny"]) == (
        decision == "ask",
        decision == "allow",
        decision == "deny",
    )


def test_who_may_not_decide_does_not_count_as_a_reviewer(
    as_ada: Door, ann: User, vic: User, join: Join
) -> None:
    join("finance", ann, vic)
    body = {"name": "Two", "require_approval": True, "reviewers": ["finance"], "required_approvals": 2}

    assert "required_approvals" in problem(as_ada.post_json("/policies", body), 400)["errors"]


def test_stages_need_as_many_people_together(as_ada: Door, ann: User, bob: User, join: Join) -> None:
    """Nobody votes in two stages, so two groups of the same two people cannot give three votes."""
    join("finance", ann, bob)
    join("legal", ann, bob)

    def made(first: int, second: int) -> Any:
        stages = [
            {"name": "Money", "reviewers": ["finance"], "required_approvals": first},
            {"name": "Law", "reviewers": ["legal"], "required_approvals": second},
        ]
        body = {"name": f"{first} {second}", "require_approval": True, "stages": stages}
        return as_ada.post_json("/policies", body)

    assert made(1, 1).status_code == 201
    assert problem(made(2, 1), 400)["errors"]["stages"] == [
        "Too few people for Money, Law: nobody votes twice, also not in two stages."
    ]


def test_a_name_is_taken_once(as_ada: Door, make_policy: MakePolicy) -> None:
    make_policy(name="Mine")
    other = make_policy(name="Other")
    taken = {"name": ["Another policy has this name."]}

    again = as_ada.post_json("/policies", {"name": "Mine", "deny": True})
    renamed = as_ada.send_json("PATCH", f"/policies/{other['id']}", {"name": "Mine"})

    assert problem(again, 400)["errors"] == problem(renamed, 400)["errors"] == taken


def test_a_change_that_did_not_see_another_is_refused(as_ada: Door, make_policy: MakePolicy) -> None:
    path = f"/policies/{make_policy(name='Mine')['id']}"

    changed = as_ada.send_json("PATCH", path, {"note": "First.", "version": 1}).json()
    stale = as_ada.send_json("PATCH", path, {"note": "Second.", "version": 1})

    assert changed["version"] == 2
    problem(stale, 409, "policy_changed")
    assert as_ada.get_json(path).json()["note"] == "First."


def test_a_change_that_changes_nothing_makes_no_version(as_ada: Door, make_policy: MakePolicy) -> None:
    path = f"/policies/{make_policy(name='Mine', note='Ask.')['id']}"

    assert as_ada.send_json("PATCH", path, {"note": "Ask."}).json()["version"] == 1
    assert Event.objects.filter(type="hitl.policy.changed").count() == 1
    problem(as_ada.send_json("PATCH", path, {}), 400)


def test_the_history_of_a_policy_is_on_the_record(as_ada: Door, make_policy: MakePolicy) -> None:
    made = make_policy(name="Mine")
    as_ada.send_json("PATCH", f"/policies/{made['id']}", {"note": "Ask.", "deny": True})
    assert as_ada.send_json("DELETE", f"/policies/{made['id']}").status_code == 204
    problem(as_ada.get_json(f"/policies/{made['id']}"), 404)

    rows = Event.objects.filter(subject_id=made["id"]).order_by("position")
    told = [json.loads(row.data) for row in rows]

    assert {(row.stream, row.actor) for row in rows} == {(SYSTEM, "user:ada")}
    assert [one["change"] for one in told] == ["created", "changed", "deleted"]
    assert told[1]["before"] == {"decision": "ask", "note": ""}
    assert told[1]["after"] == {"decision": "deny", "note": "Ask."}
    assert (told[2]["before"]["name"], told[2]["after"]) == ("Mine", {})
