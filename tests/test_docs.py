"""What the documents show is run: the README's program and every curl line, against a real server."""

import argparse
import importlib
import json
import re
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from runs import providers
from tests import live, runs
from tests.conftest import Door
from tests.live import PATIENCE, ROOT, LiveServer, Operator

server, key, ann, ada = live.server, live.key, live.ann, live.ada
SERVICE = "http://127.0.0.1:8901"


def blocks(path: str, language: str) -> list[str]:
    """Return the fenced blocks of *language* in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / path).read_text(), re.M | re.S)


def curl(line: str) -> httpx.Response:
    """Do what a curl line says."""
    options = argparse.ArgumentParser()
    options.add_argument("-X", dest="method", default="GET")
    options.add_argument("-H", dest="headers", action="append", default=[])
    options.add_argument("-d", dest="body")
    options.add_argument("-F", dest="part")
    options.add_argument("url")
    said = options.parse_args(shlex.split(line)[1:])
    headers = dict(header.split(": ", 1) for header in said.headers)
    files = None
    if said.part:
        field, _, path = said.part.partition("=@")
        files = {field: (path, (ROOT / path).read_bytes())}
    return httpx.request(said.method, said.url, headers=headers, content=said.body, files=files, timeout=30)


def matches(shown: Any, answered: Any) -> bool:
    """Say whether *answered* has everything that *shown* has; ``…`` stands for anything."""
    if isinstance(shown, dict):
        return all(name in answered and matches(value, answered[name]) for name, value in shown.items())
    return bool(shown == answered) or (isinstance(shown, str) and "…" in shown)


def parse_shown(text: str) -> Any:
    """Read an abbreviated JSON answer as the documents write it."""
    text = re.sub(r",\s*…\s*(?=})", "", text)
    return json.loads(re.sub(r"\[…\]|\{…\}", '"…"', text))


@pytest.mark.parametrize(("guide", "lines"), [("docs/api.md", 14), ("docs/policies.md", 13)])
def test_every_curl_line_of_the_guides_answers_as_shown(
    server: LiveServer, key: str, ann: Operator, ada: Operator, guide: str, lines: int
) -> None:
    names = {
        "HITL_URL": server.url,
        "HITL_API_KEY": key,
        "OPERATOR_KEY": ann.personal_key(),
        "ADMIN_KEY": ada.personal_key(),
    }
    assert follow(guide, names) >= lines


@pytest.mark.sqlite
def test_every_curl_line_of_the_guide_to_runs_answers_as_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    service = importlib.import_module("image_service").Service(0)
    service.start()
    with service, live.running(HITL_RUN_HOSTS="127.0.0.1") as server, Operator(server) as ann:
        names = {"HITL_URL": server.url, "HITL_API_KEY": server.key, "OPERATOR_KEY": ann.personal_key()}
        assert follow("docs/runs.md", names, {SERVICE: service.url}) >= 12
        service.shutdown()
    assert service.done == 1


def test_the_provider_of_the_guide_is_all_it_takes(agent: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    code: dict[str, Any] = {"__name__": "runs.providers.shout"}
    [block] = blocks("docs/runs.md", "python")
    exec(block, code)
    monkeypatch.setattr(providers, "REGISTERED", (*providers.REGISTERED, code["ShoutProvider"]))

    asked = {"tool": "shout", "inputs": {"text": "hello"}}
    run_id = runs.start(agent, run_input=asked, config={"policy": "auto"})
    assert runs.go_on(run_id).status == "completed"
    assert runs.shown(agent, run_id)["result"] == {"text": "HELLO"}


def follow(guide: str, names: dict[str, str], instead: dict[str, str] | None = None) -> int:
    """Do what the curl lines of *guide* say, and see them answer as shown; return how many there are.

    What a line reads may change by itself: it is read again until it is as shown.
    """
    done = 0
    for block in blocks(guide, "bash"):
        for command, status, shown in re.findall(r"^(curl .*?)^# (\d+) (.*?)$", block, re.M | re.S):
            line = command.replace("\\\n", " ")
            for text, value in {**{f"${name}": names[name] for name in names}, **(instead or {})}.items():
                line = line.replace(text, value)
            shown, _, keep = shown.partition("->")
            expected = parse_shown(shown)
            expected.pop("resolved_by", None)  # the guide's operator has another name
            deadline = time.monotonic() + PATIENCE
            answer = curl(line)
            while " -X " not in command and not matches(expected, answer.json()):
                assert time.monotonic() < deadline, (command, answer.text)
                answer = curl(line)
            assert answer.status_code == int(status), (command, answer.text)
            assert matches(expected, answer.json()), (command, answer.text)
            if keep:
                name, _, field = keep.partition("=")
                names[name.strip()] = answer.json()[field.strip() or "id"]
            done += 1
    return done


def test_the_readmes_program_deletes_what_an_operator_allows(
    server: LiveServer, key: str, ann: Operator, tmp_path: Path
) -> None:
    [program] = blocks("README.md", "python")
    script = tmp_path / "ask.py"
    script.write_text(program)
    environment = {**server.env, "HITL_URL": server.url, "HITL_API_KEY": key}

    def decide() -> None:
        [asked] = ann.wait_for(1, tool_name="delete_file")
        ann.decide(asked["id"])

    operator = threading.Thread(target=decide)
    operator.start()
    ran = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=60
    )
    operator.join()

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "deleted, as ann allowed\n"


@pytest.mark.parametrize(
    "path", ["README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_every_link_between_documents_leads_somewhere(path: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", (ROOT / path).read_text()):
        if "://" not in target:
            assert (ROOT / path).parent.joinpath(target).exists(), f"{path} points at {target}"
