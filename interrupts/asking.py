"""How an interrupt comes to be: what was sent is checked and drafted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from agents.callers import Caller
from events.canonical import fingerprint
from events.models import SYSTEM
from events.problems import Problem, invalid
from events.schema import SchemaError, admit, check_admitted
from events.transitions import perform
from interrupts.lifecycle import APPROVE, DECISIONS
from interrupts.models import Interrupt, title_of
from reviews.asking import Asking, Draft, draft
from reviews.models import Kind

REQUESTED = "hitl.interrupt.requested"
DISABLED = "Human review is switched off on this server (HITL_ENABLED)."


def ask(by: Caller, body: dict[str, Any], *, key: str = "") -> tuple[Interrupt, bool]:
    """Ask a person what *body* says; return the interrupt and whether it is new.

    The same agent asking with the same *key* gets the interrupt it made before, however long ago, and
    with it the decision.

    Raises:
        Problem: 400 for a schema or arguments that do not hold, and what :class:`Asking` raises.
    """
    return _asking.one(_draft(by, body, key, fingerprint(body) if key else ""))


def ask_all(
    by: Caller, bodies: list[dict[str, Any]], *, keys: list[str] | None = None, batch_id: str = ""
) -> list[tuple[Interrupt, bool]]:
    """Ask everything in *bodies*, or nothing; return each interrupt and whether it is new."""
    # A key stands for all that was asked with it: in other company it is another question.
    digest = fingerprint(bodies) if keys else ""
    drafts = []
    for number, (body, key) in enumerate(zip(bodies, keys or [""] * len(bodies), strict=True)):
        with _named(f"items.{number}"):
            drafts.append(_draft(by, body, key, digest, batch_id))
    return _asking.all(drafts)


@contextmanager
def _named(at: str) -> Iterator[None]:
    """Name the fields of a problem by the place in the batch."""
    try:
        yield
    except Problem as problem:
        raise invalid({f"{at}.{field}": texts for field, texts in problem.extra["errors"].items()}) from None


def _draft(by: Caller, body: dict[str, Any], key: str, digest: str, batch_id: str = "") -> Draft[Interrupt]:
    kind = Kind(body.get("type", Kind.APPROVAL))
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


def _wave_through(interrupt: Interrupt) -> None:
    """Approve what is asked while nobody is asked."""
    if settings.HITL_ENABLED or interrupt.kind not in (Kind.APPROVAL, Kind.CONFIRMATION):
        return
    perform(
        APPROVE,
        interrupt,
        actor=SYSTEM,
        changes={"resolved_by": SYSTEM},
        data={**interrupt.headline, "comment": DISABLED, "resolved_by": SYSTEM},
    )


_asking: Asking[Interrupt] = Asking(REQUESTED, after=_wave_through)
