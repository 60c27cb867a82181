"""LangChain: `create_agent(model, tools, middleware=[HumanReview(hitl)])`.

What may run is asked where it runs: around each tool call the server says what was decided about exactly this
call. So neither the graph's state nor what resumes the graph counts as an approval.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, Unpack

from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command, interrupt

from hitl_client.adapters.langchain_decisions import HUMAN_REVIEW
from hitl_client.awaitable import AsyncHITL
from hitl_client.blocking import HITL
from hitl_client.errors import ApprovalSpent, InterruptSignal
from hitl_client.review import ANY, ReviewOptions, Ruling, ToolCall
from hitl_client.runs import current_run

RESUMED = {"title": HUMAN_REVIEW, "description": "Any value: what was decided is on the server's record."}
EDITED = "A person changed this call before it was made. It was made with these arguments: "
BEGUN = "This call was approved and begun before, so it was not made again. Its outcome is "


class HumanReview(AgentMiddleware):
    """Have the server's policies, and people where they say so, review the agent's tool calls.

    Takes an `HITL` for `invoke` and `stream`, an `AsyncHITL` for `ainvoke` and `astream`. With
    `interrupt_mode` "batched" all calls of a turn are decided before the first one is made; with "per_call"
    each is made as soon as it is decided itself. In mode "wait" the agent holds meanwhile; in mode "raise" it
    stops by LangGraph's `interrupt()` and is to be resumed, with any value, once people have decided. The
    session is the thread. `report` and `idempotent` are those of `HITL.carry_out`.
    """

    def __init__(
        self,
        hitl: HITL | AsyncHITL,
        *,
        interrupt_mode: Literal["batched", "per_call"] = "batched",
        report: bool | Literal["result"] = True,
        idempotent: bool = False,
        **options: Unpack[ReviewOptions],
    ) -> None:
        super().__init__()
        for name, given, known in (
            ("interrupt_mode", interrupt_mode, ("batched", "per_call")),
            ("mode", options.get("mode") or "wait", ("wait", "raise")),
            ("unlisted", options.get("unlisted") or "ask", ("ask", "allow")),
        ):
            if given not in known:
                raise ValueError(f"{name} is {' or '.join(known)}; not {given!r}")
        self.hitl: Any = hitl
        self.batched = interrupt_mode == "batched"
        self.how: Any = {"report": report, "idempotent": idempotent}
        self.options = {"allowed_decisions": ["approve", "edit", "reject", "respond"], **options}
        self.tools: dict[str, Any] = {}

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Learn what arguments the tools take, for who edits a call."""
        self._learn(request)
        return handler(request)

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """As `wrap_model_call`."""
        self._learn(request)
        return await handler(request)

    def after_model(self, state: Any, runtime: Any) -> None:
        """Have all calls of this turn decided, where they are asked about at once."""
        if self.batched and (calls := self._turn(state)):
            self._review(calls, state)

    async def aafter_model(self, state: Any, runtime: Any) -> None:
        """As `after_model`."""
        if self.batched and (calls := self._turn(state)):
            await self._areview(calls, state)

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Make a call as it was approved, once, or tell the model why not or what was answered."""
        [ruling] = self._review([asked(request.tool_call, request.tool)], request.state, at_call=True)
        with Attempt(request, ruling) as attempt:

            def tool() -> Any:
                with graph_control():
                    result = handler(attempt.begin())
                return attempt.end(result)

            attempt.answer(self.hitl.carry_out(ruling, tool, **self.how))
        return attempt.result

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """As `wrap_tool_call`."""
        [ruling] = await self._areview([asked(request.tool_call, request.tool)], request.state, at_call=True)
        with Attempt(request, ruling) as attempt:

            async def tool() -> Any:
                with graph_control():
                    result = await handler(attempt.begin())
                return attempt.end(result)

            attempt.answer(await self.hitl.carry_out(ruling, tool, **self.how))
        return attempt.result

    def _review(self, calls: list[ToolCall], state: Any, at_call: bool = False) -> list[Ruling]:
        if not isinstance(self.hitl, HITL):
            raise TypeError("This agent is run by invoke or stream: give HumanReview an HITL")
        options, waiting = self._options(state, at_call)
        try:
            rulings = self.hitl.review(calls, **options)
        except InterruptSignal as stop:
            pause(item["id"] for item in stop.interrupts)
            return self.hitl.review(calls, **waiting)
        self._resumed(rulings, at_call)
        return rulings

    async def _areview(self, calls: list[ToolCall], state: Any, at_call: bool = False) -> list[Ruling]:
        if not isinstance(self.hitl, AsyncHITL):
            raise TypeError("This agent is run by ainvoke or astream: give HumanReview an AsyncHITL")
        options, waiting = self._options(state, at_call)
        try:
            rulings = await self.hitl.review(calls, **options)
        except InterruptSignal as stop:
            pause(item["id"] for item in stop.interrupts)
            return await self.hitl.review(calls, **waiting)
        self._resumed(rulings, at_call)
        return rulings

    def _resumed(self, rulings: list[Ruling], at_call: bool) -> None:
        """Take the value that resumed a call, or an `interrupt()` of the tool's own would get it."""
        if at_call and not self.batched and self.options.get("mode") == "raise" and rulings[0].interrupt_id:
            pause([rulings[0].interrupt_id])

    def _options(self, state: Any, at_call: bool) -> tuple[Any, Any]:
        """Return how to ask, and how to ask once more after the graph was resumed."""
        options: dict[str, Any] = dict(self.options)
        if not (options.get("session_id") or current_run.get()):
            thread = get_config().get("configurable", {}).get("thread_id")
            options["session_id"] = str(thread or said_last(state).id)
        waiting = options | {"mode": "wait"}
        return (waiting if at_call and self.batched else options), waiting

    def _learn(self, request: Any) -> None:
        self.tools = {tool.name: tool for tool in request.tools if not isinstance(tool, dict)}

    def _turn(self, state: Any) -> list[ToolCall]:
        """Return the calls of the model's last message that have no result yet."""
        message = said_last(state)
        answered = {one.tool_call_id for one in state["messages"] if isinstance(one, ToolMessage)}
        calls = message.tool_calls if message else []
        return [asked(call, self.tools.get(call["name"])) for call in calls if call["id"] not in answered]


class Attempt:
    """One call under its ruling; `result` is what LangChain is to get."""

    def __init__(self, request: Any, ruling: Ruling) -> None:
        self.request, self.ruling = request, ruling
        self.result: Any = None
        self.begun = False

    def begin(self) -> Any:
        """Return the request as it was approved."""
        self.begun = True
        return self.request.override(
            tool_call={**self.request.tool_call, "args": dict(self.ruling.arguments)}
        )

    def end(self, result: Any) -> Any:
        """Keep what the tool returned, and return what of it goes on record."""
        edited = self.ruling.decision == "edit"
        self.result = noted(result, EDITED + json.dumps(self.ruling.arguments)) if edited else result
        if isinstance(result, ToolMessage) and result.status == "error":
            raise ToolFailed
        return result.content if isinstance(result, ToolMessage) else None

    def answer(self, said: Any) -> None:
        """Answer the model, where the tool did not."""
        if not self.begun:
            self._tell(said if isinstance(said, str) else json.dumps(said), "success")

    def __enter__(self) -> Attempt:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, GraphControl):
            raise error.args[0]
        if not self.begun and self.ruling.refusal is not None and error is self.ruling.refusal:
            self._tell(self.ruling.message, "error")
        elif not self.begun and isinstance(error, ApprovalSpent):
            outcome = (error.current or {}).get("outcome") or "unknown"
            self._tell(f"{BEGUN}{outcome}." if error.code == "spent" else str(error), "error")
        else:
            return isinstance(error, ToolFailed)
        return True

    def _tell(self, content: str, status: str) -> None:
        call = self.request.tool_call
        self.result = ToolMessage(content, name=call["name"], tool_call_id=call["id"], status=status)


class ToolFailed(Exception):
    """The tool returned an error for the model to read; on record its outcome is a failure."""


class GraphControl(BaseException):
    """The tool pauses or leads the graph, which is no failure of it. Carries LangGraph's exception."""


@contextmanager
def graph_control() -> Iterator[None]:
    """Let LangGraph's control exceptions pass by what reports errors."""
    try:
        yield
    except GraphBubbleUp as control:
        raise GraphControl(control) from control


def asked(call: Any, tool: Any) -> ToolCall:
    """Return a model's tool call as the server is asked about it."""
    schema = convert_to_openai_tool(tool)["function"].get("parameters") if tool else None
    # A resumed process may not know the tool yet; with or without its schema, the question is the same one.
    return ToolCall(call["name"], call["args"], id=call["id"], schema=schema or ANY)


def pause(interrupt_ids: Any) -> None:
    """Stop the graph, and say what it waits for; return where it has been resumed."""
    interrupt({"type": "human_review", "interrupt_ids": [*interrupt_ids]}, response_schema=RESUMED)


def said_last(state: Any) -> Any:
    """Return the model's last message."""
    return next((one for one in reversed(state["messages"]) if isinstance(one, AIMessage)), None)


def noted(result: Any, note: str) -> Any:
    """Put a note before what a tool tells the model."""
    if isinstance(result, list):
        return [noted(one, note) for one in result]
    if isinstance(result, Command):
        update = result.update
        if not isinstance(update, dict) or not isinstance(update.get("messages"), list):
            return result
        return replace(result, update={**update, "messages": noted(update["messages"], note)})
    if not isinstance(result, ToolMessage):
        return result
    content = result.content
    if isinstance(content, str):
        return result.model_copy(update={"content": f"{note}\n{content}"})
    first = note if content and isinstance(content[0], str) else {"type": "text", "text": note}
    return result.model_copy(update={"content": [first, *content]})
