"""What a run does at each step. A step looks and calls; it writes nothing but its intent to call.

Each returns what came of it, and :mod:`runs.advance` makes that true in one transaction. A step can
therefore be taken again at any time by whoever takes up after a crash.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.db.models.functions import Now

from events.canonical import sha256
from reviews import rules
from reviews.models import Kind, PolicyDecision
from reviews.policies import Call as ToolCall
from reviews.rules import Ruling
from runs import files, leases, providers, registry, webhooks
from runs.config import Gates, Seen
from runs.lifecycle import Step
from runs.models import CheckpointKind, Run
from runs.providers.provider import Call, Finished, Pending, Provider, ProviderError
from runs.requirements import Check, Issue, Requirements, Severity
from runs.results import as_file, storable
from runs.validation import Validation, validate

REFUSED, UNREACHABLE = OF_THE_PROVIDER = "provider_error", "provider_unreachable"
"""The failures whose words are the provider's."""
UNAVAILABLE, SERVER_FAULT = "provider_unavailable", "server_fault"
UNHEARD = frozenset({UNREACHABLE, UNAVAILABLE, SERVER_FAULT})
"""After these a resumed run goes on with the very same call: it keeps its key, and its handle if any."""
TRIES = 8
LONGEST_PAUSE = 300.0
FULL_PAUSE = 1.0
OF_THE_CALL = (
    CheckpointKind.PAYLOAD_SUGGESTION, CheckpointKind.VALIDATION_REVIEW, CheckpointKind.EXECUTION_APPROVAL
)  # fmt: skip
"""Who approves one of these has approved the call itself."""
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Passed:
    """The step is over: *changes* are columns of the run, *data* is told with its event."""

    message: str
    changes: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """A person has to be asked, for *reasons*, about *arguments*; *tool* is empty where nothing is called."""

    kind: CheckpointKind
    text: str
    reasons: list[str]
    arguments: dict[str, Any]
    tool: str = ""
    schema: dict[str, Any] | None = None
    may_approve: bool = True
    context: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Later:
    """There is nothing to do for some *seconds*."""

    seconds: float
    changes: dict[str, Any] = field(default_factory=dict)


class Failed(Exception):
    """The run cannot go on: a *code* for programs, a message and a *suggestion* for people."""

    def __init__(self, code: str, message: str, suggestion: str) -> None:
        super().__init__(message)
        self.code, self.suggestion = code, suggestion


class Lost(Exception):
    """Somebody else has the run now."""


Outcome = Passed | Question | Later


def take(run: Run) -> Outcome:
    """Take *run* through the step it is at.

    Raises:
        Failed: the run cannot go on.
        Lost: the lease is no longer this worker's.
    """
    return _STEPS[Step(run.step)](run)


def arguments_of(run: Run) -> dict[str, Any]:
    """Return what a person judges and a policy looks at: the payload with its model."""
    return {**({"model": run.model} if run.model else {}), **run.payload}


def digest_of(kind: str, tool: str, arguments: dict[str, Any]) -> str:
    """Name exactly what is approved."""
    return sha256({"of": "call" if kind in OF_THE_CALL else kind, "tool": tool, "arguments": arguments})


def _is_approved(run: Run, kind: CheckpointKind, arguments: dict[str, Any]) -> bool:
    return bool(run.approval.get("digest") == digest_of(kind, run.tool, arguments))


def _created(run: Run) -> Outcome:
    return Passed("The run was taken up.")


def _information_review(run: Run) -> Outcome:
    """Gather what the model needs; pass only when nothing is missing."""
    provider = _provider(run)
    needs = needs_of(run, provider)
    seen = _checked(run, provider, needs)
    return _reviewed(run, needs, seen, CheckpointKind.INFORMATION_REVIEW, [])


def _payload_review(run: Run) -> Outcome:
    """Hold the payload against everything once more, and have it approved where that is wanted."""
    provider = _provider(run)
    needs = needs_of(run, provider)
    seen = _checked(run, provider, needs)
    kind = CheckpointKind.VALIDATION_REVIEW if seen.issues else CheckpointKind.PAYLOAD_SUGGESTION
    run.payload = seen.payload
    more = _of_policy(_ruling(run))
    if run.error.get("code") == "unknown_outcome":
        more.append("The last call may have been carried out, although no answer came.")
    return _reviewed(run, needs, seen, kind, more)


def _api_call(run: Run) -> Outcome:
    """Call the provider with exactly what was approved, or look how the call under way gets on."""
    provider = _provider(run)
    if run.submitted_at and not (run.handle or provider.repeats_safely):
        raise _uncertain(run)  # before anything else can fail, and be what is remembered
    if not (run.handle or run.submitted_at) and (question := _last_look(run, provider)):
        return question
    if why := provider.unavailable():
        raise Failed(UNAVAILABLE, why, "Resume the run once that is done.")
    if not run.handle and leases.calls_beside(run) >= settings.HITL_RUN_CALLS_PER_AGENT:
        return Later(FULL_PAUSE)  # one agent's slow calls must leave workers to others
    try:
        progress = _progress(run, provider)
    except ProviderError as error:
        return _after(error, run)
    if isinstance(progress, Pending):
        told = {"handle": progress.handle[:255], "tries": 0}
        return Later(min(max(progress.look_in, 0.1), LONGEST_PAUSE), told)
    finished = provider.audit(progress)
    kept = storable(finished.output)
    whole = [as_file(finished.output)] if "too_large" in kept else []
    response = {
        **kept,
        "files": files.keep_results(run, [*finished.files, *whole]),
        "flags": sorted({flag[:64] for flag in finished.flags})[:20],
        "confidence": finished.confidence,
    }
    changes = {"response": response, "handle": "", "submitted_at": None, "error": {}}
    return Passed(f"{run} answered.", changes, {"flags": response["flags"]})


def _last_look(run: Run, provider: Provider) -> Question | None:
    """Return what has still to be asked before the call goes out; None where nothing has."""
    kind, ruling = CheckpointKind.EXECUTION_APPROVAL, _ruling(run)
    if ruling.decision == PolicyDecision.DENY:  # by now: what is denied is rejected, whoever approved it
        return Question(kind, f"Call {run}?", _of_policy(ruling), arguments_of(run), run.tool)
    needs = needs_of(run, provider)
    found = _reviewed(run, needs, _checked(run, provider, needs, fix=False), kind, _of_policy(ruling))
    return found if isinstance(found, Question) else None


def _response_review(run: Run) -> Outcome:
    """Have what came back approved where that is wanted."""
    arguments = {"output": run.response.get("output")}
    kind = CheckpointKind.RESPONSE_REVIEW
    if _is_approved(run, kind, arguments):
        return Passed("A person approved the response.")
    quality = run.response.get("confidence")
    seen = Seen(quality=quality, confidence=1.0 if quality is None else quality, flags=_flags(run))
    if reasons := _gates(run).reasons(Step.RESPONSE_REVIEW, seen):
        context = {"files": run.response.get("files", []), "flags": list(seen.flags), "confidence": quality}
        return Question(kind, f"Use what {run} answered?", reasons, arguments, context=context)
    return Passed("Nobody needs to look at the response.")


_STEPS: dict[Step, Callable[[Run], Outcome]] = {
    Step.CREATED: _created,
    Step.INFORMATION_REVIEW: _information_review,
    Step.PAYLOAD_REVIEW: _payload_review,
    Step.API_CALL: _api_call,
    Step.RESPONSE_REVIEW: _response_review,
}


def _provider(run: Run) -> Provider:
    provider = providers.provider_of(run.tool)
    if provider is None:
        raise Failed("unknown_tool", f"There is no tool {run.tool} any more.", "Start another run.")
    return provider


def needs_of(run: Run, provider: Provider) -> Requirements:
    """Return what the call of *run*, as it stands, needs."""
    told = {**run.run_input["example_input"], **(run.run_input.get("inputs") or {})}
    inputs = run.payload if run.validation else told
    return registry.requirements_of(provider, provider.called(run.model, inputs))


def _gates(run: Run) -> Gates:
    asking = run.gated and settings.HITL_ENABLED
    return Gates(run.hitl_config if asking else {"policy": "auto", "allowed_steps": []})


def _checked(run: Run, provider: Provider, needs: Requirements, *, fix: bool = True) -> Validation:
    """Validate the payload. What a person has answered is never put right behind their back."""
    if run.validation:  # it was looked at before: one that a person emptied stays empty
        payload = run.payload
    else:
        payload = files.with_document(run.run_input, provider.suggest(run.run_input, needs), needs)
    payload = {name: value for name, value in payload.items() if name != "model"}
    return validate(
        needs,
        payload,
        model=run.model,
        files=files.of_session(run),
        found=[*provider.validate(run.model, payload), *_availability(provider)],
        fix=fix and not run.approval,
    )


def _availability(provider: Provider) -> list[Issue]:
    """Warn of what only who runs the server can put right: until the call there is time for it."""
    why = provider.unavailable()
    return [Issue(Check.MODEL_SELECTION, "tool", why, Severity.WARNING)] if why else []


def _reviewed(
    run: Run, needs: Requirements, seen: Validation, kind: CheckpointKind, more: list[str]
) -> Outcome:
    """Pass a review, or ask: about what is wrong, for what the configuration wants, and for *more*."""
    gates, step = _gates(run), Step(run.step)
    summary = _summary(run, seen)
    changes = {"payload": seen.payload, "validation": summary}
    run.payload = seen.payload
    arguments = arguments_of(run)
    if seen.is_blocked:
        told = " ".join(summary["instructions"][:5]) or "Correct the inputs."
        if not gates.allow(step):
            raise Failed("invalid_input", f"{run} cannot be called with this input.", told)
        count = summary["blocking_issues"]
        things = "one thing has" if count == 1 else f"{count} things have"
        text = f"Before {run} can be called, {things} to be put right. {told}"
        more = [f"{run} cannot be called as it stands.", *more]
    elif _is_approved(run, kind, arguments):
        return Passed("A person approved it.", changes)
    else:
        text = f"Send this to {run}?" if kind in OF_THE_CALL else f"Are these the right inputs for {run}?"
    held = Seen(confidence=summary["confidence"], changes=len(summary["fixes"]), flags=_flags(run))
    if reasons := [*more, *gates.reasons(step, held)]:
        tool = run.tool if kind in OF_THE_CALL else ""
        return Question(
            kind, text, reasons, arguments, tool, registry.schema_of(needs, seen.payload),
            may_approve=_needs_only_files(needs, seen), context={"validation": summary}, changes=changes,
        )  # fmt: skip
    fixed = sorted({fix["field"] for fix in summary["fixes"]})  # names alone: an event has no value
    return Passed(_told(summary), changes, {"fixed": fixed})


def _needs_only_files(needs: Requirements, seen: Validation) -> bool:
    """Say whether a person who approves can have put everything right: files come beside the arguments."""
    given_as_files = {given.name for given in needs.inputs if given.is_file}
    return all(issue.field in given_as_files for issue in seen.issues if issue.severity == Severity.ERROR)


def _summary(run: Run, seen: Validation) -> dict[str, Any]:
    """Return what validation says, with what was put right at an earlier step."""
    summary = seen.summary()
    earlier = run.validation
    summary["fixes"] = [*earlier.get("fixes", []), *summary["fixes"]]
    if not run.approval:
        summary["confidence"] = min(summary["confidence"], earlier.get("confidence", 1.0) or 1.0)
    return summary


def _told(summary: dict[str, Any]) -> str:
    fixed = len(summary["fixes"])
    return f"Nothing is missing; inputs put right: {fixed}." if fixed else "Nothing is missing."


def _ruling(run: Run) -> Ruling:
    """Return what the policies of the house say of the call as it stands."""
    return rules.rule(ToolCall(Kind.APPROVAL, run.tool, arguments_of(run), run.agent_id, run.session_id))


def _of_policy(ruling: Ruling) -> list[str]:
    """Return why a policy has people asked. What it denies is asked, too, and that is rejected at once."""
    if ruling.decision == PolicyDecision.ALLOW:
        return []
    does = "forbids it" if ruling.decision == PolicyDecision.DENY else "has people asked about it"
    return [f"The policy “{ruling.verdict.terms['name']}” {does}."]


def _flags(run: Run) -> tuple[str, ...]:
    return tuple(run.response.get("flags", ()))


def _progress(run: Run, provider: Provider) -> Pending | Finished:
    """Begin the call, or look at the one under way.

    Raises:
        ProviderError: it failed; whatever else a provider raises is one, too.
    """
    call = Call(
        model=run.model,
        payload=run.payload,
        key=f"{run.pk}:{run.attempt}:{sha256(arguments_of(run))[:16]}",
        files={} if run.handle else files.of_payload(run),
        webhook=webhooks.url_for(run),
    )
    if not (run.handle or leases.note(run, submitted_at=Now())):
        raise Lost
    try:
        return provider.look(call, run.handle) if run.handle else provider.submit(call)
    except ProviderError:
        raise
    except Exception as error:  # a fault of a provider's own code must not take the run round for ever
        logger.exception("provider_failed", run_id=run.pk, tool=run.tool)
        told = f"The provider {run.tool} failed: {type(error).__name__}."
        raise ProviderError(told, uncertain=not provider.repeats_safely) from error


def _after(error: ProviderError, run: Run) -> Later:
    """Try again where that may help.

    Raises:
        Failed: it does not, or nobody knows whether it was carried out.
    """
    if error.uncertain and not run.handle:
        raise _uncertain(run)
    if error.retry_in is not None and run.tries < TRIES:
        pause = min(max(error.retry_in, 2.0**run.tries / 2), LONGEST_PAUSE)
        # An answer that says "not now" says, too, that nothing was carried out.
        return Later(pause, {"tries": run.tries + 1, "submitted_at": None})
    suggestion = error.suggestion or "Look at the payload, then resume the run: it is reviewed again."
    code = REFUSED if error.retry_in is None else UNREACHABLE
    raise Failed(code, str(error)[:2_000], suggestion[:2_000])


def _uncertain(run: Run) -> Failed:
    return Failed(
        "unknown_outcome",
        f"{run} was called, and the answer was lost.",
        "Look there whether it was carried out. Resumed, the run asks before it calls again.",
    )
