"""The verbs of an interrupt that has been asked: the only code that changes one."""

from dataclasses import replace
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Now

from agents.callers import Caller
from events import log
from events.canonical import sha256
from events.clock import database_now
from events.problems import Problem, invalid
from events.schema import check_admitted
from events.transitions import Transition, TransitionConflict, perform
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
from reviews import grants, rules, voting
from reviews import services as reviews
from reviews.models import Kind, PolicyDecision
from reviews.policies import call_of
from reviews.redaction import redacted
from reviews.reviewers import is_asked, must_be_asked, perform_as_asked
from reviews.selectors import claim_is_free_for

NOBODY_VOTED: dict[str, Any] = {
    "policy": {}, "stage": 0, "reviewers": [], "votes": [], "escalations": 0,
    "due_at": None, "remind_at": None, "escalate_at": None,
}  # fmt: skip
"""How an item begins again when something else is asked."""


def approve(
    interrupt: Interrupt,
    *,
    by: Caller,
    modifications: dict[str, Any] | None = None,
    comment: str = "",
    content_hash: str = "",
    grant: str = "",
) -> None:
    """Allow what *interrupt* asks, with other arguments where *modifications* are given.

    Where several have to approve it this is one vote, and ends it only as the last. *grant* allows in advance
    what follows: :class:`reviews.grants.Reach`.

    Raises:
        TransitionConflict: it is no longer open, or held by somebody else.
        Problem: 400 when it takes no such decision or the arguments break ``args_schema``; 412 when what
            was shown is not what is stored.
    """
    if grant:
        grants.check(interrupt, grant, by)
    if modifications is None and _is_answered_last(interrupt):
        voting.approve(interrupt, RESPOND, None, by=by, content_hash=content_hash, comment=comment)
        return
    if modifications is None:
        _must_allow(interrupt, Decision.APPROVE)
        arguments, changes = interrupt.tool_args, {}
    else:
        arguments, changes = modifications, _edited(interrupt, by, modifications)

    def end(columns: dict[str, Any]) -> None:
        interrupt.policy = changes.get("policy", interrupt.policy)
        approvers = [*(vote["by"] for vote in interrupt.votes), by.name]
        receipt = receipts.issue(interrupt, approvers=approvers, arguments=arguments, at=database_now())
        if grant:
            grants.give(interrupt, grant, by=by, arguments=arguments)
        _decide(
            APPROVE,
            interrupt,
            by=by,
            changes={**columns, **changes},
            answer={"modifications": modifications},
            kept={"receipt": receipt},
            comment=comment,
            content_hash=content_hash,
        )

    voting.approve(interrupt, APPROVE, end, by=by, content_hash=content_hash, comment=comment)


def reject(
    interrupt: Interrupt, *, by: Caller, reason: str = "", comment: str = "", content_hash: str = ""
) -> None:
    """Refuse what *interrupt* asks, whoever approved it before. Raises as :func:`approve` does."""
    _must_allow(interrupt, Decision.REJECT)
    with log.unit_of_work():
        must_be_asked(interrupt, by)
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
    if response is None and interrupt.kind in (Kind.APPROVAL, Kind.CONFIRMATION):
        raise invalid({"response": ["Answer with something: null would read as an approval."]})

    def end(columns: dict[str, Any]) -> None:
        _decide(
            RESPOND,
            interrupt,
            by=by,
            changes=columns,
            answer={"response": response},
            comment=comment,
            content_hash=content_hash,
        )

    voting.approve(interrupt, RESPOND, end, by=by, content_hash=content_hash, votes_alone=False)


def cancel(interrupt: Interrupt, *, by: Caller, reason: str = "") -> None:
    """Take the question back. Raises as :func:`reviews.services.cancel` does."""
    reviews.cancel(CANCEL, interrupt, by=by, reason=reason)


def request_changes(interrupt: Interrupt, *, by: Caller, comment: str) -> None:
    """Send *interrupt* back with a *comment*: it stays open, and the agent may revise it.

    Raises:
        TransitionConflict: it is no longer open, or held by somebody else.
        Problem: 403 for who is not among the reviewers.
    """
    perform_as_asked(
        REQUEST_CHANGES,
        interrupt,
        by=by,
        changes={"changes_requested_at": Now()},
        guards={"claimed": claim_is_free_for(by.user)},
        data={**interrupt.headline, "comment": comment},
    )


def revise(interrupt: Interrupt, *, by: Caller, **content: Any) -> None:
    """Ask again with another ``reason``, ``tool_args`` or ``data``, after changes were requested.

    What was shown before can no longer be approved: its ``content_hash`` is another. Votes lapse, and the
    policies judge what is asked now.

    Raises:
        TransitionConflict: it is no longer open, or (``unasked``) nobody requested changes.
        Problem: 400 when the arguments break ``args_schema``.
    """
    revised = {**interrupt.content, **content}
    if interrupt.args_schema is not None:
        check_admitted(interrupt.args_schema, revised["tool_args"], at="tool_args")
    told = {name: revised[name] for name in ("reason", "tool_args", "data")}
    content_hash = sha256(revised)
    ruling = rules.rule(call_of(interrupt, revised["tool_args"]))
    with log.unit_of_work():
        perform(
            REVISE,
            interrupt,
            actor=by.actor,
            changes={
                "content_hash": content_hash,
                "revision": F("revision") + 1,
                "title": title_of(revised["reason"]),
                "changes_requested_at": None,
                **NOBODY_VOTED,
                **replace(ruling, grant=None).columns(interrupt.priority),
            },
            child_changes=told,
            guards={"unasked": Q(changes_requested_at__isnull=False)},
            data={**interrupt.headline, **told, "content_hash": content_hash},
        )
        if rules.is_denied(interrupt):
            rules.deny(REJECT, interrupt)


def consume(
    interrupt: Interrupt,
    *,
    by: Caller,
    tool_args: dict[str, Any],
    receipt: str | None = None,
    attempt: str = "",
) -> None:
    """Spend the approval of *interrupt*, once, for exactly the arguments that were approved.

    Whoever did so and lost the answer sends the same *attempt* again: until an outcome is recorded that is
    no second time.

    Raises:
        TransitionConflict: it is not approved, (``spent``) it was consumed before, or (``answered``) a person
            answered in the place of the tool, which is then not to run.
        Problem: 412 for other arguments, and (by the conflict ``stale``) where what was approved has been
            changed behind the API; what :func:`interrupts.receipts.check` says of its receipt.
    """
    arguments_hash = sha256(tool_args)
    if arguments_hash != sha256(interrupt.final_arguments):
        raise receipts.arguments_differ()
    if interrupt.consumed_at is None:  # what is spent is spent, whatever has become of its receipt
        receipts.check(interrupt, arguments_hash=arguments_hash, sent=receipt, now=database_now())
    try:
        with log.unit_of_work():
            perform(
                CONSUME,
                interrupt,
                actor=by.actor,
                changes={"consumed_at": Now()},
                child_changes={"attempt": attempt},
                guards={
                    "stale": Q(content_hash=interrupt.stored_hash()),
                    "spent": Q(consumed_at__isnull=True),
                },
                data={**interrupt.headline, "tool_args": tool_args},
            )
            if interrupt.response is not None:
                raise TransitionConflict(CONSUME, interrupt.pk, "answered")
    except TransitionConflict as conflict:
        interrupt.refresh_from_db()
        again = conflict.reason == "spent" and attempt and attempt == interrupt.attempt
        if not again or interrupt.outcome:
            raise


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
    changes: dict[str, Any] | None = None,
    kept: dict[str, Any] | None = None,
) -> None:
    """Move *interrupt* by *transition*; what is *kept* beside the answer stays out of the record."""
    perform(
        transition,
        interrupt,
        actor=by.actor,
        changes={**reviews.resolved_by(by), **(changes or {})},
        child_changes={**answer, **(kept or {})},
        guards=reviews.deciding(interrupt, by, content_hash),
        data={
            **interrupt.headline,
            **answer,
            **({"votes": changes["votes"]} if changes and "votes" in changes else {}),
            "comment": comment,
            "resolved_by": by.name,
            **by.way,
            "tool_args": interrupt.tool_args,
            "content_hash": interrupt.content_hash,
            "policy": interrupt.policy_in_force,
        },
    )
    reviews.log_decision(
        interrupt,
        by,
        interrupt_id=interrupt.pk,
        tool=interrupt.tool_name,
        arguments=redacted(interrupt.final_arguments, interrupt.policy.get("redact", ())),
    )


def _edited(interrupt: Interrupt, by: Caller, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that change because other *arguments* are approved: they are judged again.

    Raises:
        Problem: 400 where editing is not taken, breaks ``args_schema``, or makes of the call one that
            another policy denies, or that *by* alone may not approve under it.
    """
    _must_allow(interrupt, Decision.EDIT)
    if interrupt.needs_several:
        raise Problem(400, "decision_not_allowed", "Several people approve this: ask for changes instead.")
    if interrupt.args_schema is not None:
        check_admitted(interrupt.args_schema, arguments, at="modifications")
    ruling = rules.rule(call_of(interrupt, arguments))
    terms = ruling.verdict.terms
    if ruling.verdict.decision == PolicyDecision.ALLOW or _is_of(terms) == _is_of(interrupt.policy):
        return {}
    became = Interrupt(
        agent_id=interrupt.agent_id,
        priority=interrupt.priority,
        policy=terms,
        reviewers=ruling.stages[0]["reviewers"],
    )
    if rules.is_denied(became) or became.needs_several or not is_asked(became, by):
        told = f"With these arguments the policy “{terms['name']}” is in force. Ask for changes instead."
        raise invalid({"modifications": [told]})
    return {"policy": terms}


def _is_of(terms: dict[str, Any]) -> tuple[Any, Any]:
    """Return which policy, as it then read, *terms* are of."""
    return terms.get("id"), terms.get("version")


def _is_answered_last(interrupt: Interrupt) -> bool:
    """Say whether several agree that *interrupt* may be answered, and the last of them answers it."""
    taken = interrupt.allowed_decisions
    return interrupt.needs_several and Decision.APPROVE not in taken and Decision.RESPOND in taken


def _must_allow(interrupt: Interrupt, decision: Decision) -> None:
    if decision not in interrupt.allowed_decisions:
        taken = ", ".join(interrupt.allowed_decisions)
        raise Problem(
            400, "decision_not_allowed", f"This {interrupt.kind} takes {taken}, and not {decision}."
        )
