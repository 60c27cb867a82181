"""Steps that several stories share."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now

from agents.models import Agent, Key
from events.models import Event
from interrupts.models import Interrupt
from requests_app.models import ActionRequest, Secret
from reviews.models import Attachment, Delegation, Grant, Policy, ReviewItem
from runs.models import Checkpoint, Run, StepEvent
from tests.conftest import API, Door

Enter = Callable[[User], Door]
MakeAgent = Callable[..., Door]
MakeUser = Callable[..., User]
MakePolicy = Callable[..., dict[str, Any]]
Join = Callable[..., None]
ID = r"[0-9A-HJKMNP-TV-Z]{26}"
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")


def let_deadline_pass(interrupt_id: str, *, seconds: int = 1) -> None:
    """Move a deadline into the past, as if time had gone by; nothing sweeps."""
    ReviewItem.objects.filter(pk=interrupt_id).update(expires_at=Now() - dt.timedelta(seconds=seconds))


def rows() -> tuple[int, ...]:
    """Count what a call may have written."""
    models = (
        *(ReviewItem, Interrupt, ActionRequest, Secret, Event, Agent, Key, Policy, Grant, Delegation),
        *(Run, StepEvent, Checkpoint, Attachment),
    )
    return tuple(model._base_manager.count() for model in models)


def problem(answer: Any, status: int, code: str = "") -> dict[str, Any]:
    """Return the problem document of *answer*, which must be one."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    assert answer["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(document)
    assert document["status"] == status
    assert document["detail"]
    if code:
        assert document["code"] == code, document
    return document


def attach(door: Door, item_id: str, content: bytes = b"To be deleted.", name: str = "list.txt") -> Any:
    """Put a file to an item, as a program does."""
    kind = "interrupts" if item_id.startswith("int_") else "requests"
    return door.post(f"{API}/{kind}/{item_id}/attachments", {"file": SimpleUploadedFile(name, content)})


def status_of(door: Door, interrupt_id: str) -> dict[str, Any]:
    """Return what ``…/status`` answers."""
    found: dict[str, Any] = door.get_json(f"/interrupts/{interrupt_id}/status").json()
    return found


def event_types(subject_id: str) -> list[str]:
    """Return the types of what was recorded about *subject_id*, oldest first."""
    return list(
        Event.objects.filter(subject_id=subject_id).order_by("position").values_list("type", flat=True)
    )
