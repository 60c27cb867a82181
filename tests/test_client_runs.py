"""Runs through the client, on the real server: started, answered, steered, outlived, with their files."""

import re
import secrets
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hitl_client import (
    HITL,
    ArgumentsChanged,
    AsyncHITL,
    InterruptSignal,
    ProblemError,
    Rejected,
)

from tests import agent_side, live
from tests.live import ROOT, LiveServer, Operator
from tests.providers import HTTPService, Reply

pytestmark = pytest.mark.sqlite

key, ann = live.key, live.ann
hitl, session, soon = agent_side.hitl, agent_side.session, agent_side.soon
AUTO = {"policy": "auto"}
DOCUMENT = {
    "paths": {
        "/background": {
            "post": {
                "requestBody": {
                    "content": {
                        "multipart/form-data": {
                            "schema": {"properties": {"image": {"type": "string", "format": "binary"}}}
                        }
                    }
                }
            }
        }
    }
}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live.running(HITL_RUN_HOSTS="127.0.0.1") as server:
        yield server


@pytest.fixture
def service() -> Iterator[HTTPService]:
    with HTTPService() as found:
        yield found


def call(service: HTTPService, **inputs: Any) -> dict[str, Any]:
    return {"tool": "http", "inputs": {"url": f"{service.url}/resize", **inputs}}


def test_a_run_that_needs_nobody_comes_to_its_end(hitl: HITL, service: HTTPService, session: str) -> None:
    started = hitl.start_run(call(service, width=640), session_id=session, config=AUTO)
    assert started.id.startswith("run_")
    run = hitl.wait_run(started.id)
    assert run
    assert run.result == {"done": {"width": 640}}
    assert hitl.get(run.id)["run_input"]["inputs"]["width"] == 640
    assert hitl.active(session).run is None
    with pytest.raises(ProblemError, match="409") as refusal:
        hitl.cancel_run(run.id)
    assert refusal.value.code == "already_completed"


async def test_an_asynchronous_agent_runs_without_gates(
    server: LiveServer, key: str, service: HTTPService
) -> None:
    async with AsyncHITL(server.url, key) as hitl:
        started = await hitl.start_run(call(service, width=7), gated=False)
        run = await hitl.wait_run(started.id, timeout=30)
        assert run
        assert run.result == {"done": {"width": 7}}


def test_what_is_missing_a_person_supplies(
    hitl: HITL, ann: Operator, service: HTTPService, session: str
) -> None:
    asked = {"tool": "http", "inputs": {"width": 640}}
    started = hitl.start_run(asked, user_id="ann", session_id=session, config=AUTO)
    [question] = ann.wait_for(1, session_id=session)

    run = hitl.active(session).run  # as a client that was restarted sees it
    assert run
    assert (run.id, run.status, run.approval_id) == (started.id, "awaiting_human", question["id"])
    assert run.pending_actions == ("edit", "reject")
    assert (run.checkpoint_context or {})["validation"]["missing"] == ["url"]
    assert [asking["id"] for asking in hitl.active(session).approvals] == [question["id"]]
    assert hitl.wait_run(run.id, timeout=0) is None
    with pytest.raises(ProblemError) as refusal:
        hitl.resume_run(run.id)
    assert refusal.value.code == "awaiting_human"

    ann.decide(question["id"], modifications={"url": f"{service.url}/resize", "width": 800})
    done = hitl.wait_run(run.id)
    assert done
    assert done.result == {"done": {"width": 800}}


def test_a_rejection_ends_a_run_and_says_why(
    hitl: HITL, service: HTTPService, session: str, soon: Callable[..., None]
) -> None:
    soon("reject", reason="Not this one")
    run = hitl.wait_run(hitl.start_run(call(service), session_id=session).id)
    assert run
    assert (run.status, (run.error or {})["message"]) == ("cancelled", "Not this one")
    assert service.to("/resize") == []


def test_a_run_and_who_waits_for_it_outlive_a_crash(
    server: LiveServer, hitl: HITL, ann: Operator, service: HTTPService, session: str
) -> None:
    run = hitl.start_run(call(service, width=1), session_id=session, config={"allowed_steps": []})
    run = hitl.start_run(call(service, width=2), session_id=session)  # takes the place of the first
    [question] = ann.wait_for(1, session_id=session)
    ended: list[Any] = []
    agent = threading.Thread(target=lambda: ended.append(hitl.wait_run(run.id)))
    agent.start()
    server.kill()
    server.start()
    while question["step_name"] != "response_review":
        ann.decide(question["id"])
        [question] = ann.wait_for(1, session_id=session)
    ann.decide(question["id"])
    agent.join(timeout=60)
    assert ended == [hitl.get_run(run.id)]
    assert ended[0].is_completed
    assert [seen.json for seen in service.to("/resize")][-1] == {"width": 2}


def test_a_key_finds_the_run_of_another_process(hitl: HITL, service: HTTPService, session: str) -> None:
    first = hitl.start_run(call(service), config=AUTO, key=session)
    assert hitl.start_run(call(service), config=AUTO, key=session).id == first.id
    with pytest.raises(ArgumentsChanged) as other:
        hitl.start_run(call(service, width=2), config=AUTO, key=session)
    assert other.value.interrupt["id"] == first.id
    with hitl.session(session):
        within = hitl.start_run(call(service), config=AUTO)
    with hitl.session(session):
        assert hitl.start_run(call(service), config=AUTO).id == within.id
    assert within.session_id == session


def test_a_run_is_paused_resumed_and_cancelled(
    hitl: HITL, ann: Operator, service: HTTPService, session: str
) -> None:
    run = hitl.start_run(call(service), session_id=session)
    ann.wait_for(1, session_id=session)
    assert hitl.pause_run(run.id, "The invoice is not paid").status == "paused"
    assert hitl.pause_run(run.id).status == "paused"
    assert hitl.resume_run(run.id).status == "awaiting_human"
    assert hitl.cancel_run(run.id).status == "cancelled"
    assert hitl.cancel_run(run.id).status == "cancelled"
    assert ann.waiting(session_id=session) == []


def test_a_picture_goes_in_and_another_comes_out(
    hitl: HITL, service: HTTPService, session: str, tmp_path: Any
) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(PNG + secrets.token_bytes(500_000))
    service.result = Reply(200, PNG + b"a better cat", "image/png")
    reference = hitl.upload(session, picture)
    assert re.fullmatch(r"attachment:att_\w{26}", reference)

    run = hitl.wait_run(
        hitl.start_run(call(service, image=reference), session_id=session, config=AUTO).id, timeout=30
    )
    assert run
    assert run.is_completed, run.error
    assert picture.read_bytes() in service.to("/resize")[0].body
    [result] = run.files
    assert (result["name"], result["content_type"]) == ("resize.png", "image/png")
    assert hitl.download_file(session, result["id"]) == PNG + b"a better cat"
    assert hitl.download_file(session, reference) == picture.read_bytes()
    assert next(file["reference"] for file in hitl.active(session).files) == reference
    for session_id, file_id in ((session, "att_0"), ("another", reference)):
        with pytest.raises(ProblemError, match="404"):
            hitl.download_file(session_id, file_id)


def test_a_file_of_an_odd_session_comes_back(hitl: HITL) -> None:
    odd = "a/b c?#ü"
    assert hitl.download_file(odd, hitl.upload(odd, b"the text", "a.txt")) == b"the text"
    with pytest.raises(ProblemError, match="415"):
        hitl.upload(odd, b"<html>", "a.html")


def test_a_browser_action_is_seen_edited_and_found_again(
    hitl: HITL, ann: Operator, service: HTTPService, session: str
) -> None:
    run = hitl.start_run(call(service), session_id=session)

    def ask() -> Any:
        return hitl.request_browser_approval(
            run.id, "Click the pay button", {"url": "https://shop.example/pay"},
            user_id="ann", session_id=session, screenshot=PNG + b"a page", mode="raise", priority="high",
        )  # fmt: skip

    with pytest.raises(InterruptSignal) as stopped:
        ask()
    with pytest.raises(InterruptSignal):
        ask()
    asked = ann.http.get(f"/api/v1/interrupts/{stopped.value.interrupt_id}").json()
    assert [file["name"] for file in asked["attachments"]] == ["screenshot.png"]
    assert (asked["reason"], asked["run_id"], asked["priority"]) == ("Click the pay button", run.id, "high")
    ann.decide(asked["id"], modifications={"url": "https://shop.example/cart"})
    assert ask().arguments == {"url": "https://shop.example/cart"}
    hitl.cancel_run(run.id)


def test_a_browser_action_of_an_agents_own_run_is_refused(
    hitl: HITL, session: str, soon: Callable[..., None]
) -> None:
    soon("reject", reason="Too dear")
    with pytest.raises(Rejected, match="Too dear"):
        hitl.request_browser_approval("booking-7", "Click the pay button", session_id=session)


def test_the_run_of_the_documentation(
    hitl: HITL, ann: Operator, service: HTTPService, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chapter = (ROOT / "docs" / "client.md").read_text().partition("## Runs")[2]
    a_run, a_click, *_ = re.findall(r"```python\n(.*?)```", chapter, re.DOTALL)
    (tmp_path / "cat.png").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    service.result = Reply(200, PNG + b"on teal", "image/png")
    service.document = DOCUMENT

    def answer() -> None:
        for label in ("", "", "", "booking-7"):
            [asked] = ann.wait_for(1, **({"run_id": label} if label else {"session_id": "photos-7"}))
            ann.decide(asked["id"])

    person = threading.Thread(target=answer)
    person.start()
    exec(a_run.replace("http://127.0.0.1:8901", service.url), {"hitl": hitl})
    page = SimpleNamespace(url="https://shop.example/pay", screenshot=lambda: PNG + b"a page")
    exec(a_click, {"hitl": hitl, "page": page})
    person.join()
    assert (tmp_path / "cat-on-teal.png").read_bytes() == PNG + b"on teal"
