"""A clerk on OpenAI Agents: `openai_clerk.py MODE SESSION FOLDER [stay]`.

Its tools write into FOLDER/ledger. An interrupted run is kept in FOLDER/state.json, with which the next
process goes on; with `stay` the process then does not end. Prints what the model was told, by call.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from agents.testing import ScriptedModel, assistant_message, function_call
from hitl_client import AsyncHITL, approved_call
from hitl_client.adapters.openai_agents import HumanReview

from agents import Agent, RunConfig, RunState, function_tool

mode, session, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
state = folder / "state.json"


def write(*made: Any) -> None:
    ruling = approved_call()
    with (folder / "ledger").open("a") as ledger:
        ledger.write(json.dumps([*made, ruling and ruling.interrupt_id]) + "\n")


@function_tool
def pay(account: str, amount: float, urgent: bool, notes: list[str]) -> str:
    """Pay somebody."""
    write("pay", account, amount, urgent, notes)
    return f"paid {account}"


@function_tool
def look_up(account: str) -> str:
    """Look an account up."""
    write("look_up", account)
    return f"{account} is open"


@function_tool
def drop_table(table: str) -> str:
    """Delete a table."""
    write("drop_table", table)
    return "dropped"


@function_tool
def explode() -> str:
    """Fail."""
    write("explode")
    raise RuntimeError("no such bank")


def payment(account: str) -> Any:
    return function_call(
        "pay",
        {"account": account, "amount": 10.0, "urgent": False, "notes": ["1", "x"]},
        call_id=f"call-{account}",
    )


calls = [
    *map(payment, ("approved", "edited", "refused", "answered")),
    function_call("look_up", {"account": "a"}, call_id="call-allowed"),
    function_call("drop_table", {"table": "users"}, call_id="call-denied"),
    function_call("explode", {}, call_id="call-failed"),
    function_call("pay", "{no JSON", call_id="call-malformed"),
]


async def main() -> None:
    resumed = state.exists()
    model = ScriptedModel([[assistant_message("done")]] if resumed else [calls, [assistant_message("done")]])
    async with AsyncHITL() as hitl:
        review = HumanReview(hitl, mode=mode, session_id=session)
        agent = Agent(name="clerk", model=model, tools=review.tools([pay, look_up, drop_table, explode]))
        work: Any = "Pay them."
        if resumed:
            work = await RunState.from_json(agent, json.loads(state.read_text()))
        result = await review.run(agent, work, run_config=RunConfig(tracing_disabled=True))
    told = {}
    for item in result.to_input_list():
        if item.get("type") == "function_call_output":
            told[item["call_id"].removeprefix("call-")] = item["output"]
    waiting = [item.call_id.removeprefix("call-") for item in result.interruptions]
    if waiting:
        state.write_text(json.dumps(result.to_state().to_json()))
        if "stay" in sys.argv:
            signal.pause()
    print(json.dumps({"told": told, "waiting": waiting, "output": result.final_output}))


asyncio.run(main())
