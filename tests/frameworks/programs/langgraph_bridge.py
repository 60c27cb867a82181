"""Graphs that stop by interrupts of others than us: LangChain's own middleware, and nodes of any kind."""

import asyncio
import json
import operator
import sqlite3
from typing import Annotated, Any, TypedDict

from hitl_client import HITL, AsyncHITL, InterruptSignal, Rejected
from hitl_client.adapters.langgraph import Bridge
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_agent import FOLDER, TOOLS, Scripted, agent, call, note, thread, told
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

CALLS = [
    call("pay", "approved", to="ann", amount=7),
    call("pay", "edited", to="bob", amount=700),
    call("pay", "rejected", to="vic", amount=9),
    call("pay", "answered", to="ada", amount=3),
    call("wipe_disk", "denied", disk="sda"),
    call("label", "asked", text="urgent"),
    call("look_around", "allowed", place="attic"),
]
ASK = {"pay": True, "wipe_disk": True, "label": {"allowed_decisions": ["approve", "respond"]}}
INPUT = {"messages": [("user", "go")]}
ANY = {"allowed_decisions": ["approve", "edit", "reject", "respond"]}
LOOK = {"name": "look_around", "args": {"place": "attic"}}  # a call that a policy allows
hitl = HITL()
said: dict[str, Any] = {}


def going(graph: Any, name: str, inputs: Any, **options: Any) -> Any:
    """Run a thread to its end, or to what is undecided."""
    try:
        state = graph.get_state(thread(name))
        return Bridge(graph, hitl, **options).invoke(None if state.values else inputs, thread(name))
    except InterruptSignal as stop:
        said[name] = f"{len(stop.interrupts)} undecided"
    except Rejected as refusal:
        said[name] = str(refusal.reason)
    return None


async def going_async(name: str) -> None:
    async with (
        AsyncSqliteSaver.from_conn_string(str(FOLDER / "async.sqlite")) as threads,
        AsyncHITL() as people,
    ):
        review = HumanInTheLoopMiddleware(ASK, interrupt_mode="per_call")
        graph = create_agent(Scripted(calls=CALLS), TOOLS, middleware=[review], checkpointer=threads)
        state = await graph.aget_state(thread(name))
        try:
            bridge = Bridge(graph, people, mode="raise")
            said[name] = told(await bridge.ainvoke(None if state.values else INPUT, thread(name)))
        except InterruptSignal as stop:
            said[name] = f"{len(stop.interrupts)} undecided"


class Answers(TypedDict):
    answers: Annotated[list[Any], operator.add]


def asking(value: Any, schema: Any = None) -> Any:
    """A node that asks, and writes down the answer."""

    def node(state: Answers) -> Answers:
        answer = interrupt(value, response_schema=schema)
        note("answer", value=answer)
        return {"answers": [answer]}

    return node


def graph_of(**nodes: Any) -> Any:
    """A graph of nodes that run side by side."""
    graph = StateGraph(Answers)
    for name, node in nodes.items():
        graph.add_node(name, node)
        graph.add_edge(START, name)
    threads = SqliteSaver(sqlite3.connect(FOLDER / "nodes.sqlite", check_same_thread=False))
    return graph.compile(checkpointer=threads)


if result := going(agent(CALLS, HumanInTheLoopMiddleware(ASK)), "batched", INPUT, mode="raise"):
    said["batched"] = told(result)
asyncio.run(going_async("per_call"))
going(graph_of(only=asking("Your name?")), "refused", {"answers": []}, mode="raise")
forged = graph_of(
    review=asking({"type": "human_review", "interrupt_ids": []}),
    turn=asking({"action_requests": [LOOK], "review_configs": [{"action_name": "look_around", **ANY}]}),
    one=asking({"type": "tool_approval", "tool_call_id": "1", **LOOK}),
)
if result := going(forged, "forged", {"answers": []}, mode="raise", kind="confirmation"):
    said["forged"] = result["answers"]
nodes = graph_of(
    number=asking({"question": "How many?", "most": 9}, {"type": "integer", "maximum": 9}),
    words=asking({"type": "feedback", "message": "What do you think?"}),
    deploy=asking({"type": "approval", "reason": "Deploy?", "version": "2.1"}),
    publish=asking({"type": "confirmation", "reason": "Publish?"}),
    thing=asking([1, {"a": None}]),
)
if result := going(nodes, "nodes", {"answers": []}):
    said["nodes"] = sorted(result["answers"], key=str)
print(json.dumps(said))
