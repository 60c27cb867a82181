"""The record of one item, and what is exported of it: why it was decided so, long after it was cleaned up."""

import datetime as dt
import json
import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from structlog.testing import capture_logs

from events.models import Event
from events.verification import fitting
from reviews.models import ReviewItem
from reviews.redaction import CUT, redacted
from reviews.services import cleanup
from tests.admin import text_of
from tests.conftest import Door
from tests.steps import Enter, MakePolicy

EXPORT = "/admin/decisions/export/"
CALL: dict[str, Any] = {"tool_name": "refund", "tool_args": {"amount": 100, "order": "A-1"}}


@pytest.fixture
def as_carol(carol: User, enter: Enter) -> Door:
    return enter(carol)


def approve(agent: Door, operator: Door, **body: Any) -> str:
    """Have a refund approved; return its id."""
    asked = agent.ask(reason="Refund the order?", session_id="s-1", **CALL)
    assert operator.post_json(f"/interrupts/{asked['id']}/approve", body).status_code == 200
    return str(asked["id"])


def page(pk: str) -> str:
    return f"/admin/record/{pk}/"


# -- The page -------------------------------------------------------------------------------------------


def test_an_auditor_reads_why_it_was_approved_after_it_was_cleaned_up(
    agent: Door, as_ann: Door, as_carol: Door, make_policy: MakePolicy
) -> None:
    make_policy(name="Refunds", pattern="refund")
    less = {"amount": 40, "order": "A-1"}
    pk = approve(agent, as_ann, modifications=less, comment="Half is fair.")
    ReviewItem.objects.update(resolved_at=F("resolved_at") - dt.timedelta(days=40))
    assert cleanup() == 1

    told = text_of(as_carol.get(page(pk)))

    for words in (
        "Refund the order?",
        "refund",
        "janitor",
        "s-1",
        "ann",
        "Half is fair.",
        "Refunds",
        "version 1",
    ):
        assert words in told
    assert "with edits" in told
    assert "100" in told
    assert "40" in told
    assert "2 events, and they are what was written" in told


def test_it_is_found_from_the_decisions_and_from_the_events(
    agent: Door, as_ann: Door, as_carol: Door
) -> None:
    pk = approve(agent, as_ann)
    for place in (
        "/admin/decisions/",
        f"/admin/events/event/?q={pk}",
        f"/admin/interrupts/interrupt/{pk}/change/",
    ):
        assert page(pk) in as_carol.get(place).content.decode()
    assert page(pk) not in as_ann.get("/admin/decisions/").content.decode()


@pytest.mark.parametrize(
    "changed",
    [{"data": "{}"}, {"actor": "user:bob"}, {"type": "hitl.interrupt.rejected"}, {"hash": "0" * 64}],
)
def test_the_page_says_where_the_record_was_altered(
    agent: Door, as_ann: Door, as_carol: Door, changed: dict[str, str]
) -> None:
    pk = approve(agent, as_ann)
    Event.objects.filter(subject_id=pk, type="hitl.interrupt.approved").update(**changed)

    told = text_of(as_carol.get(page(pk)))

    assert "1 event here is not what was written" in told
    assert told.count("not what was written") == 2  # above, and at the event


def test_an_event_whose_predecessor_is_gone_does_not_fit(agent: Door, as_ann: Door) -> None:
    approve(agent, as_ann)
    first, second = Event.objects.filter(stream="janitor").order_by("position")
    assert fitting([first, second]) == {first.pk, second.pk}
    first.delete()
    assert fitting([second]) == set()


def test_what_is_open_is_told_as_such(agent: Door, as_carol: Door) -> None:
    assert "It is still open" in text_of(as_carol.get(page(agent.ask()["id"])))


def test_a_request_has_its_record_and_no_secret_is_in_it(agent: Door, as_ann: Door, as_carol: Door) -> None:
    needed = agent.need(
        required_fields={"key": {"label": "Key", "type": "secret"}}, context={"why": "invoices"}
    )
    answer = {"response_data": {"key": "canary-secret"}, "notes": "From the safe."}
    assert as_ann.post_json(f"/requests/{needed['id']}/fulfill", answer).status_code == 200

    told = as_carol.get(page(needed["id"])).content.decode()

    assert "From the safe." in told
    assert "canary-secret" not in told


def test_agents_words_are_inert_on_it(agent: Door, as_carol: Door) -> None:
    asked = agent.ask(reason="<script>alert(1)</script>\u202egnp.exe", tool_name="<b>x</b>")
    told = as_carol.get(page(asked["id"])).content.decode()
    assert "<script>alert" not in told
    assert "<b>x</b>" not in told
    assert "\u202e" not in told


@pytest.mark.parametrize("pk", ["int_0", "x%00", "%F0%9F%92%A9", "x" * 300])
def test_what_the_record_does_not_have_is_not_found(as_carol: Door, pk: str) -> None:
    assert as_carol.get(page(pk)).status_code == 404


@pytest.mark.parametrize("who", ["ann", "vic"])
def test_the_record_is_for_who_looks_after_it(
    request: pytest.FixtureRequest, agent: Door, enter: Enter, who: str
) -> None:
    door = enter(request.getfixturevalue(who))
    assert door.get(page(agent.ask()["id"])).status_code == 403


def test_it_costs_the_same_however_much_happened(
    agent: Door, as_ann: Door, as_carol: Door, django_assert_num_queries: Any
) -> None:
    pk = approve(agent, as_ann)
    with django_assert_num_queries(8):
        as_carol.get(page(pk))
    for number in range(5):
        as_ann.post_json(f"/interrupts/{pk}/comments", {"body": f"Seen {number}"})
    with django_assert_num_queries(8):
        as_carol.get(page(pk))


# -- The files ------------------------------------------------------------------------------------------


def lines(door: Door, **query: str) -> list[dict[str, Any]]:
    answer: Any = door.get(EXPORT, {"format": "jsonl", **query})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-ndjson"
    assert answer["Content-Disposition"].endswith('.jsonl"')
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]


def test_a_line_has_the_policy_the_votes_and_the_events_as_they_were_hashed(
    agent: Door, as_ann: Door, as_carol: Door, make_policy: MakePolicy
) -> None:
    make_policy(name="Refunds", pattern="refund", note="Ask first")
    less = {"amount": 40, "order": "A-1"}
    pk = approve(agent, as_ann, modifications=less, comment="Half.")

    (line,) = lines(as_carol)

    assert (line["id"], line["verdict"], line["edited"], line["decided_by"]) == (pk, "approved", True, "ann")
    assert (line["arguments"], line["final_arguments"]) == (CALL["tool_args"], less)
    assert (line["policy"]["name"], line["policy"]["note"]) == ("Refunds", "Ask first")
    assert [event["type"] for event in line["events"]] == [
        "hitl.interrupt.requested",
        "hitl.interrupt.approved",
    ]
    kept = Event.objects.get(type="hitl.interrupt.approved")
    assert (line["events"][1]["hash"], line["events"][1]["data"]) == (kept.hash, kept.data)


def test_lines_come_for_what_the_filters_match_and_in_parts(
    agent: Door, as_ann: Door, as_carol: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl_project.pages.decision_file.PART", 2)
    made = [approve(agent, as_ann) for _number in range(5)]
    assert {line["id"] for line in lines(as_carol)} == set(made)
    assert lines(as_carol, verdict="rejected") == []


@pytest.mark.parametrize("wanted", ["csv", "jsonl"])
def test_who_takes_the_decisions_along_is_on_the_record(as_carol: Door, wanted: str) -> None:
    as_carol.get(EXPORT, {"format": wanted, "by": "ann"})
    event = Event.objects.get(type="hitl.record.exported")
    assert (event.stream, event.actor) == ("system", "user:carol")
    assert json.loads(event.data) == {"format": wanted, "filters": {"by": "ann"}}


# -- The log --------------------------------------------------------------------------------------------


def test_a_log_line_has_the_final_arguments_without_secrets(agent: Door, as_ann: Door) -> None:
    with capture_logs() as said:
        approve(agent, as_ann, modifications={"amount": 40, "api_key": "canary"})
    (line,) = [line for line in said if line["event"] == "decision"]
    assert line["arguments"] == {"amount": 40, "api_key": "[redacted]"}


def test_a_policy_names_what_no_log_repeats_and_the_record_has_it_all(
    agent: Door, as_ann: Door, make_policy: MakePolicy
) -> None:
    make_policy(pattern="refund", redact=["Customer", "iban_of"])
    with capture_logs() as said:
        pk = approve(agent, as_ann, modifications={"to": [{"customer": "canary"}], "iban_of": 7, "n": 1})
    (line,) = [line for line in said if line["event"] == "decision"]
    assert line["arguments"] == {"to": [{"customer": "[redacted]"}], "iban_of": "[redacted]", "n": 1}
    assert "canary" in Event.objects.get(subject_id=pk, type="hitl.interrupt.approved").data


@pytest.mark.parametrize(
    "secret",
    [
        *(
            {"password": "canary"},
            {"userPassword": "canary"},
            {"API-Key": "canary"},
            {"x": {"token": "canary"}},
        ),
        *({"headers": {"Authorization": "canary"}}, {"to": [{"secret": ["canary"]}]}, {"key": "canary"}),
        *(
            {"url": "https://me:canary@example.com/"},
            {"text": "use Bearer canary"},
            {"v": "sk_live_51canary9aB3xY7"},
        ),
        *({"t": "eyJhbGciOi.canary"}, {"pem": "-----BEGIN PRIVATE KEY----- canary"}),
    ],
)
def test_what_is_called_or_looks_like_a_secret_is_not_logged(secret: dict[str, Any]) -> None:
    assert "canary" not in str(redacted(secret))


@pytest.mark.parametrize(
    "plain",
    [
        {"amount": 40, "order": "A-1"},
        {"path": "/srv/data/report.csv"},
        {"to": ["ann@example.com"], "dry": True},
    ],
)
def test_what_is_no_secret_is_logged(plain: dict[str, Any]) -> None:
    assert redacted(plain) == plain


@pytest.mark.parametrize("unit", ["a-", "a/", "eyJ-", "eyJa.", "://a:", "Bearer ", "-----BEGI", "a1 ", "é"])
def test_a_text_of_an_agents_holds_nobody_up(unit: str) -> None:
    begins = time.process_time()

    redacted({"text": unit * (250_000 // len(unit))})

    assert time.process_time() - begins < 0.5


@pytest.mark.parametrize(
    "much",
    [
        {"text": "a b " * 5_000},
        {str(n): "word " * 30 for n in range(900)},
        {"a": {"b": {"c": {"d": {"e": 1}}}}},
    ],
)
def test_a_log_line_stays_short(much: dict[str, Any]) -> None:
    found = redacted(much)
    assert len(json.dumps(found)) < 3_000
    assert CUT in json.dumps(found, ensure_ascii=False)
