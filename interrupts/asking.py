"""How an interrupt comes to be: what was sent is checked and drafted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from agents.callers import Caller
from events.canonical import fingerprint
from events.clock import database_now
from events.models import SYSTEM
from events.problems import Problem, invalid
from events.schema import SchemaError, admit, check_admitted
from events.transitions import perform
from interrupts import receipts
from interrupts.lifecycle import APPROVE, DECISIONS, REJECT, Decision
from interrupts.models import Interrupt, title_of
from reviews import rules
from reviews.asking import Asking, Draft, draft
from reviews.models import Kind
from reviews.policies import Call
from reviews.rules import Ruling

REQUESTED = "hitl.interrupt.requested"
DISABLED = "Human review is switched off on this server (HITL_ENABLED)."


def ask(
    by: Caller, body: dict[str, Any], *, key: str = "", assignee: User | None = None
) -> tuple[Interrupt, bool]:
    """Ask a person what *body* says; return the interrupt and whether it is new.

    The same agent asking with the same *key* gets the interrupt it made before, however long ago, and
    with it the decision. *assignee* is whom it is meant for; others may answer it too.

    Raises:
        Problem: 400 for a schema or arguments that do not hold, and what :class:`Asking` raises.
    """
    ruling = rules.rule(_call(by, body))
    drafted = _draft(by, body, ruling, key, fingerprint(body) if key else "")
    drafted.item.assignee = assignee
    return _asking.one(drafted)


def ask_all(
    by: Caller, bodies: list[dict[str, Any]], *, keys: list[str] | None = None, batch_id: str = ""
) -> list[tuple[Interrupt, bool]]:
    """Ask everything in *bodies*, or nothing; return each interrupt and whether it is new."""
    # A key stands for all that was asked with it: in other company it is another question.
    digest = fingerprint(bodies) if keys else ""
    drafts, rulings = [], rules.rule_all([_call(by, body) for body in bodies])
    for number, (body, ruling) in enumerate(zip(bodies, rulings, strict=True)):
        with _named(f"items.{number}"):
            drafts.append(_draft(by, body, ruling, keys[number] if keys else "", digest, batch_id))
    return _asking.all(drafts)


@contextmanager
def _named(at: str) -> Iterator[None]:
    """Name the fields of a problem by the place in the batch."""
    try:
        yield
    except Problem as problem:
        raise invalid({f"{at}.{field}": texts for field, texts in problem.extra["errors"].items()}) from None


def _call(by: Caller, body: dict[str, Any]) -> Call:
    kind, tool = body.get("type", Kind.APPROVAL), body.get("tool_name", "")
    return Call(kind, tool, body.get("tool_args", {}), by.agent, body.get("session_id", ""))


def _draft(
    by: Caller, body: dict[str, Any], ruling: Ruling, key: str, digest: str, batch_id: str = ""
) -> Draft[Interrupt]:
    kind = Kind(ruling.call.kind)
    arguments = body.get("tool_args", {})
    if (args_schema := body.get("args_schema")) is not None:
        _check_schema("args_schema", args_schema)
        check_admitted(args_schema, arguments, at="tool_args")
    if (response_schema := body.get("response_schema")) is not None:
        _check_schema("response_schema", response_schema)
    return draft(
        Interrupt,
        by,
        body,
        "int",
        ruling,
        kind=kind,
        title=title_of(body["reason"]),
        agent_name=body.get("agent_name") or by.agent,
        batch_id=body.get("batch_id") or batch_id,
        tool_name=body.get("tool_name", ""),
        idempotency_key=key,
        body_digest=digest if key else "",
        reason=body["reason"],
        data=body.get("data", {}),
        tool_args=arguments,
        call_id=body.get("call_id", ""),
        step_name=body.get("step_name", ""),
        args_schema=args_schema,
        response_schema=response_schema,
        allowed_decisions=body.get("allowed_decisions") or [decision.value for decision in DECISIONS[kind]],
    )


def _check_schema(field: str, schema: Any) -> None:
    try:
        admit(schema)
    except SchemaError as error:
        raise invalid({field: [f"This is not a JSON Schema (2020-12): {error}"]}) from None


def _settle(interrupt: Interrupt) -> None:
    """Answer at once what a policy denies, what was allowed in advance, or what nobody is to be asked."""
    if rules.is_denied(interrupt):
        rules.deny(REJECT, interrupt)
    elif Decision.APPROVE in interrupt.allowed_decisions and (granter := rules.granter_of(interrupt)):
        receipt = receipts.issue(
            interrupt, approvers=[granter], arguments=interrupt.tool_args, at=database_now()
        )
        _approve(interrupt, granter, {"receipt": receipt}, {"grant": interrupt.policy["grant"]["id"]})
    elif not settings.HITL_ENABLED and interrupt.kind in (Kind.APPROVAL, Kind.CONFIRMATION):
        _approve(interrupt, SYSTEM, {}, {"comment": DISABLED})


def _approve(interrupt: Interrupt, name: str, answer: dict[str, Any], told: dict[str, Any]) -> None:
    perform(
        APPROVE,
        interrupt,
        actor=SYSTEM,
        changes={"resolved_by": name},
        child_changes=answer,
        data={**interrupt.headline, **told, "resolved_by": name},
    )


_asking: Asking[Interrupt] = Asking(REQUESTED, after=_settle)
