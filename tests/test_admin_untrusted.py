"""Text that agents wrote can neither act nor hide, and may not contradict what would run."""

from typing import Any

import pytest

from events.untrusted import marked, visible
from interrupts.models import Interrupt
from interrupts.presentation import contradictions
from tests.admin import LIST, page_of
from tests.conftest import Door

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> \u202etxt.exe\u202c a\u200bb {{ 7|add:7 }} "
    "https://evil.example/x javascript:alert(3) \"'><b>bold</b>"
)


@pytest.mark.parametrize(
    "character", ["\u202e", "\u2066", "\u200b", "\u200f", "\ufeff", "\u00ad", "\x07", "\u3164", "\U000e0041"]
)
def test_what_cannot_be_seen_is_written_out(character: str) -> None:
    assert visible(f"a{character}b").count("⟦U+") == 1
    assert marked(f"a{character}b") == f"a⟦U+{ord(character):04X}⟧b"


def test_a_crowd_of_what_cannot_be_seen_does_not_crush_the_page() -> None:
    shown = visible("\u202ea" * 5_000)

    assert shown.count("⟦U+202E⟧a") + shown.count("⟦U+202E⟧</span>a") == 5_000
    assert shown.count("<span") == 200


@pytest.mark.parametrize("text", ["Grüße, 東京 🎉 ❤️", "two\nlines\tand a tab", "windows\r\nlines", "عربى"])
def test_what_can_be_seen_is_left_alone(text: str) -> None:
    assert "⟦" not in visible(text)


@pytest.mark.parametrize(
    "field", ["reason", "tool_name", "agent_name", "session_id", "run_id", "step_name", "call_id"]
)
def test_hostile_text_is_inert_on_every_page(agent: Door, as_ann: Door, field: str) -> None:
    asked = agent.ask(**{field: HOSTILE[:250]})

    for path in (LIST, page_of(asked), "/admin/"):
        shown = as_ann.get(path).content.decode()
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "<b>bold" not in shown
        assert "\u202e" not in shown
        assert "\u200b" not in shown
        assert 'href="https://evil' not in shown


def test_hostile_values_names_and_schemas_are_inert(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(
        type="feedback",
        allowed_decisions=["approve", "edit", "respond", "reject"],
        tool_name="t",
        tool_args={HOSTILE: HOSTILE, "deep": {HOSTILE: [HOSTILE]}},
        data={HOSTILE: HOSTILE},
        metadata={HOSTILE: HOSTILE},
        response_schema={
            "type": "object",
            "properties": {
                HOSTILE: {"type": "string", "title": HOSTILE, "description": HOSTILE, "default": HOSTILE},
                "pick": {"enum": [HOSTILE, "b"]},
            },
        },
    )  # fmt: skip
    as_ann.post_json(f"/interrupts/{asked['id']}/comments", {"body": HOSTILE})

    shown = as_ann.get(page_of(asked)).content.decode()

    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    assert 'href="https://evil' not in shown


def test_text_with_unseen_characters_is_edited_with_escapes_and_kept(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(tool_name="run", tool_args={"command": 'rm "a\u200b\u202e🎉"'})

    form = as_ann.get(page_of(asked)).context["arguments_form"]

    assert form.fields["0"].initial == '"rm \\"a\\u200b\\u202e\\ud83c\\udf89\\""'
    assert form.fields["0"].clean(form.fields["0"].initial) == 'rm "a\u200b\u202e🎉"'


def test_another_amount_in_the_words_is_flagged(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(
        reason="Refund 100 EUR", tool_name="refund", tool_args={"amount": 100000, "lines": [{"n": 2}]}
    )

    shown = as_ann.get(page_of(asked)).content.decode()

    assert "The text says <b>100</b>, the arguments say <b>100000</b>" in shown


@pytest.mark.parametrize(
    ("reason", "arguments"),
    [
        ("Refund 100 EUR", {"amount": 100}),
        ("Refund 1,000.50 EUR", {"amount": 1000.5}),
        ("Refund 1.000,50 EUR", {"amount": 1000.5}),
        ("Pay 2.5k", {"amount": 2500}),
        ("Delete report 7 of 2023-09-30", {"path": "/srv/7.pdf", "limit": 5}),
        ("Delete 3 files", {"paths": ["a", "b", "c"]}),
        ("Move it", {"amount": 5}),
        ("Run job v2.1 at 12:30", {"retries": 3}),
        ("Give 50 to each", {"amount": "50", "each": True}),
        ("Send it to 18,400 people", {"recipients": 18400}),
        ("Send it to 18.400 people", {"recipients": 18400}),
        ("Pay 1 200 or 1'300", {"amount": 1200, "limit": 1300}),
        ("Pay 1\u00a0200 now", {"amount": 1200}),
        ("Pay 12k", {"amount": 12000}),
        ("Pay £1.2 million", {"amount": 1_200_000}),
        ("Wait 5m", {"minutes": 5}),
        ("Pay 1200€ or USD1300", {"amount": 1200, "limit": 1300}),
        ("Pay 1200", {"amount": "1,200.00 EUR"}),
        ("Raise it by 5 %", {"rate": 0.05}),
        ("Raise it by 5%", {"percent": 5}),
        ("Deploy 4.2.0 on 12.01.2026", {"replicas": 3}),
        ("Move the flight of January 5, 2026", {"seats": 2}),
        ("Move the flight of 5th Mar", {"seats": 2}),
        ("See /reports/2024 and #77", {"pages": 3}),
    ],
)
def test_words_that_may_agree_are_not_flagged(reason: str, arguments: dict[str, Any]) -> None:
    assert contradictions(Interrupt(reason=reason, tool_args=arguments)) == ([], [])


@pytest.mark.parametrize(
    ("reason", "arguments", "said", "meant"),
    [
        ("Refund $100", {"amount": 1000}, ["100"], ["1000"]),
        ("Refund €1,000", {"amount": 100000.0}, ["1,000"], ["100000.0"]),
        ("Pay 10k", {"order": {"amount": "100000"}}, ["10k"], ["100000"]),
        ("Delete 3 files", {"count": 300}, ["3"], ["300"]),
        ("Pay 1.200,00 to Northwind", {"amount": 12000.0}, ["1.200,00"], ["12000.0"]),
        ("Pay 12k", {"amount": 120000}, ["12k"], ["120000"]),
        ("Pay 12k", {"amount": 12}, ["12k"], ["12"]),
        ("Pay 12.5", {"amount": 125}, ["12.5"], ["125"]),
        ("Pay £1.2 million", {"amount": 12_000_000}, ["1.2 million"], ["12000000"]),
        ("Pay 100EUR", {"amount": 1000}, ["100"], ["1000"]),
        ("Pay EUR100", {"amount": 1000}, ["100"], ["1000"]),
        ("Pay 1200", {"amount": "12000"}, ["1200"], ["12000"]),
        ("Pay 1200", {"amount": "12.000,00 EUR"}, ["1200"], ["12.000,00 EUR"]),
        ("Raise it by 5%", {"percent": 50}, ["5%"], ["50"]),
    ],
)
def test_words_that_disagree_are_flagged(
    reason: str, arguments: dict[str, Any], said: list[str], meant: list[str]
) -> None:
    assert contradictions(Interrupt(reason=reason, tool_args=arguments)) == (said, meant)
