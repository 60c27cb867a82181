"""What was shown is what is approved: one hash over what a person judges."""

import copy
import hashlib
import json
import random
import string
from typing import Any

import pytest

from events.canonical import canonical
from interrupts.models import Interrupt
from reviews.models import ReviewItem
from tests.conftest import Door
from tests.steps import problem, rows, status_of

QUESTION: dict[str, Any] = {
    "reason": "Pay the invoice?",
    "tool_name": "make_payment",
    "tool_args": {
        "to": "DE02 1203",
        "amount": 1250.5,
        "lines": [{"n": 1, "text": "ä"}, {"n": 2, "text": ""}],
    },
    "data": {"invoice": "2024-17", "urgent": False, "note": None},
}
DECISIONS: list[tuple[str, dict[str, Any]]] = [
    ("approve", {}),
    ("approve", {"modifications": {"amount": 1}}),
    ("reject", {"reason": "no"}),
]
CASES = 60


def test_the_hash_is_sha_256_over_the_canonical_question(agent: Door) -> None:
    asked = agent.ask(**QUESTION)

    plain = json.dumps(
        {"type": "approval", **QUESTION}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert asked["content_hash"] == hashlib.sha256(plain.encode()).hexdigest()


def test_the_order_of_names_makes_no_difference_and_everything_else_does(agent: Door) -> None:
    first = agent.ask(tool_args={"a": 1, "b": 2})["content_hash"]

    assert agent.ask(tool_args={"b": 2, "a": 1})["content_hash"] == first
    assert agent.ask(tool_args={"a": 1.0, "b": 2})["content_hash"] == first
    others = [
        agent.ask(tool_args={"a": 1, "b": 3}),
        agent.ask(tool_args={"a": 1, "b": "2"}),
        agent.ask(tool_args={"a": 1, "b": 2}, data={"a": 1}),
        agent.ask(tool_args={"a": 1, "b": 2}, tool_name="t"),
        agent.ask(tool_args={"a": 1, "b": 2}, type="confirmation"),
        agent.ask(tool_args={"a": 1, "b": 2}, reason="Delete the old report."),
    ]
    assert first not in {other["content_hash"] for other in others}


def test_labels_and_metadata_are_not_judged(agent: Door) -> None:
    assert agent.ask(session_id="s", metadata={"a": 1})["content_hash"] == agent.ask()["content_hash"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (0.1 + 0.2, "0.30000000000000004"),
        (-0.0, "0"),
        (2.0**60, "1152921504606847000"),
        (2**60, "1152921504606847000"),
        (333333333.33333329, "333333333.3333333"),
        ('\u20ac$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        (
            {"\u20ac": 1, "\r": 2, "1": 3, "\U0001f600": 4, "\ufb33": 5},
            '{"\\r":2,"1":3,"€":1,"😀":4,"\ufb33":5}',
        ),
    ],
)
def test_canonical_json_is_that_of_rfc_8785(value: Any, text: str) -> None:
    assert canonical(value) == text.encode()


def test_the_hash_survives_the_database(agent: Door) -> None:
    numbers = [1e-7, 0.1, 5e-324, 1.7976931348623157, -0.0, 2**53, -(2**53), -(2.0**53), 1e15, 1.0]

    asked = agent.ask(tool_args={"numbers": numbers, "text": "\u2028 \U0001f600 \x7f", "": {"": []}})

    stored = Interrupt.objects.get(pk=asked["id"])
    assert hashlib.sha256(canonical(stored.content)).hexdigest() == asked["content_hash"]


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_decision_about_something_else_is_refused(agent: Door, as_ann: Door, verb: str) -> None:
    asked, before = agent.ask(**QUESTION), rows()

    refused = problem(
        as_ann.post_json(f"/interrupts/{asked['id']}/{verb}", {"content_hash": "0" * 64}), 412, "stale"
    )

    assert "content_hash" not in refused.get("errors", {})
    assert (rows(), status_of(agent, asked["id"])["status"]) == (before, "pending")


def test_an_answer_and_an_approval_by_thread_carry_the_hash_too(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(type="input", session_id="t")
    approval = {"thread_id": "t", "interrupt_id": agent.ask(session_id="t")["id"], "approved": True}

    problem(
        as_ann.post_json(f"/interrupts/{asked['id']}/respond", {"response": 1, "content_hash": "0" * 64}), 412
    )
    problem(as_ann.post_json("/approvals", {**approval, "content_hash": "0" * 64}), 412)


@pytest.mark.parametrize("wrong", ["", "abc", "G" * 64, "A" * 64, "0" * 65, "0" * 64 + "\n"])
def test_a_hash_that_cannot_be_one_is_invalid(agent: Door, as_ann: Door, wrong: str) -> None:
    asked = agent.ask()

    refused = problem(
        as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"content_hash": wrong}), 400, "invalid"
    )

    assert list(refused["errors"]) == ["content_hash"]


def test_whatever_is_changed_behind_the_page_no_decision_goes_through(agent: Door, as_ann: Door) -> None:
    chance = random.Random(8785)
    for case in range(CASES):
        asked = agent.ask(**QUESTION)
        change = tamper(asked["id"], chance)
        verb, body = chance.choice(DECISIONS)
        shown = {"content_hash": asked["content_hash"]} if case % 2 else {}

        answer = as_ann.post_json(f"/interrupts/{asked['id']}/{verb}", {**body, **shown})

        assert answer.status_code == 412, (change, answer.content)
        assert status_of(agent, asked["id"])["status"] == "pending"


def test_a_hash_rewritten_with_the_arguments_does_not_fit_the_page(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**QUESTION)
    changed = Interrupt.objects.get(pk=asked["id"])
    changed.tool_args = {**changed.tool_args, "amount": 99_999}
    changed.content_hash = hashlib.sha256(canonical(changed.content)).hexdigest()
    changed.save()

    body = {"content_hash": asked["content_hash"]}
    problem(as_ann.post_json(f"/interrupts/{asked['id']}/approve", body), 412, "stale")


def test_the_decision_records_the_hash(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**QUESTION)

    as_ann.post_json(f"/interrupts/{asked['id']}/approve", {"content_hash": asked["content_hash"]})

    history = agent.get_json(f"/interrupts/{asked['id']}").json()["history"]
    assert [event["data"]["content_hash"] for event in history] == [asked["content_hash"]] * 2
    assert history[-1]["data"]["tool_args"] == QUESTION["tool_args"]


def test_what_is_changed_after_the_approval_does_not_run(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(**QUESTION)
    as_ann.post_json(f"/interrupts/{asked['id']}/approve")
    other = {**QUESTION["tool_args"], "to": "DE99"}
    Interrupt.objects.filter(pk=asked["id"]).update(tool_args=other)

    for arguments in (other, QUESTION["tool_args"]):
        problem(agent.post_json(f"/interrupts/{asked['id']}/consume", {"tool_args": arguments}), 412)


def tamper(interrupt_id: str, chance: random.Random) -> str:
    """Change one thing of what is judged, straight in the database; say what."""
    column = chance.choice(["reason", "tool_name", "kind", "tool_args", "data"])
    if column == "kind":
        ReviewItem.objects.filter(pk=interrupt_id).update(kind="confirmation", title="x")
        Interrupt.objects.filter(pk=interrupt_id).update(allowed_decisions=["approve", "edit", "reject"])
        return column
    before = getattr(Interrupt.objects.get(pk=interrupt_id), column)
    after = one_byte_off(before, chance) if isinstance(before, str) else altered(before, chance)
    Interrupt.objects.filter(pk=interrupt_id).update(**{column: after})
    return f"{column}: {after!r}"


def one_byte_off(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    letter = chance.choice([one for one in string.ascii_letters if one != text[at : at + 1]])
    return text[:at] + letter + text[at + chance.randint(0, 1) :]


def altered(document: Any, chance: random.Random) -> Any:
    """Return a copy of *document* with one value or name changed, added or removed."""
    changed = copy.deepcopy(document)
    places = [changed]
    for place in places:
        inner = place.values() if isinstance(place, dict) else place
        places.extend(value for value in inner if isinstance(value, dict | list))
    place = chance.choice(places)
    if isinstance(place, list):
        place.append(chance.choice([0, "", None, {}]))
        return changed
    name = chance.choice(sorted(place))
    match chance.randrange(3):
        case 0:
            place[f"{name} "] = place.pop(name)
        case 1:
            del place[name]
        case _:
            place[name] = [place[name]]
    return changed
