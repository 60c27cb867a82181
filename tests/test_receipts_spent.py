"""Receipts held against what is to run, and the keys that sign them."""

import datetime as dt
import json
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from hitl_project.environment import keys_by_version, new_key, read_keys
from interrupts.models import Interrupt
from reviews.models import ReviewItem
from tests import receipts
from tests.conftest import Door
from tests.receipts import Approve, claims_of, consume, part, receipt_of, set_clock
from tests.steps import problem, status_of

approve = receipts.approve
KEYS = "HITL_RECEIPT_KEYS"


# -- Online: consume ------------------------------------------------------------------------------------


def test_the_receipt_may_be_sent_along(agent: Door, approve: Approve) -> None:
    pk = approve()

    spent = consume(agent, pk, receipt=receipt_of(agent, pk))

    assert spent.json()["consumed_at"]


@pytest.mark.parametrize("sent", ["", "a.b.c", "another's"])
def test_what_is_not_its_receipt_does_not_spend_it(agent: Door, approve: Approve, sent: str) -> None:
    pk = approve()
    receipt = receipt_of(agent, approve()) if sent == "another's" else sent

    refusal = problem(consume(agent, pk, receipt=receipt), 412, "receipt_differs")

    assert (refusal["current"]["id"], refusal["current"]["status"]) == (pk, "approved")
    assert receipt_of(agent, pk) not in str(refusal)
    assert consume(agent, pk).status_code == 200


def test_an_edit_of_what_was_allowed_behind_the_api_is_found(agent: Door, approve: Approve) -> None:
    pk = approve(modifications={"amount": 5})
    Interrupt.objects.filter(pk=pk).update(modifications={"amount": 5_000})

    for amount in (5, 5_000):
        problem(consume(agent, pk, {"amount": amount}), 412, "arguments_differ")

    Interrupt.objects.filter(pk=pk).update(modifications={"amount": 5})
    assert consume(agent, pk, {"amount": 5}).status_code == 200


def test_a_receipt_put_in_its_place_behind_the_api_is_found(agent: Door, approve: Approve) -> None:
    pk, other = approve(), approve()
    header, _, signature = receipt_of(agent, pk).split(".")
    forged = f"{header}.{part({**claims_of(receipt_of(agent, pk)), 'exp': 2**40})}.{signature}"

    for receipt in (receipt_of(agent, other), forged, "nonsense"):
        Interrupt.objects.filter(pk=pk).update(receipt=receipt)
        problem(consume(agent, pk), 412, "receipt_differs")


def test_a_question_rewritten_behind_the_api_with_its_hash_is_found(agent: Door, approve: Approve) -> None:
    pk = approve()
    Interrupt.objects.filter(pk=pk).update(reason="Is the sky blue?")
    ReviewItem.objects.filter(pk=pk).update(content_hash=Interrupt.objects.get(pk=pk).stored_hash())

    problem(consume(agent, pk), 412, "receipt_differs")


def test_an_expired_receipt_is_refused_by_the_databases_clock(
    agent: Door, approve: Approve, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk = approve()
    with monkeypatch.context() as later:
        set_clock(later, dt.timedelta(hours=72, seconds=1))
        refusal = problem(consume(agent, pk), 409, "receipt_expired")
    assert (refusal["current"]["id"], refusal["current"]["consumed_at"]) == (pk, None)
    with monkeypatch.context() as earlier:
        set_clock(earlier, dt.timedelta(hours=71, minutes=59))
        assert consume(agent, pk).status_code == 200


@pytest.mark.parametrize("days", [-30, 30])
def test_the_clock_of_a_machine_does_not_count(
    agent: Door, approve: Approve, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    set_clock(monkeypatch, dt.timedelta(days=days))

    assert consume(agent, approve()).status_code == 200


def test_what_a_retired_key_signed_is_asked_anew(agent: Door, approve: Approve, settings: Any) -> None:
    rotated, retired = approve(), approve()
    settings.HITL_RECEIPT_KEYS = {2: new_key(), **settings.HITL_RECEIPT_KEYS}
    assert consume(agent, rotated).status_code == 200

    del settings.HITL_RECEIPT_KEYS[1]

    assert problem(consume(agent, retired), 409, "receipt_key_gone")["current"]["id"] == retired
    problem(consume(agent, rotated), 409, "spent")


def test_a_key_drawn_anew_under_the_same_name_is_another(
    agent: Door, approve: Approve, settings: Any
) -> None:
    pk = approve()
    settings.HITL_RECEIPT_KEYS = {1: new_key()}

    problem(consume(agent, pk), 412, "receipt_differs")


def test_what_was_approved_before_there_were_receipts_is_spent_as_before(
    agent: Door, approve: Approve
) -> None:
    pk = approve()
    receipt = receipt_of(agent, pk)
    Interrupt.objects.filter(pk=pk).update(receipt="")

    assert status_of(agent, pk)["receipt"] is None
    problem(consume(agent, pk, receipt=receipt), 412, "receipt_differs")
    assert consume(agent, pk).status_code == 200


# -- Rotation -------------------------------------------------------------------------------------------


@pytest.fixture
def rotate(tmp_path: Path, settings: Any) -> Callable[..., str]:
    """Return a function that runs the command as a server would be that starts now, and gives its output."""

    def run(*arguments: str, chosen: str = "") -> str:
        settings.DATA_DIR, settings.HITL_DRAWN = tmp_path, [] if chosen else [KEYS]
        settings.HITL_RECEIPT_KEYS = keys_by_version(tmp_path, KEYS, chosen)
        told = StringIO()
        call_command("rotate_receipt_key", *arguments, stdout=told, stderr=StringIO())
        return told.getvalue()

    return run


def test_the_next_key_goes_in_front_and_an_old_one_off_the_list(
    rotate: Callable[..., str], tmp_path: Path
) -> None:
    def kept() -> dict[int, str]:
        return read_keys(KEYS, json.loads((tmp_path / "secrets.json").read_text())["receipt_keys"])

    with pytest.raises(CommandError, match="Draw the next one first"):
        rotate("--retire", "1")
    first = kept()
    drawn = rotate()
    both = kept()
    retired = rotate("--retire", "1")

    assert (list(first), list(both), list(kept())) == ([1], [2, 1], [2])
    assert (both[1], kept()[2]) == (first[1], both[2])
    assert "Restart the server" in drawn
    assert "what it signed is refused" in retired
    with pytest.raises(CommandError, match="There is no key 9; there are 2"):
        rotate("--retire", "9")
    assert not re.search(r"[\w-]{43}=", drawn + retired)


def test_keys_of_the_environment_are_changed_there(rotate: Callable[..., str], tmp_path: Path) -> None:
    chosen = f"3:{new_key()},1:{new_key()}"

    assert list(read_keys(KEYS, rotate(chosen=chosen).strip())) == [4]
    with pytest.raises(CommandError, match="out of HITL_RECEIPT_KEYS"):
        rotate("--retire", "1", chosen=chosen)
    assert not (tmp_path / "secrets.json").exists()
