"""Waiting in a dialect, and the guide to them, against a server of its own."""

import json
import threading

import httpx

from tests import live
from tests.live import ROOT, LiveServer, Operator
from tests.test_docs import follow

server, key, ann = live.server, live.key, live.ann
SEVERAL = json.loads((ROOT / "tests/dialects.json").read_text())[0]["asked"]


def test_who_waits_is_told_when_the_last_is_decided(server: LiveServer, key: str, ann: Operator) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as agent:
        asked = agent.post("/api/v1/interrupts?dialect=langchain", json=SEVERAL).json()
        path = f"/api/v1/interrupts/{asked['id']}/wait"
        assert agent.get(path, params={"dialect": "langchain", "timeout": 1}).json()["answer"] is None

        def decide_all() -> None:
            for item in reversed(asked["items"][:3]):
                ann.decide(item["id"], "reject")
            ann.decide(asked["items"][3]["id"], "respond", response="x")

        operator = threading.Timer(0.5, decide_all)
        operator.start()
        answer = agent.get(path, params={"dialect": "langchain", "timeout": 30})
        operator.join()

        assert [one["type"] for one in answer.json()["answer"]["decisions"]] == ["reject"] * 3 + ["respond"]
        assert agent.get(path, params={"colour": "red"}).status_code == 400


def test_every_curl_line_of_the_guide_to_dialects_answers_as_shown(
    server: LiveServer, key: str, ann: Operator
) -> None:
    names = {"HITL_URL": server.url, "HITL_API_KEY": key, "OPERATOR_KEY": ann.personal_key()}
    assert follow("docs/agents/dialects.md", names) >= 16
