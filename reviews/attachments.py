"""Files that are put to an item: written, read and deleted (contract: attachments)."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Sum
from django.db.models.functions import Greatest

from agents.callers import Caller
from agents.models import Agent
from events import log
from events.clock import iso
from events.ids import new_id
from events.problems import Problem, not_found
from events.transitions import perform
from events.untrusted import without_unseen
from reviews.file_types import checked_type
from reviews.lifecycle import ATTACH
from reviews.models import Attachment, ReviewItem

MIB = 1024 * 1024
NAME_LIMIT, FILES_LIMIT = 200, 20
LEAST_CHARGED = 4096  # what the smallest file takes on a disk
MISSING = "The record has this attachment, the storage no longer does. Tell who runs the server."


def attach(item: ReviewItem, *, by: Caller, upload: "UploadedFile[bytes]") -> Attachment:
    """Put *upload* to the open *item*. The file comes before the row, and goes again if that fails.

    Raises:
        Problem: 413 and 415 for what is too large or not on the list, 400 for content that is not what the
            name says, 429 where the item or the agent has too much, 503 when the storage fails.
        TransitionConflict: the item is no longer open.
    """
    if (upload.size or 0) > settings.HITL_ATTACHMENT_MAX_MIB * MIB:
        raise Problem(413, "too_large", f"A file may have {settings.HITL_ATTACHMENT_MAX_MIB} MiB.")
    name, content = safe_name(upload.name or ""), upload.read()
    shown = {
        "name": name,
        "content_type": checked_type(name, content),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    attachment = Attachment(id=new_id("att"), item_id=item.pk, added_by=by.actor, **shown)
    with _stored(attachment.path, content), log.unit_of_work():
        perform(ATTACH, item, actor=by.actor, data={"attachment_id": attachment.pk, **shown})
        attachment.save(force_insert=True)
        _check_room(item, by)
    return attachment


def safe_name(name: str) -> str:
    """Return *name*, whose folders Django took off, without unseen characters and cut to 200."""
    stem, dot, extension = " ".join(without_unseen(name).split()).rstrip(" .").rpartition(".")
    extension = extension[:20]  # no longer one is on the list
    stem = stem.lstrip(".")[: NAME_LIMIT - len(extension) - 1] or ("file" if dot else "")
    return f"{stem}{dot}{extension}"


def of_item(item_id: str, url: str) -> list[dict[str, Any]]:
    """Return what is attached to an item, oldest first; each is to be had below *url*."""
    fields = ("id", "name", "content_type", "size", "sha256", "added_by", "created_at")
    rows = Attachment.objects.filter(item_id=item_id).order_by("pk").values(*fields)
    return [{**row, "created_at": iso(row["created_at"]), "url": f"{url}/{row['id']}"} for row in rows]


def read(item: ReviewItem, attachment_id: str) -> tuple[Attachment, bytes]:
    """Return an attachment of *item* and its content.

    Raises:
        Problem: 404 when the item has no such attachment, or the storage lost its file; 503 when it fails.
    """
    attachment = item.attachments.filter(pk=attachment_id).first() if attachment_id.isprintable() else None
    if attachment is None:
        raise not_found()
    with _storage() as storage:
        try:
            with storage.open(attachment.path) as file:
                return attachment, file.read()
        except FileNotFoundError:
            raise Problem(404, "file_missing", MISSING) from None


def delete_files(item_ids: Iterable[str]) -> None:
    """Delete the files of items whose rows are about to go: a kill in between leaves rows to try again."""
    with _storage() as storage:
        for attachment in Attachment.objects.filter(item_id__in=item_ids).only("pk"):
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
        detail = "The storage of attachments does not answer. Nothing was changed; try again."
        raise Problem(503, "unavailable", detail, headers={"Retry-After": "10"}) from error


def _check_room(item: ReviewItem, by: Caller) -> None:
    """Refuse what is too much, once it is written: the item's row, then the agent's, has others wait."""
    agent = f"agent:{item.agent_id}"
    of_agents, of_people = item.attachments.filter(added_by=agent), item.attachments.exclude(added_by=agent)
    if (of_people if by.user else of_agents).count() > FILES_LIMIT:
        detail = f"One item may have {FILES_LIMIT} files of its agent, and {FILES_LIMIT} of people."
        raise Problem(429, "too_many_attachments", detail, headers={"Retry-After": "3600"})
    if by.user is None:
        Agent.objects.select_for_update(no_key=True).get(pk=item.agent_id)
        charged = Sum(Greatest("size", LEAST_CHARGED))
        used = Attachment.objects.filter(added_by=agent).aggregate(used=charged)["used"]
        if used > settings.HITL_ATTACHMENT_QUOTA_MIB * MIB:
            detail = f"An agent may keep {settings.HITL_ATTACHMENT_QUOTA_MIB} MiB of attachments."
            raise Problem(429, "quota_exceeded", detail, headers={"Retry-After": "86400"})
