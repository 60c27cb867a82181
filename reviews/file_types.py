"""Say what a file is by its content, and hold it against what its name claims.

Nothing that a browser would run is on the list: no HTML, no SVG, no scripts.
"""

import re

import orjson
from django.utils.translation import gettext

from events.problems import Problem, invalid

JSON_PARTS = 1_000_000
_OPENXML = "application/vnd.openxmlformats-officedocument."
# What a name may end in: what that claims to be, and how it is handed out.
TYPES = {
    "pdf": ("pdf", "application/pdf"),
    "png": ("png", "image/png"),
    "jpg": ("jpeg", "image/jpeg"),
    "jpeg": ("jpeg", "image/jpeg"),
    "gif": ("gif", "image/gif"),
    "webp": ("webp", "image/webp"),
    "txt": ("text", "text/plain"),
    "md": ("text", "text/markdown"),
    "csv": ("text", "text/csv"),
    "json": ("text", "application/json"),
    "mp3": ("mp3", "audio/mpeg"),
    "wav": ("wav", "audio/wav"),
    "ogg": ("ogg", "audio/ogg"),
    "flac": ("flac", "audio/flac"),
    "m4a": ("mp4", "audio/mp4"),
    "mp4": ("mp4", "video/mp4"),
    "webm": ("webm", "video/webm"),
    "zip": ("zip", "application/zip"),
    "docx": ("docx", f"{_OPENXML}wordprocessingml.document"),
    "xlsx": ("xlsx", f"{_OPENXML}spreadsheetml.sheet"),
    "pptx": ("pptx", f"{_OPENXML}presentationml.presentation"),
}
_STARTS = {
    "pdf": rb"%PDF-",
    "png": rb"\x89PNG\r\n\x1a\n",
    "jpeg": rb"\xff\xd8\xff",
    "gif": rb"GIF8[79]a",
    "webp": rb"(?s:RIFF.{4}WEBP)",
    "mp3": rb"ID3|\xff[\xe2-\xff]",
    "wav": rb"(?s:RIFF.{4}WAVE)",
    "ogg": rb"OggS",
    "flac": rb"fLaC",
    "mp4": rb"(?s:.{4}ftyp)",
    "webm": rb"\x1aE\xdf\xa3",
    "zip": rb"PK(\x03\x04|\x05\x06)",
}
# An office file is a zip with these inside; names stand in a zip as they are, so nothing is unpacked.
_CONTENTS, _MACROS = b"[Content_Types].xml", b"vbaProject.bin"
_OFFICE = {"docx": b"word/document.xml", "xlsx": b"xl/workbook.xml", "pptx": b"ppt/presentation.xml"}


def checked_type(name: str, content: bytes) -> str:
    """Return the content type of the file *name*.

    Raises:
        Problem: 415 for a type that is not on the list, 400 where *content* is not what *name* claims.
    """
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if extension not in TYPES:
        detail = gettext("Files may be %(endings)s; this name ends in none of them.")
        raise Problem(415, "unsupported_media_type", detail % {"endings": ", ".join(TYPES)})
    claimed, content_type = TYPES[extension]
    if not content:
        raise invalid({"file": [gettext("The file is empty.")]})
    found = kind_of(content)
    if found != claimed and not (claimed == "zip" and found in _OFFICE):
        raise invalid({"file": [_mismatch(claimed, found)]})
    if extension == "json":
        _check_json(content)
    return content_type


def with_ending(name: str, content: bytes) -> str:
    """Return *name* with the ending that *content* calls for, where it has none that is on the list."""
    kind = kind_of(content)
    return f"{name}.{kind}" if name.rpartition(".")[2].lower() not in TYPES and kind in TYPES else name


def kind_of(content: bytes) -> str:
    """Return what *content* is, as the table of types calls it; empty for what is not accepted."""
    kind = next((kind for kind, start in _STARTS.items() if re.match(start, content)), "")
    if kind == "zip" and _CONTENTS in content:
        inside = next((office for office, part in _OFFICE.items() if part in content), kind)
        return "" if inside != kind and _MACROS in content else inside
    return kind or ("text" if _is_text(content) else "")


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\x00" not in content


def _mismatch(claimed: str, found: str) -> str:
    if not found:
        told = gettext(
            "The name says %(claimed)s, the content is neither that nor anything else that is accepted."
            " Text must be UTF-8 without NUL."
        )
        return told % {"claimed": claimed}
    told = gettext(
        "The name says %(claimed)s, the content is %(found)s."
        " Name it %(endings)s, or send what the name says."
    )
    endings = [f".{extension}" for extension, (kind, _) in TYPES.items() if kind == found]
    return told % {"claimed": claimed, "found": found, "endings": gettext(" or ").join(endings)}


def _check_json(content: bytes) -> None:
    if content.count(b"[") + content.count(b"{") > JSON_PARTS:  # each costs far more in memory than here
        raise invalid({"file": [f"A JSON file may have {JSON_PARTS:,} objects and lists. Send it as .zip."]})
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise invalid({"file": [f"The name says JSON, but the content is not: {error}"]}) from None
