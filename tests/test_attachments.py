"""Files on an item: held against their names, bounded, handed out but never shown, gone with the item."""

import datetime as dt
import hashlib
import io
import json
import zipfile
from email.message import Message
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.db.models.functions import Now

from events.models import Event
from reviews.models import Attachment, ReviewItem
from reviews.services import cleanup
from tests import files as stored
from tests.conftest import API, Door
from tests.files import attached, part, send
from tests.steps import Enter, attach, event_types, let_deadline_pass, problem, rows

kept = stored.kept
MIB = 1024 * 1024


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    return buffer.getvalue()


PDF, PNG, JPEG = b"%PDF-1.7\n\xe2\xe3\n", b"\x89PNG\r\n\x1a\n\x00", b"\xff\xd8\xff\xe0\x00"
DOCX = zipped("[Content_Types].xml", "word/document.xml")
FINE = {
    "report.pdf": (PDF, "application/pdf"),
    "REPORT.PDF": (PDF, "application/pdf"),
    "a.png": (PNG, "image/png"),
    "a.jpg": (JPEG, "image/jpeg"),
    "a.jpeg": (JPEG, "image/jpeg"),
    "a.gif": (b"GIF89a\x00", "image/gif"),
    "a.webp": (b"RIFF\x0a\x00\x00\x00WEBPVP8 ", "image/webp"),
    "a.txt": ("Grüße".encode(), "text/plain"),
    "a.md": (b"# Title", "text/markdown"),
    "a.csv": (b"a,b\r\n1,2\r\n", "text/csv"),
    "a.json": (b'{"a": [1]}', "application/json"),
    "a.zip": (zipped("a.txt"), "application/zip"),
    "letters.zip": (DOCX, "application/zip"),
    "a.docx": (DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "a.xlsx": (
        zipped("xl/workbook.xml", "[Content_Types].xml"),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    "a.pptx": (
        zipped("[Content_Types].xml", "ppt/presentation.xml"),
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
}
LIES = {
    "empty.txt": b"",
    "page.png": b"<html><script>alert(1)</script></html>",
    "program.pdf": b"MZ\x90\x00",
    "picture.jpg": PNG,
    "report.txt": PDF,
    "latin.txt": "Grüße".encode("latin-1"),
    "nul.csv": b"a,\x00b",
    "utf16.txt": "text".encode("utf-16"),
    "half.json": b'{"a": ',
    "endless.json": b"[" * 5_000 + b"]" * 5_000,
    "crowded.json": b"[" + b"[]," * 1_000_000 + b"1]",
    "letter.docx": zipped("a.txt"),
    "sheet.docx": zipped("[Content_Types].xml", "xl/workbook.xml"),
    "macros.docx": zipped("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"),
    "text.zip": b"not a zip",
}
NOT_ON_THE_LIST = [
    "a.html",
    "a.svg",
    "a.js",
    "a.exe",
    "a.docm",
    "a.pdf.html",
    "a",
    "pdf",
    "a.",
    "a.pdf\u200b.sh",
]


def test_what_an_agent_attaches_a_person_can_read(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    answer = attach(agent, asked["id"], PDF, "report.pdf").json()

    sha256 = hashlib.sha256(PDF).hexdigest()
    shown = answer["attachment"]
    assert shown["id"].startswith("att_")
    assert shown == {
        "id": shown["id"], "name": "report.pdf", "content_type": "application/pdf", "size": len(PDF),
        "sha256": sha256, "added_by": "agent:janitor", "created_at": shown["created_at"],
        "url": f"{API}/interrupts/{asked['id']}/attachments/{shown['id']}",
    }  # fmt: skip
    assert (answer["status"], answer["content_hash"]) == ("pending", asked["content_hash"])
    assert as_ann.get_json(f"/interrupts/{asked['id']}").json()["attachments"] == [shown]
    read = as_ann.get(shown["url"])
    assert (read.content, read["Content-Type"]) == (PDF, "application/pdf")
    event = json.loads(Event.objects.get(type="hitl.item.attachment_added").data)
    del shown["added_by"], shown["created_at"], shown["url"]
    assert event == {"status": "pending", "attachment_id": shown.pop("id"), **shown}


def test_what_a_person_attaches_the_agent_can_read(agent: Door, as_ann: Door) -> None:
    asked = agent.ask()

    shown = attached(as_ann, asked["id"])

    assert shown["added_by"] == "user:ann"
    assert agent.get(shown["url"]).content == b"To be deleted."
    assert event_types(asked["id"])[-1] == "hitl.item.attachment_added"


def test_a_request_takes_files_as_an_interrupt_does(agent: Door, as_ann: Door, rogue: Door) -> None:
    needed = agent.need()["id"]

    shown = attached(as_ann, needed, PDF, "contract.pdf")

    assert shown["url"] == f"{API}/requests/{needed}/attachments/{shown['id']}"
    assert agent.get_json(f"/requests/{needed}").json()["attachments"] == [shown]
    assert agent.get(shown["url"]).content == PDF
    problem(rogue.get(shown["url"]), 404, "not_found")
    problem(agent.get_json(f"/interrupts/{needed}/attachments/{shown['id']}"), 404, "not_found")
    as_ann.post_json(f"/requests/{needed}/reject", {"reason": "Not now."})
    assert problem(attach(agent, needed), 409)["current"]["status"] == "rejected"


# -- Types ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FINE)
def test_a_type_on_the_list_is_taken(agent: Door, name: str) -> None:
    content, content_type = FINE[name]

    assert attached(agent, agent.ask()["id"], content, name)["content_type"] == content_type


@pytest.mark.parametrize("name", LIES)
def test_a_file_that_is_not_what_its_name_says_is_refused(agent: Door, name: str, kept: Any) -> None:
    asked, before = agent.ask()["id"], rows()

    refused = problem(attach(agent, asked, LIES[name], name), 400, "invalid")

    assert list(refused["errors"]) == ["file"]
    assert (rows(), kept()) == (before, set())


def test_a_lie_is_told_what_would_be_right(agent: Door) -> None:
    refused = problem(attach(agent, agent.ask()["id"], JPEG, "a.png"), 400)

    assert "is jpeg. Name it .jpg or .jpeg" in refused["detail"]


@pytest.mark.parametrize("name", NOT_ON_THE_LIST)
def test_a_type_that_is_not_on_the_list_is_415(agent: Door, name: str) -> None:
    refused = problem(attach(agent, agent.ask()["id"], b"<svg/>", name), 415, "unsupported_media_type")

    assert "pdf, png" in refused["detail"]


# -- Names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("..\\..\\boot.txt", "boot.txt"),
        ("/etc/cron.d/job.txt", "job.txt"),
        ("invoice\u202efdp.txt", "invoicefdp.txt"),
        ("a\u200b\u0007\u3164b.txt", "ab.txt"),
        ("  two  words .txt", "two words .txt"),
        (".txt", "file.txt"),
        ("Grüße 💡.txt", "Grüße 💡.txt"),
        ("x" * 500 + ".txt", "x" * 196 + ".txt"),
        ('"quo;ted".txt', '"quo;ted".txt'),
    ],
)
def test_a_name_is_only_a_name(agent: Door, sent: str, stored: str, kept: Any) -> None:
    disposition = f"form-data; name=\"file\"; filename*=UTF-8''{quote(sent, safe='')}"
    asked = agent.ask()["id"]

    shown = send(agent, asked, part(disposition, b"x")).json()["attachment"]

    assert shown["name"] == stored
    (path,) = kept()
    assert path.name == shown["id"]
    assert named(agent.get(shown["url"])["Content-Disposition"]) == ("attachment", stored)


def named(disposition: str) -> tuple[str, str | None]:
    message = Message()
    message["Content-Disposition"] = disposition
    return message.get_content_disposition() or "", message.get_filename()


# -- Reading ----------------------------------------------------------------------------------------------


def test_what_is_handed_out_is_never_shown(agent: Door, as_ann: Door) -> None:
    shown = attached(agent, agent.ask()["id"], b"<script>alert(1)</script>", "page.txt")

    answer = as_ann.get(shown["url"])

    assert answer["Content-Type"] == "text/plain"
    assert answer["Content-Disposition"] == 'attachment; filename="page.txt"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cache-Control"] == "no-store, private"


def test_an_attachment_is_read_through_its_own_item_only(agent: Door, rogue: Door) -> None:
    mine, other = agent.ask()["id"], agent.ask()["id"]
    shown = attached(agent, mine)

    problem(agent.get_json(f"/interrupts/{other}/attachments/{shown['id']}"), 404, "not_found")
    problem(rogue.get_json(f"/interrupts/{rogue.ask()['id']}/attachments/{shown['id']}"), 404, "not_found")
    for nonsense in ("att_1", "a%00b", "..", "%2e%2e"):
        problem(agent.get_json(f"/interrupts/{mine}/attachments/{nonsense}"), 404)


def test_a_file_that_the_storage_lost_is_said_to_be_lost(agent: Door, kept: Any) -> None:
    shown = attached(agent, agent.ask()["id"])
    for path in kept():
        path.unlink()

    problem(agent.get(shown["url"]), 404, "file_missing")


def test_another_agent_and_a_viewer_add_nothing(agent: Door, rogue: Door, vic: User, enter: Enter) -> None:
    asked = agent.ask()["id"]

    problem(attach(rogue, asked), 404, "not_found")
    problem(attach(enter(vic), asked), 403, "forbidden")
    assert Attachment.objects.count() == 0


# -- Bounds -----------------------------------------------------------------------------------------------


def test_what_is_decided_takes_no_more_files(agent: Door, as_ann: Door, kept: Any) -> None:
    decided, overdue = agent.ask()["id"], agent.ask()["id"]
    as_ann.post_json(f"/interrupts/{decided}/approve")
    let_deadline_pass(overdue)

    assert problem(attach(agent, decided), 409, "already_decided")["current"]["status"] == "approved"
    assert problem(attach(agent, overdue), 409, "expired")["current"]["status"] == "expired"
    assert (Attachment.objects.count(), kept()) == (0, set())


def test_a_file_has_so_many_bytes(agent: Door, settings: Any) -> None:
    settings.HITL_ATTACHMENT_MAX_MIB = 1
    asked = agent.ask()["id"]

    assert attach(agent, asked, b"x" * MIB).status_code == 201
    problem(attach(agent, asked, b"x" * (MIB + 1)), 413, "too_large")


def test_ten_mib_are_fine(agent: Door) -> None:
    content = PDF + b"\x00" * (10 * MIB - len(PDF))
    shown = attached(agent, agent.ask()["id"], content, "scan.pdf")

    assert agent.get(shown["url"]).content == content


def test_agent_and_people_have_twenty_files_each(agent: Door, as_ann: Door, kept: Any) -> None:
    asked = agent.ask()["id"]
    for door in (agent, as_ann):
        assert {attach(door, asked).status_code for _ in range(20)} == {201}
        before = rows()

        assert problem(attach(door, asked), 429, "too_many_attachments")["detail"]
        assert rows() == before
    assert len(kept()) == 40
    assert attach(agent, agent.ask()["id"]).status_code == 201


def test_an_agent_has_a_quota_and_people_do_not_spend_it(
    agent: Door, rogue: Door, as_ann: Door, settings: Any, kept: Any
) -> None:
    settings.HITL_ATTACHMENT_QUOTA_MIB = 1
    first, second = agent.ask()["id"], agent.ask()["id"]
    attached(as_ann, first, b"x" * MIB)
    attached(agent, first, b"x" * (MIB - 8_000))
    attached(agent, second, b"x")  # counts as a block of 4 KiB

    problem(attach(agent, second, b"x"), 429, "quota_exceeded")

    assert len(kept()) == 3
    assert attach(rogue, rogue.ask()["id"]).status_code == 201
    assert attach(as_ann, second).status_code == 201


# -- Storage ----------------------------------------------------------------------------------------------


def test_a_storage_that_fails_leaves_nothing(agent: Door, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, before = agent.ask()["id"], rows()
    save = FileSystemStorage.save

    def fill_up(self: FileSystemStorage, *args: Any) -> None:
        save(self, *args)
        raise OSError("No space left on device")

    monkeypatch.setattr(FileSystemStorage, "save", fill_up)

    assert problem(attach(agent, asked), 503, "unavailable")
    assert (rows(), Attachment.objects.count(), kept()) == (before, 0, set())


def test_a_transaction_that_fails_leaves_no_file(
    agent: Door, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, before = agent.ask()["id"], rows()
    monkeypatch.setattr(Attachment, "save", lambda *args, **options: 1 / 0)
    agent.raise_request_exception = False

    problem(attach(agent, asked), 500)

    assert (rows(), kept()) == (before, set())


def test_files_are_readable_by_the_server_alone(agent: Door, kept: Any) -> None:
    attached(agent, agent.ask()["id"])

    (path,) = kept()

    assert oct(path.stat().st_mode)[-3:] == "600"


def test_cleanup_takes_the_files_and_leaves_the_record(agent: Door, as_ann: Door, kept: Any) -> None:
    old, waiting = agent.ask()["id"], agent.ask()["id"]
    attached(agent, old)
    attached(as_ann, old)
    stays = attached(agent, waiting)
    as_ann.post_json(f"/interrupts/{old}/approve")
    ReviewItem.objects.filter(pk=old).update(resolved_at=Now() - dt.timedelta(days=31))

    assert cleanup(30) == 1

    assert list(Attachment.objects.values_list("pk", flat=True)) == [stays["id"]]
    assert [path.name for path in kept()] == [stays["id"]]
    assert event_types(old).count("hitl.item.attachment_added") == 2
    call_command("verify_events")


def test_cleanup_that_was_cut_short_goes_on_next_time(
    agent: Door, as_ann: Door, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = agent.ask()["id"]
    for _ in range(3):
        attached(agent, old)
    as_ann.post_json(f"/interrupts/{old}/approve")
    ReviewItem.objects.filter(pk=old).update(resolved_at=Now() - dt.timedelta(days=31))
    delete, left = FileSystemStorage.delete, iter([True])

    def die(self: FileSystemStorage, name: str) -> None:
        if not next(left, False):
            raise KeyboardInterrupt
        delete(self, name)

    with monkeypatch.context() as patched:
        patched.setattr(FileSystemStorage, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            cleanup(30)
    assert (len(kept()), Attachment.objects.count()) == (2, 3)

    assert cleanup(30) == 1

    assert (kept(), Attachment.objects.count()) == (set(), 0)


def test_showing_an_item_takes_one_query_more_whatever_is_attached(
    agent: Door, django_assert_num_queries: Any
) -> None:
    asked = agent.ask()["id"]
    attached(agent, asked)
    for number in (1, 3):
        with django_assert_num_queries(4):  # key, item, attachments, history
            assert len(agent.get_json(f"/interrupts/{asked}").json()["attachments"]) == number
        attached(agent, asked)
        attached(agent, asked)
