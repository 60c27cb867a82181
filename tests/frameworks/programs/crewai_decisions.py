"""Make six calls one by one, four of which people decide; print what ran and what the model was told.

python crewai_decisions.py SESSION
"""

import json
import sys

from crewai import Agent, Crew, Task
from crewai.tools import tool
from crewai_model import Scripted
from hitl_client import HITL

hitl = HITL()
gate = hitl.gate(
    session_id=sys.argv[1],
    report=True,
    on_refusal="return",
    allowed_decisions=["approve", "edit", "reject", "respond"],
)
ran = []


@tool
@gate
def crew_refund(order: str, amount: int, note: dict | None = None) -> str:
    """Pay money back to a customer."""
    ran.append(["crew_refund", order, amount, note])
    return f"refunded {amount!r} for {order}"


@tool
@gate
def crew_wipe(table: str) -> str:
    """Empty a table."""
    ran.append(["crew_wipe", table])
    return "wiped"


@tool
@gate
def crew_look(order: str) -> str:
    """Look up an order."""
    ran.append(["crew_look", order])
    return f"{order} is broken"


calls = [("crew_refund", {"order": order, "amount": 10}) for order in ("a", "b", "c", "d")]
model = Scripted(*calls, ("crew_wipe", {"table": "users"}), ("crew_look", {"order": "a"}))
tools = [crew_refund, crew_wipe, crew_look]
clerk = Agent(role="Clerk", goal="Refund", backstory="Careful", tools=tools, llm=model)
task = Task(description="Refund them all.", expected_output="What was done", agent=clerk)
Crew(agents=[clerk], tasks=[task]).kickoff()
about = [crew_refund.name, crew_refund.description, sorted(crew_refund.args_schema.model_fields)]
print(json.dumps({"ran": ran, "told": "\n".join(model.told), "tool": about}))
