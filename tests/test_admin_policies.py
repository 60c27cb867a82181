"""The pages of policies: their order, a form that says what is wrong where, history, and a call to try."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from events.models import Event
from reviews.models import Policy
from tests.admin import text_of
from tests.conftest import Door
from tests.steps import Enter, Join, MakePolicy

PAGES = "/admin/reviews/policy/"


def formset(prefix: str, *rows: dict[str, Any]) -> dict[str, Any]:
    """Return what the rows of a formset send."""
    sent: dict[str, Any] = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
    for number, row in enumerate(rows):
        sent |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return sent


def typed(**fields: Any) -> dict[str, Any]:
    """Return what the form sends: a policy that asks, and what is typed besides."""
    base = {
        "name": "Refunds", "priority": "100", "is_active": "on", "kind": "interrupt", "pattern": "refund",
        "agent_pattern": "*", "when": "", "decision": "ask", "required_approvals": "1",
    }  # fmt: skip
    return {**base, **formset("stages"), **formset("escalation"), **fields}


def add(door: Door, **fields: Any) -> Any:
    return door.post(f"{PAGES}add/", typed(**fields))


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    found: dict[str, list[str]] = answer.context["form"].errors
    return found


def change_page(policy: dict[str, Any]) -> str:
    return f"{PAGES}{policy['id']}/change/"


# -- The list -------------------------------------------------------------------------------------------


def test_the_list_has_the_policies_in_the_order_they_are_tried(
    as_ada: Door, make_policy: MakePolicy, join: Join, ann: User, bob: User
) -> None:
    join("finance", ann, bob)
    join("board", ann)
    make_policy(name="Second", priority=20, pattern="refund", reviewers=["finance"], required_approvals=2)
    make_policy(name="First", priority=10, pattern="drop_*", deny=True)
    make_policy(name="Off", priority=1, is_active=False)
    stages = [{"reviewers": ["finance"]}, {"reviewers": ["board"]}]
    make_policy(name="Third", priority=30, pattern="pay", stages=stages, expires_in=14_400)

    shown = text_of(as_ada.get(PAGES))

    assert shown.index("First") < shown.index("Second") < shown.index("Third") < shown.index("Inactive")
    assert shown.index("Inactive") < shown.index("Off")
    assert "The first that matches is in force; where none does, the call is allowed." in shown
    assert "denies" in shown
    assert "finance 2 of 2" in shown
    assert "finance 1 of 2 → then board 1 of 1" in shown
    assert "within 4 h" in shown


def test_without_policies_the_list_says_what_to_do(as_ada: Door) -> None:
    shown = text_of(as_ada.get(PAGES))

    assert "No policy is active" in shown
    assert "Make the first policy" in shown


def test_a_viewer_looks_and_a_stranger_does_not(
    make_policy: MakePolicy, vic: User, make_user: Any, enter: Enter
) -> None:
    made = make_policy(pattern="refund")
    door = enter(vic)

    assert "New policy" not in text_of(door.get(PAGES))
    assert "an administrator changes it" in text_of(door.get(change_page(made)))
    assert door.get(f"{PAGES}{made['id']}/history/").status_code == 200
    assert door.get(f"{PAGES}reviewers/").status_code == 200
    for path in (f"{PAGES}add/", f"{PAGES}{made['id']}/delete/"):
        assert door.get(path).status_code == 403
        assert door.post(path, typed()).status_code == 403
    assert door.post(change_page(made), typed(version="1", note="Mine.")).status_code == 403
    stranger = enter(make_user("mallory"))
    for path in (PAGES, change_page(made), f"{PAGES}{made['id']}/history/", f"{PAGES}reviewers/"):
        assert stranger.get(path).status_code == 403


@pytest.mark.parametrize(
    "path", ["pol_nothing/change/", "pol_nothing/history/", "a%0Ab/change/", "x/delete/"]
)
def test_a_policy_that_is_not_there_is_not_found(as_ada: Door, path: str) -> None:
    assert as_ada.get(f"{PAGES}{path}").status_code == 404


# -- A call is tried ------------------------------------------------------------------------------------


def tried(door: Door, **call: Any) -> str:
    return text_of(door.post(PAGES, {"name": "refund", "kind": "approval", **call}))


def test_a_call_that_is_tried_says_which_policy_is_in_force_and_why(
    as_ada: Door, make_policy: MakePolicy
) -> None:
    make_policy(name="Drops", priority=1, pattern="drop_*", deny=True)
    make_policy(name="Large", priority=2, pattern="refund", when="args.amount > 100")
    make_policy(name="Small", priority=3, pattern="refund", allow_auto=True)
    before = Event.objects.count()

    large = tried(as_ada, args='{"amount": 101}')
    small = tried(as_ada, args='{"amount": 99}')
    failed = tried(as_ada, args='{"sum": 99}')
    other = tried(as_ada, name="read_file")

    assert "“Large” is in force." in large
    assert "Drops another tool" in large
    assert "Large its condition does not hold Small matches" in small
    assert "An argument that the condition reads is missing. A condition that fails asks" in failed
    assert "No policy matches, so the call is allowed." in other
    assert Event.objects.count() == before


def test_arguments_that_are_no_object_are_refused_where_they_are_typed(as_ada: Door) -> None:
    assert "This is not JSON" in tried(as_ada, args="{amount: 1}")
    assert "Arguments are a JSON object." in tried(as_ada, args="[1]")


# -- The form -------------------------------------------------------------------------------------------


def test_a_policy_is_made_as_people_write_it(
    as_ada: Door, agent: Door, join: Join, ann: User, bob: User
) -> None:
    join("finance", ann, bob)
    join("board", ann)
    answer = add(
        as_ada,
        note="Check the order.",
        expires_in="1 d 12 h",
        on_timeout="reject",
        sla_high="90 min",
        remind_after="30 min",
        **formset(
            "stages", {"name": "Money", "reviewers": ["finance"], "required_approvals": "1"},
            {"name": "", "reviewers": ["board"], "required_approvals": ""}, {"name": ""},
        ),
        **formset("escalation", {"to": "reviewer", "after": "4 h"}, {"to": "", "after": ""}),
    )  # fmt: skip

    assert answer["Location"] == PAGES
    made = Policy.objects.get()
    assert made.stages == [
        {"name": "Money", "reviewers": ["finance"], "required_approvals": 1},
        {"reviewers": ["board"], "required_approvals": 1},
    ]
    assert (made.expires_in, made.on_timeout, made.remind_after) == (129_600, "reject", 1_800)
    assert (made.sla, made.escalation) == ({"high": 5_400}, [{"to": "reviewer", "after": 14_400}])
    assert Event.objects.get(type="hitl.policy.changed").actor == "user:ada"
    html = as_ada.get(f"{PAGES}{made.pk}/change/").content.decode()
    assert 'value="1 d 12 h"' in html
    assert 'value="1 h 30 min"' in html
    assert agent.ask(tool_name="refund")["policy"]["name"] == "Refunds"


def test_a_condition_that_does_not_compile_is_shown_with_its_place(as_ada: Door) -> None:
    answer = add(as_ada, when="args.amount > 1 &&\r\nargs.amount >> 2")

    assert errors_of(answer)["when"][0].startswith("Line 2, character 14: ")
    html = answer.content.decode()
    assert "args.amount &gt;&gt; 2\n             <b>^</b>" in html
    assert not Policy.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("expires_in", "soon", "Write it like 30 min, 4 h, 2 d"),
        ("sla_low", "500 d", "At most a year."),
        ("name", " ", "required"),
        ("pattern", "", "required"),
        ("priority", "-1", "greater than or equal to 0"),
        ("reviewers", ["nobody"], "nobody is not one of the available choices"),
        ("required_approvals", "51", "less than or equal to 50"),
        ("decision", "maybe", "maybe is not one of the available choices"),
    ],
)
def test_a_mistake_is_said_beside_its_field(as_ada: Door, field: str, value: Any, told: str) -> None:
    assert told in str(errors_of(add(as_ada, **{field: value}))[field])
    assert not Policy.objects.exists()


@pytest.mark.parametrize(
    "broken",
    [{"stages-TOTAL_FORMS": ""}, {"stages-TOTAL_FORMS": "9999"}, {"escalation-TOTAL_FORMS": "-1"},
     {"when": "a\x00"}, {"version": "x"}, {"stages-TOTAL_FORMS": "1", "stages-0-required_approvals": "99"}],
)  # fmt: skip
def test_a_form_that_no_page_sends_is_answered(as_ada: Door, broken: dict[str, str]) -> None:
    answer = add(as_ada, **broken)

    assert answer.status_code == (302 if "-1" in broken.values() else 200)


def test_names_for_the_log_are_typed_with_commas_and_shown_so_again(as_ada: Door) -> None:
    add(as_ada, redact=" customer, iban,customer,, ")

    policy = Policy.objects.get()
    assert policy.redact == ["customer", "iban"]
    assert 'value="customer, iban"' in as_ada.get(f"{PAGES}{policy.pk}/change/").content.decode()
    assert errors_of(add(as_ada, name="Long", redact="n" * 101))["redact"]


def test_what_the_service_refuses_is_said_beside_its_field(as_ada: Door, join: Join, ann: User) -> None:
    join("finance", ann)
    add(as_ada, name="Taken")

    few = add(as_ada, reviewers=["finance"], required_approvals="2")
    both = add(as_ada, reviewers=["finance"], **formset("stages", {"reviewers": ["finance"]}))
    circle = add(as_ada, reviewers=["finance"], **formset("escalation", {"to": "finance", "after": "1 h"}))
    nowhere = add(as_ada, **formset("escalation", {"to": "", "after": "1 h"}))

    assert "fewer members than approvals needed" in str(errors_of(few)["required_approvals"])
    assert "Give either stages, or reviewers" in text_of(both)
    assert "This goes in a circle" in text_of(circle)
    assert "Choose which group." in text_of(nowhere)
    assert "Another policy has this name." in str(errors_of(add(as_ada, name="Taken"))["name"])
    assert Policy.objects.count() == 1


def test_a_stale_form_is_refused_with_what_changed_and_keeps_what_was_typed(
    as_ada: Door, make_policy: MakePolicy
) -> None:
    made = make_policy(name="Refunds", pattern="refund")
    as_ada.patch(f"/api/v1/policies/{made['id']}", {"expires_in": 14_400}, content_type="application/json")

    answer = as_ada.post(change_page(made), typed(version="1", note="My own words."))

    shown = text_of(answer)
    assert "Not saved: somebody changed this policy" in shown
    assert "Deadline — → after: 4 h" in shown
    assert "My own words." in answer.content.decode()
    assert Policy.objects.get().note == ""
    assert 'name="version" value="2"' in answer.content.decode()
    again = as_ada.post(change_page(made), typed(version="2", note="My own words."))
    assert again["Location"] == PAGES
    assert (Policy.objects.get().note, Policy.objects.get().expires_in) == ("My own words.", None)


def test_a_policy_that_can_no_longer_be_manned_says_so(
    as_ada: Door, make_policy: MakePolicy, join: Join, ada: User, ann: User, bob: User
) -> None:
    join("finance", ann, bob)
    join("legal", ada)
    made = make_policy(stages=[{"reviewers": ["finance"], "required_approvals": 2}, {"reviewers": ["legal"]}])
    assert "needs attention" not in text_of(as_ada.get(change_page(made)))

    bob.groups.remove(Group.objects.get(name="finance"))
    Group.objects.get(name="legal").delete()
    shown = text_of(as_ada.get(change_page(made)))

    assert "There is no group legal any more." in shown
    assert "Too few people for Stage 1: 2 needed, 1 there." in shown
    assert "legal (no such group)" in shown
    assert "too few people" in text_of(as_ada.get(PAGES))


def test_deleting_says_how_many_open_items_it_is_in_force_on(
    agent: Door, as_ada: Door, make_policy: MakePolicy
) -> None:
    made = make_policy(name="Refunds", pattern="refund")
    for _number in range(2):
        agent.ask(tool_name="refund")
    agent.ask(tool_name="other")
    path = f"{PAGES}{made['id']}/delete/"

    shown = text_of(as_ada.get(path))

    assert "It is in force on 2 open items" in shown
    assert Policy.objects.exists()
    assert as_ada.post(path)["Location"] == PAGES
    assert not Policy.objects.exists()
    assert "deleted it" in text_of(as_ada.get(f"{PAGES}{made['id']}/history/"))


# -- History, people, and a rule made of an item ----------------------------------------------------------


def test_the_history_says_who_changed_what_from_what(as_ada: Door, make_policy: MakePolicy) -> None:
    made = make_policy(name="Refunds", pattern="refund")
    as_ada.post(change_page(made), typed(version="1", expires_in="4 h", decision="deny", sla_high="90 min"))

    shown = text_of(as_ada.get(f"{PAGES}{made['id']}/history/"))

    assert shown.index("ada changed it") < shown.index("ada made it")
    assert "Deadline — → after: 4 h" in shown
    assert "Decision before: asks → after: denies" in shown
    assert "Answer due — → after: high 1 h 30 min" in shown
    assert "Tool or request type refund" in shown


def test_the_reviewers_page_shows_groups_who_is_away_and_where_they_are_needed(
    as_ada: Door, make_policy: MakePolicy, join: Join, ann: User, bob: User
) -> None:
    join("finance", ann, bob)
    make_policy(name="Refunds", reviewers=["finance"], required_approvals=2)
    as_ada.post_json(
        "/delegations",
        {"absent": "ann", "substitute": "bob", "starts_at": "2020-01-01T00:00:00Z",
         "ends_at": "2090-01-01T00:00:00Z"},
    )  # fmt: skip

    shown = text_of(as_ada.get(f"{PAGES}reviewers/"))

    assert "finance 2 people" in shown
    assert "ann away bob stands in" in shown
    assert "Refunds 2 of 2 needed" in shown


def test_a_rule_is_suggested_from_an_item(agent: Door, as_ada: Door) -> None:
    args = {"amount": 12.5, "to": 'the "boss" \u202e', "in": None, "a b": True, "deep": {"x": 1}}
    asked = agent.ask(tool_name="pay[all]", tool_args=args)

    answer = as_ada.get(f"{PAGES}add/", {"item": asked["id"]})

    initial = answer.context["form"].initial
    assert initial["pattern"] == "pay[[]all]"
    assert (initial["kind"], initial["agent_pattern"]) == ("approval", "janitor")
    assert set(initial["when"].split(" &&\n")) == {
        "args.amount == 12.5", 'args.to == "the \\"boss\\" \\U0000202e"', 'args["in"] == null',
        'args["a b"] == true',
    }  # fmt: skip
    add(as_ada, **{name: initial[name] for name in ("name", "kind", "pattern", "agent_pattern", "when")})
    again = agent.ask(tool_name="pay[all]", tool_args=args)
    other = agent.ask(tool_name="pay[all]", tool_args={**args, "amount": 13})
    assert again["policy"]["name"] == "Like: pay[all]"
    assert not other["policy"]


def test_a_rule_from_an_item_that_is_not_there_is_a_new_policy(as_ada: Door) -> None:
    answer = as_ada.get(f"{PAGES}add/", {"item": "int_nothing\n"})

    assert answer.status_code == 200
    assert "New policy" in text_of(answer)
