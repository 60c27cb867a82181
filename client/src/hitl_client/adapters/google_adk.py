"""Google ADK: a plugin that puts each tool call before policies and people.

    app = App(name="refunds", root_agent=agent, plugins=[HumanReview(AsyncHITL())])

A tool that asks for confirmation (`require_confirmation`) is asked about; another one where a policy says so.
"""

from __future__ import annotations

from typing import Any, Unpack

from google.adk.plugins.base_plugin import BasePlugin
from google.adk.tools.base_tool import BaseTool
from google.adk.tools.tool_confirmation import ToolConfirmation
from google.genai import types

from hitl_client.awaitable import AsyncHITL
from hitl_client.calls import OPEN
from hitl_client.errors import ApprovalSpent, HITLError, InterruptSignal
from hitl_client.flows import log
from hitl_client.review import ReviewOptions, Ruling, ToolCall

CONFIRMATION = "adk_request_confirmation"
SPENT = "This call was approved once, and may have been made. It is not made again."
Call = tuple[str, str]


class HumanReview(BasePlugin):
    """Review of the tool calls of all agents of an app. Options are those of `HITL.review`.

    In mode "wait" a call holds until it is decided. In mode "raise" the invocation pauses with ADK's request
    for confirmation; once all is decided, in any process, send what `resume` returns as the new message. What
    counts is the decision on the server, never what a confirmation says. A call is known by its session and
    id.
    """

    def __init__(
        self, hitl: AsyncHITL, *, name: str = "human_review", **options: Unpack[ReviewOptions]
    ) -> None:
        super().__init__(name=name)
        self.hitl = hitl
        self.options: ReviewOptions = {
            "allowed_decisions": ["approve", "edit", "reject", "respond"],
            **options,
        }
        self._running: dict[Call, Ruling] = {}

    async def before_tool_callback(
        self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any
    ) -> dict[str, Any] | None:
        """Let a call run as it was approved, or answer in its place."""
        if type(tool) is BaseTool:  # stands for a tool that does not exist: ADK says so to the model
            return None
        try:
            ruling = await self._review(tool, tool_args, tool_context)
        except InterruptSignal as undecided:
            waits = {"interrupt_id": undecided.interrupt_id}
            tool_context.request_confirmation(hint=undecided.reason, payload=waits)
            tool_context.actions.skip_summarization = True  # the invocation ends here
            return {"status": "A person has been asked about this call.", **waits}
        if ruling.refusal is not None:
            return {"error": ruling.message}
        if not ruling.runs:
            return {"result": ruling.response}
        if ruling.interrupt_id is not None:
            try:
                await self.hitl.consume(ruling.interrupt_id, ruling.arguments, ruling.receipt)
            except ApprovalSpent:
                return {"error": SPENT}
            self._running[_call(tool_context)] = ruling
        tool_args.clear()
        tool_args.update(ruling.arguments)
        tool_context.tool_confirmation = ToolConfirmation(confirmed=True)  # or ADK would ask once more
        return None

    async def after_tool_callback(
        self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any, result: Any
    ) -> dict[str, Any] | None:
        """Report that a call was made, and tell the model where its arguments were changed."""
        ruling = await self._report(tool_context, failed=isinstance(result, dict) and "error" in result)
        if ruling is None or ruling.decision != "edit":
            return None
        return {**(result if isinstance(result, dict) else {"result": result}), "ran_with": ruling.arguments}

    async def on_tool_error_callback(
        self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any, error: Exception
    ) -> None:
        """Report that a call failed; the error goes its way."""
        await self._report(tool_context, failed=True)

    async def resume(self, session: Any) -> Any:
        """Return the message that goes on with a session whose calls people were asked about, None if none.

        Raises InterruptSignal while one is undecided: ADK takes up a paused invocation once.
        """
        asked: dict[str, Any] = {}
        for event in session.events:
            for call in event.get_function_calls():
                if call.name == CONFIRMATION and _interrupt(call):
                    asked[call.args["originalFunctionCall"]["id"]] = call
            for answer in event.get_function_responses():
                if event.author != "user" and answer.id not in event.actions.requested_tool_confirmations:
                    asked.pop(answer.id, None)
        items = [await self.hitl.get(_interrupt(call)) for call in asked.values()]
        if undecided := [item for item in items if item["status"] in OPEN]:
            raise InterruptSignal(*undecided)
        retry = {"confirmed": True}
        parts = [
            types.Part(
                function_response=types.FunctionResponse(id=call.id, name=CONFIRMATION, response=retry)
            )
            for call in asked.values()
        ]
        return types.Content(role="user", parts=parts) if parts else None

    async def _review(self, tool: Any, tool_args: dict[str, Any], context: Any) -> Ruling:
        confirms = await tool.check_require_confirmation(tool_args, context)
        options: ReviewOptions = {
            "unlisted": "allow" if confirms is False else "ask",
            "session_id": context.session.id,
            **self.options,
        }
        declared = tool._get_declaration()
        schema = declared and declared.parameters_json_schema
        call = ToolCall(tool.name, dict(tool_args), context.function_call_id, schema=schema)
        [ruling] = await self.hitl.review([call], **options)
        return ruling

    async def _report(self, tool_context: Any, *, failed: bool) -> Ruling | None:
        ruling = self._running.pop(_call(tool_context), None)
        if ruling is not None and ruling.interrupt_id is not None:
            try:
                await self.hitl.report(ruling.interrupt_id, "failed" if failed else "succeeded")
            except HITLError as trouble:  # what the call did is worth more
                log.warning("%s could not be reported (%s)", ruling.interrupt_id, trouble)
        return ruling


def _call(tool_context: Any) -> Call:
    return tool_context.session.id, tool_context.function_call_id


def _interrupt(confirmation: Any) -> Any:
    """Return which interrupt a request for confirmation is about; None for one that is not ours."""
    payload = confirmation.args["toolConfirmation"].get("payload")
    return payload.get("interrupt_id") if isinstance(payload, dict) else None
