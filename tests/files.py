"""What the stories of attachments share: which files the storage has, and attaching one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from tests.conftest import API, Door
from tests.steps import attach


def files() -> set[Path]:
    """Return the files that the storage has."""
    return {path for path in (Path(django_settings.DATA_DIR) / "attachments").rglob("*") if path.is_file()}


@pytest.fixture
def kept() -> Callable[[], set[Path]]:
    """Return a function that says which files came during the test."""
    before = files()
    return lambda: files() - before


def attached(door: Door, item_id: str, *args: Any) -> dict[str, Any]:
    answer = attach(door, item_id, *args)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()["attachment"]
    return found


BOUNDARY = "frontier"
FILE = 'form-data; name="file"; filename="a.txt"'


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    lines = "\r\n".join([f"--{BOUNDARY}", f"Content-Disposition: {disposition}", *headers])
    return lines.encode() + b"\r\n\r\n" + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def send(door: Door, item_id: str, body: bytes, end: bytes = END, boundary: str = BOUNDARY) -> Any:
    media_type = f"multipart/form-data; boundary={boundary}"
    return door.post(f"{API}/interrupts/{item_id}/attachments", body + end, content_type=media_type)
