"""The command `hitl` in real shells: the guide's blocks are run, and words are completed."""

import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hitl_client.cli import main
from hitl_client.cli.asking import Exit

from tests import live
from tests.live import ROOT, LiveServer, Operator

pytestmark = pytest.mark.sqlite

server, key, ann = live.server, live.key, live.ann
GUIDE = (ROOT / "docs/agents/shell.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.M | re.S)


@pytest.fixture
def env(server: LiveServer, key: str, ann: Operator, tmp_path: Path) -> dict[str, str]:
    """A shell that finds the command, as installed."""
    command = tmp_path / "bin/hitl"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m hitl_client "$@"\n')
    command.chmod(0o755)
    return {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "client/src"),
        "HITL_URL": server.url,
        "HITL_API_KEY": key,
        "OPERATOR_KEY": ann.personal_key(),
        "SHA": secrets.token_hex(4),
    }


@pytest.fixture
def deciding(ann: Operator) -> Iterator[None]:
    """Have ann say yes to everything but the invoice, which the guide decides itself."""
    enough = threading.Event()

    def decide() -> None:
        while not enough.wait(0.1):
            for item in ann.waiting():
                if item["type"] == "input":
                    ann.decide(item["id"], "respond", response="8080")
                elif item["tool_name"] != "pay":
                    ann.decide(item["id"])

    thread = threading.Thread(target=decide)
    thread.start()
    yield
    enough.set()
    thread.join()


def test_every_block_of_the_guide_runs(env: dict[str, str], deciding: None, tmp_path: Path) -> None:
    said = []
    for block in BLOCKS:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, env=env, text=True, capture_output=True
        )
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        said.append(done.stdout)
    sha = env["SHA"]
    assert said[0] == f"deploying {sha}\n"
    assert said[2] == f'deploying with {{"env": "production", "sha": "{sha}"}}\n'
    assert '"amount": 250' in said[4]
    assert len(BLOCKS) == 7


def test_the_pipeline_of_the_guide_lets_one_job_through(
    env: dict[str, str], deciding: None, tmp_path: Path
) -> None:
    [step] = [block for block in BLOCKS if "--once" in block]
    ends = [
        subprocess.run(["bash", "-eu", "-c", step], cwd=tmp_path, env=env, text=True, capture_output=True)
        for _ in range(2)
    ]
    assert [(end.returncode, end.stdout.split()[0]) for end in ends] == [(0, "deploying"), (1, "no")]


def test_the_guide_lists_every_exit_code() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", GUIDE, re.M)}
    assert listed == set(Exit) - {Exit.PIPE_CLOSED}


def written(capsys: pytest.CaptureFixture[str], shell: str) -> str:
    """Return the completion of a shell."""
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["hitl", "as"], {"ask"}),
        (["hitl", ""], {"ask", "wait", "inbox", "approve", "mcp", "completion", "--help"}),
        (["hitl", "ask", "--ti"], {"--timeout"}),
        (["hitl", "ask", "Deploy?", "--priority", "h"], {"high"}),
        (["hitl", "approve", "--y"], {"--yes"}),
        (["hitl", "ask", "--schema", "pypro"], {"pyproject.toml"}),
        (["hitl", "ask", "--session", ""], set()),
        (["hitl", "completion", "z"], {"zsh"}),
    ],
)
def test_bash_completes(capsys: pytest.CaptureFixture[str], words: list[str], offered: set[str]) -> None:
    script = written(capsys, "bash")
    quoted = " ".join(f"'{word}'" for word in words)
    ask_bash = (
        f"{script}\ncompopt() {{ :; }}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
        'complete -p hitl | grep -q "_hitl hitl" && _hitl && printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-euc", ask_bash], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    found = set(done.stdout.split())
    assert offered <= found
    assert len(words) == 2 or found == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_every_command_and_option(
    capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    script = written(capsys, shell)
    for word in ("ask", "inbox", "no-follow", "critical"):
        assert word in script
