"""An agent on Microsoft's Agent Framework that refunds orders: `MODE FOLDER SESSION`.

In mode "raise" its session is kept in FOLDER, and the program goes on with it when it is started again.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

from agent_framework import Agent, AgentSession, Content, tool
from agent_framework_model import ScriptedModel
from hitl_client import AsyncHITL, InterruptSignal
from hitl_client.adapters.agent_framework import HumanReview

mode, folder, session_id = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
CALLS = json.loads((folder / "calls").read_text())
kept = folder / "kept"


def ran(name: str, **arguments: object) -> str:
    with (folder / "ran").open("a") as file:
        file.write(json.dumps([name, arguments]) + "\n")
    return f"{name} done"


@tool(approval_mode="always_require")
def refund(order: str, amount: float, express: bool) -> str:
    """Refund an order."""
    done = ran("refund", order=order, amount=amount, express=express)
    if order == "broken":
        raise OSError("The bank is closed.")
    return done


@tool
def look_up(order: Annotated[str, "Its number"]) -> str:
    """Look up an order."""
    return ran("look_up", order=order)


@tool
def write_off(order: str) -> str:
    """Write an order off."""
    return ran("write_off", order=order)


@tool
def close_shop() -> str:
    """Close the shop."""
    return ran("close_shop")


async def main() -> object:
    async with AsyncHITL() as hitl:
        review = HumanReview(hitl, mode=mode)
        agent = Agent(
            client=ScriptedModel(CALLS), tools=[refund, look_up, write_off, close_shop], middleware=[review]
        )
        if kept.exists():
            state = json.loads(kept.read_text())
            session = AgentSession.from_dict(state["session"])
            requests = [Content.from_dict(request) for request in state["requests"]]
            if not requests:
                return "nothing to do"
        else:
            session = AgentSession(session_id=session_id)
            requests = (response := await agent.run("Refund them.", session=session)).user_input_requests
        while requests:
            state = {"session": session.to_dict(), "requests": [request.to_dict() for request in requests]}
            kept.write_text(json.dumps(state))
            message = await review.answers(agent, requests, session)
            requests = (response := await agent.run(message, session=session)).user_input_requests
        kept.write_text(json.dumps({"session": session.to_dict(), "requests": []}))
        return json.loads(response.text)


try:
    print(json.dumps(asyncio.run(main())))
except InterruptSignal as undecided:
    print(json.dumps({"waits": len(undecided.interrupts)}))
