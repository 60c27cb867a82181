"""Runs that the server makes for an agent: started once, waited for, steered; files, and browser actions."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hitl_client import (
    HITL,
    ArgumentsChanged,
    Decision,
    InterruptSignal,
    ProblemError,
    Rejected,
    Unavailable,
)
from loopback import Fault, Json, Loopback, Says

RUN = {"tool": "http", "inputs": {"url": "https://images.example/resize"}}
CLICK = ("booking-7", "Click the pay button", {"url": "https://shop.example/pay"})
ENDED = {"completed", "failed", "cancelled"}
ERROR = {"code": "provider_error", "message": "No.", "suggestion": "Ask.", "step": "api_call"}


class Workflows(Loopback):
    """The server as far as it makes runs."""

    def __init__(self) -> None:
        self.runs: dict[str, Json] = {}
        self.started: list[tuple[Json, Json]] = []
        self.changed = threading.Condition()
        super().__init__()

    def end(self, run_id: str = "run_0", status: str = "completed", **more: Any) -> None:
        with self.changed:
            self.runs[run_id] |= {"status": status, **more}
            self.changed.notify_all()

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/api/v1/")
        key, query = request.headers.get("idempotency-key", ""), dict(request.url.params)
        status, said = self.answer(request, path.split("/"), query, key)
        return httpx.Response(status, json=said) if status else super().handle(request)

    def answer(self, request: httpx.Request, parts: list[str], query: Json, key: str) -> tuple[int, Any]:
        match request.method, parts:
            case "POST", ["run"] | ["teams", "run"]:
                return self.start_one(query, key, json.loads(request.content))
            case "GET", ["runs"]:
                found = [run for run in self.runs.values() if run["key"] == query["key"]]
                return 200, {"results": found, "next": None, "previous": None}
            case "GET", ["runs", pk, "wait"]:
                with self.changed:
                    over = lambda: self.runs[pk]["status"] in ENDED  # noqa: E731 - what is waited for
                    self.changed.wait_for(over, float(query["timeout"]))
                return 200, self.runs[pk]
            case "GET", ["runs", pk]:
                return 200, self.runs[pk]
            case "POST", ["runs", pk, "pause" | "resume" as verb]:
                return self.steer(self.runs[pk], {"pause": "paused", "resume": "running"}[verb])
            case "DELETE", ["runs", pk]:
                return self.steer(self.runs[pk], "cancelled")
            case "GET", ["sessions", "trip%2F7", "active"]:
                under_way = next(iter(self.runs.values()), None)
                return 200, {"session_id": "trip/7", "active": under_way, "approvals": [], "files": []}
            case "POST", ["sessions", "trip%2F7", "files"]:
                self.uploads.append(request.content)
                return 201, {"reference": f"attachment:att_{len(self.uploads)}"}
            case "GET", ["sessions", "trip%2F7", "files", "att_1"]:
                return 200, "the bytes"
            case _, ["sessions", *_]:
                return 404, {"title": "Not Found"}
            case "POST", ["browser_approvals"]:
                body = json.loads(request.content)
                asked = {"type": "approval", "reason": body["action_description"], "run_id": body["run_id"]}
                asked["data"] = {"action": body["action_description"]}
                asked["tool_args"] = body.get("browser_context", {})
                headers = {"Idempotency-Key": key}
                url = f"{self.url}/api/v1/interrupts"
                answer = self.fake.handle_request(httpx.Request("POST", url, headers=headers, json=asked))
                return answer.status_code, answer.json()
        return 0, None

    def start_one(self, query: Json, key: str, body: Json) -> tuple[int, Json]:
        for run in self.runs.values():
            if run["key"] == key:
                same = run["run_input"] == body["run_input"]
                return (202, {"run_id": run["id"]}) if same else (422, {"code": "key_reused"})
        self.started.append((query, body))
        pk = f"run_{len(self.runs)}"
        self.runs[pk] = {"id": pk, "status": "queued", "step": "created", "key": key, **body}
        return 202, {"run_id": pk, "status": "queued"}

    def steer(self, run: Json, status: str) -> tuple[int, Json]:
        if run["status"] == status:
            return 409, {"title": "Conflict", "code": f"already_{status}", "current": run}
        run["status"] = status
        return 200, run


@pytest.fixture
def server() -> Iterator[Workflows]:
    server = Workflows()
    yield server
    server.stop()


def test_a_run_is_started_and_waited_for_until_its_end(agent: Any, server: Workflows) -> None:
    run = agent.start_run(RUN, user_id="ann", session_id="trip-7", config={"policy": "auto"})
    assert (run.id, run.status, run.step, run.session_id) == ("run_0", "queued", "created", "trip-7")
    assert agent.wait_run(run.id, timeout=0) is None
    _, body = server.started[0]
    assert body == {
        "run_input": RUN, "user_id": "ann", "session_id": "trip-7", "hitl_config": {"policy": "auto"}
    }  # fmt: skip

    threading.Timer(0.2, server.end, kwargs={"result": {"ok": 1}, "files": [{"id": "att_1"}]}).start()
    run = agent.wait_run(run.id)
    assert (run.has_ended, run.is_completed) == (True, True)
    assert (run.result, run.files) == ({"ok": 1}, ({"id": "att_1"},))


def test_what_a_run_waits_for_is_told(agent: Any, server: Workflows) -> None:
    agent.start_run(RUN)
    context = {"checkpoint": "information_review", "why": ["Something is missing."]}
    server.end(
        status="awaiting_human", approval_id="int_7", checkpoint="information_review",
        pending_actions=["edit", "reject"], checkpoint_context=context,
    )  # fmt: skip
    run = agent.get_run("run_0")
    assert (run.approval_id, run.checkpoint) == ("int_7", "information_review")
    assert (run.pending_actions, run.checkpoint_context) == (("edit", "reject"), context)
    assert agent.wait_run("run_0", timeout=0.1) is None
    assert not run.has_ended


def test_a_run_that_failed_is_told_and_not_raised(agent: Any, server: Workflows) -> None:
    agent.start_run(RUN)
    server.end(status="failed", error=ERROR)
    run = agent.wait_run("run_0")
    assert (run.status, run.is_completed, run.error) == ("failed", False, ERROR)


def test_a_run_without_gates_asks_nobody(agent: Any, server: Workflows) -> None:
    agent.start_run(RUN, gated=False)
    assert server.started == [({"enable_hitl": "false"}, {"run_input": RUN})]


def test_a_start_whose_answer_was_lost_starts_one_run(agent: Any, server: Workflows) -> None:
    server.faults.append(Fault(handled=True))
    assert agent.start_run(RUN).id == "run_0"
    assert agent.start_run(RUN).id == "run_1"


def test_a_key_stands_for_one_run(agent: Any, server: Workflows) -> None:
    first = agent.start_run(RUN, key="k")
    assert agent.start_run(RUN, key="k").id == first.id
    with pytest.raises(ArgumentsChanged, match="'k' was used by run_0"):
        agent.start_run({"tool": "openai"}, key="k")


def test_a_session_that_is_entered_again_finds_its_runs(hitl: HITL, server: Workflows) -> None:
    def work() -> list[str]:
        with hitl.session("trip-7"):
            return [hitl.start_run(RUN).id, hitl.start_run(RUN).id]

    assert work() == work() == ["run_0", "run_1"]
    assert server.started[0][1]["session_id"] == "trip-7"


def test_a_wait_for_a_run_outlasts_a_restart(agent: Any, server: Workflows) -> None:
    agent.start_run(RUN)

    def restart() -> None:
        time.sleep(0.2)
        server.faults.append(Fault(handled=True))
        server.stop()
        server.end()
        time.sleep(0.5)
        server.start()

    clock = threading.Thread(target=restart)
    clock.start()
    assert agent.wait_run("run_0").is_completed
    clock.join()


def test_a_run_is_paused_resumed_and_cancelled_though_answers_get_lost(agent: Any, server: Workflows) -> None:
    agent.start_run(RUN)
    for steer, status in ((agent.pause_run, "paused"), (agent.cancel_run, "cancelled")):
        server.faults.append(Fault(handled=True))
        assert steer("run_0").status == status
    server.runs["run_0"]["status"] = "paused"
    assert agent.resume_run("run_0").status == "running"
    server.faults.append(Fault(handled=True))
    with pytest.raises(Unavailable):  # it may have failed anew, and nobody has looked at why
        agent.resume_run("run_0")
    server.faults.append(Says(409, '{"code": "already_completed", "current": {}}'))
    with pytest.raises(ProblemError, match="409"):
        agent.cancel_run("run_0")


def test_files_go_to_a_session_and_come_from_it(agent: Any, server: Workflows, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"a cat")
    assert agent.upload("trip/7", tmp_path / "cat.png") == "attachment:att_1"
    assert agent.upload("trip/7", b"a dog", "dog.png") == "attachment:att_2"
    assert b'filename="cat.png"' in server.uploads[0]
    assert b"a dog" in server.uploads[1]
    assert agent.download_file("trip/7", "attachment:att_1") == b'"the bytes"'
    assert agent.download_file("trip/7", "att_1") == b'"the bytes"'
    with pytest.raises(ProblemError, match="404"):
        agent.download_file("trip/7", "att_9")
    with pytest.raises(ValueError, match="need a name"):
        agent.upload("trip/7", b"a dog")


def test_a_client_that_comes_back_is_given_what_it_needs(agent: Any, server: Workflows) -> None:
    assert agent.active("trip/7").run is None
    agent.start_run(RUN, session_id="trip/7")
    found = agent.active("trip/7")
    assert (found.run.id, found.approvals, found.files) == ("run_0", (), ())


def test_a_browser_action_waits_for_a_person_who_sees_it(agent: Any, server: Workflows) -> None:
    server.soon(modifications={"url": "https://shop.example/cart"})
    decision: Decision = agent.request_browser_approval(*CLICK, user_id="ann", screenshot=b"\x89PNG")
    assert decision.arguments == {"url": "https://shop.example/cart"}
    assert b'filename="screenshot.png"' in server.uploads[0]

    server.soon("rejected", rejection_reason="Too dear")
    with pytest.raises(Rejected, match="Too dear"):
        agent.request_browser_approval(*CLICK)


def test_a_browser_action_is_found_again_with_its_picture(agent: Any, server: Workflows) -> None:
    def ask(url: str = CLICK[2]["url"], **more: Any) -> Any:
        return agent.request_browser_approval(*CLICK[:2], {"url": url}, mode="raise", screenshot=b"x", **more)

    for _ in range(2):
        with pytest.raises(InterruptSignal) as stopped:
            ask(key="k")
        server.interrupts[stopped.value.interrupt_id]["attachments"] = [{"id": "att_1"}]
    assert len(server.uploads) == 1
    with pytest.raises(ArgumentsChanged):
        ask("https://elsewhere.example", key="k")
    server.decide()
    assert ask(key="k")


def test_a_picture_that_comes_too_late_does_no_harm(agent: Any, server: Workflows) -> None:
    class Passes(Fault):
        def answer(self, handler: Any, status: int, body: bytes) -> None:
            handler.say(status, body)

    class Decided(Passes):
        """The question is decided between being looked at and being given its picture."""

        def answer(self, handler: Any, status: int, body: bytes) -> None:
            server.decide()
            super().answer(handler, status, body)

    refused = Says(409, '{"code": "already_decided"}')
    server.faults.extend([Passes(handled=True), Decided(handled=True), refused])
    assert agent.request_browser_approval(*CLICK, screenshot=b"x").approved
    assert server.uploads == []
