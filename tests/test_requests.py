"""An agent needs something only a person can do: it asks, somebody does it, the agent has the answer."""

import datetime as dt
from typing import Any

import pytest
from django.db.models.functions import Now

from requests_app import services
from requests_app.models import ActionRequest
from reviews.models import REQUESTS, ReviewItem
from tests.conftest import Door
from tests.steps import attach, event_types, let_deadline_pass, problem, rows

BODY = {"request_type": "api_key", "title": "A key for Stripe", "description": "To read invoices."}
SEED_RECORD = {
    "id", "request_type", "title", "description", "agent_id", "priority", "status", "workflow_id", "context",
    "required_fields", "response_data", "created_at", "fulfilled_at", "fulfilled_by", "notes",
}  # fmt: skip


def verb(door: Door, request_id: str, name: str, **body: Any) -> Any:
    return door.post_json(f"/requests/{request_id}/{name}", body)


def test_a_request_comes_back_with_everything_sent(agent: Door) -> None:
    sent = {
        **BODY,
        "agent_id": "stripe-agent",
        "required_fields": {"api_key": "Stripe API Key (sk_live_...)"},
        "priority": "high",
        "workflow_id": "billing-7",
        "session_id": "s-1",
        "run_id": "r-1",
        "context": {"service": "stripe", "nested": [{"deep": None}]},
        "metadata": {"team": "billing"},
    }
    asked = agent.need(**sent)

    assert set(asked) >= SEED_RECORD
    assert asked["id"].startswith("har_")
    assert {name: asked[name] for name in sent} == sent
    assert asked["status"] == "pending"
    assert asked["response_data"] is None
    shown = agent.get_json(f"/requests/{asked['id']}").json()
    assert (shown.pop("attachments"), len(shown.pop("history"))) == ([], 1)
    assert shown == asked


@pytest.mark.parametrize("request_type", [kind.value for kind in REQUESTS])
def test_every_type_is_taken(agent: Door, request_type: str) -> None:
    assert agent.need(request_type=request_type)["request_type"] == request_type


@pytest.mark.parametrize("priority", ["low", "medium", "high", "critical"])
def test_every_priority_is_taken(agent: Door, priority: str) -> None:
    assert agent.need(priority=priority)["priority"] == priority


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"request_type": "approval"}, "request_type"),
        ({"request_type": "spaceship"}, "request_type"),
        ({"priority": "somewhat"}, "priority"),
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"required_fields": ["api_key"]}, "required_fields"),
        ({"required_fields": {"a": {"type": "text"}}}, "required_fields.a.label"),
        ({"required_fields": {"a": {"label": "A", "type": "colour"}}}, "required_fields.a.type"),
        ({"required_fields": {"a": {"label": "A", "pattern": "("}}}, "required_fields.a"),
        ({"required_fields": {"a": {"label": "A", "pattern": ")|("}}}, "required_fields.a"),
        ({"required_fields": {"a": {"label": "A", "pattern": "(?=x)"}}}, "required_fields.a"),
        ({"required_fields": {"a": {"label": "A", "type": "choice"}}}, "required_fields.a"),
        ({"required_fields": {"a": {"label": "A", "choices": ["x"]}}}, "required_fields.a"),
        ({"required_fields": {"a": {"label": "A", "min": "x"}}}, "required_fields.a"),
        ({"required_fields": {"a": {"label": "A", "min": 3, "max": 2}}}, "required_fields.a"),
        ({"required_fields": {"a": {"label": "A", "check": "stripe"}}}, "required_fields.a.check"),
        ({"template": "no-such-thing"}, "template"),
        ({"checklist": ["x"] * 51}, "checklist"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"on_timeout": "reject"}, "on_timeout"),
        ({"fields": {}}, "fields"),
    ],
)
def test_what_cannot_be_is_refused_by_name(agent: Door, sent: dict[str, Any], named: str) -> None:
    before = rows()

    errors = problem(agent.post_json("/requests", {**BODY, **sent}), 400)["errors"]

    assert named in errors, errors
    assert rows() == before


def test_a_title_and_a_description_are_needed(agent: Door) -> None:
    errors = problem(agent.post_json("/requests", {}), 400)["errors"]

    assert {"request_type", "title", "description"} <= set(errors)


def test_the_same_key_finds_the_request_again(agent: Door) -> None:
    first = agent.post_json("/requests", BODY, **{"Idempotency-Key": "k-1"})
    again = agent.post_json("/requests", BODY, **{"Idempotency-Key": "k-1"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    other = agent.post_json("/requests", {**BODY, "title": "Another"}, **{"Idempotency-Key": "k-1"})
    problem(other, 422, "key_reused")
    problem(agent.post_json("/interrupts", {"reason": "x"}, **{"Idempotency-Key": "k-1"}), 422, "key_reused")


def test_what_a_person_supplies_reaches_the_agent(agent: Door, as_ann: Door) -> None:
    asked = agent.need(required_fields={"account": "Account number"}, workflow_id="w-7")

    answer = verb(as_ann, asked["id"], "fulfill", response_data={"account": "A-1"}, notes="Opened today.")

    assert answer.status_code == 200, answer.content
    seen = agent.get_json(f"/requests/{asked['id']}").json()
    assert (seen["status"], seen["response_data"]) == ("fulfilled", {"account": "A-1"})
    assert (seen["fulfilled_by"], seen["notes"]) == ("ann", "Opened today.")
    assert seen["fulfilled_at"] == seen["resolved_at"] is not None
    told = seen["history"][-1]
    assert told["type"] == "hitl.request.fulfilled"
    assert told["data"]["workflow_id"] == "w-7"
    assert told["data"]["response_data"] == {"account": "A-1"}


def test_who_is_logged_in_decides_whatever_the_body_says(agent: Door, as_ann: Door) -> None:
    asked = agent.need()

    seen = verb(as_ann, asked["id"], "fulfill", fulfilled_by="the boss", response_data={}).json()

    assert seen["fulfilled_by"] == "ann"


def test_a_trusted_back_end_says_for_whom(agent: Door, make_agent: Any) -> None:
    asked = agent.need()
    backend = make_agent("backend", ("on_behalf", "read"))

    problem(verb(backend, asked["id"], "fulfill", fulfilled_by="u-7", response_data={}), 404)


def test_a_rejection_says_why(agent: Door, as_ann: Door) -> None:
    asked = agent.need()
    problem(verb(as_ann, asked["id"], "reject"), 400)

    verb(as_ann, asked["id"], "reject", reason="They closed the programme.", code="cannot_be_done")

    seen = agent.get_json(f"/requests/{asked['id']}").json()
    assert (seen["status"], seen["rejected_by"]) == ("rejected", "ann")
    assert (seen["rejection_reason"], seen["rejection_code"]) == (
        "They closed the programme.",
        "cannot_be_done",
    )


def test_an_agent_takes_its_request_back(agent: Door, as_ann: Door) -> None:
    asked = agent.need()

    assert verb(agent, asked["id"], "cancel", reason="Found it").json()["status"] == "cancelled"
    refused = problem(verb(as_ann, asked["id"], "fulfill", response_data={}), 409, "cancelled")
    assert refused["current"]["status"] == "cancelled"


def test_review_is_taken_and_given_back(agent: Door, as_ann: Door, as_bob: Door) -> None:
    asked = agent.need()

    taken = verb(as_ann, asked["id"], "start_review").json()
    assert (taken["status"], taken["claimed_by"], taken["assigned_to"]) == ("in_review", "ann", "ann")
    assert verb(as_ann, asked["id"], "start_review").status_code == 200
    problem(verb(as_bob, asked["id"], "start_review"), 409, "claimed")
    problem(verb(as_bob, asked["id"], "fulfill", response_data={}), 409, "claimed")
    problem(verb(as_bob, asked["id"], "release"), 409, "claimed")

    back = verb(as_ann, asked["id"], "release").json()
    assert (back["status"], back["claimed_by"], back["assigned_to"]) == ("pending", None, None)
    problem(verb(as_ann, asked["id"], "release"), 409, "not_in_review")
    assert event_types(asked["id"])[-1] == "hitl.item.released"


def test_a_lost_reviewer_frees_it_after_a_while(agent: Door, as_ann: Door, as_bob: Door) -> None:
    asked = agent.need()
    verb(as_ann, asked["id"], "start_review")
    ReviewItem.objects.filter(pk=asked["id"]).update(claimed_until=Now() - dt.timedelta(seconds=1))

    assert verb(as_bob, asked["id"], "start_review").json()["assigned_to"] == "bob"
    assert verb(as_bob, asked["id"], "fulfill", response_data={}).json()["status"] == "fulfilled"


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("name", ["fulfill", "reject", "start_review"])
def test_what_is_overdue_is_expired_before_anybody_sweeps(
    agent: Door, as_ann: Door, name: str, started: bool
) -> None:
    asked = agent.need()
    if started:
        verb(as_ann, asked["id"], "start_review")
    let_deadline_pass(asked["id"])

    refused = problem(verb(as_ann, asked["id"], name, **({"reason": "x"} if name == "reject" else {})), 409)

    assert refused["code"] == "expired"
    assert agent.get_json(f"/requests/{asked['id']}").json()["is_expired"]
    assert [row["id"] for row in agent.get_json("/requests", status="expired").json()["results"]] == [
        asked["id"]
    ]
    assert services.expire_overdue() == 1
    assert services.expire_overdue() == 0
    assert event_types(asked["id"])[-1] == "hitl.request.expired"


def test_a_whole_number_may_be_written_with_a_point(agent: Door, as_ann: Door) -> None:
    asked = agent.need(checklist=["Notary"], expires_in=60.0)

    assert verb(as_ann, asked["id"], "progress", done=[0.0]).json()["checklist"][0]["done"] is True
    agent.ask(expires_in=6e1)


def test_a_checklist_is_ticked_off_and_the_agent_hears_of_it(agent: Door, as_ann: Door) -> None:
    asked = agent.need(checklist=["Notary", "Register", "Bank"])
    assert [step["done"] for step in asked["checklist"]] == [False] * 3

    seen = verb(as_ann, asked["id"], "progress", done=[0, 1], note="The notary was quick.").json()
    assert [step["done"] for step in seen["checklist"]] == [True, True, False]
    seen = verb(as_ann, asked["id"], "progress", undone=[1]).json()
    assert [step["done"] for step in seen["checklist"]] == [True, False, False]

    problem(verb(as_ann, asked["id"], "progress", done=[3]), 400)
    problem(verb(as_ann, asked["id"], "progress"), 400)
    events = agent.get_json("/events").json()["results"]
    told = [event["data"] for event in events if event["type"] == "hitl.item.progressed"]
    assert told[0]["comment"] == "The notary was quick."
    assert [step["done"] for step in told[0]["checklist"]] == [True, True, False]


def test_a_list_is_narrowed_by_what_was_sent(agent: Door, as_ann: Door) -> None:
    mine = agent.need(agent_id="stripe-agent", workflow_id="w-1", session_id="s-1", priority="critical")
    agent.need(request_type="custom", title="Something else")
    verb(as_ann, mine["id"], "start_review")

    def found(**query: str) -> list[str]:
        return [row["id"] for row in as_ann.get_json("/requests", **query).json()["results"]]

    for query in (
        {"agent_id": "stripe-agent"}, {"workflow_id": "w-1"}, {"session_id": "s-1"}, {"priority": "urgent"},
        {"status": "in_review"}, {"request_type": "api_key"}, {"assigned_to": "ann"}, {"q": "stripe"},
    ):  # fmt: skip
        assert found(**query) == [mine["id"]], query
    assert len(found(pending_only="true")) == 2
    for query in ({"status": "approved"}, {"request_type": "approval"}, {"tool_name": "x"}):
        problem(as_ann.get_json("/requests", **query), 400)


def test_waiting_without_sockets_answers_as_things_stand(agent: Door) -> None:
    asked = agent.need()

    assert agent.get_json(f"/requests/{asked['id']}/wait", timeout=1).json()["status"] == "pending"


def test_the_record_is_kept_in_the_shape_of_the_seed(agent: Door) -> None:
    asked = agent.need()
    columns = {field.name for field in ActionRequest._meta.get_fields()}

    assert {"description", "workflow_id", "context", "required_fields", "response_data", "notes"} <= columns
    assert len(asked["id"]) == len("har_") + 26


def test_a_file_is_attached_first_and_then_named(agent: Door, as_ann: Door) -> None:
    fields = {"contract": {"label": "The signed contract", "type": "file"}}
    asked, other = agent.need(required_fields=fields), agent.need(required_fields=fields)
    mine = attach(as_ann, asked["id"]).json()["attachment"]["id"]
    foreign = attach(as_ann, other["id"]).json()["attachment"]["id"]

    for wrong in (foreign, "att_1", "contract.pdf", 7):
        answer = verb(as_ann, asked["id"], "fulfill", response_data={"contract": wrong})
        assert "response_data.contract" in problem(answer, 400)["errors"]
    seen = verb(as_ann, asked["id"], "fulfill", response_data={"contract": mine}).json()

    assert seen["response_data"] == {"contract": mine}
    assert agent.get_json(f"/requests/{asked['id']}/attachments/{mine}").status_code == 200
