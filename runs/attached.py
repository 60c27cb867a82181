"""The files that a run may use, and how an input names one: ``attachment:att_…``, a URL or a data URL."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from runs.inputs import host_of
from runs.models.registry import InputKind
from runs.requirements import Input

PREFIX = "attachment:"
_ENDINGS = {
    InputKind.IMAGE: ("png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "heic", "avif", "svg"),
    InputKind.AUDIO: ("mp3", "wav", "flac", "ogg", "oga", "opus", "m4a", "aac", "wma"),
    InputKind.VIDEO: ("mp4", "mov", "webm", "mkv", "avi", "m4v", "mpeg"),
}
_KINDS = {ending: kind for kind, endings in _ENDINGS.items() for ending in endings}
_URL_CHARACTERS = 8192


@dataclass(frozen=True, slots=True)
class Attached:
    """Be a file of the session. ``by_person``: a person put it there, not the agent."""

    id: str
    name: str
    content_type: str
    size: int
    by_person: bool = False

    @property
    def reference(self) -> str:
        return f"{PREFIX}{self.id}"

    @property
    def kind(self) -> str:
        return _kind_of_type(self.content_type) or _kind_of_name(self.name)

    def fits(self, kind: str) -> bool:
        return self.size > 0 and kind in (InputKind.FILE, self.kind)


def named(reference: str, files: Sequence[Attached]) -> Attached | None:
    """Return the file that ``attachment:att_…`` names; None where it names none of *files*."""
    return next((file for file in files if file.reference == reference), None)


def newest(kind: str, files: Sequence[Attached]) -> Attached | None:
    """Return the newest of *files* (oldest first) that is of *kind*; those of people before the agent's."""
    fitting = [file for file in files if file.fits(kind)]
    return next(reversed([file for file in fitting if file.by_person] or fitting), None)


def kind_of(value: object, files: Sequence[Attached]) -> str:
    """Return what kind of file *value* names; empty where nothing says so, or it names none."""
    if not isinstance(value, str):
        return ""
    if value.startswith(PREFIX):
        file = named(value, files)
        return file.kind if file else ""
    if value.startswith("data:"):
        return _kind_of_type(re.split("[;,]", value[5:100])[0])
    return _kind_of_name(urlsplit(value).path) if len(value) <= _URL_CHARACTERS and host_of(value) else ""


def unusable(given: Input, value: str, files: Sequence[Attached]) -> str:
    """Say why the file that *value* names cannot be used for *given*; an empty text when it can."""
    if value.startswith(PREFIX):
        return _unusable_attachment(given.kind, named(value, files))
    if value.startswith("data:"):
        return _unusable_data(given.kind, value)
    if len(value) > _URL_CHARACTERS or not host_of(value):
        return "This names no file: it is neither attachment:att_…, nor an http(s) URL, nor a data URL."
    return _mismatch(given.kind, kind_of(value, files))


def _unusable_attachment(kind: str, file: Attached | None) -> str:
    if file is None:
        return "There is no such file in this session."
    if not file.size:
        return "This file is empty."
    return _mismatch(kind, file.kind)


def _unusable_data(kind: str, value: str) -> str:
    head, comma, body = value.partition(",")
    if not comma:
        return "This data URL has no content: a comma stands before it."
    try:
        coded = head.endswith(";base64")
        content = base64.b64decode(body, validate=True) if coded else unquote_to_bytes(body)
    except (binascii.Error, ValueError):
        return "This data URL is not base64."
    return _mismatch(kind, kind_of(value, ())) if content else "This data URL is empty."


def _mismatch(kind: str, found: str) -> str:
    return "" if _suits(kind, found) else f"This file is {_said(found)}, not {_said(kind)}."


def _suits(kind: str, found: str) -> bool:
    return kind == InputKind.FILE or found in ("", kind)


def _kind_of_type(content_type: str) -> str:
    """Return the kind of a content type; empty where it does not say what is inside."""
    family, _, rest = content_type.strip().lower().partition("/")
    if not rest or rest.startswith("octet-stream"):
        return ""
    return family if family in _ENDINGS else InputKind.FILE


def _kind_of_name(name: str) -> str:
    return _KINDS.get(name.rpartition(".")[2].lower(), "")


def _said(kind: str) -> str:
    return {"image": "an image", "audio": "audio", "video": "a video"}.get(kind, "a document")
