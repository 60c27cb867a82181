"""The decision page: what a person does there, and what comes back when it is refused."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from interrupts.models import Interrupt
from reviews.models import ReviewItem
from tests.admin import LIST, decide, page_of, text_of
from tests.conftest import Door
from tests.steps import let_deadline_pass

CALL: dict[str, Any] = {
    "tool_name": "delete_file",
    "tool_args": {
        "path": "/srv/old.csv",
        "days": 90,
        "ratio": 0.5,
        "force": False,
        "tag": None,
        "also": ["a", 1],
    },
}


def test_looking_never_decides(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**CALL)

    answer = as_ann.get(page_of(asked), {"verb": "approve", "content_hash": asked["content_hash"]})

    assert answer.status_code == 200
    assert agent.get_json(f"/interrupts/{asked['id']}/status").json()["status"] == "pending"


def test_approve_opens_the_next_waiting_item(agent: Door, as_ann: Door) -> None:
    first, second = agent.ask(**CALL, priority="high"), agent.ask(reason="And this?")

    answer = decide(as_ann, first, "approve", note="Fine.")

    assert answer["Location"] == page_of(second)
    item = agent.get_json(f"/interrupts/{first['id']}").json()
    assert (item["status"], item["resolved_by"], item["modifications"]) == ("approved", "ann", None)
    assert item["history"][-1]["data"]["comment"] == "Fine."
    assert "Approved: Delete the old report?" in text_of(as_ann.get(page_of(second)))


def test_the_last_decision_leads_back_to_the_list(agent: Door, as_ann: Door) -> None:
    assert decide(as_ann, agent.ask(), "approve")["Location"] == "/admin/inbox/"


def test_an_edit_keeps_the_types_of_json(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**CALL)

    answer = decide(as_ann, asked, "edit", **_field(as_ann, asked, "days", "30"))

    assert answer.status_code == 302, text_of(answer)
    item = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert item["modifications"] == {**CALL["tool_args"], "days": 30}
    assert type(item["modifications"]["days"]) is int
    assert item["tool_args"] == CALL["tool_args"]


ADDRESS: dict[str, Any] = {"to": {"city": "Oslo", "at": {"lat": 1.0, "deep": {"x": [1]}}}, "to.city": "flat"}


def test_an_argument_inside_an_argument_has_a_field_of_its_own(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(tool_name="send", tool_args=ADDRESS)
    paths = as_ann.get(page_of(asked)).context["arguments_form"].paths
    assert sorted(paths) == [("to", "at", "deep"), ("to", "at", "lat"), ("to", "city"), ("to.city",)]
    city, deep = (f"argument-{paths.index(path)}" for path in (("to", "city"), ("to", "at", "deep")))

    answer = decide(as_ann, asked, "edit", **{city: "Rome", deep: '{"x": [2]}'})

    assert answer.status_code == 302, text_of(answer)
    found = Interrupt.objects.get(pk=asked["id"]).modifications
    assert found == {"to": {"city": "Rome", "at": {"lat": 1.0, "deep": {"x": [2]}}}, "to.city": "flat"}
    assert type(found["to"]["at"]["lat"]) is float


def test_what_the_schema_says_of_an_inner_value_is_said_at_its_field(agent: Door, as_ann: Door) -> None:
    size = {"enum": ["S", "M"], "description": "As printed on the label."}
    schema = {"properties": {"box": {"properties": {"size": size, "count": {"type": "integer"}}}}}
    asked = agent.ask(
        tool_name="pack", tool_args={"box": {"size": "S", "count": 1}}, args_schema=schema, priority="high"
    )

    shown = as_ann.get(page_of(asked)).content.decode()
    assert "As printed on the label." in shown
    refused = decide(as_ann, asked, "edit", **_field(as_ann, asked, "box.count", "1.5"))

    assert refused.status_code == 400
    form = refused.context["arguments_form"]
    assert form.errors[str(form.names.index("box.count"))]
    changed = _field(as_ann, asked, "box.size", '"M"')
    assert decide(as_ann, asked, "edit", **changed).status_code == 302


def test_everything_can_be_edited_as_json(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**CALL)

    decide(
        as_ann, asked, "edit", **{"argument-whole": '{"path": "/srv/other.csv", "extra": {"deep": [true]}}'}
    )

    item = agent.get_json(f"/interrupts/{asked['id']}").json()
    assert item["modifications"] == {"path": "/srv/other.csv", "extra": {"deep": [True]}}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("days", "many", "Write a number like 1000 or 12.5."),
        ("days", "1,000", "Write a number like 1000 or 12.5."),
        ("days", "true", "Write a number like 1000 or 12.5."),
        ("days", '1, "x": 2', "Write a number like 1000 or 12.5."),
        ("days", "99999999999999999999", "Write a number like 1000 or 12.5."),
        ("also", "[1, 2", "This is not JSON"),
        ("also", '1, "x": 2', "Write one JSON value."),
    ],
)
def test_what_is_not_of_the_type_is_refused_at_its_field(
    agent: Door, as_ann: Door, name: str, text: str, why: str
) -> None:
    asked = agent.ask(**CALL)

    answer = decide(as_ann, asked, "edit", note="Careful.", **_field(as_ann, asked, name, text))

    assert answer.status_code == 400
    assert why in text_of(answer)
    assert "Careful." in answer.content.decode()
    assert agent.get_json(f"/interrupts/{asked['id']}/status").json()["status"] == "pending"


def test_an_edit_that_breaks_the_schema_is_refused_at_its_field(agent: Door, as_ann: Door) -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer", "minimum": 1}}}
    asked = agent.ask(tool_name="rotate", tool_args={"days": 7}, args_schema=schema)

    answer = decide(as_ann, asked, "edit", **{"argument-0": "0"})

    assert answer.status_code == 400
    assert answer.context["arguments_form"].errors["0"]


def test_approving_edited_arguments_as_they_were_asked_is_refused(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**CALL)

    answer = decide(as_ann, asked, "approve", **_field(as_ann, asked, "days", "30"))

    assert answer.status_code == 400
    assert "The arguments were edited." in text_of(answer)


def test_an_edit_without_an_edit_is_refused(agent: Door, as_ann: Door) -> None:
    assert "Nothing was edited." in text_of(decide(as_ann, agent.ask(**CALL), "edit"))


def test_a_rejection_needs_a_reason_and_gives_it_to_the_agent(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()
    refused = decide(as_ann, asked, "reject", note="  ")
    assert refused.status_code == 400
    assert "Say why: the agent is told this reason." in text_of(refused)

    decide(as_ann, asked, "reject", note="Keep it until March.")

    answer = agent.get_json(f"/interrupts/{asked['id']}/status").json()
    assert (answer["status"], answer["rejection_reason"]) == ("rejected", "Keep it until March.")


def test_cancelling_takes_the_question_back(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    decide(as_ann, asked, "cancel")

    assert agent.get_json(f"/interrupts/{asked['id']}/status").json()["status"] == "cancelled"


@pytest.mark.parametrize("verb", ["edit", "respond", "destroy", ""])
def test_a_verb_the_item_does_not_take_is_refused(agent: Door, as_ann: Door, verb: str) -> None:
    asked = agent.ask(type="confirmation")
    shown = as_ann.get(page_of(asked)).content.decode()
    assert 'value="edit"' not in shown
    assert 'value="respond"' not in shown

    assert decide(as_ann, asked, verb, note="Yes.").status_code == 400


# -- Answers ------------------------------------------------------------------------------------------

FLAT = {
    "type": "object",
    "properties": {
        "day": {"type": "string", "format": "date"},
        "slot": {"enum": ["morning", "evening"]},
        "parcels": {"type": "integer", "minimum": 1},
        "gift": {"type": "boolean"},
        "mail": {"type": "string", "format": "email"},
        "codes": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["day", "slot", "parcels"],
}


def test_an_answer_is_asked_for_by_a_form_and_sent_with_its_types(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(type="input", response_schema=FLAT)
    filled = _answers(
        as_ann, asked, day="2030-01-31", slot='"evening"', parcels="2", gift="true", codes='["A", "B"]'
    )

    answer = decide(as_ann, asked, "respond", **filled)

    assert answer.status_code == 302, text_of(answer)
    found = agent.get_json(f"/interrupts/{asked['id']}/status").json()["response"]
    assert found == {"day": "2030-01-31", "slot": "evening", "parcels": 2, "gift": True, "codes": ["A", "B"]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("day", "tomorrow"),
        ("parcels", "0"),
        ("parcels", ""),
        ("mail", "nobody"),
        ("slot", '"noon"'),
        ("codes", "[1]"),
    ],
)
def test_a_wrong_answer_is_refused_at_its_field(agent: Door, as_ann: Door, name: str, text: str) -> None:
    asked = agent.ask(type="input", response_schema=FLAT)
    good = {"day": "2030-01-31", "slot": '"evening"', "parcels": "2"}

    answer = decide(as_ann, asked, "respond", **_answers(as_ann, asked, **{**good, name: text}))

    assert answer.status_code == 400
    form = answer.context["answer_form"]
    assert form.errors[str(form.names.index(name))]
    assert agent.get_json(f"/interrupts/{asked['id']}/status").json()["status"] == "pending"


@pytest.mark.parametrize(
    ("schema", "text", "response"),
    [
        (None, "As early as possible", "As early as possible"),
        ({"type": "number"}, "12.5", 12.5),
        ({"enum": [1, "two", None]}, "null", None),
        ({"type": "boolean"}, "false", False),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", [1, 2]),
        ({"type": "object", "properties": {}, "minProperties": 1}, '{"a": {"b": 1}}', {"a": {"b": 1}}),
        (True, '"anything"', "anything"),
    ],
)
def test_any_schema_has_a_form(agent: Door, as_ann: Door, schema: Any, text: str, response: Any) -> None:
    asked = agent.ask(type="input", **({} if schema is None else {"response_schema": schema}))

    answer = decide(as_ann, asked, "respond", **{"answer-0": text})

    assert answer.status_code == 302, text_of(answer)
    assert agent.get_json(f"/interrupts/{asked['id']}/status").json()["response"] == response


# -- Critical, long, stale, decided ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "word"), [({"tool_name": "stripe.refund"}, "stripe.refund"), ({}, "Delete")]
)
def test_something_critical_needs_its_word_typed(
    agent: Door, as_ann: Door, fields: dict[str, str], word: str
) -> None:
    asked = agent.ask(priority="critical", **fields)
    assert decide(as_ann, asked, "approve").status_code == 400
    assert decide(as_ann, asked, "approve", word="yes").status_code == 400

    assert decide(as_ann, asked, "approve", word=word).status_code == 302


def test_something_critical_is_rejected_without_a_word(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(priority="critical", tool_name="stripe.refund")

    assert decide(as_ann, asked, "reject", note="No.").status_code == 302


@pytest.mark.parametrize("text", ["x" * 2_001, "line\n" * 41])
def test_long_text_is_folded_and_must_be_read(agent: Door, as_ann: Door, text: str) -> None:
    asked = agent.ask(tool_name="run", tool_args={"script": text})
    assert b"data-must-read" in as_ann.get(page_of(asked)).content

    refused = decide(as_ann, asked, "approve")

    assert refused.status_code == 400
    assert "Open and read it first." in text_of(refused)
    assert decide(as_ann, asked, "approve", has_read="on").status_code == 302


def test_a_stale_page_is_refused_with_what_changed_and_the_note_is_kept(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    asked = agent.ask(**CALL)
    page = as_ann.get(page_of(asked)).content.decode()
    as_bob.post_json(f"/interrupts/{asked['id']}/request_changes", {"comment": "Other folder."})
    agent.post_json(
        f"/interrupts/{asked['id']}/revise", {"tool_args": {**CALL["tool_args"], "path": "/srv/new.csv"}}
    )

    answer = decide(as_ann, asked, "approve", page=page, note="I looked at it.")

    assert answer.status_code == 412
    shown = text_of(answer)
    assert "Nothing was decided." in shown
    assert "bob asked for changes" in shown
    assert "/srv/new.csv" in shown
    assert "I looked at it." in answer.content.decode()
    assert agent.get_json(f"/interrupts/{asked['id']}/status").json()["status"] == "pending"


def test_a_decision_without_what_was_shown_is_refused(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    assert as_ann.post(page_of(asked), {"verb": "approve"}).status_code == 412


def test_who_comes_second_sees_who_decided_what_and_keeps_the_note(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    asked = agent.ask(**CALL)
    page = as_ann.get(page_of(asked)).content.decode()
    decide(as_bob, asked, "reject", note="Legal hold.")

    answer = decide(as_ann, asked, "approve", page=page, note="Looks fine to me.")

    assert answer.status_code == 409
    shown = text_of(answer)
    assert "already rejected (by bob)" in shown
    assert "Legal hold." in shown
    assert "Looks fine to me." in answer.content.decode()
    assert 'value="approve"' not in answer.content.decode()


def test_what_somebody_else_claimed_is_theirs(agent: Door, as_ann: Door, as_bob: Door) -> None:
    asked = agent.ask(**CALL)
    assert decide(as_bob, asked, "claim").status_code == 200
    assert "bob is working on this." in text_of(as_ann.get(page_of(asked)))

    answer = decide(as_ann, asked, "approve", note="Mine.")

    assert answer.status_code == 409
    assert "bob is working on this" in text_of(answer)
    assert "Mine." in answer.content.decode()
    assert decide(as_bob, asked, "approve").status_code == 302


def test_claiming_keeps_what_was_typed(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**CALL)

    answer = decide(as_ann, asked, "claim", note="Half a", **_field(as_ann, asked, "days", "31"))

    shown = answer.content.decode()
    assert "Half a" in shown
    assert 'value="31"' in shown
    assert decide(as_ann, asked, "release").status_code == 200


def test_what_is_overdue_reads_as_expired_and_takes_no_decision(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**CALL)
    page = as_ann.get(page_of(asked)).content.decode()
    let_deadline_pass(asked["id"])

    answer = decide(as_ann, asked, "approve", page=page, note="Too late?")

    assert answer.status_code == 409
    assert "The deadline has passed" in text_of(answer)
    assert "Too late?" in answer.content.decode()


def test_an_unknown_interrupt_is_a_page_that_says_so(as_ann: Door) -> None:
    for name in ("int_01ARZ3NDEKTSV4RRFFQ69G5FAV", "%00", "x" * 300, "../../etc"):
        answer = as_ann.get(f"{LIST}{name}/change/")
        assert answer.status_code == 404
        assert "There is nothing here" in text_of(answer)


def test_the_address_that_the_stock_admin_writes_works_too(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    assert as_ann.get(f"{LIST}{asked['id'].replace('_', '_5F')}/change/").status_code == 200


def test_a_comment_of_blanks_is_refused(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    assert as_ann.post(page_of(asked), {"verb": "comment", "body": "  "}).status_code == 400


def test_a_comment_may_answer_another(agent: Door, as_ann: Door, as_bob: Door) -> None:
    asked = agent.ask()
    page = page_of(asked)
    assert 'name="reply_to"' not in as_ann.get(page).content.decode()
    as_ann.post(page, {"verb": "comment", "body": "Who <b>owns</b> this?"})
    (written,) = re.findall(r'<option value="(com_\w+)">ann: Who', as_bob.get(page).content.decode())

    answered = as_bob.post(page, {"verb": "comment", "body": "The archive.", "reply_to": written})

    assert answered.status_code == 302
    assert "↳ ann: Who &lt;b&gt;owns&lt;/b&gt; this?" in as_ann.get(page).content.decode()
    stranger = {"verb": "comment", "body": "x", "reply_to": "com_elsewhere"}
    assert as_bob.post(page, stranger).status_code == 400


def test_only_who_holds_it_or_an_administrator_releases(
    agent: Door, as_ann: Door, as_bob: Door, ada: User, enter: Any
) -> None:
    asked = agent.ask()
    decide(as_bob, asked, "claim")

    assert decide(as_ann, asked, "release").status_code == 409
    assert decide(enter(ada), asked, "release").status_code == 200
    assert not ReviewItem.objects.filter(pk=asked["id"], claimed_until__gt=Now()).exists()


def _field(door: Door, asked: dict[str, Any], name: str, text: str) -> dict[str, str]:
    form = door.get(page_of(asked)).context["arguments_form"]
    return {f"argument-{form.names.index(name)}": text}


def _answers(door: Door, asked: dict[str, Any], **typed: str) -> dict[str, str]:
    form = door.get(page_of(asked)).context["answer_form"]
    return {f"answer-{form.names.index(name)}": text for name, text in typed.items()}
