"""What is critical is allowed only by who has lately shown who they are; nothing that was typed is lost."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from agents import keys, presence
from agents.models import Key
from tests.conftest import Door
from tests.identity import CONFIRM, code_of, set_up_app
from tests.steps import event_types, problem

KEYS = "/admin/agents/key/"


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    cache.clear()


def wait(door: Door, minutes: float = 16) -> Door:
    """Let so long pass since the holder of *door* showed who they are."""
    session = door.session
    session[presence.SHOWN] -= minutes * 60
    session.save()
    return door


def page_of(asked: dict[str, Any]) -> str:
    return str(asked["url"]).removeprefix("http://testserver")


def decide(door: Door, asked: dict[str, Any], verb: str = "approve", **typed: Any) -> Any:
    form = door.get(page_of(asked)).context
    shown = {"content_hash": form["item"].content_hash, "version": form["item"].version}
    word = form["decision_form"].word_to_type
    return door.post(page_of(asked), {"verb": verb, "word": word, **shown, **typed})


def status(agent: Door, asked: dict[str, Any]) -> str:
    kind = "requests" if asked["id"].startswith("har_") else "interrupts"
    return str(agent.get_json(f"/{kind}/{asked['id']}").json()["status"])


def test_after_a_while_a_critical_question_asks_who_is_there(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(priority="critical", tool_name="refund", tool_args={"amount": 5})
    assert "Confirm in a new tab" not in as_ann.get(page_of(asked)).content.decode()
    wait(as_ann)
    assert f"{CONFIRM}?next={page_of(asked)}" in as_ann.get(page_of(asked)).content.decode()

    answer = decide(as_ann, asked, note="Fine by me & the customer")

    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Confirm in a new tab" in page
    assert "Fine by me &amp; the customer" in page
    assert f'value="{answer.context["decision_form"].word_to_type}"' in page
    assert status(agent, asked) == "pending"
    assert event_types(asked["id"]) == ["hitl.interrupt.requested"]


def test_who_confirms_comes_back_and_decides(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(priority="critical")
    wait(as_ann)
    assert decide(as_ann, asked).status_code == 403

    back = as_ann.post(f"{CONFIRM}?next={page_of(asked)}", {"password": "ann-has-a-password"})

    assert back["Location"] == page_of(asked)
    assert decide(as_ann, asked).status_code == 302
    assert status(agent, asked) == "approved"


def test_a_second_factor_confirms_as_well_and_a_wrong_one_does_not(
    agent: Door, as_ann: Door, ann: User
) -> None:
    asked = agent.ask(priority="critical")
    secret, _ = set_up_app(as_ann)
    wait(as_ann)
    as_ann.post(CONFIRM, {"code": "000000"})
    assert decide(as_ann, asked).status_code == 403

    as_ann.post(CONFIRM, {"code": code_of(secret)})

    assert decide(as_ann, asked).status_code == 302


def test_edits_are_kept_too(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(priority="critical", tool_name="refund", tool_args={"to": "somebody"})
    wait(as_ann)

    answer = decide(as_ann, asked, "edit", **{"argument-0": "somebody else"})

    assert answer.status_code == 403
    assert "somebody else" in answer.content.decode()
    assert status(agent, asked) == "pending"


def test_answers_and_requests_ask_as_well(agent: Door, as_ann: Door) -> None:
    question = agent.ask(priority="critical", type="input")
    need = agent.need(priority="critical", required_fields={"account": "Account"})
    wait(as_ann)

    answered = decide(as_ann, question, "respond", **{"answer-0": "Blue"})
    fulfilled = decide(as_ann, need, "fulfill", **{"answer-0": "A-17"})

    assert (answered.status_code, fulfilled.status_code) == (403, 403)
    assert "A-17" in fulfilled.content.decode()
    assert (status(agent, question), status(agent, need)) == ("pending", "pending")


def test_a_vote_asks_as_well(agent: Door, as_ann: Door, as_bob: Door, make_policy: Any) -> None:
    make_policy(pattern="pay", stages=[{"reviewers": ["reviewer"], "required_approvals": 2}])
    asked = agent.ask(priority="critical", tool_name="pay")
    wait(as_ann)

    assert decide(as_ann, asked).status_code == 403
    assert decide(as_bob, asked).status_code == 302
    assert [vote["by"] for vote in agent.get_json(f"/interrupts/{asked['id']}").json()["votes"]] == ["bob"]


@pytest.mark.parametrize("verb", ["reject", "claim", "comment", "escalate"])
def test_what_lets_nothing_happen_never_asks(agent: Door, as_ann: Door, verb: str) -> None:
    asked = agent.ask(priority="critical")
    wait(as_ann)

    assert decide(as_ann, asked, verb, note="No", body="Hm").status_code != 403


def test_what_is_not_critical_never_asks(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(priority="high")
    wait(as_ann, 600)

    assert decide(as_ann, asked).status_code == 302


def test_a_session_at_the_api_is_asked_and_a_personal_key_is_not(
    agent: Door, as_ann: Door, ann: User
) -> None:
    asked = agent.ask(priority="critical")
    wait(as_ann)
    problem(as_ann.post_json(f"/interrupts/{asked['id']}/approve"), 403, "confirm_first")
    assert status(agent, asked) == "pending"

    _, text = keys.create_key(ann)
    mine = Door(headers={"Authorization": f"Bearer {text}"})

    assert mine.post_json(f"/interrupts/{asked['id']}/approve").status_code == 200


@pytest.mark.parametrize(("minutes", "passed", "answer"), [(60, 59, 302), (60, 61, 403), (0, 10_000, 302)])
def test_how_long_it_holds_is_a_setting(
    agent: Door, as_ann: Door, settings: Any, minutes: int, passed: int, answer: int
) -> None:
    settings.HITL_STEP_UP_MINUTES = minutes
    asked = agent.ask(priority="critical")
    wait(as_ann, passed)

    assert decide(as_ann, asked).status_code == answer


def test_making_and_rotating_a_key_asks_even_where_critical_decisions_do_not(
    as_ann: Door, ann: User, settings: Any
) -> None:
    settings.HITL_STEP_UP_MINUTES = 0
    key, _ = keys.create_key(ann)
    wait(as_ann)

    for path in (f"{KEYS}add/", f"{KEYS}{key.pk}/rotate/"):
        for answer in (as_ann.get(path), as_ann.post(path, {"holder": "mine", "days": "30", "hours": "1"})):
            assert answer["Location"].startswith(CONFIRM)
    assert Key.objects.filter(user=ann).count() == 1
    as_ann.post(CONFIRM, {"password": "ann-has-a-password"})

    assert as_ann.post(f"{KEYS}add/", {"holder": "mine", "days": "30"}).status_code == 200
    assert Key.objects.filter(user=ann).count() == 2
