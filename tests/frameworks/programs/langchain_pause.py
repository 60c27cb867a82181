"""Agents on three threads, gone on with where the process before left them; a fourth dies in its tool."""

import json
import os
import signal

from hitl_client import HITL
from hitl_client.adapters.langchain import HumanReview
from hitl_client.adapters.langgraph import Bridge
from langchain_agent import agent, call, note, pay, thread, told
from langgraph.types import Command, interrupt

START = {"messages": [("user", "go")]}
hitl = HITL()


def greet(greeting: str) -> str:
    """Greet somebody, whose name the tool asks for by itself."""
    name = interrupt(f"{greeting} whom?")
    note("greet", name=name)
    return f"{greeting} {name}"


def die(how: str) -> str:
    """Take effect, and take the process down."""
    note("die", how=how)
    os.kill(os.getpid(), signal.SIGKILL)
    return "never told"


def reviewed(name: str, calls, **options):
    made = agent(calls, HumanReview(hitl, **options), [pay, greet, die])
    return made, thread(name), made.get_state(thread(name))


PAID = [call("pay", "first", to="ann", amount=1), call("pay", "second", to="bob", amount=2)]
said = {}

batched, config, state = reviewed(
    "batched", [*PAID, call("greet", "third", greeting="hello")], mode="raise", idempotent=True
)
if not state.values:
    batched.invoke(START, config)
elif state.next:
    said["batched stopped"] = [one.value["type"] for one in state.interrupts]
    stopped = batched.invoke(Command(resume=True), config)
    said["tool stopped"] = [one.value for one in stopped["__interrupt__"]]
    batched.invoke(Command(resume="ada"), config)

per_call, config, state = reviewed(
    "per_call",
    [*PAID, call("greet", "third", greeting="goodbye")],
    mode="raise",
    interrupt_mode="per_call",
    idempotent=True,
)
if not state.values:
    per_call.invoke(START, config)
elif state.next:
    said["per_call stopped"] = [one.value["type"] for one in state.interrupts]
    Bridge(per_call, hitl).invoke(None, config)

held, config, state = reviewed("held", PAID)
held.invoke(None if state.values else START, config)

for name, one in (("batched", batched), ("per_call", per_call), ("held", held)):
    said[name] = told(one.get_state(thread(name)).values)
print(json.dumps(said), flush=True)

dying, config, state = reviewed("dying", [call("die", "death", how="at once")])
result = dying.invoke(None if state.values else START, config)
print(json.dumps(said | {"dying": told(result)}))
