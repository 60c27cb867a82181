"""What an agent wants to do in a browser, as a person sees it."""

from typing import Any

import pytest

from tests.admin import page_of, text_of
from tests.conftest import Door

BROWSE = {"run_id": "mine", "action_description": "Click “Pay 100”"}


def browse(agent: Door, **context: Any) -> dict[str, Any]:
    made = agent.post_json("/browser_approvals", {**BROWSE, "browser_context": context})
    assert made.status_code in (200, 201), made.content
    found: dict[str, Any] = made.json()
    return found


def test_what_is_done_in_a_browser_stands_at_the_top(agent: Door, as_ann: Door) -> None:
    asked = browse(agent, url="https://pay.example.com:8443/a?to=b")

    page = as_ann.get(page_of(asked))

    assert "Wants to do this in a browser: Click “Pay 100”" in text_of(page)
    html = page.content.decode()
    assert "https://<b>pay.example.com</b>:8443/a?to=b" in html
    assert 'href="https://' not in html
    assert "What the agent attached" not in html


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://bank.example@evil.example/", "before the @ is a name"),
        ("https://b\u0430nk.example/", "letters beyond a to z"),
        ("https://xn--bnk-5cd.example/", "letters beyond a to z"),
        ("https://evil.example\\@bank.example/", "no plain web address"),
        ("javascript:alert(1)", "no plain web address"),
        ("https://bank.example:x/", "no plain web address"),
        ("https://[bank/", "no plain web address"),
    ],
)
def test_an_address_that_may_deceive_is_flagged(agent: Door, as_ann: Door, url: str, told: str) -> None:
    page = as_ann.get(page_of(browse(agent, url=url)))

    assert told in text_of(page)
    assert "<b>bank.example</b>" not in page.content.decode()


def test_another_tool_cannot_pass_for_a_click(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(
        tool_name="drop_table", step_name="browser_action", data={"checkpoint": "browser_action"}
    )

    assert "Wants to call drop_table" in text_of(as_ann.get(page_of(asked)))
