"""Steps on the pages of runs. A test module takes the fixtures it needs: ``begin = run_pages.begin``."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Door
from tests.providers import HTTPService
from tests.runs import go_on, start

RUNS = "/admin/runs/run/"
CHAT: dict[str, Any] = {"tool": "openai", "model": "gpt-4o-mini", "prompt": "Hi"}  # nobody has set its key
HOSTILE = "Harmless \u202egpj.exe\u202c <script>document.title = 'owned'</script><img src=x onerror=alert(1)>"

Begin = Callable[..., str]


def page_of(run_id: str) -> str:
    """Return the path of a run's page."""
    return f"{RUNS}{run_id}/change/"


@pytest.fixture
def begin(agent: Door, service: HTTPService) -> Begin:
    """Start a run that can be carried out, and take it on until it stands still."""

    def started(*, policy: str = "require_human", session_id: str = "", **inputs: Any) -> str:
        sent = {"tool": "http", "inputs": {"url": f"{service.url}/resize", "width": 640, **inputs}}
        run_id = start(agent, config={"policy": policy}, run_input=sent, session_id=session_id)
        go_on(run_id)
        return run_id

    return started
