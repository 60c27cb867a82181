"""Microsoft Agent Framework: a middleware that puts each tool call before policies and people.

    agent = Agent(client=client, tools=tools, middleware=[HumanReview(AsyncHITL())])

A tool with `approval_mode="always_require"` is asked about; another one where a policy says so.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Unpack

from agent_framework import Content, FunctionInvocationContext, FunctionMiddleware, Message
from pydantic_core import to_jsonable_python

from hitl_client.awaitable import AsyncHITL
from hitl_client.errors import ApprovalSpent, InterruptSignal
from hitl_client.review import ReviewOptions, Ruling, ToolCall

REQUEST = "function_approval_request"
SPENT = "This call was approved once, and may have been made. It is not made again."


class HumanReview(FunctionMiddleware):
    """Review of the tool calls of an agent, the last of its middleware. Options are those of `HITL.review`.

    In mode "wait" a call holds until it is decided. In mode "raise" the run ends with approval requests.
    Requests, the framework's own too, become the next message by `answers`. A call is known by its session
    and id.
    """

    def __init__(self, hitl: AsyncHITL, **options: Unpack[ReviewOptions]) -> None:
        self.hitl = hitl
        self.options: ReviewOptions = {
            "allowed_decisions": ["approve", "edit", "reject", "respond"],
            **options,
        }

    async def process(
        self, context: FunctionInvocationContext, call_next: Callable[[], Awaitable[None]]
    ) -> None:
        """Make a call as it was approved, or put something in the place of its result."""
        approval = context.metadata.get("approval_response")
        asked = approval.function_call.parse_arguments() if approval else context.arguments
        function = context.function
        call = _tool_call(function.name, asked, context.metadata["call_id"], function)
        marked = function.approval_mode == "always_require"
        try:
            [ruling] = await self._review([call], context.session, "ask" if marked else "allow")
        except InterruptSignal:
            context.result = _request(call, context.metadata.get("function_call_occurrence_id"))
            return
        if not ruling.runs:
            context.result = ruling.message
            return
        try:
            context.result = await self.hitl.carry_out(ruling, lambda: _make(ruling, context, call_next))
        except ApprovalSpent:
            context.result = SPENT

    async def answers(self, agent: Any, requests: Sequence[Any], session: Any) -> Any:
        """Have all approval requests of a run decided, and return the message that goes on with it.

        In mode "raise" InterruptSignal is raised while one is undecided. The message lets the agent try the
        calls; what may run, this middleware then says, so that refusals and answers reach the model too.
        Raises ValueError for an agent without it.
        """
        if self not in (agent.middleware or ()):
            raise ValueError("the agent would run the calls unreviewed: give it this middleware")
        approvals = [request for request in requests if request.type == REQUEST]
        tools = {getattr(tool, "name", None): tool for tool in agent.default_options.get("tools") or ()}
        calls = [
            _tool_call(call.name, call.parse_arguments(), call.call_id, tools.get(call.name))
            for call in (request.function_call for request in approvals)
        ]
        await self._review(calls, session, "ask")
        return Message("user", [request.to_function_approval_response(True) for request in approvals])

    async def _review(
        self, calls: Sequence[ToolCall], session: Any, unlisted: Literal["ask", "allow"]
    ) -> list[Ruling]:
        known: ReviewOptions = {"session_id": session.session_id} if session else {}
        options: ReviewOptions = {"unlisted": unlisted, **known, **self.options}
        return await self.hitl.review(calls, **options)


def _tool_call(name: str, arguments: Any, call_id: str, function: Any) -> ToolCall:
    schema = function.parameters() if function is not None else None
    return ToolCall(name, to_jsonable_python(arguments or {}), call_id, schema=schema)


async def _make(
    ruling: Ruling, context: FunctionInvocationContext, call_next: Callable[[], Awaitable[None]]
) -> Any:
    """Make a call. The framework lets nobody change what was approved, so an edited call is a new one."""
    if ruling.decision != "edit":
        await call_next()
        return context.result
    edited = FunctionInvocationContext(
        function=context.function,
        arguments=ruling.arguments,
        session=context.session,
        kwargs=context.kwargs,
        tools=context.tools,
    )
    result = await context.function.invoke(context=edited, tool_call_id=ruling.call.id)
    told = f"A person changed the arguments of this call to {json.dumps(ruling.arguments)}."
    return [*result, Content.from_text(told)] if isinstance(result, list) else result


def _request(call: ToolCall, occurrence: str | None) -> Any:
    made = Content.from_function_call(call.id, call.name, arguments=dict(call.arguments), id=occurrence)
    return Content.from_function_approval_request(occurrence or call.id, made)
