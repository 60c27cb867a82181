"""What the agents of these tests share: a scripted model, tools that write down what ran, threads on disk."""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import InjectedToolCallId
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

SESSION, FOLDER = sys.argv[1], Path(sys.argv[2])
RAN = FOLDER / "ran.jsonl"


class Scripted(GenericFakeChatModel):
    """Make the calls it was given, and then be done; the thread says how far it is."""

    messages: Any = None
    calls: list[dict[str, Any]]

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        asked = any(isinstance(message, AIMessage) for message in messages)
        said = AIMessage("done") if asked else AIMessage("", tool_calls=self.calls)
        return ChatResult(generations=[ChatGeneration(message=said)])


def note(tool: str, **arguments: Any) -> None:
    with RAN.open("a") as file:
        file.write(json.dumps([tool, arguments]) + "\n")


def pay(to: str, amount: int = 1) -> str:
    """Pay somebody."""
    note("pay", to=to, amount=amount)
    return f"paid {amount} to {to}"


def wipe_disk(disk: str) -> str:
    """Wipe a disk."""
    note("wipe_disk", disk=disk)
    return "wiped"


def look_around(place: str) -> str:
    """Look at something."""
    note("look_around", place=place)
    return "nothing there"


def label(text: str, call_id: Annotated[str, InjectedToolCallId]) -> Command:
    """Put a label on this conversation."""
    note("label", text=text)
    return Command(update={"messages": [ToolMessage("labelled", tool_call_id=call_id)]})


TOOLS = [pay, wipe_disk, look_around, label]


def call(name: str, call_id: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "args": arguments, "id": call_id}


def agent(calls: list[dict[str, Any]], review: Any, tools: Any = TOOLS) -> Any:
    """An agent whose model makes *calls*; its threads are on disk."""
    threads = SqliteSaver(sqlite3.connect(FOLDER / "threads.sqlite", check_same_thread=False))
    return create_agent(Scripted(calls=calls), tools, middleware=[review], checkpointer=threads)


def thread(name: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": f"{SESSION}-{name}"}}


def told(state: Any) -> dict[str, Any]:
    """What the model was told about each call: [status, words]."""
    tools = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    return {message.tool_call_id: [message.status, message.content] for message in tools}
