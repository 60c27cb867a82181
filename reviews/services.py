"""The verbs that every kind of item has: claim, release, comment, expire, clean up."""

import datetime as dt
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.callers import Caller, of_user
from events import log
from events.ids import new_id
from events.models import SYSTEM, Event
from events.problems import Problem, invalid
from events.transitions import Transition, perform, perform_all
from reviews.attachments import delete_files
from reviews.lifecycle import CLAIM, FINAL, NOBODY_ANSWERED, REASSIGN, RELEASE, OnTimeout
from reviews.models import DECIDE, Delegation, Grant, ReviewItem
from reviews.reviewers import is_asked, perform_as_asked
from reviews.selectors import IS_EDITED, claim_is_free_for, is_open, is_overdue
from reviews.tallies import lasting

logger = structlog.get_logger(__name__)
BATCH = 1_000
_OF_TIMEOUT = (
    *("pk", "status", "agent_id", "session_id", "kind"),
    *("response_time", "due_at", "expires_at"),
)
_OF_CLEANUP = (
    *("pk", "status", "agent_id", "kind", "priority"),
    *("created_at", "resolved_at", "response_time", "reviewers"),
    *("due_at", "expires_at", "resolved_by", "looked_time"),
)
COMMENT_LIMIT = 10_000
COMMENTED, COMMENTS_OF_AN_AGENT = "hitl.item.commented", 100
HELD_BY_NOBODY = {"claimed_by": None, "claimed_until": None}


def held_by(caller: Caller) -> dict[str, Any]:
    """Return the columns of an item that *caller* holds for the next minutes."""
    lease = dt.timedelta(minutes=settings.HITL_CLAIM_MINUTES)
    return {"claimed_by": caller.user, "claimed_until": Now() + lease}


def resolved_by(caller: Caller) -> dict[str, Any]:
    """Return the columns of an item that *caller* has decided."""
    times = {"response_time": Now() - F("created_at"), "looked_time": caller.looked}
    return {"resolved_by": caller.name, **times, **HELD_BY_NOBODY}


def deciding(item: ReviewItem, by: Caller, content_hash: str) -> dict[str, Q]:
    """Return the guards of a decision: it is about what is stored and was shown, and nobody else is at it."""
    # Taken anew: what was changed behind the API must not pass as what was shown.
    stored = item.stored_hash()
    shown = Q(content_hash=stored, revision=item.revision) & Q(content_hash=content_hash or stored)
    return {"stale": shown, "claimed": claim_is_free_for(by.user)}


def cancel(transition: Transition, item: ReviewItem, *, by: Caller, reason: str) -> None:
    """Take *item* back: its agent at any time, an operator unless somebody else holds it.

    Raises:
        TransitionConflict: it is no longer open, or (``claimed``) somebody else holds it.
    """
    perform(
        transition,
        item,
        actor=by.actor,
        changes={"resolved_by": by.name, **HELD_BY_NOBODY},
        child_changes={"rejection_reason": reason},
        guards={} if by.user is None else {"claimed": claim_is_free_for(by.user)},
        data={**item.headline, "reason": reason, "resolved_by": by.name},
    )


def releasable_by(caller: Caller) -> Q:
    """Match what *caller* may give back: what nobody else holds, or as an administrator anything."""
    return Q() if caller.has_perm("agents.change_agent") else claim_is_free_for(caller.user)


def log_decision(item: ReviewItem, by: Caller, **names: Any) -> None:
    """Write the line that operators of the server look for (see docs/operating.md)."""
    policy = item.policy_in_force
    said = {
        "session_id": item.session_id,
        "decision": item.status.upper(),
        "approver": by.name,
        "policy": f"{policy['name']} v{policy['version']}" if policy else "",
    }
    logger.info("decision", **names, **said)


def claim(item: ReviewItem, *, by: Caller) -> None:
    """Take *item* for ten minutes, so that nobody else works on it; claiming again renews.

    Raises:
        TransitionConflict: it is no longer open, or (``claimed``) somebody else holds it.
        Problem: 403 for who is not among those asked: they would only keep it from them.
    """
    perform_as_asked(
        CLAIM,
        item,
        by=by,
        changes=held_by(by),
        guards={"claimed": claim_is_free_for(by.user)},
        data={"claimed_by": by.name},
    )


def renew(item: ReviewItem, *, by: Caller) -> bool:
    """Let who holds *item* hold it ten minutes from now; say whether they still held it.

    It is no event: nobody has done anything, and nothing that others see has changed.
    """
    rows = ReviewItem.objects.filter(is_open(), pk=item.pk, claimed_by=by.user, claimed_until__gt=Now())
    return rows.update(claimed_until=held_by(by)["claimed_until"]) > 0


def release(item: ReviewItem, *, by: Caller) -> None:
    """Give *item* back. Only who holds it may, or an administrator.

    Raises:
        TransitionConflict: it is no longer open, or (``claimed``) somebody else holds it.
    """
    perform(RELEASE, item, actor=by.actor, changes=HELD_BY_NOBODY, guards={"claimed": releasable_by(by)})


def reassign(item: ReviewItem, *, by: Caller, to: User) -> None:
    """Hand *item* to somebody who may answer it; they hold it for the next minutes.

    Raises:
        TransitionConflict: it is no longer open, or (``claimed``) somebody else holds it.
        Problem: 400 when *to* could not answer it.
    """
    with log.unit_of_work():
        if not (to.is_active and to.has_perm(DECIDE) and is_asked(item, of_user(to))):
            raise invalid({"to": [_("%(name)s may not answer this.") % {"name": to.username}]})
        perform(
            REASSIGN,
            item,
            actor=by.actor,
            changes={**held_by(of_user(to)), "assignee": to},
            guards={"claimed": releasable_by(by)},
            data={"kind": item.kind, "title": item.title, "to": to.username},
        )


def comment(item: ReviewItem, *, by: Caller, body: str, reply_to: str = "") -> dict[str, Any]:
    """Add *body* to the history of *item*, whatever its state; return the comment.

    *reply_to* is the id of the comment that it answers, one of the same item.
    """
    body = body.strip()
    if not body or len(body) > COMMENT_LIMIT:
        raise invalid({"body": [_("Write 1 to %(most)s characters.") % {"most": f"{COMMENT_LIMIT:,}"}]})
    written = {"comment_id": new_id("com"), "author": by.name, "body": body}
    if reply_to:
        if reply_to not in _ids_of_comments(item):
            raise invalid({"reply_to": [_("There is no such comment here.")]})
        written["reply_to"] = reply_to
    with log.unit_of_work():
        if by.user is None and _comments_on(item) >= COMMENTS_OF_AN_AGENT:
            detail = f"An agent may leave {COMMENTS_OF_AN_AGENT} comments on one item. Ask anew instead."
            raise Problem(429, "too_many_comments", detail, headers={"Retry-After": "60"})
        log.record(
            item.stream,
            COMMENTED,
            item.pk,
            actor=by.actor,
            session_id=item.session_id,
            data=written,
        )
    return written


def _ids_of_comments(item: ReviewItem) -> set[str]:
    rows = Event.objects.filter(subject_id=item.pk, type=COMMENTED).values_list("data", flat=True)
    return {orjson.loads(data)["comment_id"] for data in rows}


def _comments_on(item: ReviewItem) -> int:
    """Count what the asking agent itself has written."""
    return Event.objects.filter(subject_id=item.pk, type=COMMENTED, actor=f"agent:{item.agent_id}").count()


def timed_out(model: type[ReviewItem], transitions: dict[OnTimeout, Transition]) -> int:
    """Make the timeout of every overdue *model* permanent, a batch a transaction; return how many."""
    count = 0
    for on_timeout, transition in transitions.items():
        rows = model._base_manager.filter(is_overdue(), on_timeout=on_timeout).order_by("expires_at")
        moved = BATCH
        while moved:
            moved = perform_all(
                transition,
                list(rows.only(*_OF_TIMEOUT)[:BATCH]),
                actor=SYSTEM,
                changes={"resolved_by": SYSTEM},
                data={"rejection_reason": NOBODY_ANSWERED, "resolved_by": SYSTEM},
            )
            count += moved
    return count


def cleanup(days: int | None = None) -> int:
    """Delete what was resolved *days* ago (``HITL_CLEANUP_DAYS``); its events stay. Return how many.

    It is counted no more: statistics are those of what is there. Grants and delegations that ended as long
    ago go with it.
    """
    kept = dt.timedelta(days=settings.HITL_CLEANUP_DAYS if days is None else days)
    old = ReviewItem.objects.filter(status__in=sorted(FINAL), resolved_at__lt=Now() - kept)
    count = 0
    while ids := list(old.order_by("resolved_at").values_list("pk", flat=True)[:BATCH]):
        delete_files(ids)
        with log.unit_of_work():
            # Locked, so that what another cleanup deletes is not subtracted twice.
            found = ReviewItem.objects.filter(pk__in=ids).order_by("pk").select_for_update(of=("self",))
            items = list(found.only(*_OF_CLEANUP).annotate(edited=IS_EDITED))
            ReviewItem.objects.filter(pk__in=[item.pk for item in items]).delete()
            for item in items:
                for counts in (item.counts_of_start, item.counts_of_end):
                    gone = counts.keys() - lasting(counts)
                    log.count(item.stream, {name: -counts[name] for name in gone})
        count += len(items)
    Grant.objects.filter(expires_at__lt=Now() - kept).delete()
    Delegation.objects.filter(ends_at__lt=Now() - kept).delete()
    return count
