"""The verbs of an action request that has been asked: the only code that changes one."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from agents.callers import Caller
from events import log
from events.clock import iso
from events.models import SYSTEM
from events.problems import Problem, invalid
from events.transitions import TransitionConflict, perform
from requests_app import secrets
from requests_app.fields import answered
from requests_app.lifecycle import (
    ACKNOWLEDGE,
    CANCEL,
    FULFILL,
    ON_TIMEOUT,
    PROGRESS,
    PURGE,
    REJECT,
    RELEASE,
    REVEAL,
    START_REVIEW,
)
from requests_app.models import ActionRequest, RejectionCode, Secret
from requests_app.probes import check_answers
from reviews import services as reviews
from reviews import voting
from reviews.confirming import must_have_confirmed
from reviews.lifecycle import OPEN, Status
from reviews.reviewers import perform_as_asked, seat_of
from reviews.selectors import claim_is_free_for

BATCH = 500


def start_review(request: ActionRequest, *, by: Caller) -> None:
    """Take *request* in hand: it is in review, and *by* holds it for a while; starting again renews.

    Raises:
        TransitionConflict: it is no longer open, or (``claimed``) somebody else holds it.
    """
    perform_as_asked(
        START_REVIEW,
        request,
        by=by,
        changes={**reviews.held_by(by), "assignee": by.user},
        guards={"claimed": claim_is_free_for(by.user)},
        data={**request.headline, "reviewer": by.name},
    )


def release(request: ActionRequest, *, by: Caller) -> None:
    """Give *request* back to everybody. Only who holds it may, or an administrator.

    Raises:
        TransitionConflict: it is not in review, or (``claimed``) somebody else holds it.
    """
    perform(
        RELEASE,
        request,
        actor=by.actor,
        changes={**reviews.HELD_BY_NOBODY, "assignee": None},
        guards={"claimed": reviews.releasable_by(by)},
        data=request.headline,
    )


def note_progress(
    request: ActionRequest, *, by: Caller, done: list[int], undone: list[int], note: str = ""
) -> None:
    """Tick off steps of the checklist (by their numbers from 0), and tell the agent how far things are.

    Raises:
        TransitionConflict: it is no longer open, held by somebody else, or changed meanwhile.
        Problem: 400 for a step that is not there.
    """
    checklist = [dict(step) for step in request.checklist]
    for name, numbers, is_done in (("done", done, True), ("undone", undone, False)):
        if [number for number in numbers if number >= len(checklist)]:
            raise invalid({name: [f"The checklist has {len(checklist)} steps, counted from 0."]})
        for number in numbers:
            checklist[int(number)]["done"] = is_done  # JSON Schema takes 1.0 for an integer
    perform(
        PROGRESS,
        request,
        actor=by.actor,
        child_changes={"checklist": checklist},
        guards={"stale": Q(version=request.version), "claimed": claim_is_free_for(by.user)},
        data={**request.headline, "checklist": checklist, "comment": note},
    )


def fulfill(
    request: ActionRequest,
    *,
    by: Caller,
    response_data: dict[str, Any],
    notes: str = "",
    content_hash: str = "",
) -> None:
    """Answer *request* with what was asked for. Secret answers are sealed and stand nowhere else.

    Raises:
        TransitionConflict: it is no longer open, or held by somebody else.
        Problem: 400 that names every field that is missing or does not fit; 412 when what was shown is not
            what is stored; 503 when an answer is to be checked by a service that is not there.
    """
    if request.status in OPEN:
        seat_of(request, by, FULFILL)  # before a probe tries what a stranger sends
        must_have_confirmed(request, by)
    plain, secret = _checked(request, response_data)
    told = {"response_data": plain, "notes": notes}

    def end(columns: dict[str, Any]) -> None:
        perform(
            FULFILL,
            request,
            actor=by.actor,
            changes={**reviews.resolved_by(by), **columns},
            child_changes={**told, "sealed_fields": list(secret)},
            guards=reviews.deciding(request, by, content_hash),
            data={
                **request.headline,
                **told,
                "secret_fields": list(secret),
                "fulfilled_by": by.name,
                "resolved_by": by.name,
                "policy": request.policy_in_force,
            },
        )
        secrets.seal(request, secret)

    voting.approve(request, FULFILL, end, by=by, content_hash=content_hash, votes_alone=False)
    _log(request, by)


def approve(request: ActionRequest, *, by: Caller, comment: str = "", content_hash: str = "") -> None:
    """Agree that *request* may be fulfilled, where its policy needs several; the last of them fulfills it.

    Raises:
        TransitionConflict: it is no longer open, or held; (``voted``) they voted before; (``last``) only
            fulfilling it is missing.
        Problem: 403 for who may not approve this; 412 as :func:`fulfill`.
    """
    voting.approve(request, FULFILL, None, by=by, content_hash=content_hash, comment=comment)


def _checked(request: ActionRequest, response_data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the plain answers and the secret ones. Raises as :func:`fulfill` does."""
    fields = request.fields
    answers = answered(fields, response_data)
    if request.status in OPEN:
        _check_files(request, answers)
        check_answers(fields, answers)  # before the transaction, which must wait for nobody
    secret = {name: answers.pop(name) for name in request.names_of("secret") if name in answers}
    return answers, secret


def _check_files(request: ActionRequest, answers: dict[str, Any]) -> None:
    """Refuse a file that is not attached to *request*: it would be another's."""
    named = {name: answers[name] for name in request.names_of("file") if name in answers}
    there = set(request.attachments.filter(pk__in=named.values()).values_list("pk", flat=True))
    if missing := [name for name, pk in named.items() if pk not in there]:
        told = [_("This file is not attached to this request. Attach it first.")]
        raise invalid({f"response_data.{name}": told for name in missing})


def reject(
    request: ActionRequest,
    *,
    by: Caller,
    reason: str,
    code: str = RejectionCode.OTHER,
    content_hash: str = "",
) -> None:
    """Turn *request* down, and tell the agent why. Raises as :func:`fulfill` does."""
    perform_as_asked(
        REJECT,
        request,
        by=by,
        changes=reviews.resolved_by(by),
        child_changes={"rejection_reason": reason, "rejection_code": code},
        guards=reviews.deciding(request, by, content_hash),
        data={
            **request.headline,
            "rejection_reason": reason,
            "rejection_code": code,
            "rejected_by": by.name,
            "resolved_by": by.name,
            "policy": request.policy_in_force,
        },
    )
    _log(request, by)


def cancel(request: ActionRequest, *, by: Caller, reason: str = "") -> None:
    """Take *request* back. Raises as :func:`reviews.services.cancel` does."""
    reviews.cancel(CANCEL, request, by=by, reason=reason)


# -- Secret answers -----------------------------------------------------------------------------------


def reveal(request: ActionRequest, *, by: Caller) -> dict[str, Any]:
    """Return ``{values, lease_expires_at}``: the secret answers, to one caller at a time.

    What is not acknowledged within the lease can be revealed again: its caller may have died.

    Raises:
        TransitionConflict: it is not fulfilled; or (``leased``, ``acknowledged``, ``purged``) the answers
            cannot be had now, or ever again.
        Problem: 409 when it has no secret answers, 503 when the key that sealed them is missing.
    """
    there = Q(consumed_at__isnull=True)
    in_time = Q(resolved_at__gt=_oldest_kept())
    gone = {"purged": there & in_time} if request.was_purged else {"acknowledged": there, "purged": in_time}
    with log.unit_of_work():
        perform(
            REVEAL,
            request,
            actor=by.actor,
            changes={"leased_until": Now() + dt.timedelta(seconds=settings.HITL_REVEAL_SECONDS)},
            guards={**gone, "leased": Q(leased_until__isnull=True) | Q(leased_until__lte=Now())},
            data={**request.headline, "fields": request.sealed_fields, "key": str(by.key)},
        )
        if not request.sealed_fields:
            raise Problem(409, "no_secrets", "This has no secret answers; everything is in response_data.")
        values = secrets.reveal(request)
    return {"values": values, "lease_expires_at": iso(request.leased_until)}


def acknowledge(request: ActionRequest, *, by: Caller) -> None:
    """Destroy the secret answers of *request*: its agent has them now.

    Raises:
        TransitionConflict: it is not fulfilled, or (``acknowledged``, ``purged``) they are destroyed already.
        Problem: 409 when it has no secret answers, or they were never revealed.
    """
    if request.status == Status.FULFILLED and request.leased_until is None and request.consumed_at is None:
        raise Problem(409, "not_revealed", "Nothing was revealed, so there is nothing to acknowledge.")
    _destroy(request, by.actor, ACKNOWLEDGE)


def purge() -> int:
    """Destroy the secret answers that nobody fetched within ``HITL_SECRETS_HOURS``; return of how many."""
    kept_too_long = Secret.objects.filter(created_at__lte=_oldest_kept())
    old = kept_too_long.values_list("request_id", flat=True).distinct()
    count, last = 0, ""
    while ids := list(old.filter(request_id__gt=last).order_by("request_id")[:BATCH]):
        for request in ActionRequest.objects.filter(pk__in=ids):
            try:
                _destroy(request, SYSTEM, PURGE, was_purged=True)
                count += 1
            except TransitionConflict:  # acknowledged meanwhile
                continue
        last = ids[-1]
    return count


def _destroy(request: ActionRequest, actor: str, transition: Any, **child_changes: Any) -> None:
    gone = "purged" if request.was_purged else "acknowledged"
    with log.unit_of_work():
        perform(
            transition,
            request,
            actor=actor,
            changes={"consumed_at": Now()},
            child_changes=child_changes,
            guards={gone: Q(consumed_at__isnull=True)},
            data={**request.headline, "destroyed": request.sealed_fields},
        )
        Secret.objects.filter(request=request).delete()


def _oldest_kept() -> Any:
    return Now() - dt.timedelta(hours=settings.HITL_SECRETS_HOURS)


def expire_overdue() -> int:
    """Make permanent what overdue requests already read as; return how many."""
    return reviews.timed_out(ActionRequest, ON_TIMEOUT)


def _log(request: ActionRequest, by: Caller) -> None:
    reviews.log_decision(request, by, request_id=request.pk, workflow_id=request.workflow_id)
