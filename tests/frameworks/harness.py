"""An agent written with a framework, as a process of its own: started, killed, started again.

The frameworks live in environments beside the one of the tests (`make frameworks`), so their agents are
programs, in `programs/` or in the guides under `docs/agents/`. A program speaks to the server by HITL_URL and
HITL_API_KEY and prints, as its last line, what came of it as JSON.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from tests.live import ROOT, LiveServer, Operator

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE = 120  # seconds: some frameworks take ten to be imported


class Agent:
    """A running program."""

    started: ClassVar[list["Agent"]] = []

    def __init__(
        self, server: LiveServer, program: Path, *arguments: str, beside: str = "frameworks"
    ) -> None:
        python = ROOT / ".venv" / beside / "bin" / "python"
        assert python.exists(), f"{python} is missing: run `make frameworks`"
        quiet = {"OTEL_SDK_DISABLED": "true", "DO_NOT_TRACK": "1", "PYTHONDONTWRITEBYTECODE": ""}
        self.process = subprocess.Popen(
            [python, program, *arguments],
            env={**os.environ, **quiet, "HITL_URL": server.url, "HITL_API_KEY": server.key},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=program.parent,
        )
        self.started.append(self)

    def kill(self) -> None:
        """Kill it as a crash would."""
        self.process.kill()
        self.process.communicate()

    def finish(self, code: int = 0) -> Any:
        """Wait for its end, and return what it printed last."""
        try:
            said, complained = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        assert self.process.returncode == code, f"{said}\n{complained}"
        return json.loads(said.strip().splitlines()[-1]) if said.strip() else None


def written(folder: Path, guide: str, number: int = 0) -> Path:
    """Write the Python block of a guide under docs/agents into *folder*, as a program."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/agents" / guide).read_text(), re.M | re.S)
    program = folder / f"{Path(guide).stem}_{number}.py"
    program.write_text(blocks[number])
    return program


@contextmanager
def in_force(ada: Operator, *policies: dict[str, Any]) -> Iterator[None]:
    """Have policies, and take them away again: the server is shared with the other frameworks."""
    token, made = {"X-CSRFToken": ada.http.cookies["csrftoken"]}, []
    for policy in policies:
        answer = ada.http.post("/api/v1/policies", json=policy, headers=token)
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
    yield
    for pk in made:
        assert ada.http.delete(f"/api/v1/policies/{pk}", headers=token).is_success
