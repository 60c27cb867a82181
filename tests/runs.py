"""Runs in tests: started by HTTP, taken on as a worker does, answered by people."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now

from runs import advance
from runs.models import Run
from tests.conftest import API, Door
from tests.providers import HTTPService


def resize(service: HTTPService, **inputs: Any) -> dict[str, Any]:
    """Return the input of a run that calls *service*."""
    return {"tool": "http", "inputs": {"url": f"{service.url}/resize", **inputs}}


def sent(service: HTTPService, **inputs: Any) -> dict[str, Any]:
    """Return the body that starts such a run."""
    return {"run_input": resize(service, **inputs)}


def start(door: Door, *, config: dict[str, Any] | None = None, **body: Any) -> str:
    """Start a run and return its id; nobody has taken it up yet."""
    answer = door.post_json("/run", {**body, **({} if config is None else {"hitl_config": config})})
    assert answer.status_code == 202, answer.content
    return str(answer.json()["run_id"])


def go_on(run_id: str, *, steps: int = 20) -> Run:
    """Take the run on until it stands still, as workers and the clock would; return it."""
    run = Run.objects.get(pk=run_id)
    for _ in range(steps):
        before = (run.status, run.step, run.version, run.tries, run.handle)
        Run.objects.filter(pk=run_id).update(due_at=Now())
        advance.advance(run_id)
        run = Run.objects.get(pk=run_id)
        if before == (run.status, run.step, run.version, run.tries, run.handle):
            break
    return run


def shown(door: Door, run_id: str, part: str = "") -> dict[str, Any]:
    """Return what the API says of the run."""
    found: dict[str, Any] = door.get_json(f"/runs/{run_id}{part and '/' + part}").json()
    return found


def answer(door: Door, run_id: str, action: str = "approve", **more: Any) -> Any:
    """Answer what the run asks now."""
    approval_id = shown(door, run_id, "status")["approval_id"]
    return door.post_json(f"/runs/{run_id}/approve", {"approval_id": approval_id, "action": action, **more})


def attach_to_session(door: Door, session: str, content: bytes = b"A list.", name: str = "list.txt") -> Any:
    """Give a session a file, as a program does."""
    return door.post(f"{API}/sessions/{session}/files", {"file": SimpleUploadedFile(name, content)})
