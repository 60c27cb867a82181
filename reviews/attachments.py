"""Files that are put to an item or a session, or made by a run: written, read and deleted."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Exists, Sum
from django.db.models.functions import Greatest, Now
from django.utils.translation import gettext as _

from agents.callers import Caller
from agents.models import Agent
from events import log
from events.clock import iso
from events.ids import new_id
from events.problems import Problem, not_found
from events.transitions import perform
from events.untrusted import without_unseen
from reviews.file_types import checked_type, with_ending
from reviews.lifecycle import ATTACH
from reviews.models import Attachment, ReviewItem

MIB, BATCH = 1024 * 1024, 1_000
NAME_LIMIT, FILES_LIMIT, SESSION_FILES_LIMIT = 200, 20, 100
SHOWN = ("id", "name", "content_type", "size", "sha256", "added_by", "created_at")
LEAST_CHARGED = 4096  # what the smallest file takes on a disk
MISSING = "The record has this attachment, the storage no longer does. Tell who runs the server."


def attach(item: ReviewItem, *, by: Caller, upload: "UploadedFile[bytes]") -> Attachment:
    """Put *upload* to the open *item*. The file comes before the row, and goes again if that fails.

    Raises:
        Problem: 413 and 415 for what is too large or not on the list, 400 for content that is not what the
            name says, 429 where the item or the agent has too much, 503 when the storage fails.
        TransitionConflict: the item is no longer open.
    """
    content, shown = _received(upload)
    attachment = Attachment(id=new_id("att"), item_id=item.pk, added_by=by.actor, **shown)
    with _stored(attachment.path, content), log.unit_of_work():
        perform(ATTACH, item, actor=by.actor, data={"attachment_id": attachment.pk, **shown})
        attachment.save(force_insert=True)
        _check_room(item, by)
    return attachment


def attach_to_session(session_id: str, *, by: Caller, upload: "UploadedFile[bytes]") -> Attachment:
    """Keep *upload* for the runs of an agent's session.

    Raises:
        Problem: as :func:`attach` does.
    """
    content, shown = _received(upload)
    attachment = Attachment(
        id=new_id("att"), agent_id=by.agent, session_id=session_id, added_by=by.actor, **shown
    )
    with _stored(attachment.path, content), log.unit_of_work():
        attachment.save(force_insert=True)
        told = {"attachment_id": attachment.pk, **shown}
        log.record(by.agent, ATTACH.event, attachment.pk, actor=by.actor, session_id=session_id, data=told)
        if Attachment.objects.filter(agent_id=by.agent, session_id=session_id).count() > SESSION_FILES_LIMIT:
            detail = f"One session may have {SESSION_FILES_LIMIT} files. Begin another."
            raise Problem(429, "too_many_attachments", detail, headers={"Retry-After": "3600"})
        check_quota(by.agent)
    return attachment


def keep_result(name: str, content: bytes, *, agent: str, session_id: str, added_by: str) -> Attachment:
    """Keep what a provider answered as a file of the session, as bytes where its type is not on the list.

    A name that does not say the type is given the ending that the content calls for. *added_by* is the run.
    The file counts towards the agent's quota, and is kept even beyond it.
    """
    name = safe_name(with_ending(name, content))
    try:
        content_type = checked_type(name, content)
    except Problem:
        name, content_type = "result.bin", "application/octet-stream"
    attachment = Attachment(
        id=new_id("att"),
        agent_id=agent,
        session_id=session_id,
        added_by=added_by,
        name=name,
        content_type=content_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    with _stored(attachment.path, content):
        attachment.save(force_insert=True)
    return attachment


def of_session(agent: str, session_id: str) -> list[Attachment]:
    """Return the files of a session, oldest first: its own, and those put to its items."""
    if not session_id:
        return []
    own = Attachment.objects.filter(agent_id=agent, session_id=session_id)
    of_items = Attachment.objects.filter(item__agent_id=agent, item__session_id=session_id)
    found = {attachment.pk: attachment for rows in (own, of_items) for attachment in rows.order_by("pk")}
    return [found[pk] for pk in sorted(found)]


def content_of(attachment: Attachment) -> bytes:
    """Return the bytes of *attachment*.

    Raises:
        Problem: 404 when the storage lost its file; 503 when it fails.
    """
    with _storage() as storage:
        try:
            with storage.open(attachment.path) as file:
                content: bytes = file.read()
                return content
        except FileNotFoundError:
            raise Problem(404, "file_missing", MISSING) from None


def _received(upload: "UploadedFile[bytes]") -> tuple[bytes, dict[str, Any]]:
    """Return the content of *upload*, and what is kept of it beside."""
    if (upload.size or 0) > settings.HITL_ATTACHMENT_MAX_MIB * MIB:
        detail = _("A file may have %(number)d MiB.") % {"number": settings.HITL_ATTACHMENT_MAX_MIB}
        raise Problem(413, "too_large", detail)
    name, content = safe_name(upload.name or ""), upload.read()
    return content, {
        "name": name,
        "content_type": checked_type(name, content),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def safe_name(name: str) -> str:
    """Return *name*, whose folders Django took off, without unseen characters and cut to 200."""
    stem, dot, extension = " ".join(without_unseen(name).split()).rstrip(" .").rpartition(".")
    extension = extension[:20]  # no longer one is on the list
    stem = stem.lstrip(".")[: NAME_LIMIT - len(extension) - 1] or ("file" if dot else "")
    return f"{stem}{dot}{extension}"


def of_item(item_id: str, url: str) -> list[dict[str, Any]]:
    """Return what is attached to an item, oldest first; each is to be had below *url*."""
    rows = Attachment.objects.filter(item_id=item_id).order_by("pk").values(*SHOWN)
    return [document(row, url) for row in rows]


def document(row: dict[str, Any], url: str) -> dict[str, Any]:
    """Return what is shown of an attachment; it is to be had below *url*."""
    return {**row, "created_at": iso(row["created_at"]), "url": f"{url}/{row['id']}"}


def read(item: ReviewItem, attachment_id: str) -> tuple[Attachment, bytes]:
    """Return an attachment of *item* and its content.

    Raises:
        Problem: 404 when the item has no such attachment, or the storage lost its file; 503 when it fails.
    """
    attachment = item.attachments.filter(pk=attachment_id).first() if attachment_id.isprintable() else None
    if attachment is None:
        raise not_found()
    return attachment, content_of(attachment)


def delete_files(item_ids: Iterable[str]) -> None:
    """Delete the files of items whose rows are about to go: a kill in between leaves rows to try again."""
    _delete(Attachment.objects.filter(item_id__in=item_ids).only("pk"))


def cleanup(kept: dt.timedelta, *, needed: Exists) -> int:
    """Delete the files of sessions that no item shows, older than *kept* and not *needed*; say how many."""
    old = Attachment.objects.filter(~needed, item__isnull=True, created_at__lt=Now() - kept).order_by("pk")
    count = 0
    while found := list(old.only("pk")[:BATCH]):
        _delete(found)
        Attachment.objects.filter(pk__in=[attachment.pk for attachment in found]).delete()
        count += len(found)
    return count


def _delete(attachments: Iterable[Attachment]) -> None:
    with _storage() as storage:
        for attachment in attachments:
            storage.delete(attachment.path)


@contextmanager
def _stored(path: str, content: bytes) -> Iterator[None]:
    """Keep *content* at *path* unless the block fails."""
    try:
        with _storage() as storage:
            storage.save(path, ContentFile(content))
        yield
    except BaseException:
        with suppress(OSError):
            storages["attachments"].delete(path)
        raise


@contextmanager
def _storage() -> Iterator[Storage]:
    try:
        yield storages["attachments"]
    except OSError as error:
        detail = _("The storage of attachments does not answer. Nothing was changed; try again.")
        raise Problem(503, "unavailable", detail, headers={"Retry-After": "10"}) from error


def _check_room(item: ReviewItem, by: Caller) -> None:
    """Refuse what is too much, once it is written: the item's row, then the agent's, has others wait."""
    agent = f"agent:{item.agent_id}"
    of_agents, of_people = item.attachments.filter(added_by=agent), item.attachments.exclude(added_by=agent)
    if (of_people if by.user else of_agents).count() > FILES_LIMIT:
        detail = _("One item may have %(number)d files of its agent, and %(number)d of people.")
        raise Problem(
            429, "too_many_attachments", detail % {"number": FILES_LIMIT}, headers={"Retry-After": "3600"}
        )
    if by.user is None:
        check_quota(str(item.agent_id))


def check_quota(agent: str) -> None:
    """Raise Problem 429 where *agent* keeps more than it may; who adds at the same time waits."""
    with transaction.atomic():
        Agent.objects.select_for_update(no_key=True).get(pk=agent)
        charged = Sum(Greatest("size", LEAST_CHARGED))
        by_agent = Attachment.objects.filter(added_by=f"agent:{agent}")
        by_runs = Attachment.objects.filter(agent_id=agent, added_by__startswith="run_")
        used = sum(rows.aggregate(used=charged)["used"] or 0 for rows in (by_agent, by_runs))
    if used > settings.HITL_ATTACHMENT_QUOTA_MIB * MIB:
        detail = f"An agent may keep {settings.HITL_ATTACHMENT_QUOTA_MIB} MiB of attachments."
        raise Problem(429, "quota_exceeded", detail, headers={"Retry-After": "86400"})
