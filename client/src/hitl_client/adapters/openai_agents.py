"""OpenAI Agents: function tools that people approve, edit, refuse or answer.

    review = HumanReview(AsyncHITL())
    agent = Agent(name="clerk", tools=review.tools([delete_file, send_email]))

A call waits in its tool. In mode "raise" the run is interrupted instead, as by `needs_approval`: keep
`result.to_state()`, and give it to `HumanReview.run` later, in any process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from typing import Any, Literal, Unpack

from hitl_client.awaitable import AsyncHITL
from hitl_client.errors import ApprovalSpent, InterruptSignal, WaitTimeout
from hitl_client.review import ReviewOptions, Ruling, ToolCall

# By name, because a type checker that also sees another package called `agents` would read that one.
sdk: Any = import_module("agents")
tooling: Any = import_module("agents.tool")


class HumanReview:
    """Put the calls of function tools before the server's policies, and before people where they say so.

    A call runs as it was approved, and once; else the model is told why not, or what a person answered. It
    takes the options of `AsyncHITL.review`, `report` and `idempotent` as `AsyncHITL.carry_out`. A tool of
    which no policy speaks is asked about; with `unlisted="allow"` only if it has `needs_approval`.
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
            raise TypeError("tools are called asynchronously: pass an AsyncHITL")
        self.hitl = hitl
        self.report: bool | Literal["result"] = report
        self.idempotent = idempotent
        self.options: ReviewOptions = {
            "allowed_decisions": ["approve", "edit", "reject", "respond"],
            **options,
        }
        self._tools: dict[str, Any] = {}

    def tools(self, tools: Iterable[Any]) -> list[Any]:
        """Return function tools of the same names whose calls are reviewed."""
        return [self._reviewed(tool) for tool in tools]

    async def run(self, agent: Any, work: Any, **kwargs: Any) -> Any:
        """Run an agent as `Runner.run` does, or go on with a RunState, for as long as the answers are there.

        The result's `interruptions` are the calls that nobody has decided about yet.
        """
        if isinstance(work, sdk.RunState):
            await self.decide(work)
        result = await sdk.Runner.run(agent, work, **kwargs)
        while result.interruptions and await self.decide(state := result.to_state()):
            result = await sdk.Runner.run(agent, state, **kwargs)
        return result

    async def decide(self, state: Any) -> bool:
        """Approve or reject the interruptions of a RunState that are decided; return whether any is."""
        decided = False
        for item in state.get_interruptions():
            tool = self._tools.get(item.name)
            if tool is None:
                continue
            try:
                call = read_call(tool, item.arguments, item.call_id)
                [ruling] = await self._review(tool, call, mode="raise")
            except InterruptSignal:
                continue
            except ValueError as malformed:
                state.reject(item, rejection_message=str(malformed))
            else:
                if ruling.refusal is None:
                    state.approve(item)  # what is answered too: the tool is where the answer is given
                else:
                    state.reject(item, rejection_message=ruling.message)
            decided = True
        return decided

    def _reviewed(self, tool: Any) -> Any:
        if not isinstance(tool, sdk.FunctionTool):
            raise TypeError(f"only function tools run here and can be reviewed; not {tool!r}")
        self._tools[tool.name] = tool
        # Its errors come out of this one, so that a failure is recorded as such.
        inner = tooling.set_function_tool_failure_error_function(replace(tool, needs_approval=False), None)

        async def invoke(context: Any, arguments: str) -> Any:
            try:
                call = read_call(tool, arguments, context.tool_call_id)
                [ruling] = await self._review(tool, call)
            except ValueError as malformed:
                return str(malformed)
            except WaitTimeout:
                return "Nobody has decided about this call yet, so it was not made."
            if not ruling.runs:
                return ruling.message
            context.tool_arguments = approved = json.dumps(ruling.arguments)
            try:
                result = await self.hitl.carry_out(
                    ruling,
                    lambda: tooling.invoke_function_tool(
                        function_tool=inner, context=context, arguments=approved
                    ),
                    report=self.report,
                    idempotent=self.idempotent,
                )
            except ApprovalSpent as spent:
                return f"The call was not made again: {spent.detail}"
            if ruling.decision == "edit" and isinstance(result, str):
                return f"{result}\n\nA person changed the arguments of this call to {approved}"
            return result

        async def needs_approval(context: Any, arguments: dict[str, Any], call_id: str) -> bool:
            try:
                await self._review(tool, ToolCall(tool.name, arguments, call_id, schema=schema_of(tool)))
            except InterruptSignal:
                return True
            return False

        return replace(
            tool,
            on_invoke_tool=tooling.with_function_tool_failure_error_handler(invoke, lambda *error: None),
            needs_approval=needs_approval if self.options.get("mode") == "raise" else False,
            timeout_seconds=None,  # it is for the tool, not for the person
        )

    async def _review(self, tool: Any, call: ToolCall, **options: Any) -> list[Ruling]:
        asked: Any = {**self.options, **options}
        if tool.needs_approval is not False:
            asked["unlisted"] = "ask"
        return await self.hitl.review([call], **asked)


def read_call(tool: Any, arguments: str | None, call_id: str | None) -> ToolCall:
    """Read a call as the model made it. Raises ValueError for arguments that are no JSON object."""
    try:
        given = json.loads(arguments or "{}")
    except ValueError as error:
        raise ValueError(f"The arguments of {tool.name} are no JSON: {error}") from error
    if not isinstance(given, dict):
        raise ValueError(f"The arguments of {tool.name} are no JSON object")
    return ToolCall(tool.name, given, call_id, schema=schema_of(tool))


def schema_of(tool: Any) -> dict[str, Any]:
    """Return the JSON Schema that an edit must keep to."""
    return dict(tool.params_json_schema)
