"""Where a run stops for a person: the question becomes an interrupt, and its answer comes back from there.

The interrupt is decided like any other, with its policy, its reviewers and votes; the run reads what came of
it. Nobody has to tell the run: a lost message means that it looks a little later.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.db.models.functions import Now

from agents.callers import Caller
from events.canonical import canonical
from events.clock import iso
from events.models import SYSTEM, Event
from events.problems import Problem
from events.schema import check_admitted
from events.transitions import TransitionConflict
from interrupts import asking
from interrupts import services as interrupts
from interrupts.lifecycle import APPROVE, CANCEL, EXPIRE, REJECT, RESPOND, Decision
from interrupts.models import Interrupt, one_line
from reviews.lifecycle import NOBODY_ANSWERED, OPEN, Status
from reviews.models import DECIDE
from reviews.selectors import with_effective_status
from runs import files, providers, registry
from runs.asked import MODEL_LIMIT
from runs.config import Gates
from runs.models import Checkpoint, CheckpointKind, Run
from runs.steps import OF_THE_CALL, Question, digest_of

REASON_LIMIT = 1_000
GONE = "gone"
_ENDS = {end.event for end in (APPROVE, RESPOND, REJECT, CANCEL, EXPIRE)}
_MODEL = {"type": "string", "maxLength": MODEL_LIMIT, "title": "Model"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what people said: ``status`` of the interrupt, by whom, why; ``columns`` of the run it changes.

    Its status is ``GONE`` where nobody can read any more what they said.
    """

    status: str
    actor: str
    reason: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)


UNREAD = Answer(Status.CANCELLED, SYSTEM, told={"action": "cancel", "reason": "It could not be read."})


def caller_of(run: Run) -> Caller:
    """Return the agent whose run it is, as the caller that asks."""
    return Caller(f"agent:{run.agent_id}", str(run.agent_id), agent=str(run.agent_id))


def ask(run: Run, question: Question) -> Checkpoint:
    """Ask a person *question*, in the transaction under way; return the checkpoint."""
    gates = Gates(run.hitl_config)
    decisions = [Decision.EDIT, Decision.REJECT]
    body = {
        "type": "approval",
        "reason": one_line(question.text, REASON_LIMIT),
        "tool_name": question.tool,
        "tool_args": question.arguments,
        "args_schema": _form_of(question),
        "allowed_decisions": [Decision.APPROVE, *decisions] if question.may_approve else decisions,
        "data": {
            "checkpoint": question.kind,
            "why": question.reasons,
            "tool": run.tool,
            "model": run.model,
            **question.context,
        },
        "session_id": run.session_id,
        "run_id": run.pk,
        "step_name": run.step,
        "on_timeout": gates.on_timeout,
        "metadata": {"user_id": run.user_id},
        **({"expires_in": gates.expires_in} if gates.expires_in else {}),
    }
    interrupt, _ = asking.ask(caller_of(run), body, assignee=person(run.user_id))
    files.show_with(interrupt.pk, [file["id"] for file in question.context.get("files", [])])
    return Checkpoint.objects.create(
        run=run,
        interrupt=interrupt,
        approval_id=interrupt.pk,
        kind=question.kind,
        step=run.step,
        context=body["data"],
    )


def open_of(run: Run) -> Checkpoint | None:
    """Return the question that *run* waits for, if there is one."""
    return (
        run.checkpoints.filter(settled_at__isnull=True)
        .exclude(kind=CheckpointKind.BROWSER_ACTION)
        .select_related("interrupt")
        .first()
    )


def answer_of(run: Run, checkpoint: Checkpoint) -> Answer | None:
    """Return what came of the question; None while a person can still answer it."""
    rows = with_effective_status(Interrupt.objects.filter(pk=checkpoint.approval_id))
    interrupt = rows.first()
    # What its agent revised is not what the run asked.
    if interrupt is None or (interrupt.effective_status == Status.APPROVED and interrupt.revision > 1):
        return Answer(GONE, SYSTEM, told={"approval_id": checkpoint.approval_id, "action": GONE, "by": ""})
    status = interrupt.effective_status
    if status in OPEN:
        return None
    by, reason = interrupt.resolved_by, interrupt.rejection_reason
    if status == Status.APPROVED:
        return _approval(run, checkpoint, interrupt)
    if not reason and by in ("", SYSTEM):
        reason = NOBODY_ANSWERED
    actor, _ = _end_of(interrupt)
    return Answer(status, actor, reason, {"action": "reject", "by": by, "reason": reason})


def settle(checkpoint: Checkpoint, answer: Answer) -> bool:
    """Note that the question is answered; say whether this was the first to do so."""
    still = Checkpoint.objects.filter(pk=checkpoint.pk, settled_at__isnull=True)
    return bool(still.update(settled_at=Now(), answer=answer.told))


def spend(run: Run, checkpoint: Checkpoint) -> bool:
    """Spend the approval of a call, so that nobody makes it besides; say whether it still held."""
    interrupt = checkpoint.interrupt
    if interrupt is None or checkpoint.kind not in OF_THE_CALL or interrupt.resolved_by == SYSTEM:
        return True
    try:
        interrupts.consume(interrupt, by=caller_of(run), tool_args=interrupt.final_arguments)
    except (TransitionConflict, Problem):
        return False
    return True


def withdraw(run: Run, *, actor: str, reason: str) -> None:
    """Take back what *run* still asks, in the name of *actor*, in the transaction under way."""
    by = Caller(actor, actor.partition(":")[2] or actor, agent=str(run.agent_id))
    for checkpoint in run.checkpoints.filter(settled_at__isnull=True).select_related("interrupt"):
        settle(checkpoint, Answer(Status.CANCELLED, SYSTEM, reason, {"action": "cancel", "reason": reason}))
        if checkpoint.interrupt is not None and checkpoint.interrupt.status in OPEN:
            try:
                interrupts.cancel(checkpoint.interrupt, by=by, reason=reason)
            except TransitionConflict:  # answered at this very moment: the answer stands for itself
                continue


def _approval(run: Run, checkpoint: Checkpoint, interrupt: Interrupt) -> Answer:
    """Read an approval: the run goes on with exactly what was approved, and the files beside it."""
    before, final = interrupt.tool_args, interrupt.final_arguments
    kind = CheckpointKind(checkpoint.kind)
    if kind == CheckpointKind.RESPONSE_REVIEW:
        final = {"output": final.get("output")}  # what else stands in the response is not a person's to say
        columns: dict[str, Any] = {"response": {**run.response, **final}}
    else:
        provider = providers.provider_of(run.tool)
        model = str(final.get("model") or "")
        payload = {name: value for name, value in final.items() if name != "model"}
        # Only of who approved it: what others put there meanwhile was approved by nobody.
        approvers = {interrupt.resolved_by, *(vote["by"] for vote in interrupt.votes)}
        uploads = files.put_to(interrupt.pk, approvers)
        if provider is not None and uploads:
            needs = registry.requirements_of(provider, provider.called(model, payload))
            payload = files.with_uploads(payload, uploads, needs)
        columns = {"model": model, "payload": payload}
        final = {**({"model": model} if model else {}), **payload}
    actor, comment = _end_of(interrupt)
    edits = changes(before, final)
    told = {
        "approval_id": interrupt.pk,
        "kind": kind,
        "step": checkpoint.step,
        "action": "edit" if edits else "approve",
        "by": interrupt.resolved_by,
        "at": iso(interrupt.resolved_at),
        "reason": comment,
        "edits": edits,
    }
    columns["approval"] = {**told, "digest": digest_of(kind, run.tool, final)}
    return Answer(Status.APPROVED, actor, "", told, columns)


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return ``{name: {before, after}}`` of what differs, by canonical value; a missing one is null."""
    names = [*before, *(name for name in after if name not in before)]
    return {
        name: {"before": before.get(name), "after": after.get(name)}
        for name in names
        if (name in before) != (name in after) or canonical(before[name]) != canonical(after[name])
    }


def _end_of(interrupt: Interrupt) -> tuple[str, str]:
    """Return who ended it and the comment with that, by the record: only there a person, a policy and an
    agent of one name are told apart."""
    ends = Event.objects.filter(subject_id=interrupt.pk, type__in=_ENDS).order_by("-position")
    actor, data = ends.values_list("actor", "data").first() or (SYSTEM, "{}")
    return actor, str(orjson.loads(data).get("comment") or "")


def _form_of(question: Question) -> dict[str, Any] | None:
    """Return the schema by which a person edits what they are asked about; an output has none."""
    if question.kind == CheckpointKind.RESPONSE_REVIEW:
        return None
    schema = question.schema or {"type": "object", "properties": {}}
    known = {**schema, "properties": {**schema["properties"], "model": _MODEL}}
    return _admitting(known, question.arguments)


def _admitting(schema: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any] | None:
    """Return *schema* without what *arguments* break: a form is to be drawn from it, not to refuse them."""
    kept = {**schema, "required": [], "additionalProperties": True}
    while kept["properties"]:
        try:
            check_admitted(kept, arguments, at="")
        except Problem as problem:
            broken = {field.partition(".")[0] for field in problem.extra["errors"]}
            left = {name: rule for name, rule in kept["properties"].items() if name not in broken}
            kept["properties"] = left if len(left) < len(kept["properties"]) else {}
        else:
            return kept
    return None


def person(user_id: str) -> User | None:
    """Return the operator that the run is meant for, if ``user_id`` names one who may decide."""
    found = User.objects.filter(username=user_id, is_active=True).first() if user_id else None
    return found if found is not None and found.has_perm(DECIDE) else None
