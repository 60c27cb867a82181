"""Pydantic AI: a capability by which people approve, edit, refuse or answer an agent's tool calls.

    agent = Agent(model, tools=[…], capabilities=[HumanReview(AsyncHITL())])

The run waits for the answers. In mode "raise" it ends with DeferredToolRequests where some are missing: keep
them and the messages, and have `HumanReview.answer` make the DeferredToolResults later, in any process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

from pydantic_ai import ApprovalRequired, DeferredToolResults, ToolApproved, ToolDenied
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import ToolReturn

from hitl_client.asking import Options
from hitl_client.awaitable import AsyncHITL
from hitl_client.errors import ApprovalSpent, InterruptSignal, NotApproved, WaitTimeout
from hitl_client.review import ReviewOptions, Ruling, ToolCall, told
from hitl_client.runs import current_run

RULING = "hitl_ruling"  # where a call's metadata holds what was decided about it


class HumanReview(AbstractCapability[Any]):
    """Put tool calls before the server's policies, and before people where they say so.

    A call runs as it was approved, and once; else the model is told why not, or what a person answered. It
    takes the options of `AsyncHITL.review`, `report` and `idempotent` as `AsyncHITL.carry_out`. A tool of
    which no policy speaks runs unless it has `requires_approval`; with `unlisted="ask"` each is asked about.
    What others approve counts for nothing here. The session is the conversation's id by default.
    """

    def __init__(
        self,
        hitl: AsyncHITL,
        *,
        report: bool | Literal["result"] = True,
        idempotent: bool = False,
        **options: Unpack[ReviewOptions],
    ) -> None:
        if not isinstance(hitl, AsyncHITL):
            raise TypeError("agents run asynchronously: pass an AsyncHITL")
        self.hitl = hitl
        self.report: bool | Literal["result"] = report
        self.idempotent = idempotent
        self.options: ReviewOptions = {
            "allowed_decisions": ["approve", "edit", "reject", "respond"],
            **options,
        }

    @classmethod
    def get_serialization_name(cls) -> str | None:
        """Say that it cannot be made from a file: it holds a client."""
        return None

    async def answer(self, requests: Any, messages: Sequence[Any]) -> Any:
        """Return what was decided about the calls a run ended with; None while any is undecided.

        Waits for it in mode "wait". Results of external calls are left out: they are yours to add.
        """
        conversation = next((found for said in reversed(messages) if (found := said.conversation_id)), None)
        results = await self._answers(requests, conversation, {})
        left = requests.remaining(results)
        if left and (left.approvals or questions(left)):
            return None
        return results

    async def wrap_tool_execute(self, ctx: Any, *, call: Any, tool_def: Any, args: Any, handler: Any) -> Any:
        """Run a call that was decided about, or that needs no person; have the run defer any other."""
        ruling = (ctx.tool_call_metadata or {}).get(RULING)
        asked = read_call(call, {tool_def.name: tool_def.parameters_json_schema})
        if not isinstance(ruling, Ruling) or (ruling.call.id, ruling.arguments) != (
            asked.id,
            asked.arguments,
        ):
            ruling = await self._decided(asked, self._options(ctx.conversation_id, ctx.tool_call_approved))
            if ruling is None or ruling.interrupt_id or not ruling.runs:
                raise ApprovalRequired
        try:
            result = await self.hitl.carry_out(
                ruling, lambda: handler(args), report=self.report, idempotent=self.idempotent
            )
        except ApprovalSpent as spent:
            raise ToolFailed(f"The call was not made again: {spent.detail}") from spent
        if ruling.decision != "edit" or isinstance(result, ToolReturn):
            return result
        approved = json.dumps(ruling.arguments)
        return ToolReturn(result, content=f"A person changed the arguments of {call.tool_name} to {approved}")

    async def handle_deferred_tool_calls(self, ctx: Any, *, requests: Any) -> Any:
        """Answer the calls that need approval, and the questions; in mode "raise" those decided."""
        schemas = {tool.name: tool.parameters_json_schema for tool in ctx.tool_manager.tool_defs}
        return await self._answers(requests, ctx.conversation_id, schemas)

    async def _answers(self, requests: Any, conversation: str | None, schemas: Mapping[str, Any]) -> Any:
        options = self._options(conversation, True)
        results = DeferredToolResults()
        for call in questions(requests):  # all are asked before one is waited for
            await self._put(call, {**options, "mode": "raise", "wait_timeout": None}, results)
        asked = [read_call(call, schemas) for call in requests.approvals]
        try:
            rulings: Sequence[Ruling | None] = await self.hitl.review(asked, **options)
        except (InterruptSignal, WaitTimeout):
            rulings = [await self._decided(call, options) for call in asked]
        for call, ruling in zip(requests.approvals, rulings, strict=True):
            if ruling is None:
                continue
            if ruling.refusal is not None:
                results.approvals[call.tool_call_id] = ToolDenied(ruling.message)
                continue
            edited = ruling.arguments if ruling.decision == "edit" else None
            results.approvals[call.tool_call_id] = ToolApproved(override_args=edited)
            results.metadata[call.tool_call_id] = {RULING: ruling}
        for call in questions(requests):
            await self._put(call, options, results)
        return results

    async def _put(self, call: Any, options: Any, results: Any) -> None:
        """Put a question that a tool asks to a person, and the answer among the results if it is there."""
        common = {name: value for name, value in options.items() if name in Options.__annotations__}
        common |= {"call_id": call.tool_call_id, "allowed_decisions": None}
        reason = options.get("reason") or f"Tool '{call.tool_name}' asks"
        try:
            said = await self.hitl.require_input(reason, data=read_call(call, {}).arguments, **common)
        except NotApproved as refusal:
            results.calls[call.tool_call_id] = ToolFailed(told(refusal))
        except (InterruptSignal, WaitTimeout):
            return
        else:
            results.calls[call.tool_call_id] = ToolReturn(said)

    async def _decided(self, call: ToolCall, options: ReviewOptions) -> Ruling | None:
        """Return what may become of a call; None, once it is asked, while nobody has decided."""
        now: ReviewOptions = {**options, "mode": "raise", "wait_timeout": None}
        try:
            [ruling] = await self.hitl.review([call], **now)
        except InterruptSignal:
            return None
        return ruling

    def _options(self, conversation: str | None, ask: bool) -> ReviewOptions:
        options: ReviewOptions = {"unlisted": "allow", **self.options}
        if ask:
            options["unlisted"] = "ask"
        if not (options.get("session_id") or options.get("run_id") or current_run.get()):
            options["session_id"] = conversation
        return options


def read_call(call: Any, schemas: Mapping[str, Any]) -> ToolCall:
    """Read a call as the model made it."""
    schema = schemas.get(call.tool_name) or {"type": "object"}
    return ToolCall(
        call.tool_name, call.args_as_dict(raise_if_invalid=True), call.tool_call_id, schema=schema
    )


def questions(requests: Any) -> list[Any]:
    """Return the calls whose result is what somebody says."""
    return [call for call in requests.calls if requests.kind(call.tool_call_id) == "question"]
