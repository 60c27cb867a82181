"""The pages of human actions: the list, and what a person does, or is refused, on the page of one."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.admin import HUMAN_ACTIONS, REQUESTS, decide, page_of, text_of
from tests.conftest import Door
from tests.steps import Enter, event_types

FIELDS: dict[str, Any] = {
    "key": {"label": "Restricted key", "type": "secret", "pattern": "rk_.+", "help": "It begins with rk_."},
    "live": {"label": "Live?", "type": "boolean", "required": False},
    "mail": {"label": "Contact", "type": "email", "required": False},
    "more": {"label": "More", "type": "textarea", "required": False},
    "page": {"label": "Documented at", "type": "url", "required": False},
    "plan": {"label": "Plan", "type": "choice", "choices": ["Free", "Paid"], "required": False},
    "limit": {"label": "Calls a minute", "type": "number", "min": 1, "required": False},
    "until": {"label": "Valid until", "type": "date", "required": False},
    "papers": {"label": "Papers", "type": "file", "required": False},
    "region": {"label": "Region", "type": "choice", "choices": list("ABCDEF"), "required": False},
    "account": "Account",
}
SECRET = "rk_live_0815"
GOOD = {"key": SECRET, "account": "A-1"}


def filled(**answers: str) -> dict[str, str]:
    """Return the answers as the form of ``FIELDS`` sends them."""
    return {f"answer-{list(FIELDS).index(name)}": text for name, text in answers.items()}


def seen_by(door: Door, asked: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = door.get_json(f"/requests/{asked['id']}").json()
    return found


# -- The verbs ------------------------------------------------------------------------------------------


def test_looking_never_decides(agent: Door, as_ann: Door) -> None:
    asked = agent.need()

    as_ann.get(page_of(asked), {"verb": "fulfill", "content_hash": asked["content_hash"]})

    assert seen_by(agent, asked)["status"] == "pending"


def test_what_is_filled_in_reaches_the_agent_with_its_types(agent: Door, as_ann: Door) -> None:
    asked, after = agent.need(required_fields=FIELDS, priority="high"), agent.ask(priority="critical")
    agent.need()
    typed = filled(
        **GOOD, limit="12.5", live="false", until="2030-01-31", mail="a@b.example", page="https://b.example/",
        plan="1", region="5", more="two\r\nlines",
    )  # fmt: skip

    answer = decide(as_ann, asked, "fulfill", note="Opened today.", **typed)

    assert answer["Location"] == page_of(after), text_of(answer)
    seen = seen_by(agent, asked)
    assert (seen["status"], seen["fulfilled_by"], seen["notes"]) == ("fulfilled", "ann", "Opened today.")
    assert seen["response_data"] == {
        "account": "A-1", "limit": 12.5, "live": False, "until": "2030-01-31", "mail": "a@b.example",
        "page": "https://b.example/", "plan": "Paid", "region": "F", "more": "two\nlines",
    }  # fmt: skip
    assert seen["secrets"]["fields"] == ["key"]


def test_fields_are_asked_for_in_the_order_in_which_they_were_sent(agent: Door, as_ann: Door) -> None:
    asked = agent.need(required_fields={"the last": "1", "b": "2", "aa": "3"})

    assert as_ann.get(page_of(asked)).context["answer_form"].names == ["the last", "b", "aa"]
    assert list(seen_by(agent, asked)["required_fields"]) == ["the last", "b", "aa"]


def test_what_was_done_can_be_read_afterwards_but_for_its_secrets(agent: Door, as_ann: Door) -> None:
    asked = agent.need(required_fields=FIELDS, context={"service": "Stripe EU"})
    decide(as_ann, asked, "fulfill", note="Opened today.", **filled(**GOOD))

    def words() -> str:
        answer = as_ann.get(page_of(asked))
        assert SECRET not in answer.content.decode()
        return text_of(answer)

    for part in ("Stripe EU", "by ann", "Opened today.", "A-1", "Restricted key : sealed"):
        assert part in words()
    assert agent.post_json(f"/requests/{asked['id']}/reveal").json()["values"] == {"key": SECRET}
    assert "revealed to the agent" in words()
    agent.post_json(f"/requests/{asked['id']}/ack")
    assert "acknowledged by the agent, and destroyed" in words()
    assert "acknowledged the secret answers" in words()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("account", "", "This field is required."), ("account", " ", "This field is required."),
        ("limit", "many", "Write a number like 1000 or 12.5."), ("limit", "0", "Not less than 1."),
        ("live", "perhaps", "Give true or false."), ("until", "tomorrow", "Write a date as in 2030-01-31."),
        ("mail", "nobody", "Write an e-mail address."), ("page", "ftp://x", "Write an address like https://…"),
        ("plan", "Gold", "Choose one of: Free, Paid."), ("papers", "contract.pdf", "Attach the file"),
        ("more", "x" * 20_001, "Write at most 20,000 characters."),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused_at_its_field_and_the_others_are_kept(
    agent: Door, as_ann: Door, name: str, text: str, why: str
) -> None:
    asked = agent.need(required_fields=FIELDS)
    typed = {**GOOD, "region": "4", name: text}

    answer = decide(as_ann, asked, "fulfill", note="Careful.", **filled(**typed))

    assert answer.status_code == 400
    errors = answer.context["answer_form"].errors
    assert set(errors) == {str(list(FIELDS).index(name))}
    assert why in str(errors)
    shown = answer.content.decode()
    assert "Careful." in shown
    assert '<option value="4" selected>' in shown
    assert seen_by(agent, asked)["status"] == "pending"


def test_a_file_is_kept_although_the_form_is_refused_and_is_answered_by_its_id(
    agent: Door, as_ann: Door
) -> None:
    asked = agent.need(required_fields=FIELDS, priority="critical")
    place = next(iter(filled(papers="")))
    upload: dict[str, Any] = {place: SimpleUploadedFile("contract <1>.txt", b"Signed.")}

    refused = decide(as_ann, asked, "fulfill", **filled(**GOOD), **upload)

    assert refused.status_code == 400
    page = refused.content.decode()
    assert "contract &lt;1&gt;.txt" in page
    assert 'enctype="multipart/form-data"' in page
    done = decide(as_ann, asked, "fulfill", page=page, word="A", **filled(**GOOD))
    assert done.status_code == 302, text_of(done)
    seen = seen_by(agent, asked)
    assert seen["response_data"]["papers"] == seen["attachments"][0]["id"]
    shown = as_ann.get(page_of(asked)).content.decode()
    link = seen["attachments"][0]["url"]
    assert f'href="{link}"' in shown
    assert as_ann.get(link).content == b"Signed."


def test_a_file_that_cannot_be_taken_is_refused_at_its_field(agent: Door, as_ann: Door) -> None:
    asked = agent.need(required_fields=FIELDS)
    upload: dict[str, Any] = {next(iter(filled(papers=""))): SimpleUploadedFile("run.exe", b"MZ")}

    answer = decide(as_ann, asked, "fulfill", **filled(**GOOD), **upload)

    assert answer.status_code == 400
    assert set(answer.context["answer_form"].errors) == {str(list(FIELDS).index("papers"))}
    assert seen_by(agent, asked)["attachments"] == []


@pytest.mark.parametrize("key", [SECRET, "sk_wrong"])
def test_a_secret_is_never_sent_back(agent: Door, as_ann: Door, as_bob: Door, key: str) -> None:
    asked = agent.need(required_fields=FIELDS, checklist=["Call"], priority="critical")
    page = as_ann.get(page_of(asked)).content.decode()

    answers = [
        decide(as_ann, asked, verb, **filled(key=key, account=""))
        for verb in ("fulfill", "reject", "claim", "progress", "release", "nonsense")
    ]
    answers.append(decide(as_bob, asked, "fulfill", page=page, **filled(key=key)))

    for answer in answers:
        assert key not in answer.content.decode()
        assert "Type it again" in text_of(answer)
    assert 'autocomplete="off"' in re.findall(r'<input[^>]*type="password"[^>]*>', page)[0]


def test_review_is_started_and_released_and_keeps_what_was_typed(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    asked = agent.need(required_fields=FIELDS)

    answer = decide(as_ann, asked, "claim", note="Half a", **filled(account="A-7"))

    assert (answer.status_code, seen_by(agent, asked)["assigned_to"]) == (200, "ann")
    assert "Half a" in answer.content.decode()
    assert 'value="A-7"' in answer.content.decode()
    assert "This field is required." not in text_of(answer)
    assert "ann is working on this." in text_of(as_bob.get(page_of(asked)))
    assert decide(as_bob, asked, "fulfill", **filled(**GOOD)).status_code == 409
    assert decide(as_ann, asked, "release").status_code == 200
    assert seen_by(agent, asked)["status"] == "pending"


def test_turning_it_down_needs_a_reason_and_takes_a_code(agent: Door, as_ann: Door) -> None:
    asked = agent.need(required_fields=FIELDS)
    refused = decide(as_ann, asked, "reject", note=" ", **filled(account="A-7"))
    assert refused.status_code == 400
    assert "Say why: the agent is told this reason." in text_of(refused)
    assert 'value="A-7"' in refused.content.decode()

    decide(as_ann, asked, "reject", note="We may not.", code="not_allowed")

    seen = seen_by(agent, asked)
    assert (seen["status"], seen["rejection_reason"], seen["rejection_code"]) == (
        "rejected", "We may not.", "not_allowed",
    )  # fmt: skip


def test_cancel_and_comment(agent: Door, as_ann: Door) -> None:
    asked = agent.need()
    as_ann.post(page_of(asked), {"verb": "comment", "body": "Ask the owner first."})

    decide(as_ann, asked, "cancel", note="Not needed.")

    assert seen_by(agent, asked)["status"] == "cancelled"
    assert "Ask the owner first." in text_of(as_ann.get(page_of(asked)))


def test_the_checklist_is_ticked_off_with_a_note(agent: Door, as_ann: Door) -> None:
    asked = agent.need(checklist=["Notary", "Register", "Bank"])

    answer = decide(as_ann, asked, "progress", steps=["0", "2"], progress="The notary was quick.", note="Hm")

    assert answer.status_code == 200
    assert [step["done"] for step in seen_by(agent, asked)["checklist"]] == [True, False, True]
    shown = text_of(answer)
    assert "Progress saved" in shown
    assert "The notary was quick. 2 of 3 steps done" in shown
    assert "Hm" in answer.content.decode()
    decide(as_ann, asked, "progress", steps=["2"])
    assert [step["done"] for step in seen_by(agent, asked)["checklist"]] == [False, False, True]
    assert decide(as_ann, asked, "progress", steps=["3"]).status_code == 400
    assert event_types(asked["id"]).count("hitl.item.progressed") == 2


# -- Refusals -------------------------------------------------------------------------------------------


def test_something_critical_needs_its_word_and_long_text_must_be_read(agent: Door, as_ann: Door) -> None:
    asked = agent.need(priority="critical", title="Transfer 5 EUR", description="x" * 2_001)
    assert b"data-must-read" in as_ann.get(page_of(asked)).content

    assert decide(as_ann, asked, "fulfill", word="Transfer").status_code == 400
    assert decide(as_ann, asked, "fulfill", has_read="on").status_code == 400
    assert decide(as_ann, asked, "fulfill", word="Transfer", has_read="on").status_code == 302


def test_a_stale_page_is_refused_with_what_changed_and_keeps_notes_and_plain_answers(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    asked = agent.need(required_fields=FIELDS, checklist=["Call"])
    page = as_ann.get(page_of(asked)).content.decode()
    as_bob.post_json(f"/requests/{asked['id']}/progress", {"done": [0], "note": "Called them."})

    answer = decide(as_ann, asked, "fulfill", page=page, note="I looked.", **filled(**GOOD))

    assert answer.status_code == 412
    assert "bob noted progress" in text_of(answer)
    assert "Called them." in text_of(answer)
    shown = answer.content.decode()
    assert "I looked." in shown
    assert 'value="A-1"' in shown
    assert SECRET not in shown
    assert seen_by(agent, asked)["status"] == "pending"


def test_who_comes_second_sees_who_was_first_and_keeps_the_note(
    agent: Door, as_ann: Door, as_bob: Door
) -> None:
    asked = agent.need()
    page = as_ann.get(page_of(asked)).content.decode()
    decide(as_bob, asked, "reject", note="Legal hold.")

    answer = decide(as_ann, asked, "fulfill", page=page, note="Mine was ready.")

    assert answer.status_code == 409
    assert "already rejected (by bob)" in text_of(answer)
    assert "Mine was ready." in answer.content.decode()


def test_a_viewer_sees_no_form_and_posts_nothing(agent: Door, vic: User, enter: Enter) -> None:
    asked = agent.need(required_fields=FIELDS, checklist=["Call"])
    door = enter(vic)

    shown = door.get(page_of(asked)).content.decode()

    assert "You may look at this, but not decide it" in shown
    assert "Restricted key" in shown
    for part in ('type="password"', 'value="fulfill"', 'value="progress"', 'name="steps"'):
        assert part not in shown
    for verb in ("fulfill", "reject", "cancel", "claim", "release", "progress"):
        assert decide(door, asked, verb, note="No.").status_code == 403
    assert seen_by(agent, asked)["status"] == "pending"


def test_somebody_without_a_role_finds_nothing(agent: Door, make_user: Any, enter: Enter) -> None:
    asked = agent.need()
    door = enter(make_user("mallory"))

    assert door.get(HUMAN_ACTIONS).status_code == 403
    assert door.get(page_of(asked)).status_code == 403
    assert Door().get(HUMAN_ACTIONS)["Location"].startswith("/admin/login/")


def test_what_is_not_there_is_a_page_that_says_so(agent: Door, as_ann: Door) -> None:
    for name in ("har_nothing", agent.ask()["id"], "%00"):
        answer = as_ann.get(f"{REQUESTS}{name}/change/")
        assert answer.status_code == 404
        assert "There is nothing here" in text_of(answer)


def test_what_an_agent_writes_is_inert_everywhere(agent: Door, as_ann: Door) -> None:
    bad = "<script>alert(1)</script> \u202etxt.exe\u202c <img src=x>"
    fields = {
        bad: {"label": bad, "help": bad},
        "pick": {"label": bad, "type": "choice", "choices": [bad, "b"]},
        "many": {"label": bad, "type": "choice", "choices": [bad, *"bcdefg"]},
    }
    asked = agent.need(
        title=bad, description=bad, context={bad: bad}, required_fields=fields, checklist=[bad],
        workflow_id=bad, metadata={bad: bad},
    )  # fmt: skip
    decide(as_ann, asked, "fulfill")

    for path in (HUMAN_ACTIONS, page_of(asked), "/admin/"):
        shown = as_ann.get(path).content.decode()
        assert "⟦U+202E⟧" in shown
        for part in ("<script>alert", "<img src=x", "\u202e"):
            assert part not in shown
