"""The verbs of an interrupt that has been asked: the only code that changes one."""

from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Now

from agents.callers import Caller
from events.canonical import sha256
from events.clock import database_now
from events.problems import Problem
from events.schema import check_admitted
from events.transitions import Transition, perform
from interrupts import receipts
from interrupts.lifecycle import (
    APPROVE,
    CANCEL,
    CONSUME,
    ON_TIMEOUT,
    REJECT,
    REPORT,
    REQUEST_CHANGES,
    RESPOND,
    REVISE,
    Decision,
)
from interrupts.models import Interrupt, title_of
from reviews import services as reviews
from reviews.selectors import claim_is_free_for


def approve(
    interrupt: Interrupt,
    *,
    by: Caller,
    modifications: dict[str, Any] | None = None,
    comment: str = "",
    content_hash: str = "",
) -> None:
    """Allow what *interrupt* asks, with other arguments where *modifications* are given.

    Raises:
        TransitionConflict: it is no longer open, or held by somebody else.
        Problem: 400 when it takes no such decision or the arguments break ``args_schema``; 412 when what
            was shown is not what is stored.
    """
    if modifications is None:
        _must_allow(interrupt, Decision.APPROVE)
    else:
        _must_allow(interrupt, Decision.EDIT)
        if interrupt.args_schema is not None:
            check_admitted(interrupt.args_schema, modifications, at="modifications")
    _decide(
        APPROVE,
        interrupt,
        by=by,
        answer={"modifications": modifications, "receipt": _receipt(interrupt, by, modifications)},
        comment=comment,
        content_hash=content_hash,
    )


def reject(
    interrupt: Interrupt, *, by: Caller, reason: str = "", comment: str = "", content_hash: str = ""
) -> None:
    """Refuse what *interrupt* asks. Raises as :func:`approve` does."""
    _must_allow(interrupt, Decision.REJECT)
    _decide(
        REJECT,
        interrupt,
        by=by,
        answer={"rejection_reason": reason},
        comment=comment,
        content_hash=content_hash,
    )


def respond(
    interrupt: Interrupt, *, by: Caller, response: Any, comment: str = "", content_hash: str = ""
) -> None:
    """Answer *interrupt* with *response*, as its schema allows. Raises as :func:`approve` does."""
    _must_allow(interrupt, Decision.RESPOND)
    if interrupt.response_schema is not None:
        check_admitted(interrupt.response_schema, response, at="response")
    _decide(
        RESPOND,
        interrupt,
        by=by,
        answer={"response": response},
        comment=comment,
        content_hash=content_hash,
    )


def cancel(interrupt: Interrupt, *, by: Caller, reason: str = "") -> None:
    """Take the question back. Raises as :func:`reviews.services.cancel` does."""
    reviews.cancel(CANCEL, interrupt, by=by, reason=reason)


def request_changes(interrupt: Interrupt, *, by: Caller, comment: str) -> None:
    """Send *interrupt* back with a *comment*: it stays open, and the agent may revise it.

    Raises:
        TransitionConflict: it is no longer open, or held by somebody else.
    """
    perform(
        REQUEST_CHANGES,
        interrupt,
        actor=by.actor,
        changes={"changes_requested_at": Now()},
        guards={"claimed": claim_is_free_for(by.user)},
        data={**interrupt.headline, "comment": comment},
    )


def revise(interrupt: Interrupt, *, by: Caller, **content: Any) -> None:
    """Ask again with another ``reason``, ``tool_args`` or ``data``, after changes were requested.

    What was shown before can no longer be approved: its ``content_hash`` is another.

    Raises:
        TransitionConflict: it is no longer open, or (``unasked``) nobody requested changes.
        Problem: 400 when the arguments break ``args_schema``.
    """
    revised = {**interrupt.content, **content}
    if interrupt.args_schema is not None:
        check_admitted(interrupt.args_schema, revised["tool_args"], at="tool_args")
    told = {name: revised[name] for name in ("reason", "tool_args", "data")}
    content_hash = sha256(revised)
    perform(
        REVISE,
        interrupt,
        actor=by.actor,
        changes={
            "content_hash": content_hash,
            "revision": F("revision") + 1,
            "title": title_of(revised["reason"]),
            "changes_requested_at": None,
        },
        child_changes=told,
        guards={"unasked": Q(changes_requested_at__isnull=False)},
        data={**interrupt.headline, **told, "content_hash": content_hash},
    )


def consume(
    interrupt: Interrupt, *, by: Caller, tool_args: dict[str, Any], receipt: str | None = None
) -> None:
    """Spend the approval of *interrupt*, once, for exactly the arguments that were approved.

    Raises:
        TransitionConflict: it is not approved, or (``spent``) it was consumed before.
        Problem: 412 for other arguments, and (by the conflict ``stale``) where what was approved has been
            changed behind the API; what :func:`interrupts.receipts.check` says of its receipt.
    """
    arguments_hash = sha256(tool_args)
    if arguments_hash != sha256(interrupt.final_arguments):
        raise receipts.arguments_differ()
    if interrupt.consumed_at is None:  # what is spent is spent, whatever has become of its receipt
        receipts.check(interrupt, arguments_hash=arguments_hash, sent=receipt, now=database_now())
    perform(
        CONSUME,
        interrupt,
        actor=by.actor,
        changes={"consumed_at": Now()},
        guards={"stale": Q(content_hash=interrupt.stored_hash()), "spent": Q(consumed_at__isnull=True)},
        data={**interrupt.headline, "tool_args": tool_args},
    )


def report(interrupt: Interrupt, *, by: Caller, outcome: str, result: Any = None) -> None:
    """Record, once, what came of what was approved.

    Raises:
        TransitionConflict: it is not approved, or (``reported``) an outcome is recorded already.
    """
    perform(
        REPORT,
        interrupt,
        actor=by.actor,
        changes={"outcome": outcome},
        child_changes={"outcome_result": result},
        guards={"reported": Q(outcome="")},
        data={**interrupt.headline, "outcome": outcome, "result": result},
    )


def expire_overdue() -> int:
    """Make permanent what overdue interrupts already read as; return how many."""
    return reviews.timed_out(Interrupt, ON_TIMEOUT)


def _decide(
    transition: Transition,
    interrupt: Interrupt,
    *,
    by: Caller,
    answer: dict[str, Any],
    comment: str,
    content_hash: str,
) -> None:
    perform(
        transition,
        interrupt,
        actor=by.actor,
        changes=reviews.resolved_by(by),
        child_changes=answer,
        guards=reviews.deciding(interrupt, by, content_hash),
        data={
            **interrupt.headline,
            **{name: told for name, told in answer.items() if name != "receipt"},
            "comment": comment,
            "resolved_by": by.name,
            "tool_args": interrupt.tool_args,
            "content_hash": interrupt.content_hash,
        },
    )
    reviews.log_decision(interrupt, by, interrupt_id=interrupt.pk, tool=interrupt.tool_name)


def _receipt(interrupt: Interrupt, by: Caller, modifications: dict[str, Any] | None) -> str:
    return receipts.issue(
        interrupt,
        approvers=[*(vote["by"] for vote in interrupt.votes), by.name],
        arguments=interrupt.tool_args if modifications is None else modifications,
        at=database_now(),
    )


def _must_allow(interrupt: Interrupt, decision: Decision) -> None:
    if decision not in interrupt.allowed_decisions:
        taken = ", ".join(interrupt.allowed_decisions)
        raise Problem(
            400, "decision_not_allowed", f"This {interrupt.kind} takes {taken}, and not {decision}."
        )
