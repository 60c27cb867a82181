"""A clerk on Pydantic AI: `pydantic_clerk.py MODE SESSION FOLDER [stay]`; SESSION "-" is the conversation.

Its tools write into FOLDER/ledger. A run that ends undecided is kept in FOLDER/run.json, with which the next
process goes on; with `stay` the process then does not end. Prints what the model was told, by call.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from hitl_client import AsyncHITL, approved_call
from hitl_client.adapters.pydantic_ai import HumanReview
from pydantic import TypeAdapter
from pydantic_ai import Agent, CallDeferred, DeferredToolRequests, ModelMessage
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

mode, session, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
kept = folder / "run.json"
Run = TypeAdapter(tuple[list[ModelMessage], DeferredToolRequests])


def write(*made: Any) -> None:
    ruling = approved_call()
    with (folder / "ledger").open("a") as ledger:
        ledger.write(json.dumps([*made, ruling and ruling.interrupt_id]) + "\n")


def pay(account: str, amount: float, urgent: bool, notes: list[str]) -> str:
    """Pay somebody."""
    write("pay", account, amount, urgent, notes)
    return f"paid {account}"


def look_up(account: str) -> str:
    """Look an account up."""
    write("look_up", account)
    return f"{account} is open"


def drop_table(table: str) -> str:
    """Delete a table."""
    write("drop_table", table)
    return "dropped"


def close_books() -> str:
    """Close the books."""
    write("close_books")
    return "closed"


def ask_boss(question: str) -> str:
    """Ask the boss."""
    raise CallDeferred(kind="question")


def payment(account: str) -> ToolCallPart:
    arguments = {"account": account, "amount": 10.0, "urgent": False, "notes": ["1", "x"]}
    return ToolCallPart("pay", json.dumps(arguments), tool_call_id=f"call-{account}")


calls = [
    *map(payment, ("approved", "edited", "refused", "answered")),
    ToolCallPart("look_up", {"account": "a"}, tool_call_id="call-allowed"),
    ToolCallPart("drop_table", {"table": "users"}, tool_call_id="call-denied"),
    ToolCallPart("close_books", {}, tool_call_id="call-closed"),
    ToolCallPart("pay", '{"account": 5', tool_call_id="call-malformed"),
    ToolCallPart("ask_boss", {"question": "May I go?"}, tool_call_id="call-asked"),
]


def think(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse(calls if len(messages) == 1 else [TextPart("done")])


async def main() -> None:
    async with AsyncHITL() as hitl:
        review = HumanReview(hitl, mode=mode, session_id=None if session == "-" else session)
        agent = Agent(
            FunctionModel(think),
            tools=[look_up, drop_table, ask_boss],
            output_type=[str, DeferredToolRequests],
            capabilities=[review],
        )
        agent.tool_plain(requires_approval=True)(pay)
        agent.tool_plain(requires_approval=True)(close_books)
        if kept.exists():
            messages, requests = Run.validate_json(kept.read_bytes())
            answers = await review.answer(requests, messages)
            if answers is None:
                print(json.dumps("undecided"))
                return
            result = await agent.run(message_history=messages, deferred_tool_results=answers)
        else:
            result = await agent.run("Pay them.")
    waiting = []
    if isinstance(result.output, DeferredToolRequests):
        kept.write_bytes(Run.dump_json((result.all_messages(), result.output)))
        waiting = [call.tool_call_id for call in (*result.output.approvals, *result.output.calls)]
        if "stay" in sys.argv:
            signal.pause()
    told, beside = {}, []
    for message in result.all_messages():
        for part in message.parts if isinstance(message, ModelRequest) else []:
            if part.part_kind == "tool-return":
                told[part.tool_call_id.removeprefix("call-")] = [part.outcome, part.content]
            elif isinstance(part, UserPromptPart):
                beside.append(part.content)
    output = result.output if isinstance(result.output, str) else None
    print(json.dumps({"told": told, "beside": beside, "waiting": waiting, "output": output}))


asyncio.run(main())
