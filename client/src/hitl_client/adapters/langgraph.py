"""LangGraph: people answer what a graph asks by `interrupt()`.

    Bridge(graph, hitl).invoke(inputs, config)

runs the graph to its end; wherever it stops, its questions are put before people, and it is resumed with
their answers. It knows the interrupts of LangChain's own `HumanInTheLoopMiddleware` in both its modes, and
those of `HumanReview`; any other value is a question of a node.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Unpack

from langgraph.types import Command

from hitl_client.adapters.langchain_decisions import (
    HUMAN_REVIEW,
    decision_of,
    reason_of,
    tool_calls_of,
)
from hitl_client.asking import Options, settled
from hitl_client.awaitable import AsyncHITL, awaitable
from hitl_client.blocking import HITL, blocking
from hitl_client.calls import OPEN
from hitl_client.client import AgentCalls
from hitl_client.errors import InterruptSignal, WaitTimeout
from hitl_client.flows import Flow
from hitl_client.review import ReviewOptions, Ruling

Kind = Literal["approval", "confirmation", "input", "feedback"]
KINDS = ("approval", "confirmation", "input", "feedback")
COMMON = Options.__annotations__.keys() - {"allowed_decisions"}


class Bridge:
    """Run a graph that stops at interrupts, with people to answer them.

    The graph needs a checkpointer, and `config` a thread_id, which is the session. In mode "wait" it holds
    until people have answered; in mode "raise" InterruptSignal is raised, and the same call in any process
    goes on after the decision. `kind` says what the questions of nodes are; without it, their value's own
    `type` does, or they are "input": say it where a model may write the value. Takes an `HITL` for `invoke`,
    an `AsyncHITL` for `ainvoke`.
    """

    def __init__(
        self,
        graph: Any,
        hitl: HITL | AsyncHITL,
        *,
        kind: Kind | None = None,
        **options: Unpack[ReviewOptions],
    ) -> None:
        if kind not in (None, *KINDS):
            raise ValueError(f"kind is one of {', '.join(KINDS)}; not {kind!r}")
        self.graph, self.hitl, self.kind, self.options = graph, hitl, kind, options

    def invoke(self, inputs: Any, config: Any, **kwargs: Any) -> Any:
        """Run the graph to its end and return its output; a stopped thread goes on, without `inputs`.

        Raises Rejected, Expired or Cancelled where a node asked for an answer and gets none; the graph then
        stays where it is.
        """
        state = self.graph.get_state(config)
        result = state.values
        if not state.interrupts:
            result = self.graph.invoke(None if state.next else inputs, config, **kwargs)
        while (command := self.answers(config)) is not None:
            result = self.graph.invoke(command, config, **kwargs)
        return result

    async def ainvoke(self, inputs: Any, config: Any, **kwargs: Any) -> Any:
        """As `invoke`."""
        state = await self.graph.aget_state(config)
        result = state.values
        if not state.interrupts:
            result = await self.graph.ainvoke(None if state.next else inputs, config, **kwargs)
        while (command := await self.aanswers(config)) is not None:
            result = await self.graph.ainvoke(command, config, **kwargs)
        return result

    def answers(self, config: Any) -> Command[Any] | None:
        """Return what the graph is to be resumed with, once all is decided; None if it waits for nothing."""
        if not isinstance(self.hitl, HITL):
            raise TypeError("Give the Bridge an HITL, or use ainvoke and aanswers")
        stops = stops_of(self.graph.get_state(config, subgraphs=True))
        return blocking(resume)(self.hitl, stops, *self._how(config)) if stops else None

    async def aanswers(self, config: Any) -> Command[Any] | None:
        """As `answers`."""
        if not isinstance(self.hitl, AsyncHITL):
            raise TypeError("Give the Bridge an AsyncHITL, or use invoke and answers")
        stops = stops_of(await self.graph.aget_state(config, subgraphs=True))
        return await awaitable(resume)(self.hitl, stops, *self._how(config)) if stops else None

    def _how(self, config: Any) -> tuple[Kind | None, dict[str, Any]]:
        thread = (config.get("configurable") or {}).get("thread_id")
        if thread is None:
            raise ValueError("config needs a thread_id: its questions are found again by it")
        return self.kind, {"session_id": str(thread)} | dict(self.options)


@dataclass(frozen=True)
class Stop:
    """An interrupt that waits, and the node it is of.

    A model may have written an interrupt's value, but neither its schema nor the name of its node: by these
    it is known what it is.
    """

    id: str
    node: str
    value: Any
    schema: Any

    def is_of(self, title: str) -> bool:
        """Whether the interrupt itself says that it is one of these."""
        return isinstance(self.schema, dict) and self.schema.get("title") == title


def stops_of(state: Any) -> list[Stop]:
    """Return the interrupts of a graph and its subgraphs that wait for an answer."""
    nodes = nodes_of(state)
    return [Stop(one.id, nodes.get(one.id, ""), one.value, one.response_schema) for one in state.interrupts]


def nodes_of(state: Any) -> dict[str, str]:
    """Return the name of the innermost node by the id of its interrupt."""
    nodes = {one.id: task.name for task in state.tasks for one in task.interrupts}
    for task in state.tasks:
        if hasattr(task.state, "tasks"):
            nodes |= nodes_of(task.state)
    return nodes


@dataclass(frozen=True)
class Answer:
    """What an interrupt is resumed with, and the approvals that this spends."""

    value: Any
    spends: tuple[Ruling, ...] = ()


def resume(calls: AgentCalls, stops: list[Stop], kind: Kind | None, options: dict[str, Any]) -> Flow[Any]:
    """Ask about all interrupts at once and stay with them as the mode says."""
    timeout, raises = options.get("wait_timeout"), options.get("mode") == "raise"
    deadline = None if timeout is None else time.monotonic() + timeout
    options = options | {"mode": "raise", "wait_timeout": None}
    while True:
        try:
            found = yield from together(answer(calls, one, kind, options) for one in stops)
        except InterruptSignal as stop:
            if raises and deadline is None:
                raise
            for item in stop.interrupts:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if (yield from calls.outcome(item["id"], left)) is None:
                    raise (stop if raises else WaitTimeout(item)) from None
        else:
            break
    for one, said in zip(stops, found, strict=True):
        for ruling in said.spends:
            # A process that died before the graph had its answer spends it again for the same interrupt.
            yield from calls.consume(ruling.interrupt_id or "", ruling.arguments, ruling.receipt, one.id)
    return Command(resume={one.id: said.value for one, said in zip(stops, found, strict=True)})


def together(flows: Iterable[Flow[Any]]) -> Flow[list[Any]]:
    """Follow all flows, so that everything is asked, before InterruptSignal says what is undecided."""
    found, undecided = list[Any](), list[Any]()
    for flow in flows:
        try:
            found.append((yield from flow))
        except InterruptSignal as stop:
            undecided += stop.interrupts
    if undecided:
        raise InterruptSignal(*undecided)
    return found


def answer(calls: AgentCalls, stop: Stop, kind: Kind | None, options: dict[str, Any]) -> Flow[Answer]:
    """Ask about one interrupt. Raises InterruptSignal while it is undecided."""
    if stop.is_of(HUMAN_REVIEW):
        items = yield from together(calls.get(one) for one in stop.value["interrupt_ids"])
        if undecided := [item for item in items if item["status"] in OPEN]:
            raise InterruptSignal(*undecided)
        return Answer(True)
    wanted = tool_calls_of(stop.id, stop.node, stop.value, stop.schema)
    if wanted is None:
        said = yield from put(calls, stop, kind, options)
        return Answer(said)
    reviewed = yield from together(
        calls.review([call], **(options | {"allowed_decisions": allowed})) for call, allowed in wanted
    )
    rulings = [ruling for [ruling] in reviewed]
    decisions = [decision_of(one, allowed) for one, (_, allowed) in zip(rulings, wanted, strict=True)]
    spends = tuple(one for one in rulings if one.runs and one.interrupt_id)
    return Answer({"decisions": decisions} if stop.schema is None else decisions[0], spends)


def put(calls: AgentCalls, stop: Stop, kind: Kind | None, options: dict[str, Any]) -> Flow[Any]:
    """Put a node's own question; return what the node's `interrupt()` is to return."""
    said = stop.value if isinstance(stop.value, dict) else {}
    kind = kind or (said["type"] if said.get("type") in KINDS else "input")
    common: Any = {name: given for name, given in options.items() if name in COMMON}
    decision = yield from calls.ask(
        kind,
        reason_of(stop.value) or options.get("reason") or "A graph has a question",
        said or {"value": stop.value},
        common | {"call_id": stop.id},
        {"response_schema": stop.schema} if stop.schema and kind in ("input", "feedback") else None,
    )
    match kind:
        case "approval" | "confirmation":
            return decision.approved
        case "feedback" if decision.status == "rejected":
            return decision.rejection_reason
    return settled(decision).response
