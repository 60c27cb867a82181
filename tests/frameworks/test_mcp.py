"""A model asks over MCP: the official client, in both eras of the protocol, by every way in."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.live import ROOT, LiveServer, Operator

PYTHON = str(ROOT / ".venv/frameworks/bin/python")
PROGRAM = ROOT / "tests/frameworks/programs/mcp_client.py"
ERAS = ("legacy", "auto")
TOOLS = {
    "request_approval", "request_confirmation", "request_input", "request_feedback", "request_action",
    "get_request", "wait_for_decision", "cancel_request", "report_outcome",
}  # fmt: skip
DELETE = {"reason": "Delete it?", "tool_name": "delete_file", "tool_args": {"path": "a.txt", "depth": 1.0}}


class Host:
    """A host with the official SDK, in a process of its own."""

    def __init__(self, env: dict[str, str], where: str, mode: str) -> None:
        self.process = subprocess.Popen(
            [PYTHON, PROGRAM, where, mode], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.hello = self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def read(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the host died"
        found: dict[str, Any] = json.loads(line)
        return found

    def send(self, tool: str, **arguments: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"tool": tool, "arguments": arguments}) + "\n")
        self.process.stdin.flush()

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return how the question stands."""
        self.send(tool, **arguments)
        return self.ticket()

    def ticket(self) -> dict[str, Any]:
        answer = self.read()
        assert not answer["is_error"], answer
        assert json.loads(answer["text"]) == answer["found"]
        assert set(answer["found"]) == {"id", "kind", "status", "url", "decision", "next_poll_s"}
        found: dict[str, Any] = answer["found"]
        return found

    def fails(self, tool: str, **arguments: Any) -> str:
        """Call a tool and return what is wrong."""
        self.send(tool, **arguments)
        answer = self.read()
        assert answer["is_error"], answer
        return str(answer["text"])


def environment(server: LiveServer, key: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HITL_URL": server.url, "HITL_API_KEY": key}


@pytest.fixture
def key(server: LiveServer) -> str:
    """The agent's key."""
    return server.key


@pytest.fixture(scope="module")
def host(server: LiveServer) -> Iterator[Host]:
    """A host over stdio, of today's protocol."""
    with Host(environment(server, server.key), "stdio", "2026-07-28") as found:
        yield found


@pytest.fixture
def listen(server: LiveServer, key: str) -> Iterator[Callable[..., tuple[str, subprocess.Popen[str]]]]:
    """Return a function that serves HTTP and returns where, and the process."""
    started = []

    def serve(*options: str) -> tuple[str, subprocess.Popen[str]]:
        command = [PYTHON, "-m", "hitl_client", "mcp", "--http", "--port", "0", *options]
        process = subprocess.Popen(command, env=environment(server, key), text=True, stderr=subprocess.PIPE)
        started.append(process)
        assert process.stderr
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found
        return found[0], process

    yield serve
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("where", ["memory", "stdio", "http"])
def test_a_call_is_approved_edited_and_run_once(
    server: LiveServer, key: str, ann: Operator, listen: Callable[..., Any], where: str, era: str
) -> None:
    where = listen()[0] if where == "http" else where
    with Host(environment(server, key), where, era) as host:
        assert (host.hello["protocol"] == "2026-07-28") is (era != "legacy")
        asked = host.call("request_approval", **DELETE)
        assert (asked["kind"], asked["status"], asked["decision"]) == ("approval", "pending", None)
        assert asked["next_poll_s"] > 0
        assert asked["url"].startswith(f"{server.url}/admin/")
        spend = {"id": asked["id"], "outcome": "started", "arguments": DELETE["tool_args"]}
        assert "not been approved" in host.fails("report_outcome", **spend)

        host.send("wait_for_decision", id=asked["id"])
        ann.decide(asked["id"], modifications={"path": "b.txt", "depth": 2.0})
        decision = host.ticket()["decision"]
        assert decision["proceed"]
        assert decision["edited"]
        assert decision["arguments"] == {"path": "b.txt", "depth": 2.0}

        assert "other arguments" in host.fails("report_outcome", **spend)
        spend["arguments"] = decision["arguments"]
        assert host.call("report_outcome", **spend)["decision"]["proceed"]
        assert "holds once" in host.fails("report_outcome", **spend)
        again = host.call("get_request", id=asked["id"])["decision"]
        assert (again["proceed"], again["spent"]) == (False, True)
        host.call("report_outcome", id=asked["id"], outcome="succeeded", result={"deleted": 1})

    item = ann.http.get(f"/api/v1/interrupts/{asked['id']}").json()
    assert (item["outcome"], item["outcome_result"]) == ("succeeded", {"deleted": 1})


@pytest.mark.parametrize("era", ERAS)
def test_the_tools_are_those_of_the_contract_and_none_decides(server: LiveServer, key: str, era: str) -> None:
    with Host(environment(server, key), "memory", era) as host:
        tools = {tool["name"]: tool for tool in host.hello["tools"]}
        assert "decision.proceed" in host.hello["instructions"]
    assert tools.keys() == TOOLS
    for name, tool in tools.items():
        assert set(tool["outputSchema"]["required"]) >= {"id", "status", "decision"}, name
        assert tool["annotations"]["readOnlyHint"] is (name in {"get_request", "wait_for_decision"})
        assert tool["title"]
        assert "self" not in tool["inputSchema"]["properties"]


def test_a_rejection_is_told_and_nothing_is_permitted(host: Host, ann: Operator) -> None:
    asked = host.call("request_approval", **DELETE)
    ann.decide(asked["id"], "reject", reason="Not on Fridays")
    settled = host.call("wait_for_decision", id=asked["id"])
    assert (settled["status"], settled["next_poll_s"]) == ("rejected", None)
    assert settled["decision"]["reason"] == "Not on Fridays"
    assert settled["decision"]["proceed"] is False
    assert settled["decision"]["arguments"] is None
    host.fails("report_outcome", id=asked["id"], outcome="started", arguments=DELETE["tool_args"])
    host.fails("report_outcome", id=asked["id"], outcome="succeeded")


def test_what_is_pending_stays_pending_after_the_wait(host: Host) -> None:
    asked = host.call("request_confirmation", reason="Go on?", key="confirm-1")
    waited = host.call("wait_for_decision", id=asked["id"], timeout_s=1)
    assert (waited["status"], waited["decision"]) == ("pending", None)
    assert host.call("request_confirmation", reason="Go on?", key="confirm-1")["id"] == asked["id"]
    assert "about something else" in host.fails("request_confirmation", reason="Pay?", key="confirm-1")
    assert "45" in host.fails("wait_for_decision", id=asked["id"], timeout_s=46)
    cancelled = host.call("cancel_request", id=asked["id"], reason="Not needed")
    assert cancelled["status"] == "cancelled"
    assert cancelled["decision"]["proceed"] is False


def test_input_and_feedback_come_back(host: Host, ann: Operator) -> None:
    schema = {"type": "object", "properties": {"port": {"type": "integer"}}, "required": ["port"]}
    asked = host.call("request_input", reason="Which port?", response_schema=schema)
    ann.decide(asked["id"], "respond", response={"port": 8080})
    assert host.call("wait_for_decision", id=asked["id"])["decision"]["response"] == {"port": 8080}

    asked = host.call("request_feedback", subject="The draft", data={"text": "Dear all"})
    ann.decide(asked["id"], "respond", response="Too short")
    assert host.call("get_request", id=asked["id"])["decision"]["response"] == "Too short"
    host.call("report_outcome", id=asked["id"], outcome="succeeded")


def test_an_answer_in_the_place_of_the_tool_does_not_let_it_run(
    host: Host, server: LiveServer, key: str, ann: Operator
) -> None:
    body = {"reason": "Run it?", "tool_name": "t", "allowed_decisions": ["approve", "respond"]}
    mine = {"Authorization": f"Bearer {key}"}
    asked = httpx.post(f"{server.url}/api/v1/interrupts", json=body, headers=mine).json()
    ann.decide(asked["id"], "respond", response="I did it by hand")
    decision = host.call("get_request", id=asked["id"])["decision"]
    assert (decision["proceed"], decision["response"]) == (False, "I did it by hand")
    assert "in the place of the tool" in host.fails("report_outcome", id=asked["id"], outcome="started")


def test_secret_answers_are_named_and_never_shown(host: Host, ann: Operator) -> None:
    fields = {"account": "Account", "api_key": {"label": "Key", "type": "secret"}}
    words = {"title": "A key", "description": "To read invoices.", "required_fields": fields}
    asked = host.call("request_action", request_type="api_key", **words)
    assert (asked["kind"], asked["status"]) == ("api_key", "pending")
    ann.decide(asked["id"], "fulfill", response_data={"account": "Main", "api_key": "rk_hidden"})
    settled = host.call("wait_for_decision", id=asked["id"])
    assert settled["status"] == "fulfilled"
    assert settled["decision"]["response"] == {"account": "Main"}
    assert settled["decision"]["secret_fields"] == ["api_key"]
    assert "rk_hidden" not in json.dumps(settled)
    assert "done by people" in host.fails("report_outcome", id=asked["id"], outcome="succeeded")


def test_what_is_wrong_is_said_in_a_sentence(host: Host) -> None:
    assert "404" in host.fails("get_request", id="int_00000000000000000000000000")
    assert "not the id" in host.fails("get_request", id="run_1")
    assert "reason" in host.fails("request_approval", reason="")
    assert "reason" in host.fails("request_approval")


def test_a_wrong_key_is_said_to_be_one(server: LiveServer) -> None:
    with Host(environment(server, "hitl_wrong"), "stdio", "auto") as host:
        assert "401" in host.fails("request_approval", reason="Delete it?")


def test_http_lets_in_neither_web_pages_nor_other_names(listen: Callable[..., Any]) -> None:
    url, process = listen()
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"Accept": "application/json, text/event-stream"}
    assert httpx.post(url, json=hello, headers=accept).status_code == 200
    rebound = httpx.post(url, json=hello, headers={**accept, "Host": "evil.example:80"})
    assert rebound.status_code == 421
    page = httpx.post(url, json=hello, headers={**accept, "Origin": "http://evil.example"})
    assert page.status_code == 403
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) in (0, -signal.SIGTERM)


def test_other_addresses_need_a_token_and_callers_send_it(
    server: LiveServer, key: str, listen: Callable[..., Any], tmp_path: Path
) -> None:
    command = [PYTHON, "-m", "hitl_client", "mcp", "--http", "--host", "0.0.0.0"]
    refused = subprocess.run(command, env=environment(server, key), text=True, capture_output=True)
    assert (refused.returncode, "--token-file" in refused.stderr) == (2, True)

    secret = tmp_path / "token"
    secret.write_text("let-me-in\n")
    url, _ = listen("--host", "0.0.0.0", "--token-file", str(secret), "--allow-host", "agents.example")
    url = url.replace("0.0.0.0", "127.0.0.1")
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"Accept": "application/json, text/event-stream", "Host": "agents.example"}
    for bearer, status in ((None, 401), ("Bearer let-me", 401), ("Bearer let-me-in", 200)):
        sent = accept | ({"Authorization": bearer} if bearer else {})
        assert httpx.post(url, json=hello, headers=sent).status_code == status


def test_without_the_package_it_says_what_to_install(server: LiveServer, key: str, tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("raise ModuleNotFoundError('no', name='mcp')\n")
    env = environment(server, key)
    env["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run([PYTHON, "-m", "hitl_client", "mcp"], env=env, text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'hitl-client[mcp]'" in done.stderr


def test_a_server_that_is_away_permits_nothing(key: str) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        command = ["-m", "hitl_client", "mcp", "--url", url, "--retry-for", "0"]
        env = {"PATH": os.environ["PATH"], "HITL_API_KEY": key}
        env["MCP_COMMAND"] = json.dumps([PYTHON, *command])
        with Host(env, "stdio", "auto") as host:
            assert "no answer from the server" in host.fails("request_approval", reason="Delete it?")


def guide_servers() -> list[dict[str, Any]]:
    """Return the servers that the JSON blocks of the guide set up."""
    blocks = re.findall(r"^```json\n(.*?)^```", (ROOT / "docs/agents/mcp.md").read_text(), re.M | re.S)
    sets = [json.loads(block) for block in blocks]
    return [server for found in sets for server in found.get("mcpServers", found.get("servers")).values()]


@pytest.mark.parametrize("said", guide_servers(), ids=lambda said: said.get("type", "desktop"))
def test_what_the_guide_sets_up_serves(
    server: LiveServer, key: str, listen: Callable[..., Any], tmp_path: Path, said: dict[str, Any]
) -> None:
    env = environment(server, key)
    if said.get("type") == "http":
        port = said["url"].partition("127.0.0.1:")[2]
        where, _ = listen()
        where = said["url"].replace(port, where.partition("127.0.0.1:")[2])
    else:
        assert said["env"].keys() == {"HITL_URL", "HITL_API_KEY"}
        command = tmp_path / said["command"]
        command.write_text(f'#!/bin/sh\nexec {PYTHON} -m hitl_client "$@"\n')
        command.chmod(0o755)
        where = "stdio"
        env["PATH"] = f"{tmp_path}:{env['PATH']}"
        env["MCP_COMMAND"] = json.dumps([said["command"], *said["args"]])
    with Host(env, where, "auto") as host:
        assert {tool["name"] for tool in host.hello["tools"]} == TOOLS
