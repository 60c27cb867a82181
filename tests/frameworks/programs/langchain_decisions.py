"""One turn with every kind of decision, in both modes, by `invoke` and by `ainvoke`."""

import asyncio
import json

from hitl_client import HITL, AsyncHITL
from hitl_client.adapters.langchain import HumanReview
from langchain.agents import create_agent
from langchain_agent import SESSION, TOOLS, Scripted, agent, call, thread, told

CALLS = [
    call("pay", "approved", to="ann", amount=7),
    call("pay", "edited", to="bob", amount=700),
    call("pay", "rejected", to="vic", amount=9),
    call("pay", "answered", to="ada", amount=3),
    call("pay", "wrong", to="carol", amount="much"),
    call("label", "named", text="urgent"),
    call("wipe_disk", "denied", disk="sda"),
    call("look_around", "allowed", place="attic"),
]
START = {"messages": [("user", "go")]}

batched = agent(CALLS, HumanReview(HITL())).invoke(START, thread("batched"))


async def per_call():
    async with AsyncHITL() as hitl:
        review = HumanReview(
            hitl, interrupt_mode="per_call", session_id=f"{SESSION}-per_call", report="result"
        )
        return await create_agent(Scripted(calls=CALLS), TOOLS, middleware=[review]).ainvoke(START)


print(json.dumps({"batched": told(batched), "per_call": told(asyncio.run(per_call()))}))
